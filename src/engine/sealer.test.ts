import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeChunkIndex } from '../bytes/chunk-index.ts';
import { CHUNK_BYTES_MAX, CHUNK_LINES_MAX, SEALS_MAX, UNSEALED_BYTES_MAX, WATCHED_SEAL_MS } from '../domain/limits.ts';
import { testBit } from '../domain/segment.ts';
import { noUsage } from '../domain/tally.ts';
import type { Seal } from '../ports/catalog.ts';
import { largeSpan, range, Scene } from './fake-seals.ts';
import { createRun, markDone } from './held.ts';
import { batchOf, outcomeOf, settle, spanOf } from './support.ts';

test('nothing is sealed before there is enough for a chunk', async () => {
  const scene = new Scene();
  const span = largeSpan();
  scene.add(span, range(0, CHUNK_LINES_MAX - 1));
  await settle();
  assert.deepEqual(scene.lines(), []);
  assert.ok(scene.sealer.unsealedBytes() > 0);
  scene.add(span, [5_000]);
  await settle();
  assert.deepEqual(scene.lines(), [CHUNK_LINES_MAX]);
  assert.equal(scene.sealer.unsealedBytes(), 0);
});

test('a batch that somebody watches is sealed with what it has, once in a while, and no other is', async () => {
  const scene = new Scene();
  const [run, other] = [createRun(batchOf()), createRun(batchOf({ id: 'msgbatch_other' }))];
  const span = largeSpan(run);
  scene.add(largeSpan(other), range(0, 5));
  scene.add(span, range(0, 3));
  scene.sealer.watched('msgbatch_a');
  await settle();
  assert.deepEqual(scene.lines(), [3]);
  scene.add(span, range(3, 7));
  scene.sealer.watched('msgbatch_a');
  await settle();
  assert.deepEqual(scene.lines(), [3], 'too soon');
  await scene.world.move(WATCHED_SEAL_MS);
  scene.sealer.watched('msgbatch_a');
  scene.sealer.watched('msgbatch_unknown');
  await settle();
  assert.deepEqual(scene.lines(), [3, 4]);
});

test('a chunk is cut at so many lines, and what is left waits for more', async () => {
  const scene = new Scene();
  scene.add(largeSpan(), range(0, 2 * CHUNK_LINES_MAX + 5));
  await settle();
  assert.deepEqual(scene.lines(), [CHUNK_LINES_MAX, CHUNK_LINES_MAX]);
});

test('a chunk is cut at so many bytes', async () => {
  const scene = new Scene();
  scene.add(largeSpan(), range(0, 5), { line: Buffer.alloc(CHUNK_BYTES_MAX / 4, 'x') });
  await settle();
  assert.deepEqual(scene.lines(), [4]);
});

test('a chunk has its lines, their index, the bits and the tally of exactly its outcomes', async () => {
  const scene = new Scene();
  const run = createRun(batchOf());
  const [left, right] = [spanOf({ run, segment: 0 }), spanOf({ run, segment: 3, lengths: range(0, 20).map(() => 1) })];
  const usage = { ...noUsage, inputTokens: 10, outputTokens: 3 };
  const outcomes = [
    outcomeOf(left, 0, { usage }),
    outcomeOf(right, 17, { usage, model: 'model-b' }),
    outcomeOf(left, 2, { usage }),
    outcomeOf(right, 1, { kind: 'errored' }),
    outcomeOf(right, 2, { kind: 'expired' }),
    outcomeOf(left, 1, { kind: 'canceled' }),
  ];
  for (const { span, item } of outcomes) markDone(span, item);
  scene.sealer.add(outcomes);
  scene.sealer.force(() => true);
  await scene.sealer.drained();
  const [{ chunk, leases, tally, batchId, node }] = scene.seals as [Seal];
  assert.deepEqual([node, batchId], ['node-a', 'msgbatch_a']);
  const { bytes } = scene.blobs.stored.get(chunk.blob)!;
  const lines = Buffer.concat(outcomes.map(({ line }) => line));
  assert.ok(bytes.subarray(chunk.blobOffset, chunk.blobOffset + chunk.bytes).equals(lines));
  assert.deepEqual(
    decodeChunkIndex(bytes.subarray(chunk.indexOffset, chunk.indexOffset + chunk.indexBytes)),
    outcomes.map(({ line, kind, span, item }) => ({ bytes: line.length, kind, ordinal: span.index.ordinal(item) })),
  );
  assert.deepEqual(
    leases.map(({ lease, done }) => [lease.segment, range(0, 20).filter((item) => testBit(done, item))]),
    [
      [0, [0, 1, 2]],
      [3, [1, 2, 17]],
    ],
  );
  assert.deepEqual(tally.counts, { succeeded: 3, errored: 1, canceled: 1, expired: 1 });
  const key = { upstream: 'local', billing: 'own', tier: 'standard', band: 0, wasted: false };
  assert.deepEqual(tally.usage, [
    { ...key, model: 'model-a', ...noUsage, inputTokens: 20, outputTokens: 6, requests: 2 },
    { ...key, model: 'model-b', ...noUsage, inputTokens: 10, outputTokens: 3, requests: 1 },
  ]);
});

