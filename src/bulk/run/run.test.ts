import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { ApiError } from '../contract.ts';
import { errored, succeeded } from './fake-api.ts';
import { FakeRun, texts } from './fake-run.ts';

test('every row comes to be answered once, and equal requests are bought once', async (t) => {
  const run = new FakeRun(t, { texts: [...texts(95), 'text 3', 'text 4', 'bad', 'skip', 'text 3'] });
  const planned = await run.plan();
  assert.equal(planned.kind, 'planned');
  assert.partialDeepStrictEqual(planned, {
    kind: 'planned',
    facts: { rows: 100, requests: 95, duplicates: 3, rejected: 1, skipped: 1 },
  });
  const end = await run.start();
  assert.equal(end.kind, 'done');
  assert.equal(end.counts.ok, 98);
  assert.equal(end.counts.rejected, 1);
  assert.equal(end.counts.skipped, 1);
  assert.equal(run.ledger.read.rows(), 100);
  assert.equal(run.api.bought().size, 95);
  assert.deepEqual([...new Set(run.api.bought().values())], [1]);
  const twin = run.ledger.read.item(95)!;
  assert.equal(twin.sameAs, 3);
  assert.deepEqual(twin.raw, run.ledger.read.item(3)!.raw);
  assert.equal(run.ledger.read.usage()[0]!.requests, 95);
});

test('a run of 1,000 rows in one process', async (t) => {
  const run = new FakeRun(t, { texts: texts(1_000), spec: { batching: { chunkRequests: 200 } } });
  await run.plan();
  const end = await run.start();
  assert.equal(end.counts.ok, 1_000);
  assert.equal(run.ledger.read.itemsOfBatch('msgbatch_1', { limit: 5 }).length, 5);
});

test('a second start of a finished run has nothing to do', async (t) => {
  const run = new FakeRun(t, { texts: texts(5) });
  await run.plan();
  await run.start();
  run.reopen();
  assert.equal((await run.plan()).kind, 'same');
  assert.equal((await run.start()).kind, 'done');
  assert.equal(run.api.posts, 1);
});

test('what is truncated is asked once more with twice the room, what does not fit is asked again with the complaint', async (t) => {
  const run = new FakeRun(t, {
    texts: texts(6),
    spec: { prompt: { schema: {} } },
    api: {
      resultOf: ({ params }) => {
        const [first, , third] = params.messages as { content: string }[];
        if (first!.content === 'text 1')
          return succeeded('long', params.max_tokens === 128 ? 'end_turn' : 'max_tokens');
        if (first!.content === 'text 2') return succeeded('long', 'max_tokens');
        if (first!.content === 'text 3') return succeeded(third?.content === 'it is odd' ? 'even' : 'odd');
        if (first!.content === 'text 4') return succeeded('odd');
        return first!.content === 'text 5' ? succeeded('no', 'refusal') : succeeded();
      },
    },
  });
  await run.plan();
  const { counts } = await run.start();
  assert.deepEqual(
    { ok: counts.ok, truncated: counts.truncated, invalid: counts.invalid, refused: counts.refused },
    { ok: 3, truncated: 1, invalid: 1, refused: 1 },
  );
  assert.equal(run.api.made.length, 2);
  assert.deepEqual(
    run.ledger.read.attemptsOf(3).map(({ state }) => state),
    ['invalid', 'ok'],
  );
});

