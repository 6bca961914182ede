import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ResponseTooLargeError,
  SendError,
  type Send,
  type UpstreamRequest,
  type UpstreamResponse,
} from '../ports/world.ts';
import { createOpenAiUpstream, type OpenAiOptions } from './openai.ts';
import { RequestFault, type Call, type CallEnd, type CallResult } from './upstream.ts';

type Answer = { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: string | Error };

function responseOf({ status = 200, headers = {}, body = '' }: Answer): UpstreamResponse {
  return {
    status,
    headers,
    body: {
      bytes: async (max) => {
        if (body instanceof Error) throw body;
        if (body.length > max) throw new ResponseTooLargeError(max);
        return Buffer.from(body);
      },
      async *stream() {
        if (body instanceof Error) throw body;
        yield Buffer.from(body);
      },
    },
  };
}

const timers = {
  after: () => () => undefined,
  turn: (callback: () => void) => queueMicrotask(callback),
};

function upstream(send: Send, options: Partial<OpenAiOptions> = {}) {
  return createOpenAiUpstream({
    name: 'local',
    url: 'http://h:8000',
    apiKey: 'sk-upstream',
    profile: 'generic',
    billing: 'own',
    concurrency: 4,
    requestsPerMinute: null,
    tokensPerMinute: null,
    send,
    timers,
    wallMs: () => Date.UTC(2026, 10, 21),
    ...options,
  });
}

function callOf(params: unknown = { model: 'm', max_tokens: 1, messages: [{ role: 'user', content: 'hi' }] }): Call {
  const text = typeof params === 'string' ? params : JSON.stringify(params);
  return { params: Buffer.from(text), version: '2023-06-01', betas: [], signal: new AbortController().signal };
}

function ask(answer: Answer): Promise<CallResult> {
  return upstream(async () => responseOf(answer)).call(callOf());
}

const completion = JSON.stringify({
  id: 'chatcmpl-1',
  model: 'm-2026',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 3, completion_tokens: 4 },
});
const fault = { model: 'm', max_tokens: 1, messages: [{ role: 'user', content: 'hi' }], container: 'c' };

test('a completion becomes a message, with its model and usage', async () => {
  const sent: UpstreamRequest[] = [];
  const { end, status } = await upstream(async (request) => {
    sent.push(request);
    return responseOf({ body: completion });
  }).call(callOf());
  assert.ok(end.kind === 'message');
  assert.match(Buffer.from(end.message).toString(), /"text":"Hello".*"service_tier":"batch"/);
  assert.deepEqual([end.model, end.usage.inputTokens, end.usage.outputTokens, status], ['m-2026', 3, 4, 200]);
  assert.equal(sent[0]?.url, 'http://h:8000/v1/chat/completions');
  assert.deepEqual(sent[0]?.headers, { 'content-type': 'application/json', authorization: 'Bearer sk-upstream' });
});

test('what both protocols write alike goes out as it came; all else is translated', async () => {
  const bodyOf = async (params: string, profile: OpenAiOptions['profile'] = 'generic'): Promise<string> => {
    let body = '';
    const send: Send = async (request) => {
      body = Buffer.from(request.body).toString();
      return responseOf({ body: completion });
    };
    await upstream(send, { profile }).call(callOf(params));
    return body;
  };
  const plain = '{"model": "m" ,"max_tokens":1,"temperature":0.10,"messages":[{"content":"\\u0041","role":"user"}]}';
  assert.equal(await bodyOf(plain), plain);
  assert.notEqual(await bodyOf(plain, 'openai'), plain);
  for (const params of [
    '{"model":"m","max_tokens":1,"system":"s","messages":[{"role":"user","content":"a"}]}',
    '{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}',
    '{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]}',
    '{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a"}],"metadata":{}}',
  ]) {
    assert.notEqual(await bodyOf(params), params);
  }
});

test('what cannot be carried is refused before anything is sent', async () => {
  const local = upstream(() => assert.fail('sent'));
  const { end, status } = await local.call(callOf(fault));
  assert.deepEqual(
    [end, status],
    [
      {
        kind: 'refused',
        error: {
          type: 'invalid_request_error',
          message: 'container: cannot be carried to an OpenAI-compatible server.',
        },
      },
      null,
    ],
  );
  await assert.rejects(local.open(callOf(fault)), RequestFault);
});

type Error4 = readonly [status: number, body: unknown, kind: CallEnd['kind'], type: string, message: RegExp];

