/** What every Blobs must do (B1, B2, B3 of ports/blobs.ts), as one suite for all adapters. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { BlobMissingError, type BlobListing, type Blobs } from '../../src/ports/blobs.ts';

/** Makes an empty place for one test, and opens it as often as asked: what was put must outlive its opener. */
export type BlobsPlace = (test: TestContext) => Promise<() => Promise<Blobs>>;

const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');

function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 17 + (index >> 8)) & 0xff);
}

export function blobsConformance(name: string, place: BlobsPlace): void {
  const blobsTest = (behaviour: string, run: (blobs: Blobs, reopen: () => Promise<Blobs>) => Promise<void>): void => {
    test(behaviour, async (context) => {
      const open = await place(context);
      const blobs = await open();
      try {
        await run(blobs, open);
      } finally {
        await blobs.close();
      }
    });
  };

  describe(`blobs: ${name}`, () => {
    blobsTest('B1 a put is read back whole, also after a restart', async (blobs, reopen) => {
      const body = pattern(300_000);
      await blobs.put('w/b/one', [
        body.subarray(0, 7),
        new Uint8Array(0),
        body.subarray(7, 100_000),
        body.subarray(100_000),
      ]);
      assert.deepEqual(Buffer.from(await blobs.get('w/b/one', { start: 0, end: body.length })), Buffer.from(body));
      await blobs.close();
      const again = await reopen();
      assert.deepEqual(Buffer.from(await again.get('w/b/one', { start: 0, end: body.length })), Buffer.from(body));
      await again.close();
    });

    blobsTest('B1 many small parts arrive in order', async (blobs) => {
      const parts = Array.from({ length: 5_000 }, (_, index) => bytes(`${index},`));
      await blobs.put('w/b/parts', parts);
      const all = Buffer.concat(parts);
      assert.deepEqual(Buffer.from(await blobs.get('w/b/parts', { start: 0, end: all.length })), all);
    });

    blobsTest('B2 putting the same bytes again is fine, other bytes are refused and change nothing', async (blobs) => {
      await blobs.put('w/b/once', [bytes('first')]);
      await blobs.put('w/b/once', [bytes('fi'), bytes('rst')]);
      await assert.rejects(blobs.put('w/b/once', [bytes('other')]));
      await assert.rejects(blobs.put('w/b/once', [bytes('first and more')]));
      await assert.rejects(blobs.put('w/b/once', [bytes('fir')]));
      assert.equal(Buffer.from(await blobs.get('w/b/once', { start: 0, end: 5 })).toString(), 'first');
    });

    blobsTest('B2 of two puts of one key at once, one wins whole', async (blobs) => {
      const results = await Promise.allSettled([
        blobs.put('w/b/race', [pattern(50_000, 1)]),
        blobs.put('w/b/race', [pattern(50_000, 2)]),
      ]);
      assert.deepEqual(results.map((result) => result.status).sort(), ['fulfilled', 'rejected']);
      const winner = results[0].status === 'fulfilled' ? 1 : 2;
      const stored = await blobs.get('w/b/race', { start: 0, end: 50_000 });
      assert.deepEqual(Buffer.from(stored), Buffer.from(pattern(50_000, winner)));
    });

    blobsTest('B3 ranges count plaintext bytes', async (blobs) => {
      await blobs.put('w/b/range', [bytes('0123456789')]);
      const read = async (start: number, end: number) =>
        Buffer.from(await blobs.get('w/b/range', { start, end })).toString();
      assert.equal(await read(0, 10), '0123456789');
      assert.equal(await read(0, 1), '0');
      assert.equal(await read(3, 7), '3456');
      assert.equal(await read(9, 10), '9');
      assert.equal(await read(5, 5), '');
    });

    blobsTest('a range beyond the end, a negative or reversed one is refused', async (blobs) => {
      await blobs.put('w/b/short', [bytes('0123456789')]);
      await assert.rejects(blobs.get('w/b/short', { start: 5, end: 11 }), /w\/b\/short/);
      await assert.rejects(blobs.get('w/b/short', { start: 50, end: 60 }), /w\/b\/short/);
      await assert.rejects(blobs.get('w/b/short', { start: -1, end: 4 }));
      await assert.rejects(blobs.get('w/b/short', { start: 4, end: 3 }));
    });

    blobsTest('an empty blob exists', async (blobs) => {
      await blobs.put('w/b/empty', []);
      assert.equal((await blobs.get('w/b/empty', { start: 0, end: 0 })).length, 0);
      assert.deepEqual(
        (await listAll(blobs, 'w/')).map(({ key, bytes: size }) => [key, size]),
        [['w/b/empty', 0]],
      );
    });

    blobsTest('what is missing is a BlobMissingError with its key', async (blobs) => {
      const isMissing = (error: unknown) => error instanceof BlobMissingError && error.key === 'w/b/none';
      await assert.rejects(blobs.get('w/b/none', { start: 0, end: 1 }), isMissing);
      await assert.rejects(blobs.get('w/b/none', { start: 0, end: 0 }), isMissing);
    });

    blobsTest('deleted blobs are gone, also ones just read; deleting again is fine', async (blobs) => {
      const keys = Array.from({ length: 40 }, (_, index) => `w/b/n${index}`);
      await Promise.all(keys.map((key) => blobs.put(key, [bytes(key)])));
      await blobs.get('w/b/n3', { start: 0, end: 3 });
      await blobs.delete([...keys, 'w/other/none']);
      await assert.rejects(blobs.get('w/b/n3', { start: 0, end: 3 }), BlobMissingError);
      await blobs.delete(keys);
      assert.deepEqual(await listAll(blobs, ''), []);
      await blobs.put('w/b/n3', [bytes('new')]);
      assert.equal(Buffer.from(await blobs.get('w/b/n3', { start: 0, end: 3 })).toString(), 'new');
    });

    blobsTest('keys are listed in byte order, by prefix, after a cursor, at most a limit', async (blobs) => {
      const keys = ['a/b/2', 'a/b/10', 'a-b/x/1', 'a/b-c/1', 'a/b/Z', 'a/c/1', 'B/b/1', 'a.b/c/d', 'a_/b/c'];
      for (const key of keys) await blobs.put(key, [bytes(key)]);
      const sorted = [...keys].sort((a, b) => Buffer.compare(bytes(a), bytes(b)));
      const expected = (prefix: string, after: string | null, limit: number) =>
        sorted.filter((key) => key.startsWith(prefix) && (after === null || key > after)).slice(0, limit);
      const cursors = [null, ...sorted, 'a/b/', 'a/', 'zz'];
      for (const prefix of ['', 'a', 'a/', 'a/b', 'a/b/', 'a/b/1', 'none/']) {
        for (const after of cursors) {
          for (const limit of [1, 3, 100]) {
            const found = (await blobs.list({ prefix, after, limit })).map(({ key }) => key);
            assert.deepEqual(found, expected(prefix, after, limit), JSON.stringify({ prefix, after, limit }));
          }
        }
      }
    });

    blobsTest('a listing tells plaintext size and time', async (blobs) => {
      await blobs.put('w/b/size', [pattern(12_345)]);
      const [listing] = await listAll(blobs, 'w/b/size');
      assert.equal(listing.bytes, 12_345);
      assert.ok(listing.modifiedMs > 1_600_000_000_000);
    });

    blobsTest('keys that are not three plain parts are refused everywhere', async (blobs) => {
      for (const key of [
        '',
        'a',
        'a/b',
        'a/b/c/d',
        '../b/c',
        'a/../c',
        'a/b/..',
        'a//c',
        '/a/b/c',
        'a/b/c\0',
        'a/b/ü',
        'a/b/c d',
        './b/c',
      ]) {
        await assert.rejects(blobs.put(key, [bytes('x')]), `put ${key}`);
        await assert.rejects(blobs.get(key, { start: 0, end: 0 }), `get ${key}`);
        await assert.rejects(blobs.delete([key]), `delete ${key}`);
      }
      assert.deepEqual(await listAll(blobs, ''), []);
    });

    blobsTest('many puts and reads at once', async (blobs) => {
      const keys = Array.from({ length: 30 }, (_, index) => `w/b${index % 7}/n${index}`);
      await Promise.all(keys.map((key, index) => blobs.put(key, [pattern(20_000, index)])));
      await Promise.all(
        [...keys, ...keys, ...keys].map(async (key, index) => {
          const stored = await blobs.get(key, { start: 100, end: 19_000 });
          assert.deepEqual(Buffer.from(stored), Buffer.from(pattern(20_000, index % 30).subarray(100, 19_000)));
        }),
      );
    });
  });
}

function listAll(blobs: Blobs, prefix: string): Promise<readonly BlobListing[]> {
  return blobs.list({ prefix, after: null, limit: 1_000 });
}
