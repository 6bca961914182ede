import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RESULTS_READ_BYTES } from '../domain/limits.ts';
import type { Catalog, ChunkRow } from '../ports/catalog.ts';
import { openResults } from './results.ts';
import { batchOf, MemoryBlobs, settle } from './support.ts';

type Scene = { rows: ChunkRow[]; blobs: MemoryBlobs; whole: Buffer; catalog: Catalog; pages: number[] };

/** Chunks of these sizes, each somewhere in a blob of its own, told in pages as large as asked for. */
function scene(sizes: readonly number[], pageMax = Infinity): Scene {
  const blobs = new MemoryBlobs();
  const pages: number[] = [];
  let offset = 0;
  const rows = sizes.map((bytes, sequence) => {
    const blobOffset = (sequence * 7) % 50;
    const lines = Buffer.alloc(bytes, `${sequence};`);
    blobs.stored.set(`r-${sequence}`, {
      bytes: Buffer.concat([Buffer.alloc(blobOffset), lines, Buffer.alloc(9)]),
      modifiedMs: 0,
    });
    offset += bytes;
    return {
      sequence,
      offset: offset - bytes,
      bytes,
      lines: 1,
      blob: `r-${sequence}`,
      blobOffset,
      indexOffset: blobOffset + bytes,
      indexBytes: 9,
    };
  });
  const subject = {
    rows,
    blobs,
    pages,
    whole: Buffer.concat(sizes.map((bytes, sequence) => Buffer.alloc(bytes, `${sequence};`))),
  };
  const chunks: Catalog['chunks'] = async ({ after, limit }) => {
    pages.push(after);
    return subject.rows.filter(({ sequence }) => sequence > after).slice(0, Math.min(limit, pageMax));
  };
  return Object.assign(subject, { catalog: { chunks } as Catalog });
}

function resultsOf({ catalog, blobs, whole }: Scene) {
  return openResults({ catalog, blobs, batch: batchOf({ state: 'ended', resultBytes: whole.length }) });
}

async function read(subject: Scene, range: { start: number; end: number }): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of resultsOf(subject).read(range)) {
    assert.ok(piece.length > 0 && piece.length <= RESULTS_READ_BYTES);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** What a merge does to the rows: these become one, under the number of the first. */
function merge(subject: Scene, from: number, to: number): void {
  const gone = subject.rows.filter(({ sequence }) => sequence >= from && sequence <= to);
  const [first] = gone as [ChunkRow];
  const bytes = gone.reduce((sum, row) => sum + row.bytes, 0);
  const blob = `m-${from}`;
  subject.blobs.stored.set(blob, { bytes: subject.whole.subarray(first.offset, first.offset + bytes), modifiedMs: 0 });
  const merged = { ...first, bytes, blob, blobOffset: 0 };
  subject.rows = subject.rows.flatMap((row) => (row === first ? [merged] : gone.includes(row) ? [] : [row]));
}

test('any range over any layout of chunks is that part of all of them together', async () => {
  const sizes = fc.array(
    fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 3 * RESULTS_READ_BYTES })),
    { maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(sizes, fc.nat(1_000), fc.nat(1_000), async (layout, left, right) => {
      const subject = scene(layout);
      const [start, end] = [left, right]
        .toSorted((a, b) => a - b)
        .map((part) => Math.floor((part / 1_000) * subject.whole.length)) as [number, number];
      assert.ok((await read(subject, { start, end })).equals(subject.whole.subarray(start, end)));
    }),
    { numRuns: 60 },
  );
});

test('an ended batch has its size and a strong name that stays', () => {
  const results = resultsOf(scene([10, 20]));
  assert.deepEqual([results.bytes, results.etag], [30, '"msgbatch_a-30"']);
});

test('thousands of chunks are listed page by page', async () => {
  const subject = scene(Array.from({ length: 2_500 }, (_, sequence) => 1 + (sequence % 5)));
  assert.ok((await read(subject, { start: 0, end: subject.whole.length })).equals(subject.whole));
  assert.deepEqual(subject.pages, [-1, 999, 1_999]);
});

test('a merge during a download, over the end of a page, loses and repeats nothing', async () => {
  for (const [from, to] of [
    [6, 13],
    [9, 10],
    [0, 19],
    [10, 19],
    [0, 9],
  ] as const) {
    const subject = scene(
      Array.from({ length: 20 }, (_, sequence) => 3 + sequence),
      10,
    );
    const pieces: Uint8Array[] = [];
    for await (const piece of resultsOf(subject).read({ start: 5, end: subject.whole.length })) {
      pieces.push(piece);
      if (pieces.length === 4) merge(subject, from, to);
    }
    assert.ok(Buffer.concat(pieces).equals(subject.whole.subarray(5)), `${from} to ${to}`);
  }
});

test('a reader so slow that its chunks were merged and erased goes on in the merged ones', async () => {
  const subject = scene(Array.from({ length: 12 }, (_, sequence) => 5 + sequence));
  const pieces: Uint8Array[] = [];
  for await (const piece of resultsOf(subject).read({ start: 2, end: subject.whole.length - 3 })) {
    pieces.push(piece);
    if (pieces.length !== 3) continue;
    merge(subject, 0, 11);
    for (let sequence = 0; sequence < 12; sequence++) subject.blobs.stored.delete(`r-${sequence}`);
  }
  assert.ok(Buffer.concat(pieces).equals(subject.whole.subarray(2, -3)));
});

test('results that are gone in the middle fail the download instead of ending it', async () => {
  const subject = scene(
    Array.from({ length: 20 }, () => 10),
    10,
  );
  await assert.rejects(async () => {
    for await (const _ of resultsOf(subject).read({ start: 0, end: 200 })) subject.rows = [];
  }, /have no byte 100/);
  const short = scene([10, 10]);
  await assert.rejects(async () => {
    for await (const _ of resultsOf(short).read({ start: 0, end: 25 }));
  }, /have no byte 20/);
});

test('a missing blob fails when its turn comes', async () => {
  const subject = scene([10, 10, 10]);
  subject.blobs.stored.delete('r-2');
  const pieces: number[] = [];
  await assert.rejects(async () => {
    for await (const piece of resultsOf(subject).read({ start: 0, end: 30 })) pieces.push(piece.length);
  }, /r-2 is missing/);
  assert.deepEqual(pieces, [10, 10]);
});

test('nothing is read before the first pull, and two reads are ahead of the reader', async () => {
  const subject = scene(Array.from({ length: 10 }, () => 10));
  const iterator = resultsOf(subject).read({ start: 0, end: 100 })[Symbol.asyncIterator]();
  await settle();
  assert.equal(subject.blobs.reads.length, 0);
  for (const reads of [3, 4, 5]) {
    await iterator.next();
    await settle();
    assert.equal(subject.blobs.reads.length, reads);
  }
  await iterator.return?.();
  await settle();
  assert.equal(subject.blobs.reads.length, 5);
});

test('an empty range reads nothing', async () => {
  const subject = scene([10]);
  assert.equal((await read(subject, { start: 4, end: 4 })).length, 0);
  assert.equal(subject.blobs.reads.length, 0);
});