const message = (words: string, more: object = {}): unknown => ({
  error: { message: words, type: 'server_error', ...more },
});
const errors: readonly Error4[] = [
  [400, message('bad'), 'refused', 'invalid_request_error', /^bad$/],
  [401, message('no key'), 'unpaid', 'authentication_error', /^no key$/],
  [402, message('pay'), 'unpaid', 'billing_error', /^pay$/],
  [403, message('not you'), 'refused', 'permission_error', /^not you$/],
  [404, { error: "model 'x' not found" }, 'refused', 'not_found_error', /^model 'x' not found$/],
  [408, '', 'unpaid', 'timeout_error', /status 408/],
  [413, '<html>', 'refused', 'request_too_large', /status 413/],
  [422, { detail: [{ loc: ['body', 'messages'], msg: 'bad' }] }, 'refused', 'invalid_request_error', /"msg":"bad"/],
  [422, { detail: 'bad' }, 'refused', 'invalid_request_error', /^bad$/],
  [429, message('slow down'), 'unpaid', 'rate_limit_error', /^slow down$/],
  [429, message('no money', { code: 'insufficient_quota' }), 'unpaid', 'billing_error', /^no money$/],
  [500, message('oops'), 'unpaid', 'api_error', /^oops$/],
  [500, { object: 'error', message: 'older vLLM' }, 'unpaid', 'api_error', /^older vLLM$/],
  [503, 'x'.repeat(300_000), 'unpaid', 'overloaded_error', /status 503/],
  [
    400,
    message('too many tokens', { code: 'context_length_exceeded' }),
    'refused',
    'invalid_request_error',
    /^prompt is too long: too many tokens$/,
  ],
  [
    400,
    message("This model's maximum context length is 4096 tokens. However, you requested"),
    'refused',
    'invalid_request_error',
    /^prompt is too long: This model/,
  ],
  [
    400,
    message('the request exceeds the available context size, try increasing it', { code: 400 }),
    'refused',
    'invalid_request_error',
    /^prompt is too long/,
  ],
  [
    500,
    message('request (9 tokens)', { code: 400, type: 'exceed_context_size_error' }),
    'refused',
    'invalid_request_error',
    /^prompt is too long/,
  ],
  [
    400,
    message('Invalid schema for function: additionalProperties'),
    'refused',
    'invalid_request_error',
    /^Invalid schema/,
  ],
  [
    500,
    message('image input is not supported - hint: if this is unexpected, you may need to provide the mmproj'),
    'refused',
    'invalid_request_error',
    /^image input/,
  ],
  [
    500,
    message('JSON schema conversion failed: unrecognized schema'),
    'refused',
    'invalid_request_error',
    /^JSON schema conversion/,
  ],
];

for (const [status, body, kind, type, words] of errors) {
  test(`${status} ${JSON.stringify(body).slice(0, 60)} is ${kind}, ${type}`, async () => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const { end } = await ask({ status, body: text });
    assert.equal(end.kind, kind);
    assert.ok(end.kind !== 'message');
    assert.equal(end.error.type, type);
    assert.match(end.error.message, words);
    if (end.kind === 'unpaid') assert.equal(end.throttled, status === 429 && type === 'rate_limit_error');
  });
}

test('an answer says how long to wait, and which limits are exhausted', async () => {
  const headers = {
    'retry-after': '12',
    'x-ratelimit-remaining-requests': '0',
    'x-ratelimit-reset-requests': '1m2.5s',
  };
  const { end, headroom } = await ask({ status: 429, headers });
  assert.equal(end.kind === 'unpaid' && end.retryAfterMs, 12_000);
  assert.deepEqual(headroom, { requestsLeft: 0, tokensLeft: null, resetMs: 62_500 });
  const tokens = { 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '20ms' };
  assert.deepEqual((await ask({ headers: tokens, body: completion })).headroom, {
    requestsLeft: null,
    tokensLeft: 0,
    resetMs: 20,
  });
  assert.equal((await ask({ headers: { 'x-ratelimit-remaining-requests': '3' }, body: completion })).headroom, null);
});

test('what says it succeeded and is no completion may have been paid for', async () => {
  for (const body of [
    '',
    'OK',
    '{"type":"message"}',
    completion.slice(0, -1),
    new Error('cut'),
    'x'.repeat(40 * 1024 * 1024),
  ]) {
    const { end } = await ask({ body });
    assert.equal(end.kind, 'perhaps_paid');
  }
});

test('a failed call is unpaid where nothing was sent; an aborted one throws', async () => {
  const failing = (sent: boolean) => upstream(() => Promise.reject(new SendError('refused', { sent }))).call(callOf());
  assert.deepEqual([(await failing(false)).end.kind, (await failing(true)).end.kind], ['unpaid', 'perhaps_paid']);
  const controller = new AbortController();
  const aborted = upstream(() => Promise.reject(new Error('x'))).call({ ...callOf(), signal: controller.signal });
  controller.abort(new Error('enough'));
  await assert.rejects(aborted, /enough/);
});

