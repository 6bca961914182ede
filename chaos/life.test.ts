/** Many batches on a bad upstream while the server is killed, stopped and started: every promise is looked at again at the end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lanesOfSeed, startDraw } from '../src/simulator/draw.ts';
import { batchClient, oneLineEach, type BatchClient, type BatchView } from '../test/support/batch-client.ts';
import { rows } from '../test/support/rows.ts';
import { scratchFolder } from '../test/support/scratch-folder.ts';
import { startServer, type Server } from '../test/support/server.ts';
import { startUpstream } from '../test/support/upstream-server.ts';

const ROUNDS = 6;
const BATCHES_A_ROUND = 8;

const faults = {
  status503: 0.02,
  status500: 0.02,
  status400: 0.02,
  reset: 0.02,
  garbage: 0.01,
  truncated: 0.01,
};

type Life = {
  readonly ids: readonly string[];
  canceled: boolean;
  deleted: boolean;
  /** What was downloaded once it had ended: it never changes. */
  results: string | null;
};

test('every batch keeps its promises through a life of faults, cancels, deletes and kills', async (t) => {
  const seed = process.env['CHAOS_SEED'] ?? String(Date.now());
  t.diagnostic(`CHAOS_SEED=${seed}`);
  const draw = startDraw(lanesOfSeed(seed));
  const below = (count: number): number => draw.word() % count;
  const upstream = await startUpstream({
    profile: { seed, latencyMs: 10, latencySigma: 0.5, faults, retryAfterSeconds: null },
  });
  t.after(() => upstream.stop());
  const data = await scratchFolder(t);
  const flags = ['--concurrency', '24', '--cancel-grace', '100ms', '--drain', '200ms'];
  const start = (): Promise<Server> => startServer(t, { data, upstream: `anthropic:${upstream.url}`, flags });
  const lives = new Map<string, Life>();
  let server = await start();
  let created = 0;

  for (let round = 0; round < ROUNDS; round += 1) {
    const client = batchClient(server);
    for (let index = 0; index < BATCHES_A_ROUND; index += 1) {
      const { ids, body } = rows(1 + below(300), { from: created, model: `model-${below(3)}` });
      created += ids.length;
      const { id } = await client.create({ body });
      lives.set(id, { ids, canceled: false, deleted: false, results: null });
    }
    const known = [...lives];
    for (let act = 0; act < 6; act += 1) {
      const [id, life] = known[below(known.length)] ?? assert.fail();
      if (!life.deleted) await meddle(client, { id, life, kind: below(3) });
    }
    await new Promise((resolve) => setTimeout(resolve, below(300)));
    const exit = await (below(3) === 0 ? server.stop() : server.kill());
    assert.ok(exit.code === 0 || exit.signal === 'SIGKILL', `${JSON.stringify(exit)}:\n${server.log()}`);
    server = await start();
  }

  const client = batchClient(server);
  for (const [id, life] of lives) await settle(client, { id, life });
  const listed = (await client.list()).map(({ id }) => id);
  const kept = [...lives].filter(([, { deleted }]) => !deleted).map(([id]) => id);
  assert.deepEqual(listed.toSorted(), kept.toSorted(), 'no batch was lost, and none came from nowhere');
  assert.ok(!server.log().includes('"level":"error"'), server.log());
});

async function meddle(client: BatchClient, what: { id: string; life: Life; kind: number }): Promise<void> {
  const { id, life, kind } = what;
  const { processing_status: status } = await client.retrieve(id);
  if (kind === 0) life.canceled ||= (await client.cancel(id)).processing_status === 'canceling';
  else if (status === 'ended' && kind === 1) life.results ??= await client.rawResults(id);
  else if (status === 'ended') life.deleted = (await client.remove(id)).status === 200;
}

async function settle(client: BatchClient, { id, life }: { id: string; life: Life }): Promise<void> {
  if (life.deleted) return assert.equal((await client.get(`/${id}`)).status, 404);
  const batch = await client.ended(id);
  const results = oneLineEach(await client.results(id), life.ids);
  if (life.results !== null) assert.equal(await client.rawResults(id), life.results, 'results never change');
  assert.deepEqual(batch.request_counts, { processing: 0, ...countsOf(results.values()) });
  if (!life.canceled) assert.equal(batch.request_counts.canceled, 0);
  assert.equal(batch.request_counts.expired, 0);
  for (const [row, { message }] of results) {
    if (message) assert.ok(message.content[0]?.text.startsWith(`${row} `), `${row} has its own answer`);
  }
}

type Outcomes = Omit<BatchView['request_counts'], 'processing'>;

function countsOf(results: Iterable<{ readonly type: keyof Outcomes }>): Outcomes {
  const counts = { succeeded: 0, errored: 0, canceled: 0, expired: 0 };
  for (const { type } of results) counts[type] += 1;
  return counts;
}
