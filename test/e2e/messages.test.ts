/** Synchronous calls over a real socket: the official SDK, priority over a batch, callers that leave, limits and bad bodies. */
import Anthropic from '@anthropic-ai/sdk';
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startServer, type Server } from '../support/server.ts';
import type { UpstreamProfile } from '../support/upstream-profile.ts';
import { startUpstream, type Upstream } from '../support/upstream-server.ts';
import { until } from '../support/until.ts';

type Params = Anthropic.MessageCreateParamsNonStreaming;
type Pair = { readonly server: Server; readonly upstream: Upstream; readonly sdk: Anthropic };

async function start(
  test: TestContext,
  options: { profile?: Partial<UpstreamProfile>; flags?: readonly string[]; captureMax?: number } = {},
): Promise<Pair> {
  const { profile = {}, flags = [], captureMax = 16 } = options;
  const upstream = await startUpstream({ profile, captureMax });
  test.after(() => upstream.stop());
  const server = await startServer(test, { upstream: `anthropic:${upstream.url}`, flags });
  return { server, upstream, sdk: new Anthropic({ baseURL: server.url, apiKey: server.key, maxRetries: 0 }) };
}

function params(content: string): Params {
  return { model: 'claude-test', max_tokens: 64, messages: [{ role: 'user', content }] };
}

