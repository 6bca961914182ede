/** Upstreams on their bad days: every request ends in exactly one line, for its own reason, and the neighbours notice nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchClient, oneLineEach, type ResultLine } from '../support/batch-client.ts';
import { startLanes } from '../support/lanes.ts';
import { bodyOf, rows } from '../support/rows.ts';
import { until } from '../support/until.ts';
import type { FaultKind, UpstreamProfile } from '../support/upstream-profile.ts';

const ROWS = 12;
const ATTEMPTS_THAT_MAY_BE_PAID = 3;
const MiB = 1024 * 1024;

/** Refused by the upstream: the request's own fault, told as the upstream told it. */
const refusing: readonly FaultKind[] = ['status400'];
/** Nothing was bought: asked again until it is answered. */
const busy: readonly FaultKind[] = ['status429', 'status500', 'status503', 'status529'];
/** Perhaps bought: three attempts, and then the request is errored. */
const breaking: readonly FaultKind[] = [
  'reset',
  'resetMidBody',
  'hang',
  'garbage',
  'truncated',
  'lengthMismatch',
  'huge',
];

test('upstreams on their bad days', { concurrency: true }, async (t) => {
  const { server, upstreams } = await startLanes(t, {
    profiles: {
      good: {},
      ...Object.fromEntries(refusing.map((kind) => [kind, always(kind)])),
      ...Object.fromEntries(busy.map((kind) => [kind, sometimes(kind)])),
      ...Object.fromEntries(breaking.map((kind) => [kind, always(kind)])),
      refuse: { windows: [{ kind: 'refuse', fromMs: 0, forMs: 2_500 }] },
      silent: { faults: { hang: 1 }, hangMs: 600_000 },
    },
  });
  const client = batchClient(server);

  /** Requests of one upstream, with those of a good one between them. */
  const mixed = async (name: string, count = ROWS): Promise<ReadonlyMap<string, ResultLine['result']>> => {
    const bad = rows(count, { model: `${name}-model` });
    const good = rows(count, { model: 'good-model', from: 1_000 });
    const { id } = await client.create({
      body: bodyOf(bad.requests.flatMap((request, at) => [request, good.requests[at] ?? ''])),
    });
    await client.ended(id);
    const results = oneLineEach(await client.results(id), [...bad.ids, ...good.ids]);
    for (const row of good.ids) assert.equal(results.get(row)?.type, 'succeeded', `the neighbour ${row}`);
    return new Map(bad.ids.map((row) => [row, results.get(row) ?? assert.fail(row)]));
  };

  const tests = [
    ...refusing.map((kind) =>
      t.test(`${kind}: errored at the first attempt, in the words of the upstream`, async () => {
        for (const result of (await mixed(kind)).values()) {
          assert.equal(result.type, 'errored');
          assert.equal(result.error?.error.type, 'invalid_request_error');
          assert.match(result.error?.error.message ?? '', /told to answer 400/);
        }
        assert.equal((await upstreams[kind]?.stats())?.calls, ROWS);
      }),
    ),
    ...busy.map((kind) =>
      t.test(`${kind}: asked again until it succeeds`, async () => {
        for (const result of (await mixed(kind)).values()) assert.equal(result.type, 'succeeded');
        const stats = await upstreams[kind]?.stats();
        assert.equal(stats?.answers, ROWS);
        assert.ok((stats?.faults[kind] ?? 0) > 0, 'the fault has struck');
      }),
    ),
    ...breaking.map((kind) =>
      t.test(`${kind}: three attempts, then errored`, async () => {
        const count = kind === 'huge' ? 2 : ROWS;
        for (const result of (await mixed(kind, count)).values()) {
          assert.equal(result.type, 'errored');
          assert.equal(result.error?.error.type, 'api_error');
        }
        assert.equal((await upstreams[kind]?.stats())?.calls, count * ATTEMPTS_THAT_MAY_BE_PAID);
      }),
    ),
    t.test('refused connections: the batch waits until the upstream is back', async () => {
      for (const result of (await mixed('refuse')).values()) assert.equal(result.type, 'succeeded');
    }),
    t.test('an upstream that never answers holds up nobody else', async () => {
      const silent = await client.create({ body: rows(500, { model: 'silent-model' }).body });
      await until({
        what: 'it hangs',
        withinMs: 5_000,
        ask: async () => ((await upstreams['silent']?.stats())?.inFlight ?? 0) > 0,
      });
      const good = await client.create({ body: rows(200, { model: 'good-model', from: 5_000 }).body });
      assert.equal((await client.ended(good.id, 10_000)).request_counts.succeeded, 200);
      assert.equal((await client.retrieve(silent.id)).processing_status, 'in_progress');
    }),
  ];
  await Promise.all(tests);
});

function always(kind: FaultKind): Partial<UpstreamProfile> {
  return { faults: { [kind]: 1 }, hangMs: 300, hugeBytesMax: 64 * MiB };
}

function sometimes(kind: FaultKind): Partial<UpstreamProfile> {
  return { faults: { [kind]: 0.3 }, retryAfterSeconds: null, seed: 7 };
}
