import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { acceptBatch, claimAll, finish, sealOf } from '../../test/conformance/catalog-fixtures.ts';
import { encodeChunkIndex } from '../bytes/chunk-index.ts';
import type { Batch } from '../domain/batch.ts';
import {
  CLOCK_DISTRUST_MS,
  CLOCK_JUMP_MS,
  JANITOR_MS,
  MERGE_CHUNKS_MIN,
  ORPHAN_BLOB_MS,
  RETIRED_BLOB_MS,
  SWEEP_MS,
} from '../domain/limits.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Engine } from './engine.ts';
import { Janitor } from './janitor.ts';
import { openResults } from './results.ts';
import { FakeWorld, MemoryBlobs, openCatalog, settle } from './support.ts';

type Scene = { catalog: Catalog; blobs: MemoryBlobs; world: FakeWorld; janitor: Janitor; closed: string[] };

async function scene(t: TestContext): Promise<Scene> {
  const world = new FakeWorld();
  const catalog = await openCatalog(t, world);
  const blobs = new MemoryBlobs(() => world.clock.wallMs());
  const closed: string[] = [];
  const close: Engine['close'] = (batch, outcome) => {
    if (closed.includes(`${batch.id} ${outcome}`)) return false;
    closed.push(`${batch.id} ${outcome}`);
    return true;
  };
  const janitor = new Janitor({ catalog, blobs, world, engine: { close } as Engine });
  t.after(() => janitor.stop());
  return { catalog, blobs, world, janitor, closed };
}

function putOld({ blobs, world }: Scene, key: string, ageMs: number): void {
  blobs.stored.set(key, { bytes: Buffer.from('x'), modifiedMs: world.clock.wallMs() - ageMs });
}

test('a batch past its window is closed as expired, once, and no other', async (t) => {
  const subject = await scene(t);
  const short = await acceptBatch(subject.catalog, { windowMs: 10 * SWEEP_MS });
  await acceptBatch(subject.catalog, { windowMs: 1_000_000 });
  subject.janitor.start();
  await subject.world.move(9 * SWEEP_MS);
  assert.deepEqual(subject.closed, []);
  await subject.world.move(4 * SWEEP_MS);
  assert.deepEqual(subject.closed, [`${short.id} expired`]);
  assert.deepEqual(subject.world.kinds(), ['batch_expiring']);
});

for (const direction of [1, -1]) {
  test(`after the wall clock jumped ${direction > 0 ? 'ahead' : 'back'} nothing expires for a while`, async (t) => {
    const subject = await scene(t);
    await acceptBatch(subject.catalog, { windowMs: 5 * SWEEP_MS });
    subject.janitor.start();
    await subject.world.move(2 * SWEEP_MS);
    subject.world.jumpWall(direction * 3_600_000);
    await subject.world.move(SWEEP_MS);
    assert.deepEqual(subject.world.events, [
      { kind: 'clock_jumped', byMs: direction * 3_600_000, distrustMs: CLOCK_DISTRUST_MS },
    ]);
    await subject.world.move(CLOCK_DISTRUST_MS - 2 * SWEEP_MS);
    assert.deepEqual(subject.closed, []);
    // The catalog's time waits for a clock that went back.
    if (direction < 0) subject.world.jumpWall(CLOCK_JUMP_MS - 1);
    await subject.world.move(3 * SWEEP_MS);
    assert.equal(subject.closed.length, direction > 0 ? 1 : 0);
  });
}

test('a clock that is set by less than a jump is trusted', async (t) => {
  const subject = await scene(t);
  await acceptBatch(subject.catalog, { windowMs: 5 * SWEEP_MS });
  subject.janitor.start();
  await subject.world.move(2 * SWEEP_MS);
  subject.world.jumpWall(CLOCK_JUMP_MS - 1);
  await subject.world.move(2 * SWEEP_MS);
  assert.equal(subject.closed.length, 1);
});

test('results go only after the catalog has said that they are archived', async (t) => {
  const subject = await scene(t);
  const { id } = await acceptBatch(subject.catalog, { retentionMs: 30 * SWEEP_MS });
  await finish(subject.catalog, id);
  const keys = ['r-1', 's-000000'].map((name) => `wrkspc_a/${id}/${name}`);
  keys.forEach((key) => putOld(subject, key, 0));
  putOld(subject, 'wrkspc_a/msgbatch_other/r-1', 0);
  const seen: (Batch | null)[] = [];
  subject.blobs.before = async (what, key) => {
    if (what === 'delete' && key !== '') seen.push(await subject.catalog.batch('wrkspc_a', id));
  };
  subject.janitor.start();
  await subject.world.move(JANITOR_MS / 2);
  assert.equal(subject.blobs.keys().length, 3);
  await subject.world.move(JANITOR_MS);
  assert.deepEqual(subject.blobs.keys(), ['wrkspc_a/msgbatch_other/r-1']);
  assert.deepEqual(
    seen.map((batch) => batch?.archivedAt !== null),
    [true],
  );
  assert.deepEqual(subject.world.events, [{ kind: 'batch_archived', batchId: id }]);
});

