import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ResponseTooLargeError,
  SendError,
  type Send,
  type UpstreamRequest,
  type UpstreamResponse,
} from '../ports/world.ts';
import { createAnthropicUpstream } from './anthropic.ts';
import type { Call, CallEnd, CallResult } from './upstream.ts';

type Answer = { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string | Error };

function responseOf({ status, headers = {}, body = '' }: Answer): UpstreamResponse {
  return {
    status,
    headers,
    body: {
      bytes: async (max) => {
        if (body instanceof Error) throw body;
        if (body.length > max) throw new ResponseTooLargeError(max);
        return Buffer.from(body);
      },
      stream: () => assert.fail('not streamed'),
    },
  };
}

function upstream(send: Send, options: { apiKey?: string | null; url?: string } = {}) {
  const settings = { billing: 'standard', concurrency: 4, requestsPerMinute: 60, tokensPerMinute: null } as const;
  const { apiKey = 'sk-upstream', url = 'https://api.example.com' } = options;
  return createAnthropicUpstream({
    name: 'paid',
    url,
    apiKey,
    ...settings,
    send,
    wallMs: () => Date.UTC(2026, 10, 21),
  });
}

function callOf(changes: Partial<Call> = {}): Call {
  const params = Buffer.from('{"model": "m" ,"max_tokens":1}');
  return { params, version: '2023-06-01', betas: [], signal: new AbortController().signal, ...changes };
}

function ask(answer: Answer): Promise<CallResult> {
  return upstream(async () => responseOf(answer)).call(callOf());
}

const message =
  '{"type":"message","model":"m-2026","stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":4}}';
const errorBody = (type: string, text: string) => JSON.stringify({ type: 'error', error: { type, message: text } });

test('a message is taken as it is, with its model and usage', async () => {
  const { end, status, headroom } = await ask({ status: 200, body: message });
  assert.ok(end.kind === 'message');
  assert.equal(Buffer.from(end.message).toString(), message.replace('4}', '4,"service_tier":"batch"}'));
  assert.deepEqual(
    [end.model, end.usage.inputTokens, end.usage.outputTokens, status, headroom],
    ['m-2026', 3, 4, 200, null],
  );
});

const refused = [400, 403, 404, 405, 413, 422];
const throttled = [429, 529];
const unpaid = [301, 307, 401, 402, 408, 409, 425, 500, 502, 503, 504];

for (const status of [...refused, ...throttled, ...unpaid]) {
  const kind = refused.includes(status) ? 'refused' : 'unpaid';
  test(`${status} is ${kind}${throttled.includes(status) ? ', throttled' : ''}`, async () => {
    const { end, status: told } = await ask({ status, body: errorBody('some_error', 'in its words') });
    const error = { type: 'some_error', message: 'in its words' };
    const isThrottled = throttled.includes(status);
    const expected: CallEnd =
      kind === 'refused' ? { kind, error } : { kind: 'unpaid', throttled: isThrottled, retryAfterMs: null, error };
    assert.deepEqual([end, told], [expected, status]);
  });
}

test('a redirect is not followed, and says where to point instead', async () => {
  const { end } = await ask({ status: 308, headers: { location: 'https://elsewhere.example/v1' }, body: '' });
  assert.ok(end.kind === 'unpaid');
  assert.match(end.error.message, /status 308\. It redirects to https:\/\/elsewhere\.example\/v1: .*--upstream/);
});

test('an answer says how long to wait, and which limits are exhausted', async () => {
  const headers = {
    'retry-after': '12',
    'anthropic-ratelimit-requests-remaining': '0',
    'anthropic-ratelimit-requests-reset': '2026-11-21T00:00:30Z',
  };
  const { end, headroom } = await ask({ status: 429, headers, body: errorBody('rate_limit_error', 'slower') });
  assert.equal(end.kind === 'unpaid' && end.retryAfterMs, 12_000);
  assert.deepEqual(headroom, { requestsLeft: 0, tokensLeft: null, resetMs: 30_000 });
});

test('an error whose body is no error of the API is told by its status', async () => {
  for (const body of [
    '<html>Bad gateway</html>',
    '',
    'null',
    '[]',
    '{"error":"text"}',
    '{"error":{"type":1}}',
    'x'.repeat(300_000),
    new Error('cut'),
  ]) {
    const { end } = await ask({ status: 502, body });
    assert.ok(end.kind === 'unpaid');
    assert.deepEqual(end.error, { type: 'api_error', message: 'The upstream answered with status 502.' });
  }
  const { end } = await ask({ status: 400, body: 'nonsense' });
  assert.deepEqual(end, {
    kind: 'refused',
    error: { type: 'invalid_request_error', message: 'The upstream answered with status 400.' },
  });
});

