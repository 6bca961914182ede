import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAnthropicDialect } from '../dialects/anthropic.ts';
import { AppError } from '../domain/errors.ts';
import type { MessageAnswer, MessageCall } from '../engine/contract.ts';
import { createApp } from './app.ts';
import { SECRET, testDeps, type TestFace } from './fake-face.ts';
import { estimateTokens } from './token-estimate.ts';

const params = { model: 'm', max_tokens: 7, messages: [{ role: 'user', content: 'hi' }] };

type Asked = {
  readonly path?: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
};

function face(answer: (call: MessageCall) => Promise<MessageAnswer>): {
  deps: TestFace;
  ask: (asked?: Asked) => Promise<Response>;
} {
  const deps = testDeps({ dialect: createAnthropicDialect() });
  deps.service.message = answer;
  const app = createApp(deps);
  const ask = async ({ path = '/v1/messages', body = JSON.stringify(params), headers = {}, signal }: Asked = {}) => {
    const all = { 'x-api-key': SECRET, 'anthropic-version': '2023-06-01', ...headers };
    const init = { method: 'POST', body, headers: all, ...(signal === undefined ? {} : { signal }) };
    return await app.fetch(new Request(`http://localhost${path}`, init));
  };
  return { deps, ask };
}

const upstreamError = {
  type: 'error',
  error: { type: 'overloaded_error', message: 'Busy', extra: 1 },
  request_id: 'req_theirs',
};

test('the call goes on as it came, and the answer comes back as it is', async () => {
  let asked: MessageCall | null = null;
  const message = Buffer.from('{ "type":"message",\r\n "é":1 }');
  const { ask } = face(async (call) => {
    asked = call;
    return {
      status: 200,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'request-id': 'req_theirs',
        'content-length': '999',
        'set-cookie': 'no',
        'anthropic-ratelimit-requests-remaining': '1',
        'anthropic-ratelimit-input-tokens-remaining': '2',
      },
      body: message,
    };
  });
  const body = ` ${JSON.stringify(params)}\n`;
  const response = await ask({ body, headers: { 'anthropic-beta': 'one,two' } });
  assert.equal(response.status, 200);
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), message);
  const call = asked as MessageCall | null;
  assert.ok(call !== null);
  assert.equal(Buffer.from(call.params).toString(), body);
  const { model, maxTokens, tokens, version, betas } = call;
  assert.deepEqual(
    { model, maxTokens, tokens, version, betas },
    { model: 'm', maxTokens: 7, tokens: Math.ceil(body.length / 4) + 7, version: '2023-06-01', betas: ['one', 'two'] },
  );
  assert.match(response.headers.get('request-id') ?? '', /^req_01/);
  assert.equal(response.headers.get('set-cookie'), null);
  assert.equal(response.headers.get('anthropic-ratelimit-requests-remaining'), '599');
  assert.equal(response.headers.get('anthropic-ratelimit-input-tokens-remaining'), '2');
});

test('an error of the upstream keeps its status and words; one about a key is about ours', async () => {
  const table: readonly (readonly [status: number, body: string, expected: object])[] = [
    [529, JSON.stringify(upstreamError), { status: 529, ...upstreamError.error }],
    [
      404,
      '{"error":"no such model"}',
      { status: 404, type: 'not_found_error', message: 'The upstream answered with status 404.' },
    ],
    [418, '<html>', { status: 418, type: 'invalid_request_error', message: 'The upstream answered with status 418.' }],
    [599, '', { status: 599, type: 'api_error', message: 'The upstream answered with status 599.' }],
    [
      302,
      '',
      { status: 500, type: 'api_error', message: 'The upstream refused the call: it answered with status 302' },
    ],
    [
      401,
      '{"error":{"type":"authentication_error","message":"bad key"}}',
      { status: 500, type: 'api_error', message: 'The upstream refused the call: bad key' },
    ],
  ];
  for (const [status, body, expected] of table) {
    const headers = { 'retry-after': '7', 'content-type': 'text/html' };
    const { ask } = face(async () => ({ status, headers, body: Buffer.from(body) }));
    const response = await ask();
    const { error, request_id: requestId } = (await response.json()) as { error: object; request_id: string };
    assert.deepEqual({ status: response.status, ...error }, expected);
    assert.equal(requestId, response.headers.get('request-id'));
    assert.equal(response.headers.get('content-type'), 'application/json');
    assert.equal(response.headers.get('retry-after'), response.status === 500 ? null : '7');
    assert.equal(response.headers.get('x-should-retry'), response.status === 500 ? 'false' : null);
  }
});

test('events come one by one; where they break off an event says so', async () => {
  let pulled = 0;
  const { ask } = face(async () => ({
    status: 200,
    headers: { 'content-type': 'text/event-stream' },
    body: (async function* () {
      pulled += 1;
      yield Buffer.from('event: ping\ndata: {}\n\n');
      pulled += 1;
      yield Buffer.from('event: ping\ndata: {"ha');
      throw new AppError('upstream_failed', 'The upstream cut the connection: so it goes');
    })(),
  }));
  const response = await ask({ body: JSON.stringify({ ...params, stream: true, speed: 'fast' }) });
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  assert.equal(pulled, 0);
  const text = await response.text();
  assert.ok(text.startsWith('event: ping\ndata: {}\n\nevent: ping\ndata: {"ha\nevent: error\ndata: {"type":"error"'));
  assert.ok(text.endsWith('}\n\n'));
  assert.match(text, new RegExp(`"request_id":"${response.headers.get('request-id')}"`));
});

test('a caller that leaves is told to the engine, before the answer and while it comes', async () => {
  const signals: AbortSignal[] = [];
  const { ask } = face(async ({ signal }) => {
    signals.push(signal);
    return {
      status: 200,
      headers: {},
      body: (async function* () {
        yield Buffer.from('data: 1\n\n');
        await new Promise(() => undefined);
      })(),
    };
  });
  const response = await ask();
  const reader = (response.body ?? assert.fail()).getReader();
  await reader.read();
  assert.equal(signals[0].aborted, false);
  await reader.cancel();
  assert.equal(signals[0].aborted, true);
});

test('a count is the upstream’s, or an estimate that says so; it needs no max_tokens', async () => {
  const { deps, ask } = face(() => assert.fail());
  const path = '/v1/messages/count_tokens';
  const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'x'.repeat(400) }] });
  const estimated = await ask({ path, body });
  assert.deepEqual(await estimated.json(), { input_tokens: 105 });
  assert.equal(estimated.headers.get('nightshift-estimate'), 'true');
  deps.service.countTokens = async () => ({ status: 200, headers: {}, body: Buffer.from('{"input_tokens":9}') });
  const counted = await ask({ path, body });
  assert.deepEqual(await counted.json(), { input_tokens: 9 });
  assert.equal(counted.headers.get('nightshift-estimate'), null);
  assert.equal((await ask({ path, body: '{"model":"m"}' })).status, 400);
  const wrongMethod = await createApp(deps).fetch(new Request(`http://localhost${path}`));
  assert.equal(wrongMethod.status, 405);
});

test('an estimate counts what a model reads: text by its bytes, pictures by the piece', () => {
  const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'A'.repeat(100_000) } };
  const text = { type: 'text', text: 'x'.repeat(4_000) };
  const estimate = estimateTokens(
    Buffer.from(
      JSON.stringify({
        model: 'm',
        metadata: { user_id: 'y'.repeat(999) },
        messages: [{ role: 'user', content: [image, text] }],
      }),
    ),
  );
  assert.ok(estimate > 2_600 && estimate < 2_620, String(estimate));
});
