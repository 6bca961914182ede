/** A batch through a server that speaks chat completions: every row translated both ways, and what cannot be carried harms no neighbour. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { batchClient, oneLineEach } from '../support/batch-client.ts';
import { bodyOf, paramsOf, requestOf, rows } from '../support/rows.ts';
import { startServer } from '../support/server.ts';
import { startUpstream } from '../support/upstream-server.ts';

type Message = {
  readonly type: string;
  readonly model: string;
  readonly stop_reason: string;
  readonly content: readonly { readonly type: string; readonly text: string }[];
  readonly usage: { readonly service_tier: string; readonly input_tokens: number };
};

test('a batch through chat completions', async (t) => {
  const upstream = await startUpstream();
  t.after(() => upstream.stop());
  const server = await startServer(t, { upstream: `openai:${upstream.url}/v1` });
  const client = batchClient(server);

  const good = rows(40);
  const fileId = { type: 'document', source: { type: 'file', file_id: 'file_1' } };
  const faulty = JSON.stringify({
    model: 'test-model',
    max_tokens: 16,
    messages: [{ role: 'user', content: [{ type: 'text', text: 'row-900' }, fileId] }],
  });
  const system = JSON.stringify({ ...(JSON.parse(paramsOf('row-901 hello')) as object), system: 'Be brief.' });
  const requests = [
    ...good.requests.slice(0, 20),
    requestOf({ id: 'faulty', params: faulty }),
    requestOf({ id: 'system', params: system }),
    ...good.requests.slice(20),
  ];
  const { id } = await client.create({ body: bodyOf(requests) });
  const ended = await client.ended(id);
  assert.deepEqual([ended.request_counts.succeeded, ended.request_counts.errored], [41, 1]);

  const results = oneLineEach(await client.results(id), [...good.ids, 'faulty', 'system']);
  for (const row of good.ids) {
    const message = results.get(row)?.message as unknown as Message;
    assert.deepEqual(
      [message.type, message.model, message.stop_reason, message.usage.service_tier],
      ['message', 'test-model', 'end_turn', 'batch'],
    );
    assert.ok(message.content[0]?.text.startsWith(`${row} `), 'each row has its own answer');
  }
  assert.equal(results.get('system')?.type, 'succeeded');
  const fault = results.get('faulty');
  assert.equal(fault?.type, 'errored');
  assert.deepEqual(
    [fault?.error?.error.type, fault?.error?.error.message],
    [
      'invalid_request_error',
      'messages.0.content.1: document blocks with a file source cannot be carried to an OpenAI-compatible server (a file id belongs to Anthropic).',
    ],
  );
  assert.equal((await upstream.stats()).calls, 41, 'what cannot be carried is never sent');
});

test('an OpenAI-compatible upstream on a bad day', async (t) => {
  const upstream = await startUpstream({
    profile: { faults: { status429: 0.2, status500: 0.1, garbage: 0.05 }, retryAfterSeconds: null, seed: 3 },
  });
  t.after(() => upstream.stop());
  const server = await startServer(t, { upstream: `openai:${upstream.url}`, flags: ['--upstream-profile', 'vllm'] });
  const client = batchClient(server);
  const sent = rows(60);
  const { id } = await client.create({ body: sent.body });
  await client.ended(id);
  const results = oneLineEach(await client.results(id), sent.ids);
  for (const row of sent.ids) {
    const result = results.get(row);
    if (result?.type === 'succeeded') assert.ok(result.message?.content[0]?.text.startsWith(`${row} `));
    else assert.match(result?.error?.error.message ?? '', /not a chat completion/);
  }
});

test('synchronous calls through chat completions, as the official SDK makes them', async (t) => {
  const upstream = await startUpstream();
  t.after(() => upstream.stop());
  const server = await startServer(t, { upstream: `openai:${upstream.url}/v1` });
  const client = new Anthropic({ baseURL: server.url, apiKey: server.key, maxRetries: 0 });
  const params = { model: 'test-model', max_tokens: 16, messages: [{ role: 'user' as const, content: 'row-7 hello' }] };

  const whole = await client.messages.create(params);
  const streamed = await client.messages.stream(params).finalMessage();
  for (const message of [whole, streamed]) {
    const [block] = message.content;
    assert.ok(block?.type === 'text' && block.text.startsWith('row-7 '));
    assert.deepEqual([message.stop_reason, message.usage.output_tokens, message.model], ['end_turn', 40, 'test-model']);
  }
  await assert.rejects(
    client.messages.create({ ...params, inference_geo: 'us' }),
    (error) => error instanceof Anthropic.BadRequestError && /inference_geo: cannot be promised/.test(error.message),
  );
});
