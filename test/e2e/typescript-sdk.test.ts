/** The official TypeScript SDK, its newest line and the one before, through every batch call over a real socket. */
import Anthropic from '@anthropic-ai/sdk';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sdkZero } from '../support/installed.ts';
import { startServer, type Server } from '../support/server.ts';
import { until } from '../support/until.ts';

type Batches = Pick<Anthropic['messages']['batches'], 'create' | 'retrieve' | 'list' | 'cancel' | 'delete' | 'results'>;
type Sdk = { readonly name: string; readonly Client: typeof Anthropic };

const sdks: readonly (() => Promise<Sdk>)[] = [
  async () => ({ name: 'TypeScript SDK 1.x', Client: Anthropic }),
  async () => ({ name: 'TypeScript SDK 0.x', Client: (await sdkZero()).default }),
];

test('the official TypeScript SDKs', async (t) => {
  const fast = await startServer(t);
  // Requests here never end by themselves, and canceling does not wait for them.
  const slow = await startServer(t, { flags: ['--simulator-latency', '1h', '--cancel-grace', '0'] });

  for (const load of sdks) {
    const { name, Client } = await load();
    const open = (server: Server): Anthropic => new Client({ baseURL: server.url, apiKey: server.key, maxRetries: 0 });
    await t.test(`${name}: a batch from create to its results`, () => throughABatch(open(fast).messages.batches));
    await t.test(`${name}: the beta surface does the same`, () =>
      throughABatch(open(fast).beta.messages.batches as unknown as Batches),
    );
    await t.test(`${name}: lists page by page in both directions`, () => listing(open(fast).messages.batches));
    await t.test(`${name}: canceling ends with canceled results`, () => canceling(open(slow).messages.batches));
    await t.test(`${name}: errors come as the SDK's classes`, () => errors({ Client, fast, slow }));
  }
});

async function throughABatch(batches: Batches): Promise<void> {
  const created = await batches.create({
    requests: [request('fine'), { ...request('broken'), params: { ...request('broken').params, messages: [] } }],
  });
  assert.match(created.id, /^msgbatch_01/);
  assert.equal(created.type, 'message_batch');
  assert.deepEqual(created.request_counts, { processing: 2, succeeded: 0, errored: 0, canceled: 0, expired: 0 });
  const ended = await whenEnded(batches, created.id);
  assert.deepEqual(ended.request_counts, { processing: 0, succeeded: 1, errored: 1, canceled: 0, expired: 0 });
  const found = new Map<string, Anthropic.Messages.MessageBatchResult>();
  for await (const line of await batches.results(created.id)) found.set(line.custom_id, line.result);
  const [fine, broken] = [found.get('fine'), found.get('broken')];
  assert.ok(fine?.type === 'succeeded' && fine.message.content[0]?.type === 'text');
  assert.ok(broken?.type === 'errored' && broken.error.error.type === 'invalid_request_error');
  assert.deepEqual(await batches.delete(created.id), { id: created.id, type: 'message_batch_deleted' });
  await assert.rejects(batches.retrieve(created.id), { status: 404 });
}

async function listing(batches: Batches): Promise<void> {
  const created: string[] = [];
  for (let index = 0; index < 5; index += 1) created.push((await batches.create({ requests: [request('only')] })).id);
  const [oldest, newest] = [created[0] ?? '', created[4] ?? ''];
  const forward: string[] = [];
  for await (const { id } of batches.list({ limit: 2 })) {
    forward.push(id);
    if (id === oldest) break;
  }
  assert.deepEqual(forward, created.toReversed());
  const backward: string[] = [];
  for await (const { id } of batches.list({ limit: 2, before_id: oldest })) backward.push(id);
  assert.deepEqual(backward.toSorted(), created.slice(1).toSorted());
  const page = await batches.list({ limit: 2, after_id: newest });
  assert.deepEqual(
    page.data.map(({ id }) => id),
    [created[3], created[2]],
  );
  assert.equal(page.has_more, true);
}

async function canceling(batches: Batches): Promise<void> {
  const { id } = await batches.create({ requests: [request('one'), request('two')] });
  const canceling = await batches.cancel(id);
  assert.equal(canceling.processing_status, 'canceling');
  assert.ok(canceling.cancel_initiated_at);
  assert.equal((await whenEnded(batches, id)).request_counts.canceled, 2);
  for await (const { result } of await batches.results(id)) assert.deepEqual(result, { type: 'canceled' });
  assert.equal((await batches.cancel(id)).processing_status, 'ended');
}

async function errors({ Client, fast, slow }: { Client: typeof Anthropic; fast: Server; slow: Server }): Promise<void> {
  const client = new Client({ baseURL: slow.url, apiKey: slow.key, maxRetries: 0 });
  const { batches } = client.messages;
  const { id } = await batches.create({ requests: [request('one')] });
  await assert.rejects(
    client.get(`/v1/messages/batches/${id}/results`),
    (error) => error instanceof Client.NotFoundError && error.message.includes('has no available results'),
  );
  await assert.rejects(batches.results(id), /No batch `results_url`/);
  await assert.rejects(batches.delete(id), Client.BadRequestError);
  await assert.rejects(batches.retrieve('msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d'), Client.NotFoundError);
  await assert.rejects(batches.create({ requests: [request('same'), request('same')] }), Client.BadRequestError);
  await assert.rejects(batches.create({ requests: [] }), Client.BadRequestError);
  const stranger = new Client({ baseURL: fast.url, apiKey: 'sk-of-somebody-else', maxRetries: 0 });
  await assert.rejects(stranger.messages.batches.retrieve(id), Client.AuthenticationError);
  await batches.cancel(id);
}

function request(customId: string): Anthropic.Messages.BatchCreateParams.Request {
  return {
    custom_id: customId,
    params: { model: 'claude-test', max_tokens: 16, messages: [{ role: 'user', content: `Hello, ${customId}` }] },
  };
}

async function whenEnded(batches: Batches, id: string): Promise<Anthropic.Messages.MessageBatch> {
  return await until({
    what: `batch ${id} has ended`,
    withinMs: 15_000,
    ask: async () => {
      const batch = await batches.retrieve(id);
      return batch.processing_status === 'ended' && batch;
    },
  });
}
