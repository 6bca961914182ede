import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { acceptBatch, claimAll, sealOf } from '../../test/conformance/catalog-fixtures.ts';
import { decodeChunkIndex, encodeChunkIndex } from '../bytes/chunk-index.ts';
import type { Batch } from '../domain/batch.ts';
import type { Catalog } from '../ports/catalog.ts';
import { mergeChunks } from './merge.ts';
import { FakeWorld, MemoryBlobs, openCatalog } from './support.ts';

type Scene = { catalog: Catalog; blobs: MemoryBlobs; world: FakeWorld };

async function scene(t: TestContext): Promise<Scene> {
  const world = new FakeWorld();
  return { world, blobs: new MemoryBlobs(), catalog: await openCatalog(t, world) };
}

/** An ended batch whose chunks have these lines, by their lengths. */
async function ended({ catalog, blobs }: Scene, chunks: readonly (readonly number[])[]): Promise<Batch> {
  const requests = chunks.flat().length;
  const { id } = await acceptBatch(catalog, {}, [{ requests }]);
  const [span] = await claimAll(catalog, 'node-a', id);
  let item = 0;
  let last: Batch | null = null;
  for (const [number, lengths] of chunks.entries()) {
    const items = lengths.map(() => item++);
    const lines = lengths.map((length, at) => Buffer.alloc(length, `${items[at]}|`));
    const index = encodeChunkIndex(items.map((ordinal, at) => ({ ordinal, kind: 'succeeded', bytes: lengths[at]! })));
    const blob = `wrkspc_a/${id}/r-${number}`;
    await blobs.put(blob, [Buffer.alloc(number), ...lines, index]);
    const bytes = Buffer.concat(lines).length;
    const seal = sealOf('node-a', [{ lease: span!.lease, requests, items }], { bytes });
    const sealed = await catalog.seal({
      ...seal,
      chunk: {
        blob,
        bytes,
        lines: items.length,
        blobOffset: number,
        indexOffset: number + bytes,
        indexBytes: index.length,
      },
    });
    last = sealed.kind === 'sealed' ? sealed.batch : assert.fail('stale');
  }
  assert.equal(last?.state, 'ended');
  return last;
}

async function whole(
  { catalog, blobs }: Scene,
  batch: Batch,
): Promise<{ bytes: Buffer; ordinals: number[]; rows: number; lines: number }> {
  const rows = await catalog.chunks({ batchId: batch.id, after: -1, limit: 1_000 });
  const parts: Uint8Array[] = [];
  const ordinals: number[] = [];
  for (const row of rows) {
    assert.equal(row.offset, Buffer.concat(parts).length);
    parts.push(await blobs.get(row.blob, { start: row.blobOffset, end: row.blobOffset + row.bytes }));
    const entries = decodeChunkIndex(
      await blobs.get(row.blob, { start: row.indexOffset, end: row.indexOffset + row.indexBytes }),
    );
    assert.deepEqual([entries.length, entries.reduce((sum, { bytes }) => sum + bytes, 0)], [row.lines, row.bytes]);
    ordinals.push(...entries.map(({ ordinal }) => ordinal));
  }
  return {
    bytes: Buffer.concat(parts),
    ordinals,
    rows: rows.length,
    lines: rows.reduce((sum, row) => sum + row.lines, 0),
  };
}

test('merging changes neither the bytes nor the indexes, whatever the chunks', async (t) => {
  const subject = await scene(t);
  const layout = fc.array(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 15,
  });
  await fc.assert(
    fc.asyncProperty(layout, fc.integer({ min: 1, max: 400 }), async (chunks, bytesMax) => {
      const batch = await ended(subject, chunks);
      const before = await whole(subject, batch);
      const retired = await mergeChunks({ ...subject, batch, bytesMax });
      const after = await whole(subject, batch);
      assert.ok(after.bytes.equals(before.bytes));
      assert.deepEqual(after.ordinals, before.ordinals);
      assert.ok(retired.length === 0 ? after.rows === before.rows : after.rows < before.rows);
      await subject.blobs.delete(retired);
      assert.ok((await whole(subject, batch)).bytes.equals(before.bytes), 'no retired blob is needed');
    }),
    { numRuns: 30 },
  );
});

test('neighbours are joined up to the bound, and what is larger is left alone', async (t) => {
  const subject = await scene(t);
  const batch = await ended(subject, [[10], [10], [50], [10], [10], [10]]);
  const retired = await mergeChunks({ ...subject, batch, bytesMax: 30 });
  assert.deepEqual(
    (await subject.catalog.chunks({ batchId: batch.id, after: -1, limit: 10 })).map(({ bytes }) => bytes),
    [20, 50, 30],
  );
  assert.equal(retired.length, 5);
  assert.deepEqual(await mergeChunks({ ...subject, batch, bytesMax: 30 }), []);
});

test('when another node was faster the new blob goes and the old ones stay', async (t) => {
  const subject = await scene(t);
  const batch = await ended(subject, [[10], [10], [10]]);
  const before = subject.blobs.keys();
  const slow = {
    ...subject,
    catalog: { chunks: subject.catalog.chunks.bind(subject.catalog), merge: async () => false } as unknown as Catalog,
  };
  assert.deepEqual(await mergeChunks({ ...slow, batch, bytesMax: 100 }), []);
  assert.deepEqual(subject.blobs.keys(), before);
});