test('errors that may pass are tried again, three times at most; a fault of the row never', async (t) => {
  const run = new FakeRun(t, {
    texts: texts(4),
    api: {
      resultOf: ({ custom_id: customId }) => {
        if (customId.includes('-1-')) return errored('overloaded_error');
        return customId.includes('-2-') ? errored('invalid_request_error', 'prompt is too long') : succeeded();
      },
    },
  });
  await run.plan();
  const { counts } = await run.start();
  assert.deepEqual(
    { ok: counts.ok, errored: counts.errored, rejected: counts.rejected },
    { ok: 2, errored: 1, rejected: 1 },
  );
  assert.equal(run.api.bought().get(1), 4);
  assert.equal(run.api.bought().get(2), 1);
  assert.deepEqual(
    new Set(run.ledger.read.errorGroups().map(({ type, rows, state }) => `${rows} ${type} ${state}`)),
    new Set(['1 invalid_request_error rejected', '1 overloaded_error errored']),
  );
  assert.equal(
    await run.run!.retry({
      states: ['rejected'],
      error: /too long/,
      change: { truncate: [{ column: 'text', characters: 4, tokens: null }] },
    }),
    1,
  );
  const again = await run.start();
  assert.equal(again.counts.rejected, 1);
  assert.equal(run.api.bought().get(2), 2);
});

test('an hour of 429 delays and costs nothing', async (t) => {
  const untilMs = Date.UTC(2026, 5, 1, 1);
  const run = new FakeRun(t, { texts: texts(60) });
  run.api.behaviour.onPost = () =>
    run.world.nowMs() < untilMs ? { kind: 'refused', status: 429, retryAfterMs: 20_000 } : { kind: 'ok' };
  await run.plan();
  const end = await run.start();
  assert.equal(end.counts.ok, 60);
  assert.deepEqual([...new Set(run.api.bought().values())], [1]);
  assert.ok(run.events.some(({ kind }) => kind === 'refused'));
});

test('413 and "at most N" make the batches smaller', async (t) => {
  const run = new FakeRun(t, { texts: texts(60), spec: { batching: { chunkRequests: 60 } } });
  run.api.behaviour.onPost = ({ bytes, index }) => {
    if (bytes > 2_000) return { kind: 'refused', status: 413 };
    return index === 3
      ? { kind: 'refused', status: 400, message: 'requests: List should have at most 5 items after validation' }
      : { kind: 'ok' };
  };
  await run.plan();
  const end = await run.start();
  assert.equal(end.counts.ok, 60);
  assert.deepEqual([...new Set(run.api.bought().values())], [1]);
  assert.ok(run.api.made.length >= 6);
});

test('a row the API names as malformed is left out, and the others go', async (t) => {
  const run = new FakeRun(t, { texts: texts(10) });
  run.api.behaviour.onPost = ({ index }) =>
    index === 0
      ? { kind: 'refused', status: 400, message: 'requests.4.params.max_tokens: Field required' }
      : { kind: 'ok' };
  await run.plan();
  const { counts } = await run.start();
  assert.deepEqual({ ok: counts.ok, rejected: counts.rejected }, { ok: 9, rejected: 1 });
  assert.match(run.ledger.read.item(4)!.fault!, /max_tokens/);
});

test('a revoked key ends the run; a missing credit halts it with rows pending', async (t) => {
  const revoked = new FakeRun(t, {
    texts: texts(5),
    api: { onPost: () => ({ kind: 'refused', status: 401, message: 'invalid x-api-key' }) },
  });
  await revoked.plan();
  await assert.rejects(revoked.start(), { fault: 'authentication' });
  assert.equal(revoked.ledger.read.counts().pending, 5);
  const poor = new FakeRun(t, { texts: texts(20) });
  poor.api.behaviour.onPost = ({ index }) =>
    index === 0
      ? { kind: 'ok' }
      : { kind: 'refused', status: 400, message: 'Your credit balance is too low to access the API' };
  await poor.plan();
  const end = await poor.start();
  assert.equal(end.kind, 'halted');
  assert.equal(end.counts.ok + end.counts.pending, 20);
  assert.ok(end.counts.ok > 0 && end.counts.pending > 0);
});

test('downloads that are cut go on, with ranges and without', async (t) => {
  for (const ranges of [true, false]) {
    const run = new FakeRun(t, {
      texts: texts(30),
      api: { ranges, cutAt: (download) => (download < 4 ? 700 * (download + 1) : null) },
    });
    await run.plan();
    assert.equal((await run.start()).counts.ok, 30);
  }
});