test('garbage is what no batch owns, is old, and is not of an upload under way', async (t) => {
  const subject = await scene(t);
  const { id } = await acceptBatch(subject.catalog);
  const old = ORPHAN_BLOB_MS + 1_000;
  putOld(subject, `wrkspc_a/${id}/s-000000`, old);
  putOld(subject, 'wrkspc_a/msgbatch_gone/s-000000', old);
  putOld(subject, 'wrkspc_a/msgbatch_gone/s-000001', old);
  putOld(subject, 'wrkspc_a/msgbatch_uploading/s-000000', old);
  putOld(subject, 'wrkspc_a/msgbatch_young/s-000000', ORPHAN_BLOB_MS - 1_000);
  subject.janitor.uploadStarted('msgbatch_uploading');
  subject.janitor.start();
  await settle();
  const kept = [`wrkspc_a/${id}/s-000000`, 'wrkspc_a/msgbatch_uploading/s-000000', 'wrkspc_a/msgbatch_young/s-000000'];
  assert.deepEqual(subject.blobs.keys(), kept.toSorted());
  assert.deepEqual(subject.world.events, [{ kind: 'garbage_removed', blobs: 2 }]);
  subject.janitor.uploadEnded('msgbatch_uploading');
  await subject.world.move(JANITOR_MS + SWEEP_MS);
  assert.deepEqual(subject.blobs.keys(), [`wrkspc_a/${id}/s-000000`]);
});

test('garbage is found page by page', async (t) => {
  const subject = await scene(t);
  const { id } = await acceptBatch(subject.catalog);
  for (let at = 0; at < 2_500; at++)
    putOld(subject, `wrkspc_a/msgbatch_x${String(at).padStart(4, '0')}/s-0`, ORPHAN_BLOB_MS + 1);
  putOld(subject, `wrkspc_a/${id}/s-0`, ORPHAN_BLOB_MS + 1);
  subject.janitor.start();
  await settle();
  assert.deepEqual(subject.blobs.keys(), [`wrkspc_a/${id}/s-0`]);
});

/** An ended batch of one line a chunk. */
async function ended({ catalog, blobs }: Scene, chunks: number): Promise<Batch> {
  const { id } = await acceptBatch(catalog, {}, [{ requests: chunks }]);
  const [span] = await claimAll(catalog, 'node-a', id);
  for (let item = 0; item < chunks; item++) {
    const index = encodeChunkIndex([{ bytes: 10, ordinal: item, kind: 'succeeded' }]);
    const blob = `wrkspc_a/${id}/r-${item}`;
    await blobs.put(blob, [Buffer.alloc(10, String(item)), index]);
    const seal = sealOf('node-a', [{ lease: span!.lease, requests: chunks, items: [item] }], { bytes: 10 });
    await catalog.seal({
      ...seal,
      chunk: { blob, bytes: 10, lines: 1, blobOffset: 0, indexOffset: 10, indexBytes: index.length },
    });
  }
  return (await catalog.batch('wrkspc_a', id))!;
}

test('small chunks are merged; what they were stays for downloads under way, then goes', async (t) => {
  const subject = await scene(t);
  const batch = await ended(subject, MERGE_CHUNKS_MIN + 2);
  const reader = openResults({ ...subject, batch })
    .read({ start: 0, end: batch.resultBytes })
    [Symbol.asyncIterator]();
  const pieces = [(await reader.next()).value as Uint8Array];
  subject.janitor.start();
  await settle();
  assert.equal((await subject.catalog.chunks({ batchId: batch.id, after: -1, limit: 100 })).length, 1);
  assert.equal(subject.blobs.keys().length, MERGE_CHUNKS_MIN + 3);
  for (let step = await reader.next(); !step.done; step = await reader.next()) pieces.push(step.value);
  const before = Buffer.concat(pieces);
  await subject.world.move(RETIRED_BLOB_MS + 2 * JANITOR_MS);
  assert.equal(subject.blobs.keys().length, 1);
  const after: Uint8Array[] = [];
  for await (const piece of openResults({ ...subject, batch }).read({ start: 0, end: batch.resultBytes }))
    after.push(piece);
  assert.ok(Buffer.concat(after).equals(before));
});

test('a failure is told and the next beat tries again', async (t) => {
  const subject = await scene(t);
  putOld(subject, 'wrkspc_a/msgbatch_gone/s-0', ORPHAN_BLOB_MS + 1);
  subject.blobs.before = () => Promise.reject(new Error('the disk is away'));
  subject.janitor.start();
  await settle();
  assert.deepEqual(subject.world.kinds(), ['failure']);
  subject.blobs.before = () => undefined;
  await subject.world.move(JANITOR_MS + SWEEP_MS);
  assert.deepEqual(subject.blobs.keys(), []);
});

test('beats never overlap, and a stop waits for the one under way', async (t) => {
  const subject = await scene(t);
  let open: (() => void) | null = null;
  let lists = 0;
  subject.blobs.before = (what) => {
    if (what !== 'list') return undefined;
    lists += 1;
    return new Promise<void>((resolve) => (open = resolve));
  };
  subject.janitor.start();
  await subject.world.move(2 * JANITOR_MS);
  assert.equal(lists, 1);
  let stopped = false;
  const stopping = subject.janitor.stop().then(() => (stopped = true));
  await settle();
  assert.equal(stopped, false);
  open!();
  await stopping;
  assert.equal(subject.world.timersPending, 0);
});

test('erasing takes every blob of the batch and none of a neighbour', async (t) => {
  const subject = await scene(t);
  for (let at = 0; at < 1_200; at++) putOld(subject, `wrkspc_a/msgbatch_a/r-${at}`, 0);
  putOld(subject, 'wrkspc_a/msgbatch_ab/r-1', 0);
  await subject.janitor.erase({ workspaceId: 'wrkspc_a', id: 'msgbatch_a' } as Batch);
  assert.deepEqual(subject.blobs.keys(), ['wrkspc_a/msgbatch_ab/r-1']);
});