test('a synchronous call answers whole, in the Messages protocol, errors too', async () => {
  const open = async (answer: Answer): Promise<[number, Record<string, string>, Record<string, unknown>]> => {
    const response = await upstream(async () => responseOf(answer)).open(callOf());
    const body = JSON.parse(Buffer.from(await response.body.bytes(1e6)).toString()) as Record<string, unknown>;
    return [response.status, response.headers, body];
  };
  const [status, headers, body] = await open({ body: completion });
  assert.deepEqual([status, headers['content-type'], body['type']], [200, 'application/json', 'message']);
  assert.equal((body['usage'] as { service_tier: string }).service_tier, 'standard');
  const [limited, waiting, error] = await open({
    status: 429,
    headers: { 'retry-after': '3' },
    body: '{"error":{"message":"slow"}}',
  });
  assert.deepEqual(
    [limited, waiting['retry-after'], error],
    [429, '3', { type: 'error', error: { type: 'rate_limit_error', message: 'slow' }, request_id: null }],
  );
  assert.equal((await open({ status: 500, body: '{"error":{"message":"JSON schema conversion failed"}}' }))[0], 400);
  assert.deepEqual((await open({ body: 'OK' }))[0], 502);
});

test('a synchronous call streams where it is asked to', async () => {
  let sent: Record<string, unknown> = {};
  const chunks = [{ choices: [{ delta: { content: 'Hi' } }] }, { choices: [{ delta: {}, finish_reason: 'stop' }] }];
  const body = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('');
  const local = upstream(async (request) => {
    sent = JSON.parse(Buffer.from(request.body).toString()) as Record<string, unknown>;
    return responseOf({ headers: { 'content-type': 'text/event-stream' }, body });
  });
  const params = { model: 'm', max_tokens: 1, stream: true, messages: [{ role: 'user', content: 'hi' }] };
  const response = await local.open(callOf(params));
  assert.deepEqual([sent['stream'], sent['stream_options']], [true, { include_usage: true }]);
  assert.match(response.headers['content-type'] ?? '', /^text\/event-stream/);
  const text = Buffer.concat(await Array.fromAsync(response.body.stream())).toString();
  assert.match(
    text,
    /^event: message_start\n[^]*"text_delta","text":"Hi"[^]*event: message_stop\ndata: \{"type":"message_stop"\}\n\n$/,
  );
});

test('the kind of server is found out once, and nothing it says about itself does harm', async () => {
  const list = (...owners: readonly unknown[]): string =>
    JSON.stringify({ data: owners.map((owned_by) => ({ id: 'm', owned_by })) });
  const guesses: readonly (readonly [answer: Answer | Error, tokens: string, effort: string | undefined])[] = [
    [{ body: list('library', 'library') }, 'max_tokens', 'none'],
    [{ body: list('library', 'somebody') }, 'max_tokens', 'none'],
    [{ body: list('library', 'vllm') }, 'max_tokens', undefined],
    [{ body: list('library', null) }, 'max_tokens', undefined],
    [{ body: list('__proto__') }, 'max_tokens', undefined],
    [{ body: list({}, 3, null) }, 'max_tokens', undefined],
    [{ body: '{"data":7}' }, 'max_tokens', undefined],
    [{ body: '<html>' }, 'max_tokens', undefined],
    [{ status: 404 }, 'max_tokens', undefined],
    [new SendError('away', { sent: false }), 'max_tokens', undefined],
  ];
  for (const [answer, tokens, effort] of guesses) {
    let asked = 0;
    const bodies: Record<string, unknown>[] = [];
    const local = upstream(
      async (request) => {
        if (request.method === 'GET') {
          asked += 1;
          if (answer instanceof Error) throw answer;
          return responseOf(answer);
        }
        bodies.push(JSON.parse(Buffer.from(request.body).toString()) as Record<string, unknown>);
        return responseOf({ body: completion });
      },
      { profile: 'auto' },
    );
    for (const { end } of await Promise.all([local.call(callOf()), local.call(callOf())]))
      assert.equal(end.kind, 'message');
    await local.call(callOf());
    // One that was away is asked again, because it may only have been starting.
    assert.equal(asked, answer instanceof Error ? 2 : 1);
    for (const body of bodies) assert.deepEqual([body[tokens], body['reasoning_effort']], [1, effort]);
  }
  let body = '';
  const paid = upstream(
    async (request) => {
      assert.notEqual(request.method, 'GET');
      body = Buffer.from(request.body).toString();
      return responseOf({ body: completion });
    },
    { profile: 'auto', url: 'https://api.openai.com/v1/' },
  );
  await paid.call(callOf());
  assert.match(body, /"max_completion_tokens":1/);
});