test('what says it succeeded and is no message may have been paid for', async () => {
  const answers: Answer[] = [
    ...['', 'OK', '{"type":"error"}', '[]', message.slice(0, -1), `${message} x`].map((body) => ({
      status: 200,
      body,
    })),
    { status: 200, body: new SendError('socket hang up', { sent: true }) },
    { status: 200, body: new SendError('socket hang up', { sent: false }) },
    { status: 200, body: new ResponseTooLargeError(5) },
    { status: 202, body: '{}' },
    { status: 204 },
  ];
  for (const answer of answers) {
    const { end, status } = await ask(answer);
    assert.deepEqual([end.kind, status], ['perhaps_paid', answer.status], String(answer.body));
  }
});

test('a message under another status of success is a message', async () => {
  assert.equal((await ask({ status: 201, body: message })).end.kind, 'message');
});

test('a call that surely was not received is unpaid, any other may have been paid for', async () => {
  const failing = (error: Error) => upstream(() => Promise.reject(error)).call(callOf());
  const refusedCall = await failing(new SendError('connect ECONNREFUSED', { sent: false }));
  assert.ok(refusedCall.end.kind === 'unpaid' && !refusedCall.end.throttled);
  assert.equal(refusedCall.status, null);
  assert.equal((await failing(new SendError('socket hang up', { sent: true }))).end.kind, 'perhaps_paid');
  assert.equal((await failing(new Error('something else'))).end.kind, 'perhaps_paid');
});

test('an abort rejects with its reason, before the answer and in its middle', async () => {
  for (const inBody of [false, true]) {
    const controller = new AbortController();
    const reason = new Error('enough');
    const cut = () => {
      controller.abort(reason);
      return new Error('the call was aborted');
    };
    const send: Send = async () => {
      if (!inBody) throw cut();
      return {
        ...responseOf({ status: 200 }),
        body: { bytes: () => Promise.reject(cut()), stream: () => assert.fail() },
      };
    };
    await assert.rejects(upstream(send).call(callOf({ signal: controller.signal })), (error) => error === reason);
  }
});

async function sentBy(
  options: { apiKey?: string | null; url?: string },
  calls: readonly Partial<Call>[],
): Promise<UpstreamRequest[]> {
  const sent: UpstreamRequest[] = [];
  const subject = upstream(async (request) => {
    sent.push(request);
    return responseOf({ status: 200, body: message });
  }, options);
  for (const call of calls) await subject.call(callOf(call));
  return sent;
}

test('the params go out as they are, under the upstream’s own key and the batch’s version and betas', async () => {
  const params = Buffer.from('{"model":"m"}');
  const [plain, beta] = await sentBy({}, [{ params }, { betas: ['one', 'two'], version: '2026-10-21' }]);
  assert.equal(plain!.body, params);
  assert.equal(plain!.url, 'https://api.example.com/v1/messages');
  const common = { 'content-type': 'application/json', 'x-api-key': 'sk-upstream' };
  assert.deepEqual(plain!.headers, { ...common, 'anthropic-version': '2023-06-01' });
  assert.deepEqual(beta!.headers, { ...common, 'anthropic-version': '2026-10-21', 'anthropic-beta': 'one,two' });
});

test('an upstream without a key gets none', async () => {
  const [request] = await sentBy({ apiKey: null, url: 'http://127.0.0.1:8000//' }, [{}]);
  assert.deepEqual(Object.keys(request!.headers).toSorted(), ['anthropic-version', 'content-type']);
  assert.equal(request!.url, 'http://127.0.0.1:8000/v1/messages');
});

test('thinking that no API signed is not sent to one that would check it; nothing else of the bytes changes', async () => {
  const sent: string[] = [];
  const api = upstream(async (request) => {
    sent.push(Buffer.from(request.body).toString());
    return responseOf({ status: 200, body: message });
  });
  const params = (blocks: string): string => `{ "messages":[{"role":"assistant","content":[${blocks}]}] }`;
  const said = '{"type":"text", "text":"a"}';
  const thought = '{"type":"thinking","thinking":"hm","signature":"nightshift-unsigned"}';
  await api.call(callOf({ params: Buffer.from(params(`${thought}, ${said}`)) }));
  await api.open(callOf({ params: Buffer.from(params(`${thought}, ${said}`)) }));
  assert.deepEqual(sent, [params(said), params(said)]);
});
