/** kill -9 at random instants, of a working server and of one that is taking a batch: what was accepted or answered is never lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lanesOfSeed, startDraw } from '../src/simulator/draw.ts';
import { batchClient, oneLineEach } from '../test/support/batch-client.ts';
import { rows } from '../test/support/rows.ts';
import { scratchFolder } from '../test/support/scratch-folder.ts';
import { startServer, type Server } from '../test/support/server.ts';
import { until } from '../test/support/until.ts';
import { startUpstream } from '../test/support/upstream-server.ts';

const REQUESTS = 3_000;
const KILLS = 5;
const CONCURRENCY = 32;

const seed = process.env['CHAOS_SEED'] ?? String(Date.now());
const draw = startDraw(lanesOfSeed(seed));
const between = (from: number, to: number): number => from + (draw.word() % (to - from));

test('a server killed again and again gives exactly one line for every request', async (t) => {
  t.diagnostic(`CHAOS_SEED=${seed}`);
  const upstream = await startUpstream({ profile: { latencyMs: 32, latencySigma: 0.25 } });
  t.after(() => upstream.stop());
  const data = await scratchFolder(t);
  const start = (): Promise<Server> =>
    startServer(t, { data, upstream: `anthropic:${upstream.url}`, flags: ['--concurrency', String(CONCURRENCY)] });
  const { ids, body } = rows(REQUESTS);
  let server = await start();
  const { id } = await batchClient(server).create({ body });

  let cutOff = 0;
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const { answers } = await upstream.stats();
    const target = answers + between(1, (REQUESTS - answers) / (KILLS + 1 - kill));
    await until({
      what: `${target} answers`,
      withinMs: 60_000,
      ask: async () => (await upstream.stats()).answers >= target,
    });
    await server.kill();
    await until({
      what: 'its calls are over',
      withinMs: 5_000,
      ask: async () => (await upstream.stats()).inFlight === 0,
    });
    cutOff = (await upstream.stats()).cutOff;
    server = await start();
  }
  const client = batchClient(server);
  const batch = await client.ended(id);
  const results = oneLineEach(await client.results(id), ids);
  for (const row of ids) {
    const result = results.get(row);
    assert.ok(result?.message?.content[0]?.text.startsWith(`${row} `), `${row} has its own answer`);
  }
  assert.deepEqual(batch.request_counts, { processing: 0, succeeded: REQUESTS, errored: 0, canceled: 0, expired: 0 });
  const { calls } = await upstream.stats();
  t.diagnostic(`${calls - REQUESTS} repeats at the upstream, ${cutOff} calls cut off by ${KILLS} kills`);
  assert.ok(calls - REQUESTS <= KILLS * CONCURRENCY, 'no more is asked again than was in flight');
});

test('a server killed while it takes a batch has it whole or not at all, and a create sent again makes no second one', async (t) => {
  t.diagnostic(`CHAOS_SEED=${seed}`);
  const data = await scratchFolder(t);
  const created: string[] = [];
  let answered = 0;
  let found = 0;
  let server = await startServer(t, { data });
  const batches = Array.from({ length: KILLS }, (_, at) =>
    rows(1_500, { from: at * 10_000, content: 'Once upon a midnight dreary. '.repeat(600) }),
  );
  for (const { body } of batches) {
    const creating = batchClient(server)
      .create({ body })
      .catch(() => null);
    await after(between(1, 300));
    await server.kill();
    const first = await creating;
    server = await startServer(t, { data });
    const client = batchClient(server);
    const kept = (await client.list()).length - created.length;
    if (first !== null) answered += 1;
    else found += kept;
    // As an SDK does whose connection broke.
    const batch = first ?? (await client.create({ body, headers: { 'x-stainless-retry-count': '1' } }));
    created.push(batch.id);
    assert.equal((await client.list()).length, created.length, 'one create is one batch');
  }
  t.diagnostic(`${answered} of ${KILLS} creates were answered; of the others ${found} had been accepted`);
  const client = batchClient(server);
  for (const [at, id] of created.entries()) {
    await client.ended(id);
    oneLineEach(await client.results(id), batches[at]?.ids ?? []);
  }
});

test('a cancel survives the kill that follows it', async (t) => {
  const upstream = await startUpstream({ profile: { faults: { hang: 1 }, hangMs: 600_000 } });
  t.after(() => upstream.stop());
  const options = {
    data: await scratchFolder(t),
    upstream: `anthropic:${upstream.url}`,
    flags: ['--cancel-grace', '100ms'],
  };
  const first = await startServer(t, options);
  const { ids, body } = rows(5_000);
  const { id } = await batchClient(first).create({ body });
  await batchClient(first).cancel(id);
  await first.kill();
  const client = batchClient(await startServer(t, options));
  assert.equal((await client.ended(id)).request_counts.canceled, ids.length);
  oneLineEach(await client.results(id), ids);
});

/** The random instant of a kill: no event to wait for is random. */
function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