function post(server: Server, body: string, path = '/v1/messages'): Promise<Response> {
  const headers = { 'x-api-key': server.key, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' };
  return fetch(`${server.url}${path}`, { method: 'POST', headers, body });
}

test('the official SDK: an answer, a stream, a count', async (t) => {
  const { sdk, upstream, server } = await start(t);
  const { data: message, response } = await sdk.messages.create(params('row-1')).withResponse();
  assert.ok(message.content[0].type === 'text' && message.content[0].text.startsWith('row-1 '));
  assert.equal(message.usage.service_tier, 'standard');
  assert.match(response.headers.get('request-id') ?? '', /^req_01/);
  const { requests } = await upstream.last();
  const sent = Buffer.from(requests[0]?.bodyBase64 ?? '', 'base64').toString();
  assert.equal(sent, JSON.stringify(params('row-1')));

  const stream = sdk.messages.stream(params('row-2'));
  const words: string[] = [];
  stream.on('text', (text) => words.push(text));
  const streamed = await stream.finalMessage();
  assert.ok(words.length > 5 && words.join('').startsWith('row-2 '));
  assert.equal(streamed.stop_reason, 'end_turn');

  const counting = { model: 'claude-test', messages: [{ role: 'user' as const, content: 'x'.repeat(4_000) }] };
  const estimate = await sdk.messages.countTokens(counting).withResponse();
  assert.equal(estimate.response.headers.get('nightshift-estimate'), 'true');
  assert.ok(Math.abs(estimate.data.input_tokens - 1_000) < 20);
  await upstream.set({ countsTokens: true });
  const counted = await sdk.messages.countTokens(counting).withResponse();
  assert.equal(counted.response.headers.get('nightshift-estimate'), null);
  assert.equal(counted.data.input_tokens, (JSON.stringify(counting).length >> 2) + 1);

  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  assert.match(metrics, /nightshift_messages_total\{upstream="upstream",status="200"\} 2/);
});

test('the official SDK and the simulator: an answer, a stream, a count', async (t) => {
  const server = await startServer(t);
  const sdk = new Anthropic({ baseURL: server.url, apiKey: server.key, maxRetries: 0 });
  const answered = await sdk.messages.create(params('Say something.'));
  assert.ok(answered.content[0].type === 'text' && answered.content[0].text.length > 0);
  const streamed = await sdk.messages.stream(params('Say something.')).finalMessage();
  assert.ok(streamed.content[0].type === 'text' && streamed.content[0].text.length > 0);
  const { max_tokens: _, ...counting } = params('Say something.');
  const { data, response } = await sdk.messages.countTokens(counting).withResponse();
  assert.equal(response.headers.get('nightshift-estimate'), null);
  assert.equal(data.input_tokens, answered.usage.input_tokens);
});

test('what is faulty is refused before it costs anything, in the API’s words', async (t) => {
  const { server, upstream } = await start(t);
  const faults: readonly (readonly [body: string, message: RegExp])[] = [
    ['', /not valid JSON/],
    ['{"model":', /not valid JSON/],
    ['[]', /^Input should be a valid dictionary$/],
    ['{}', /^messages: Field required$/],
    [JSON.stringify({ ...params('x'), max_tokens: undefined }), /^max_tokens: Field required$/],
    [JSON.stringify({ ...params('x'), max_tokens: -1 }), /^max_tokens: must be greater than or equal to 0$/],
    [JSON.stringify({ ...params('x'), stream: 'yes' }), /^stream: Input should be a valid boolean$/],
    [JSON.stringify({ ...params('x'), temperature: 7 }), /^temperature: /],
  ];
  for (const [body, message] of faults) {
    const response = await post(server, body);
    assert.equal(response.status, 400, body);
    const told = (await response.json()) as { error: { type: string; message: string }; request_id: string };
    assert.equal(told.error.type, 'invalid_request_error');
    assert.match(told.error.message, message);
    assert.equal(told.request_id, response.headers.get('request-id'));
  }
  const large = await post(server, JSON.stringify(params('x'.repeat(33 * 1024 * 1024))));
  assert.equal(large.status, 413);
  assert.match(await large.text(), /"request_too_large".*Request exceeds the maximum allowed number of bytes/);
  assert.equal((await post(server, JSON.stringify({ ...params('x'), max_tokens: 0 }))).status, 200);
  assert.equal((await upstream.stats()).calls, 1);
});

test('an upstream’s errors come as its own, under our request id; what never came is 529', async (t) => {
  const { server, upstream, sdk } = await start(t, { profile: { faults: { status400: 1 } } });
  await assert.rejects(sdk.messages.create(params('x')), Anthropic.BadRequestError);
  await upstream.set({ faults: { status429: 1 }, retryAfterSeconds: 7 });
  const limited = await post(server, JSON.stringify(params('x')));
  assert.equal(limited.status, 429);
  assert.equal(limited.headers.get('retry-after'), '7');
  const told = (await limited.json()) as { error: { type: string }; request_id: string };
  assert.equal(told.error.type, 'rate_limit_error');
  assert.equal(told.request_id, limited.headers.get('request-id'));

  const { sdk: other, upstream: garbage, server: second } = await start(t, { profile: { faults: { garbage: 1 } } });
  await assert.rejects(other.messages.create(params('x')), { status: 500, type: 'api_error' });
  await garbage.set({ faults: { resetMidBody: 1 } });
  const broken = await post(second, JSON.stringify({ ...params('x'), stream: true }));
  assert.equal(broken.status, 200);
  assert.match(await broken.text(), /\nevent: error\ndata: \{"type":"error","error":\{"type":"api_error"/);
  await assert.rejects(
    other.messages.stream(params('x')).finalMessage(),
    (error: unknown) => error instanceof Anthropic.APIError,
  );
  await garbage.stop();
  const refused = await post(second, JSON.stringify(params('x')));
  assert.equal(refused.status, 529);
  assert.equal(refused.headers.get('retry-after'), '1');
});

test('a synchronous call goes before the thousands of a batch', async (t) => {
  const { sdk, upstream } = await start(t, {
    profile: { latencyMs: 50 },
    flags: ['--concurrency', '4'],
    captureMax: 5_000,
  });
  const requests = Array.from({ length: 3_000 }, (_, at) => ({ custom_id: `id-${at}`, params: params(`row-${at}`) }));
  const { id } = await sdk.messages.batches.create({ requests });
  await until({ what: 'the batch runs', withinMs: 10_000, ask: async () => (await upstream.stats()).calls > 8 });
  for (let call = 0; call < 5; call += 1) {
    const before = (await upstream.stats()).calls;
    await sdk.messages.create(params(`synchronous ${call}`));
    const bodies = (await upstream.last()).requests.map(({ bodyBase64 }) => Buffer.from(bodyBase64, 'base64'));
    const place = bodies.findIndex((body) => body.includes(`"synchronous ${call}"`));
    // Two at once of a window of two; the rest is the time that the call took to get here.
    assert.ok(place >= before && place - before <= 40, `call ${call} came as number ${place} after ${before}`);
  }
  const { inFlightMax } = await upstream.stats();
  assert.ok(inFlightMax <= 4);
  await sdk.messages.batches.cancel(id);
});

test('a synchronous call waits for no connection that batches of many other models hold', async (t) => {
  const { sdk, upstream } = await start(t, {
    profile: { latencyMs: 200 },
    flags: ['--concurrency', '2'],
    captureMax: 500,
  });
  const requests = Array.from({ length: 240 }, (_, at) => ({
    custom_id: `id-${at}`,
    params: { ...params(`row-${at}`), model: `model-${at % 40}` },
  }));
  const { id } = await sdk.messages.batches.create({ requests });
  await until({ what: 'the batch runs', withinMs: 10_000, ask: async () => (await upstream.stats()).calls > 4 });
  const before = (await upstream.stats()).calls;
  await sdk.messages.create(params('synchronous'));
  const bodies = (await upstream.last()).requests.map(({ bodyBase64 }) => Buffer.from(bodyBase64, 'base64'));
  const place = bodies.findIndex((body) => body.includes('"synchronous"'));
  assert.ok(place - before <= 16, `it came as number ${place} after ${before}`);
  await sdk.messages.batches.cancel(id);
});

test('a caller that leaves breaks its call off, before and while it is answered', async (t) => {
  const { server, upstream, sdk } = await start(t, { profile: { latencyMs: 60_000 } });
  const controller = new AbortController();
  const call = sdk.messages.create(params('x'), { signal: controller.signal });
  await until({ what: 'it is in flight', withinMs: 5_000, ask: async () => (await upstream.stats()).inFlight === 1 });
  controller.abort();
  await assert.rejects(call);
  await until({ what: 'it is cut', withinMs: 5_000, ask: async () => (await upstream.stats()).cutOff === 1 });

  await upstream.set({ eventEveryMs: 1_000 });
  const stream = sdk.messages.stream(params('x'));
  for await (const event of stream) if (event.type === 'content_block_start') break;
  await until({ what: 'it is cut', withinMs: 5_000, ask: async () => (await upstream.stats()).cutOff === 2 });
  const metrics = async () => await (await fetch(`${server.url}/metrics`)).text();
  const counted = /nightshift_messages_total\{upstream="upstream",status="499"\} 2/;
  await until({ what: 'both are counted', withinMs: 5_000, ask: async () => counted.test(await metrics()) });
});

test('more than may wait is 429, and what waits is answered in the end', async (t) => {
  const { server } = await start(t, { profile: { latencyMs: 1_000 }, flags: ['--concurrency', '128'] });
  const body = JSON.stringify(params('x'));
  const answers = await Promise.all(Array.from({ length: 400 }, () => post(server, body)));
  const statuses = new Map<number, number>();
  for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
  assert.equal((statuses.get(200) ?? 0) + (statuses.get(429) ?? 0), 400);
  assert.ok((statuses.get(200) ?? 0) >= 64 + 256);
  const limited = answers.find(({ status }) => status === 429);
  if (limited !== undefined) {
    assert.equal(limited.headers.get('retry-after'), '1');
    assert.match(await limited.text(), /"rate_limit_error"/);
  }
});

test('SIGTERM lets a call in flight finish', async (t) => {
  const { server, upstream, sdk } = await start(t, { profile: { latencyMs: 1_500 } });
  const call = sdk.messages.create(params('row-1'));
  await until({ what: 'it is in flight', withinMs: 5_000, ask: async () => (await upstream.stats()).inFlight === 1 });
  const stopped = server.stop();
  assert.equal((await call).stop_reason, 'end_turn');
  assert.equal((await stopped).code, 0);
});
