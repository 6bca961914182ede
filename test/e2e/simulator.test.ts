/** `nightshift simulator` as its users meet it: the official SDKs of both protocols, its faults over a socket, its limits. */
import Anthropic from '@anthropic-ai/sdk';
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import OpenAI from 'openai';
import { startServer } from '../support/server.ts';
import { startSimulator } from '../support/simulator.ts';
import { until } from '../support/until.ts';

const model = 'claude-haiku-4-5';
const schema = {
  type: 'object',
  properties: { label: { type: 'string', enum: ['spam', 'ham'] }, score: { type: 'integer', minimum: 1, maximum: 5 } },
  required: ['label', 'score'],
  additionalProperties: false,
};
const parameters = { type: 'object' as const, properties: { city: { type: 'string' } }, required: ['city'] };
const user = (content: string): { role: 'user'; content: string } => ({ role: 'user', content });

test('the official TypeScript SDK', async (t) => {
  const { url } = await startSimulator(t, { flags: ['--models', `${model},claude-opus-5`] });
  const client = new Anthropic({ baseURL: url, apiKey: 'any', maxRetries: 2 });
  const ask = (content: string): Anthropic.MessageCreateParamsNonStreaming => ({
    model,
    max_tokens: 300,
    messages: [user(content)],
  });
  const tools = [{ name: 'get_weather', input_schema: parameters }];

  await t.test('a message, with its request id', async () => {
    const message = await client.messages.create(ask('Hello'));
    assert.equal(message.stop_reason, 'end_turn');
    assert.match(message._request_id ?? '', /^req_01/);
  });
  await t.test('a tool call and the answer to its result', async () => {
    const first = await client.messages.create({ ...ask('The weather?'), tools });
    const call = first.content.find((block) => block.type === 'tool_use');
    assert.ok(first.stop_reason === 'tool_use' && call?.name === 'get_weather');
    const result = { type: 'tool_result' as const, tool_use_id: call.id, content: 'Sunny' };
    const messages = [
      user('The weather?'),
      { role: 'assistant' as const, content: first.content },
      { role: 'user' as const, content: [result] },
    ];
    assert.equal((await client.messages.create({ ...ask(''), tools, messages })).stop_reason, 'end_turn');
  });
  await t.test('a stream is put together to the message it carries', async () => {
    const thinking = { type: 'enabled' as const, budget_tokens: 1_024 };
    const stream = client.messages.stream({ ...ask('The weather?'), max_tokens: 2_048, tools, thinking });
    const events = new Set<string>();
    stream.on('streamEvent', ({ type }) => void events.add(type));
    const message = await stream.finalMessage();
    assert.deepEqual(
      message.content.map(({ type }) => type),
      ['thinking', 'text', 'tool_use'],
    );
    const call = message.content[2];
    assert.ok(call?.type === 'tool_use' && typeof (call.input as { city: unknown }).city === 'string');
    assert.ok(message.stop_reason === 'tool_use' && message.usage.output_tokens > 10);
    assert.equal(events.size, 6);
  });
  await t.test('tokens and models', async () => {
    const { input_tokens } = await client.messages.countTokens({ model, messages: [user('Hello, world')] });
    assert.equal(input_tokens, 3);
    const ids: string[] = [];
    for await (const { id, display_name } of client.models.list({ limit: 1 }))
      ids.push(`${id} ${display_name.includes('simulated')}`);
    assert.deepEqual(ids, [`${model} true`, 'claude-opus-5 true']);
    assert.equal((await client.models.retrieve(model)).id, model);
    await assert.rejects(client.models.retrieve('gpt-9'), Anthropic.NotFoundError);
  });
  await t.test('errors are the classes of the SDK, and what passes is retried', async () => {
    const once = new Anthropic({ baseURL: url, apiKey: 'any', maxRetries: 0 });
    await assert.rejects(once.messages.create({ ...ask('Hi'), model: 'wrong' }), (error) => {
      return error instanceof Anthropic.NotFoundError && error.message.includes('model: wrong');
    });
    await assert.rejects(once.messages.create(ask('[[simulate:rate_limit]]')), Anthropic.RateLimitError);
    await assert.rejects(once.messages.create(ask('[[simulate:reset]]')), Anthropic.APIConnectionError);
    await assert.rejects(once.messages.create(ask('[[simulate:cut]]')));
    await assert.rejects(once.messages.stream(ask('[[simulate:stream_error]]')).finalMessage(), Anthropic.APIError);
    await assert.rejects(once.messages.stream(ask('[[simulate:cut]]')).finalMessage());
    assert.equal((await client.messages.create(ask('[[simulate:api_error 2]]'))).stop_reason, 'end_turn');
  });
});

