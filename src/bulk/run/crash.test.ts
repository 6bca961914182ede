/** Kills at every step of the protocol, and every fault of the network: nothing is bought twice, nothing is lost. */
import { strict as assert } from 'node:assert';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { errored, type FakePost, succeeded } from './fake-api.ts';
import { FakeRun, texts } from './fake-run.ts';
import type { FaultPoint } from './parts.ts';

const points: readonly FaultPoint[] = [
  'before-intent',
  'planned',
  'sending',
  'posted',
  'settled',
  'ended',
  'downloaded',
  'kept',
  'applied',
  'finished',
  'cut-again',
  'resolved',
];

class Killed extends Error {}

/** Kills the process that is the run whenever `dies` says so, and starts it again, until it comes to its end. */
async function untilDone(run: FakeRun, dies: (point: FaultPoint) => boolean): Promise<number> {
  let kills = 0;
  run.faults = (point) => {
    if (!dies(point)) return;
    run.ledger.crash();
    throw new Killed(point);
  };
  for (;;) {
    try {
      const end = await run.start();
      assert.equal(end.kind, 'done');
      return kills;
    } catch (error) {
      // Other lanes of a killed process may meet its closed ledger first.
      if (!(error instanceof Killed) && !/not open|finalized/.test(String(error))) throw error;
      kills += 1;
      assert.ok(kills < 200, 'it comes to an end');
      run.world.advance(30_000);
      run.reopen();
    }
  }
}

function isWhole(run: FakeRun, rows: number): void {
  const counts = run.ledger.read.counts();
  assert.equal(run.ledger.read.rows(), rows);
  assert.equal(counts.ok, rows, JSON.stringify(counts));
  const database = new DatabaseSync(run.folder.state, { readOnly: true });
  assert.deepEqual({ ...database.prepare('pragma integrity_check').get() }, { integrity_check: 'ok' });
  const byState = database.prepare('select state, count(*) as items from item group by state').all();
  const tally = database.prepare('select state, items from tally where items <> 0 order by state').all();
  assert.deepEqual(tally, byState);
  database.close();
}

function flaky(
  t: TestContext,
  about: { readonly seed: number; readonly fates: readonly FakePost[]; readonly capabilities?: readonly string[] },
): FakeRun {
  const failed = new Set<string>();
  return new FakeRun(t, {
    texts: texts(40),
    seed: about.seed,
    api: {
      capabilities: about.capabilities ?? [],
      onPost: ({ index }) => about.fates[index % about.fates.length]!,
      resultOf: ({ custom_id: id }) => {
        const [, seq] = id.split('-');
        if (Number.parseInt(seq!, 36) % 13 !== 0 || failed.has(seq!)) return succeeded();
        failed.add(seq!);
        return errored('api_error');
      },
    },
  });
}

/** A row whose first answer was an error is rightly bought twice; the error of a row that was read twice is the same one. */
function isBoughtOnce(run: FakeRun): void {
  for (const [seq, times] of run.api.bought()) {
    assert.equal(times, run.ledger.read.attemptsOf(seq).length, `row ${seq} was bought ${times} times`);
  }
}

test('killed at each point of the protocol, on its first or second passing, a run buys nothing twice and loses nothing', async (t) => {
  for (const point of points) {
    for (const nth of [1, 2]) {
      const run = flaky(t, { seed: nth, fates: [{ kind: 'ok' }, { kind: 'lost-after-commit' }, { kind: 'lost' }] });
      await run.plan();
      let passes = 0;
      const kills = await untilDone(run, (at) => at === point && (passes += 1) === nth);
      assert.ok(kills === 1 || nth === 2, `${point} is passed`);
      isWhole(run, 40);
      isBoughtOnce(run);
    }
  }
});

test('killed at random and with every fault of the network, too', async (t) => {
  const fates: readonly FakePost[] = [
    { kind: 'ok' },
    { kind: 'cut' },
    { kind: 'lost-after-commit' },
    { kind: 'lost' },
    { kind: 'lost-committed-late', afterMs: 600_000 },
    { kind: 'refused', status: 429 },
    { kind: 'ok' },
  ];
  for (let seed = 1; seed <= 8; seed += 1) {
    const run = flaky(t, { seed, fates: [...fates.slice(seed % 7), ...fates.slice(0, seed % 7)] });
    await run.plan();
    await untilDone(run, () => run.world.random() < 0.08);
    isWhole(run, 40);
    isBoughtOnce(run);
  }
});

test('where the server knows keys, an unclear POST is repeated at once', async (t) => {
  const run = flaky(t, {
    seed: 3,
    fates: [{ kind: 'lost-after-commit' }, { kind: 'lost' }, { kind: 'ok' }],
    capabilities: ['idempotency'],
  });
  await run.plan();
  const startMs = run.world.nowMs();
  await untilDone(run, () => run.world.random() < 0.05);
  isWhole(run, 40);
  isBoughtOnce(run);
  assert.ok(run.world.nowMs() - startMs < 30 * 60_000);
});

test('batches of strangers of the same size are never taken for ours', async (t) => {
  const run = flaky(t, { seed: 4, fates: [{ kind: 'lost' }, { kind: 'lost-after-commit' }, { kind: 'ok' }] });
  await run.plan();
  let posts = 0;
  run.faults = (point) => {
    if (point !== 'posted') return;
    posts += 1;
    if (posts <= 3) run.api.addForeign(10);
  };
  const end = await run.start();
  assert.equal(end.kind, 'done');
  isWhole(run, 40);
  isBoughtOnce(run);
});
