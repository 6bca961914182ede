/** The whole loop over real sockets, against the fake that cuts them. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { fakeBatches, type PostFault, type ResultsFault } from '../../../test/support/fake-batches.ts';
import { httpBatchApi } from '../api/api.ts';
import { FakeRun, texts } from './fake-run.ts';
import type { FaultPoint } from './parts.ts';
import { Run } from './run.ts';
import { systemWorld } from './world.ts';

/** Seconds instead of minutes: the fake commits at once or after less than its flight. */
const bounds = { flightMs: 400, visibleMs: 100, skewMs: 1_500, keyKeptMs: 3_600_000, sweepMs: 60_000 };

test('over sockets that are cut, answers that lie and kills, every row is bought once and answered', async (t) => {
  const faults: readonly PostFault[] = [
    { kind: 'cut-after-last', commit: true },
    { kind: 'answer', status: 500, commit: true },
    { kind: 'cut-at', bytes: 200 },
    { kind: 'none' },
    { kind: 'refuse', status: 429, retryAfterSeconds: 0.02 },
    { kind: 'cut-after-last', commit: false },
    { kind: 'answer', status: 200, commit: true, body: 'no JSON' },
  ];
  const downloads: readonly ResultsFault[] = [
    { kind: 'truncate', afterBytes: 900 },
    { kind: 'status', status: 529 },
  ];
  const fake = await fakeBatches(t, {
    onPost: ({ index }) => faults[index] ?? { kind: 'none' },
    onResults: ({ index }) => downloads[index] ?? { kind: 'none' },
  });
  // Their sizes differ, as chunks of a real run do; equal ones would wait for their proof.
  const run = new FakeRun(t, { texts: texts(60), spec: { batching: { chunkRequests: 20 } } });
  await run.plan();
  let passes = 0;
  const killed = new Set<FaultPoint>();
  for (;;) {
    const api = httpBatchApi({ baseUrl: fake.url, apiKey: fake.key, world: systemWorld });
    run.faults = (point) => {
      passes += 1;
      if (passes % 9 !== 0 || killed.has(point)) return;
      killed.add(point);
      run.ledger.crash();
      throw new Error('killed');
    };
    try {
      const pace = { bounds, staggerMs: 0, refusedWaitMs: 5, pollMinMs: 20, pollMaxMs: 100 };
      const end = await new Run({ ...run.parts(), api, world: systemWorld, pace }).start();
      assert.equal(end.kind, 'done');
      break;
    } catch (error) {
      assert.match(String(error), /killed|not open|finalized/);
      run.reopen();
    } finally {
      await api.close();
    }
  }
  assert.ok(killed.size > 0);
  assert.deepEqual(fake.boughtTwice(), []);
  assert.equal(fake.accepted().length, 60);
  assert.equal(run.ledger.read.counts().ok, 60);
});