test('the official OpenAI SDK', async (t) => {
  const { url } = await startSimulator(t, { flags: ['--models', model] });
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 });
  const ask = (content: string): OpenAI.ChatCompletionCreateParamsNonStreaming => ({
    model,
    messages: [{ role: 'system', content: 'Be brief.' }, user(content)],
  });
  const tools = [{ type: 'function' as const, function: { name: 'get_weather', parameters } }];

  await t.test('a completion', async () => {
    const { choices, usage } = await client.chat.completions.create(ask('Hello'));
    assert.match(choices[0]?.message.content ?? '', /^\[simulated\]/);
    assert.equal(choices[0]?.finish_reason, 'stop');
    assert.equal(usage?.total_tokens, usage!.prompt_tokens + usage!.completion_tokens);
    const cut = await client.chat.completions.create({ ...ask('[[simulate:max_tokens]]'), max_completion_tokens: 20 });
    assert.deepEqual([cut.choices[0]?.finish_reason, cut.usage?.completion_tokens], ['length', 20]);
  });
  await t.test('tools, whole and streamed', async () => {
    const { choices } = await client.chat.completions.create({ ...ask('The weather?'), tools });
    const call = choices[0]?.message.tool_calls?.[0];
    assert.ok(choices[0]?.finish_reason === 'tool_calls' && call?.type === 'function');
    assert.equal(typeof JSON.parse(call.function.arguments).city, 'string');
    const tool = { role: 'tool' as const, tool_call_id: call.id, content: 'Sunny' };
    const after = await client.chat.completions.create({
      model,
      tools,
      messages: [user('The weather?'), choices[0].message, tool],
    });
    assert.equal(after.choices[0]?.finish_reason, 'stop');
    const forced = client.chat.completions.stream({ ...ask('Hi'), tools, tool_choice: 'required', stream: true });
    const streamed = (await forced.finalChatCompletion()).choices[0]?.message.tool_calls?.[0];
    assert.ok(streamed?.type === 'function' && typeof JSON.parse(streamed.function.arguments).city === 'string');
  });
  await t.test('JSON of a schema', async () => {
    const response_format = { type: 'json_schema' as const, json_schema: { name: 'label', schema, strict: true } };
    const { choices } = await client.chat.completions.create({ ...ask('Win a million!'), response_format });
    const { label, score } = JSON.parse(choices[0]?.message.content ?? '') as { label: string; score: number };
    assert.ok(['spam', 'ham'].includes(label) && score >= 1 && score <= 5);
  });
  await t.test('a stream with usage', async () => {
    const stream = await client.chat.completions.create({
      ...ask('Hello'),
      stream: true,
      stream_options: { include_usage: true },
    });
    let [text, tokens] = ['', 0];
    for await (const { choices, usage } of stream) {
      text += choices[0]?.delta.content ?? '';
      tokens = usage?.completion_tokens ?? tokens;
    }
    assert.ok(text.startsWith('[simulated]') && tokens > 0);
  });
  await t.test('models and errors', async () => {
    const ids: string[] = [];
    for await (const { id, object } of client.models.list()) ids.push(`${id} ${object}`);
    assert.deepEqual(ids, [`${model} model`]);
    await assert.rejects(client.chat.completions.create({ ...ask('Hi'), model: 'wrong' }), OpenAI.NotFoundError);
    await assert.rejects(client.chat.completions.create(ask('[[simulate:rate_limit]]')), OpenAI.RateLimitError);
  });
});

test('what is no request gets the errors of the API', async (t) => {
  const { url } = await startSimulator(t, {
    flags: ['--api-key-env', 'KEY_OF_CALLERS'],
    env: { KEY_OF_CALLERS: 'secret' },
  });
  const version = { 'anthropic-version': '2023-06-01' };
  const key = { 'x-api-key': 'secret' };
  const post = async (path: string, headers: Record<string, string>, body = '{}'): Promise<string> => {
    const response = await fetch(url + path, { method: 'POST', headers, body });
    const { error } = (await response.json()) as { error: { type: string; message: string } };
    return `${response.status} ${error.type}: ${error.message}`;
  };
  assert.equal(await post('/v1/messages', version), '401 authentication_error: x-api-key header is required');
  assert.equal(
    await post('/v1/messages', { ...version, authorization: 'Bearer x' }),
    '401 authentication_error: invalid x-api-key',
  );
  assert.equal(await post('/v1/messages', key), '400 invalid_request_error: anthropic-version: header is required');
  assert.equal(await post('/v1/messages', { ...key, ...version }), '400 invalid_request_error: model: Field required');
  assert.match(await post('/v1/nothing', key), /^404 not_found_error/);
  assert.match(await post('/v1/models', key), /^405 /);
  assert.match(
    await post('/v1/messages', { ...key, ...version }, 'x'.repeat(33 * 1024 * 1024)),
    /^413 request_too_large/,
  );
});

test('a client that leaves is forgotten, and a signal ends it', async (t) => {
  const simulator = await startSimulator(t, { flags: ['--latency', '1h'] });
  const { hostname, port } = new URL(simulator.url);
  const socket = connect(Number(port), hostname);
  const body = JSON.stringify({ model, max_tokens: 9, messages: [user('Hi')] });
  socket.write(
    `POST /v1/messages HTTP/1.1\r\nhost: x\r\nanthropic-version: 2023-06-01\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  socket.end();
  await new Promise((resolve) => socket.once('finish', resolve));
  socket.destroy();
  assert.equal(await simulator.stop(), 0);
});

test('a batch survives a flaky simulator, and a model that is not there fails its row alone', async (t) => {
  const server = await startServer(t, {
    flags: ['--simulator-profile', 'flaky', '--simulator-models', `${model},other`],
  });
  const { batches } = new Anthropic({ baseURL: server.url, apiKey: server.key }).messages;
  const row = (at: number): Anthropic.Messages.BatchCreateParams.Request => ({
    custom_id: `row-${at}`,
    params: { model: at === 7 ? 'wrong' : model, max_tokens: 32, messages: [user(`Row ${at}`)] },
  });
  const { id } = await batches.create({ requests: Array.from({ length: 300 }, (_, at) => row(at)) });
  const { request_counts: counts } = await until({
    what: 'the batch has ended',
    withinMs: 30_000,
    ask: async () => {
      const batch = await batches.retrieve(id);
      return batch.processing_status === 'ended' && batch;
    },
  });
  assert.deepEqual([counts.succeeded, counts.errored], [299, 1]);
  for await (const { custom_id, result } of await batches.results(id)) {
    if (custom_id !== 'row-7') continue;
    assert.ok(result.type === 'errored' && result.error.error.type === 'not_found_error');
    assert.match(result.error.error.message, /model: wrong/);
  }
});
