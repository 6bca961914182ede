/** The official TypeScript SDK against the app in-process: no socket, every call of the guide. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { createApp } from './app.ts';
import { BATCH_ID, SECRET, testBatch, testDeps, textResults } from './fake-face.ts';

function clientOf(deps: ReturnType<typeof testDeps>, apiKey = SECRET): Anthropic {
  const app = createApp(deps);
  return new Anthropic({
    apiKey,
    baseURL: 'http://nightshift.test',
    maxRetries: 0,
    fetch: async (input, init) => app.request(input instanceof Request ? input : String(input), init as RequestInit),
  });
}

test('the official SDK creates, retrieves, lists, cancels, deletes and reads results', async () => {
  const deps = testDeps();
  const { batches } = clientOf(deps).messages;
  const params = { model: 'm', max_tokens: 16, messages: [{ role: 'user' as const, content: 'hi' }] };
  const created = await batches.create({ requests: [{ custom_id: 'a', params }] });
  assert.equal(created.id, BATCH_ID);
  assert.equal(created.processing_status, 'in_progress');
  assert.match(created._request_id ?? '', /^req_01/);
  assert.deepEqual(JSON.parse(Buffer.from(deps.service.created[0]!.bytes).toString()), {
    requests: [{ custom_id: 'a', params }],
  });
  assert.equal(deps.service.created[0]?.request.resent, false);

  assert.equal((await batches.retrieve(BATCH_ID)).id, BATCH_ID);
  assert.equal((await batches.cancel(BATCH_ID)).processing_status, 'canceling');
  const pages = [
    { batches: [testBatch()], hasMore: true },
    { batches: [testBatch()], hasMore: false },
  ];
  const queries: unknown[] = [];
  deps.service.page = async (query) => (queries.push(query.after), pages.shift()!);
  let listed = 0;
  for await (const batch of batches.list({ limit: 1 })) listed += batch.id === BATCH_ID ? 1 : 0;
  assert.equal(listed, 2);
  assert.deepEqual(queries, [null, BATCH_ID]);

  await assert.rejects(batches.results(BATCH_ID), /No batch `results_url`/);
  deps.service.retrieve = async () => testBatch({ state: 'ended' });
  deps.service.results = async () =>
    textResults('{"custom_id":"a","result":{"type":"canceled"}}\n{"custom_id":"b","result":{"type":"expired"}}\n');
  const ids: string[] = [];
  for await (const row of await batches.results(BATCH_ID)) ids.push(row.custom_id);
  assert.deepEqual(ids, ['a', 'b']);
  assert.deepEqual({ ...(await batches.delete(BATCH_ID)) }, { id: BATCH_ID, type: 'message_batch_deleted' });
});

test("the SDK's error classes, ids and workspace come out of our errors", async () => {
  const deps = testDeps();
  deps.service.retrieve = async () => null;
  await assert.rejects(clientOf(deps).messages.batches.retrieve(BATCH_ID), (error) => {
    assert.ok(error instanceof Anthropic.NotFoundError);
    assert.match(error.requestID ?? '', /^req_01/);
    assert.match(error.message, /Message Batch msgbatch_\w+ not found\./);
    return true;
  });
  await assert.rejects(clientOf(deps, 'wrong').messages.batches.list(), Anthropic.AuthenticationError);
});
