// What a seal counts as used: results by their band, never an error, and attempts that came to nothing as such.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StorageFullError } from '../domain/errors.ts';
import { noUsage } from '../domain/tally.ts';
import { DISK_RETRY_MS } from '../domain/limits.ts';
import { Scene } from './fake-seals.ts';
import { createRun } from './held.ts';
import { tallyOf } from './outcome-tally.ts';
import { batchOf, outcomeOf, settle, spanOf } from './support.ts';
import { noteWasted } from './wasted.ts';

const atMs = Date.UTC(2026, 10, 21);
const usage = { ...noUsage, inputTokens: 10, outputTokens: 20 };
const attempt = { model: 'model-a', upstream: 'local', billing: 'own', tier: 'standard', atMs } as const;

test('each request falls into the band of its own prompt', () => {
  const span = spanOf({ lengths: [1, 1, 1] });
  const made = [50_000, 150_000, 100_000].map((inputTokens, item) =>
    outcomeOf(span, item, { model: 'claude-haiku-5-5', usage: { ...noUsage, inputTokens } }),
  );
  assert.deepEqual(
    tallyOf(made, { atMs }).usage.map(({ band, requests, inputTokens }) => [band, requests, inputTokens]),
    [
      [0, 2, 150_000],
      [1, 1, 150_000],
    ],
  );
});

test('only succeeded requests have usage, whatever an outcome says of itself', () => {
  const span = spanOf({ lengths: [1, 1, 1, 1] });
  const kinds = ['succeeded', 'errored', 'canceled', 'expired'] as const;
  const tally = tallyOf(
    kinds.map((kind, item) => outcomeOf(span, item, { kind, usage })),
    { atMs },
  );
  assert.deepEqual(tally.counts, { succeeded: 1, errored: 1, canceled: 1, expired: 1 });
  assert.deepEqual(
    tally.usage.map(({ requests }) => requests),
    [1],
  );
});

test('wasted attempts are counted by the next seal of their batch, once', async () => {
  const scene = new Scene();
  const run = createRun(batchOf());
  noteWasted(run, { ...attempt, usage: null });
  noteWasted(run, { ...attempt, usage });
  const first = spanOf({ run, lengths: [1], segment: 0 });
  scene.add(first, [0], { usage });
  await scene.sealer.drained();
  run.spans.delete(first);
  scene.add(spanOf({ run, lengths: [1], segment: 1 }), [0], { usage });
  await scene.sealer.drained();
  const [one, two] = scene.seals.map(({ tally }) => tally.usage.filter(({ wasted }) => wasted));
  assert.deepEqual(
    one?.map(({ requests, outputTokens }) => [requests, outputTokens]),
    [[2, 20]],
  );
  assert.deepEqual(two, []);
});

test('answers whose lease has passed on are wasted; after a failed seal they may have counted, and are not', async () => {
  for (const fails of [false, true]) {
    const scene = new Scene();
    const run = createRun(batchOf());
    const span = spanOf({ run, lengths: [1] });
    let asked = 0;
    scene.answer = () => {
      asked += 1;
      if (fails && asked === 1) throw new StorageFullError('the catalog');
      return { kind: 'stale', leases: [span.lease] };
    };
    scene.add(span, [0], { usage });
    await settle();
    await scene.world.move(DISK_RETRY_MS);
    await settle();
    assert.equal(scene.stale.length, 1);
    assert.deepEqual(
      [...run.wasted.values()].map(({ requests }) => requests),
      fails ? [] : [1],
    );
  }
});