test('lines of strangers stop nothing else: our lines count, the batch is told of', async (t) => {
  const stranger = JSON.stringify({ custom_id: 'someone-else', result: succeeded() });
  const run = new FakeRun(t, {
    texts: texts(5),
    api: { strangers: [stranger], resultOf: ({ custom_id: id }) => (id.includes('-2-') ? undefined : succeeded()) },
  });
  await run.plan();
  const { counts } = await run.start();
  assert.deepEqual({ ok: counts.ok, missing: counts.missing }, { ok: 4, missing: 1 });
  assert.equal(run.ledger.read.batches()[0]!.state, 'strange');
});

test('rows absent from a batch are looked for twice and sent once more', async (t) => {
  const run = new FakeRun(t, {
    texts: texts(5),
    api: { resultOf: ({ custom_id: id }) => (id.includes('-2-') ? undefined : succeeded()) },
  });
  await run.plan();
  const { counts } = await run.start();
  assert.deepEqual({ ok: counts.ok, missing: counts.missing }, { ok: 4, missing: 1 });
  assert.equal(run.api.bought().get(2), 2);
  assert.ok(run.api.downloads >= 4);
});

test('a batch the API no longer knows is given up after a while, loudly, and not bought again', async (t) => {
  const run = new FakeRun(t, { texts: texts(20) });
  await run.plan();
  run.faults = (point) => {
    if (point === 'settled' && run.api.made.length === 1) run.api.made[0]!.listed = false;
  };
  const { counts } = await run.start();
  assert.equal(counts.ok + counts.missing, 20);
  assert.ok(counts.missing > 0);
  assert.ok(run.events.some((event) => event.kind === 'trouble' && /missing/.test(event.message)));
});

test('polls that fail are only trouble', async (t) => {
  let calls = 0;
  const run = new FakeRun(t, { texts: texts(10) });
  run.api.behaviour.onCall = () => {
    calls += 1;
    if (calls < 8)
      throw new ApiError({ status: 529, type: 'overloaded_error', message: 'Overloaded', retryAfterMs: null });
  };
  await run.plan();
  assert.equal((await run.start()).counts.ok, 10);
});

test('expired rows are sent again until the deadline', async (t) => {
  const run = new FakeRun(t, {
    texts: texts(10),
    spec: { policy: { deadlineMs: 60 * 3_600_000 } },
    api: { endsAfterMs: 24 * 3_600_000, resultOf: () => ({ type: 'expired' }) },
  });
  await run.plan();
  const { counts } = await run.start();
  assert.equal(counts.expired, 10);
  assert.equal(run.api.bought().get(0), 3);
});

test('the budget stops with rows pending, and a larger one goes on', async (t) => {
  const spend = { maxCostDollars: 0.005, expectedDollarsPerRequest: 0.0005 };
  const run = new FakeRun(t, { texts: texts(100), spec: { spend } });
  await run.plan();
  const end = await run.start();
  assert.equal(end.kind, 'halted');
  assert.ok(end.counts.ok >= 10 && end.counts.pending > 0, JSON.stringify(end.counts));
  run.spec = { ...run.spec, spend: { ...run.spec.spend, maxCostDollars: 1 } };
  assert.equal((await run.start()).counts.ok, 100);
});

test('too many errors stop the sending', async (t) => {
  const run = new FakeRun(t, {
    texts: texts(400),
    spec: { policy: { stopIfErrorRate: 0.2 }, batching: { chunkRequests: 150, inFlightRequests: 150 } },
    api: { resultOf: () => errored('invalid_request_error', 'model: no such model') },
  });
  await run.plan();
  const end = await run.start();
  assert.equal(end.kind === 'halted' && end.why.kind, 'breaker');
  assert.ok(end.counts.pending > 0);
});