test('the last outcomes of what this node holds are sealed at once, however few', async () => {
  const scene = new Scene();
  const span = spanOf();
  scene.add(span, [0, 1]);
  await settle();
  assert.deepEqual(scene.lines(), []);
  scene.add(span, [2]);
  await scene.sealer.drained();
  assert.deepEqual(scene.lines(), [3]);
});

test('while a claim is under way, or spans are unclaimed, more may come', async () => {
  const scene = new Scene();
  const span = spanOf();
  span.run.claiming = 1;
  span.run.unclaimed.set('model-a', 2);
  scene.add(span, [0, 1, 2]);
  span.run.claiming = 0;
  scene.sealer.consider(span.run);
  await settle();
  assert.deepEqual(scene.lines(), []);
  span.run.unclaimed.set('model-a', 0);
  scene.sealer.consider(span.run);
  await scene.sealer.drained();
  assert.deepEqual(scene.lines(), [3]);
});

test('lines of a closing batch are cut by size alone', async () => {
  const scene = new Scene();
  const span = largeSpan(undefined, 3_000);
  span.run.closing = 'canceled';
  scene.add(span, range(0, 2_999), { kind: 'canceled' });
  await settle();
  assert.deepEqual(scene.lines(), []);
  scene.add(span, [2_999], { kind: 'canceled' });
  await scene.sealer.drained();
  assert.deepEqual(scene.lines(), [3_000]);
});

test('a crowded journal file is sealed with what its batch has, and no other batch', async () => {
  const scene = new Scene();
  const [left, right] = [
    largeSpan(createRun(batchOf({ id: 'msgbatch_l' }))),
    largeSpan(createRun(batchOf({ id: 'msgbatch_r' }))),
  ];
  scene.add(left, [0], { file: 1 });
  scene.add(left, [1], { file: 2 });
  scene.add(right, [0], { file: 2 });
  scene.sealer.force(({ file }) => file === 1);
  await settle();
  assert.deepEqual(
    scene.seals.map(({ batchId, chunk }) => [batchId, chunk.lines]),
    [['msgbatch_l', 2]],
  );
});

test('above the bound of unsealed bytes the largest batch is sealed early', async () => {
  const scene = new Scene();
  const run = (id: string) => largeSpan(createRun(batchOf({ id })));
  const line = Buffer.alloc(CHUNK_BYTES_MAX - 1);
  const batches = UNSEALED_BYTES_MAX / CHUNK_BYTES_MAX;
  for (const batch of range(0, batches)) scene.add(run(`msgbatch_${batch}`), [0], { line });
  await settle();
  assert.deepEqual(scene.lines(), []);
  scene.add(run('msgbatch_small'), [0], { line: line.subarray(0, 100) });
  await settle();
  assert.deepEqual(
    scene.seals.map(({ batchId }) => batchId),
    ['msgbatch_0'],
  );
});

test('only so many seals are under way, one a batch; the rest follow as they end', async () => {
  const scene = new Scene();
  const answers: (() => void)[] = [];
  scene.answer = () =>
    new Promise((resolve) => answers.push(() => resolve({ kind: 'sealed', batch: batchOf(), sequence: 0 })));
  for (const batch of range(0, SEALS_MAX + 3)) {
    scene.add(spanOf({ run: createRun(batchOf({ id: `msgbatch_${batch}` })), lengths: [1] }), [0]);
  }
  await settle();
  assert.equal(answers.length, SEALS_MAX);
  answers.shift()!();
  await settle();
  assert.equal(answers.length, SEALS_MAX);
  while (answers.length > 0) {
    answers.shift()!();
    await settle();
  }
  await scene.sealer.drained();
  assert.equal(scene.seals.length, SEALS_MAX + 3);
});

test('outcomes that come during a seal are sealed after it, each once', async () => {
  const scene = new Scene();
  const span = largeSpan(undefined, 2_500);
  scene.answer = async () => {
    await settle();
    return { kind: 'sealed', batch: batchOf(), sequence: 0 };
  };
  const outcomes = range(0, 25).flatMap((part) => scene.add(span, range(part * 100, part * 100 + 100)));
  await scene.sealer.drained();
  assert.deepEqual(scene.sealed.flat(), outcomes);
});

test('more unsealed bytes than the bound are sealed batch by batch, though nothing more comes', async () => {
  const scene = new Scene();
  const line = Buffer.alloc(CHUNK_BYTES_MAX - 1);
  const batches = range(0, UNSEALED_BYTES_MAX / CHUNK_BYTES_MAX + 10).map((batch) =>
    largeSpan(createRun(batchOf({ id: `msgbatch_${batch}` }))),
  );
  scene.sealer.add(batches.map((span) => outcomeOf(span, 0, { line })));
  await settle();
  assert.ok(scene.sealer.unsealedBytes() <= UNSEALED_BYTES_MAX);
  assert.deepEqual(
    scene.lines(),
    range(0, 10).map(() => 1),
  );
});

test('drained resolves at once when nothing is pending, and otherwise for everyone', async () => {
  const scene = new Scene();
  await scene.sealer.drained();
  const span = largeSpan();
  scene.add(span, [0]);
  const waiting = [scene.sealer.drained(), scene.sealer.drained()];
  scene.sealer.force(() => true);
  await Promise.all(waiting);
  assert.deepEqual(scene.lines(), [1]);
});
