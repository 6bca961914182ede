/** What time and a change of mind do to batches: expiry, retention, and canceling many at once. */
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { batchClient, oneLineEach } from '../support/batch-client.ts';
import { startLanes } from '../support/lanes.ts';
import { bodyOf, rows } from '../support/rows.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { startServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { startUpstream, type Upstream } from '../support/upstream-server.ts';

test('what is unfinished at the end of the window expires; what was answered is kept', async (t) => {
  const profiles = { good: {}, silent: { faults: { hang: 1 } } };
  const { server } = await startLanes(t, { profiles, flags: ['--window', '2s', '--cancel-grace', '300ms'] });
  const client = batchClient(server);
  const good = rows(20, { model: 'good-model' });
  const silent = rows(300, { model: 'silent-model', from: 100 });
  const { id } = await client.create({ body: bodyOf([...good.requests, ...silent.requests]) });
  const batch = await client.ended(id, 8_000);
  assert.deepEqual(batch.request_counts, { processing: 0, succeeded: 20, errored: 0, canceled: 0, expired: 300 });
  const results = oneLineEach(await client.results(id), [...good.ids, ...silent.ids]);
  for (const row of silent.ids) assert.deepEqual(results.get(row), { type: 'expired' });
});

test('a batch whose window ended while the server was down expires at the next start', async (t) => {
  const upstream = await hanging(t);
  const flags = ['--window', '1s', '--cancel-grace', '100ms'];
  const options = { data: await scratchFolder(t), upstream: `anthropic:${upstream.url}`, flags };
  const first = await startServer(t, options);
  const { id } = await batchClient(first).create({ body: rows(50).body });
  const expiresAtMs = Date.now() + 1_000;
  await first.kill();
  await until({ what: 'the window has ended', withinMs: 5_000, ask: async () => Date.now() > expiresAtMs });
  const client = batchClient(await startServer(t, options));
  assert.equal((await client.ended(id, 8_000)).request_counts.expired, 50);
});

test('results are gone after their retention, and the batch can still be viewed', async (t) => {
  const options = { data: await scratchFolder(t), flags: ['--retention', '700ms'] };
  const first = await startServer(t, options);
  const { id } = await batchClient(first).create({ body: rows(10).body });
  const retainedUntilMs = Date.now() + 700;
  await batchClient(first).ended(id);
  assert.equal((await batchClient(first).results(id)).length, 10);
  await until({ what: 'its retention is over', withinMs: 5_000, ask: async () => Date.now() > retainedUntilMs });
  // Retention is looked after once a minute, and at the start.
  await first.stop();
  const client = batchClient(await startServer(t, options));
  const archived = await until({
    what: 'it is archived',
    withinMs: 10_000,
    ask: async () => {
      const batch = await client.retrieve(id);
      return batch.archived_at !== null && batch;
    },
  });
  assert.deepEqual({ status: archived.processing_status, url: archived.results_url }, { status: 'ended', url: null });
  assert.equal(archived.request_counts.succeeded, 10);
  assert.equal((await client.get(`/${id}/results`)).status, 404);
  const blobs = (): number => globSync(`blobs/**/*${id}*/*`, { cwd: options.data }).length;
  await until({ what: 'its files are gone', withinMs: 5_000, ask: async () => blobs() === 0 });
});

test('canceling a hundred thousand pending requests is final within the grace and two seconds', async (t) => {
  const upstream = await hanging(t);
  const server = await startServer(t, { upstream: `anthropic:${upstream.url}`, flags: ['--cancel-grace', '1s'] });
  const client = batchClient(server);
  const { ids, body } = rows(100_000, { content: '' });
  const { id } = await client.create({ body });
  await until({ what: 'calls hang', withinMs: 5_000, ask: async () => (await upstream.stats()).inFlight > 0 });
  const canceledAtMs = performance.now();
  assert.equal((await client.cancel(id)).processing_status, 'canceling');
  const batch = await client.ended(id, 20_000);
  const tookMs = performance.now() - canceledAtMs;
  assert.equal(batch.request_counts.canceled, ids.length);
  t.diagnostic(`final after ${Math.round(tookMs)} ms`);
  assert.ok(tookMs < 3_000, `it took ${tookMs} ms`);
  oneLineEach(await client.results(id), ids);
});

async function hanging(t: TestContext): Promise<Upstream> {
  const upstream = await startUpstream({ profile: { faults: { hang: 1 }, hangMs: 600_000 } });
  t.after(() => upstream.stop());
  return upstream;
}