test('a canary goes ahead of the batches, and --sync needs none', async (t) => {
  const run = new FakeRun(t, { texts: texts(20), spec: { spend: { canary: 3 } } });
  await run.plan();
  assert.equal((await run.start()).counts.ok, 20);
  assert.equal(run.api.messages, 3);
  assert.equal(run.api.bought().size, 17);
  const sync = new FakeRun(t, { texts: texts(250), spec: { batching: { sync: true } } });
  await sync.plan();
  assert.equal((await sync.start()).counts.ok, 250);
  assert.equal(sync.api.messages, 250);
  assert.equal(sync.api.posts, 0);
  assert.equal(sync.ledger.read.usage()[0]!.tier, 'standard');
});

test('a canary that fails keeps the batches from being sent', async (t) => {
  const body = { type: 'error', error: { type: 'not_found_error', message: 'model: no-such-model' } };
  const run = new FakeRun(t, {
    texts: texts(20),
    spec: { spend: { canary: 3 } },
    api: { onMessage: () => ({ status: 404, body }) },
  });
  await run.plan();
  const end = await run.start();
  assert.equal(end.kind === 'halted' && end.why.kind, 'canary');
  assert.deepEqual([end.counts.rejected, end.counts.pending, run.api.posts], [3, 17, 0]);
});

test('a run resumed after its results are gone names its rows missing', async (t) => {
  const run = new FakeRun(t, { texts: texts(10), api: { endsAfterMs: 3_600_000 } });
  await run.plan();
  await run.start({ until: 'submitted' });
  run.world.advance(30 * 86_400_000);
  run.reopen();
  run.api.behaviour.onCall = (what) => {
    if (what !== 'list')
      throw new ApiError({ status: 404, type: 'not_found_error', message: 'no results', retryAfterMs: null });
  };
  const end = await run.start();
  assert.deepEqual([end.kind, end.counts.missing], ['done', 10]);
});

test('stragglers go to the Messages API when that was asked for', async (t) => {
  const run = new FakeRun(t, {
    texts: texts(10),
    spec: { policy: { fallbackSyncAfterMs: 30 * 60_000 } },
    api: {
      endsAfterMs: 3_600_000,
      resultOf: ({ custom_id: id }) => (id.includes('-7-') ? errored('overloaded_error') : succeeded()),
    },
  });
  await run.plan();
  assert.equal((await run.start()).counts.ok, 10);
  assert.equal(run.api.messages, 1);
});

test('a warming request ends before the others are sent', async (t) => {
  const run = new FakeRun(t, { texts: texts(20), spec: { batching: { warmCache: 'auto' } } });
  await run.plan();
  assert.equal((await run.start()).counts.ok, 20);
  const [first, second] = run.api.made;
  assert.equal(first!.requests.length, 1);
  assert.ok(second!.atMs >= first!.atMs + run.api.behaviour.endsAfterMs);
});

test('stop leaves the batches running, and a new start fetches them', async (t) => {
  const run = new FakeRun(t, { texts: texts(20), api: { endsAfterMs: 6 * 3_600_000 } });
  await run.plan();
  const end = await run.start({ waitMs: 3_600_000 });
  assert.deepEqual([end.kind, end.kind === 'stopped' && end.why], ['stopped', 'waited']);
  assert.equal(end.counts.sent, 20);
  run.reopen();
  assert.equal((await run.start()).counts.ok, 20);
  assert.deepEqual([...new Set(run.api.bought().values())], [1]);
});

test('until submitted: returns once everything is', async (t) => {
  const run = new FakeRun(t, { texts: texts(20), api: { endsAfterMs: 6 * 3_600_000 } });
  await run.plan();
  const end = await run.start({ until: 'submitted' });
  assert.equal(end.kind, 'submitted');
  assert.equal(end.counts.sent, 20);
});

test('cancel keeps what ended and names the rest', async (t) => {
  const run = new FakeRun(t, {
    texts: texts(30),
    spec: { batching: { inFlightRequests: 12 } },
    api: { endsAfterMs: 3_600_000 },
  });
  await run.plan();
  await run.start({ waitMs: 60_000 });
  await run.run!.cancel(new AbortController().signal);
  const end = await run.start();
  assert.deepEqual([end.kind, end.counts.canceled], ['done', 30]);
});
