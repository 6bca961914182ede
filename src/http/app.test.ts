import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { AppError, StorageFullError } from '../domain/errors.ts';
import { createApp } from './app.ts';
import { AUTH, BATCH_ID, SECRET, testBatch, testDeps, testKey, type TestFace } from './fake-face.ts';

const batches = '/v1/messages/batches';
const other = 'msgbatch_01aaaaaaaaaaaaaaaaaaaaaa';

type ErrorBody = { type: string; error: { type: string; message: string; details?: object }; request_id: string };

function call(deps: TestFace, path: string, init: RequestInit = {}): Promise<Response> {
  return Promise.resolve(createApp(deps).request(path, { ...init, headers: { ...AUTH, ...(init.headers as object) } }));
}

async function expectError(response: Response, expected: { status: number; type: string; message: string }) {
  assert.equal(response.status, expected.status);
  assert.equal(response.headers.get('content-type'), 'application/json');
  const body = (await response.json()) as ErrorBody;
  assert.deepEqual(body, {
    type: 'error',
    error: { type: expected.type, message: expected.message },
    request_id: response.headers.get('request-id'),
  });
  assert.match(body.request_id, /^req_01[0-9a-zA-Z]{22}$/);
}

const invalid = (message: string) => ({ status: 400, type: 'invalid_request_error', message });
const notFound = (message: string) => ({ status: 404, type: 'not_found_error', message });
const unauthenticated = (message: string) => ({ status: 401, type: 'authentication_error', message });

test('every authenticated response tells request, organization, workspace, budget and capabilities', async () => {
  const deps = testDeps({ httpRequestsPerMinute: 600 });
  const { headers } = await call(deps, `${batches}/${BATCH_ID}`);
  assert.match(headers.get('request-id') ?? '', /^req_01/);
  assert.equal(headers.get('anthropic-organization-id'), '7f3b1c1e-0000-4000-8000-000000000001');
  assert.equal(headers.get('anthropic-workspace-id'), 'wrkspc_01a');
  assert.equal(headers.get('anthropic-ratelimit-requests-limit'), '600');
  assert.equal(headers.get('anthropic-ratelimit-requests-remaining'), '599');
  assert.match(headers.get('anthropic-ratelimit-requests-reset') ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.equal(headers.get('nightshift-capabilities'), 'idempotency, live-counts, partial-results, range');
});

test('no credential, a bad key and a bad bearer token each get their official words', async () => {
  const app = createApp(testDeps());
  const version = { 'anthropic-version': '2023-06-01' };
  const rows: [Record<string, string>, string][] = [
    [{}, 'x-api-key header is required'],
    [{ authorization: 'Basic abc' }, 'x-api-key header is required'],
    [{ 'x-api-key': ' ' }, 'x-api-key header is required'],
    [{ 'x-api-key': 'wrong' }, 'API key is invalid.'],
    [{ 'x-api-key': 'wrong', authorization: `Bearer ${SECRET}` }, 'API key is invalid.'],
    [{ authorization: 'Bearer wrong' }, 'Invalid bearer token'],
  ];
  for (const [headers, message] of rows) {
    const response = await app.request(batches, { headers: { ...version, ...headers } });
    assert.equal(response.headers.get('anthropic-workspace-id'), null);
    await expectError(response, unauthenticated(message));
  }
});

test('the key may come as x-api-key or as a bearer token; x-api-key wins', async () => {
  const app = createApp(testDeps());
  for (const headers of [
    { 'x-api-key': SECRET },
    { authorization: `Bearer ${SECRET}` },
    { authorization: `bearer ${SECRET}` },
    { 'x-api-key': SECRET, authorization: 'Bearer wrong' },
  ]) {
    const response = await app.request(batches, { headers: { 'anthropic-version': '2026-10-21', ...headers } });
    assert.equal(response.status, 200);
  }
});

test('a good key is looked up once a second, a bad one each time', async () => {
  const deps = testDeps();
  const app = createApp(deps);
  const get = (key: string) => app.request(batches, { headers: { ...AUTH, 'x-api-key': key } });
  await get(SECRET);
  await get(SECRET);
  assert.equal(deps.directory.lookups, 1);
  deps.world.aheadMs = 1_001;
  deps.directory.known.clear();
  assert.equal((await get(SECRET)).status, 401);
  assert.equal((await get('new')).status, 401);
  deps.directory.known.set(createHash('sha256').update('new').digest('hex'), { ...testKey, id: 'k', workspaceId: 'w' });
  assert.equal((await get('new')).status, 200);
});

test("another workspace's name is refused, the key's own accepted", async () => {
  const deps = testDeps();
  const headers = { 'anthropic-workspace-id': 'wrkspc_01b' };
  await expectError(await call(deps, batches, { headers }), {
    status: 403,
    type: 'permission_error',
    message: 'anthropic-workspace-id: does not match the workspace of this API key',
  });
  const own = await call(deps, batches, { headers: { 'anthropic-workspace-id': 'wrkspc_01a' } });
  assert.equal(own.status, 200);
});

test('version: known ones are accepted, none and unknown ones refused, after the key was checked', async () => {
  const deps = testDeps();
  const app = createApp(deps);
  const get = (headers: Record<string, string>) => app.request(batches, { headers });
  for (const version of ['2023-01-01', '2023-06-01', '2026-10-21']) {
    assert.equal((await get({ 'x-api-key': SECRET, 'anthropic-version': version })).status, 200);
  }
  const missing = await get({ 'x-api-key': SECRET });
  assert.equal(missing.headers.get('anthropic-workspace-id'), 'wrkspc_01a');
  await expectError(missing, invalid('anthropic-version: header is required'));
  const unknown = await get({ 'x-api-key': SECRET, 'anthropic-version': '2020-01-01' });
  await expectError(unknown, invalid('anthropic-version: "2020-01-01" is not a valid version'));
  await expectError(await get({}), unauthenticated('x-api-key header is required'));
});

test('an empty budget is a 429 with retry-after, and refills', async () => {
  const deps = testDeps({ httpRequestsPerMinute: 2 });
  const app = createApp(deps);
  const get = () => app.request(batches, { headers: AUTH });
  assert.equal((await get()).headers.get('anthropic-ratelimit-requests-remaining'), '1');
  await get();
  const refused = await get();
  assert.equal(refused.headers.get('retry-after'), '30');
  assert.equal(refused.headers.get('anthropic-ratelimit-requests-remaining'), '0');
  await expectError(refused, {
    status: 429,
    type: 'rate_limit_error',
    message: 'This request would exceed the rate limit of 2 requests per minute for this workspace.',
  });
  deps.world.aheadMs = 30_001;
  assert.equal((await get()).status, 200);
});

test('unknown paths are a JSON 404, before any key is asked for', async () => {
  const app = createApp(testDeps());
  for (const path of ['/', '/v1/completions', '/v1/messages/batches/x/y', '/v1', '/_stainless_unknown_path']) {
    const response = await app.request(path);
    assert.equal(response.headers.get('nightshift-capabilities') !== null, path.startsWith('/v1'));
    await expectError(response, notFound('Not found'));
  }
});

test('a wrong method is a JSON 405 that names the right ones', async () => {
  const app = createApp(testDeps());
  const rows = [
    ['PUT', batches, 'POST, GET, HEAD'],
    ['OPTIONS', batches, 'POST, GET, HEAD'],
    ['POST', `${batches}/${BATCH_ID}`, 'GET, HEAD, DELETE'],
    ['GET', `${batches}/${BATCH_ID}/cancel`, 'POST'],
    ['HEAD', `${batches}/${BATCH_ID}/cancel`, 'POST'],
    ['DELETE', `${batches}/${BATCH_ID}/results`, 'GET, HEAD'],
  ] as const;
  for (const [method, path, allow] of rows) {
    const response = await app.request(path, { method });
    assert.equal(response.status, 405, `${method} ${path}`);
    assert.equal(response.headers.get('allow'), allow);
    if (method === 'HEAD') continue;
    await expectError(response, { status: 405, type: 'invalid_request_error', message: 'Method not allowed' });
  }
});

test('a trailing slash, beta=true and other unknown parameters change nothing; HEAD is GET without a body', async () => {
  const deps = testDeps();
  assert.equal((await call(deps, `${batches}/?beta=true&x=1`)).status, 200);
  assert.equal((await call(deps, `${batches}/${BATCH_ID}/?beta=true`)).status, 200);
  const head = await call(deps, `${batches}/${BATCH_ID}`, { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(head.headers.get('retry-after'), '10');
  assert.equal(await head.text(), '');
});

test('retrieve: unfinished batches tell when to ask again, ended ones do not', async () => {
  const deps = testDeps();
  for (const [state, retryAfter] of [
    ['running', '10'],
    ['canceling', '10'],
    ['ended', null],
  ] as const) {
    deps.service.retrieve = async () => testBatch({ state });
    const response = await call(deps, `${batches}/${BATCH_ID}`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'application/json');
    assert.equal(response.headers.get('retry-after'), retryAfter);
  }
});

test('results_url is absolute: from the Host header, or from the public url', async () => {
  const deps = testDeps();
  deps.service.retrieve = async () => testBatch({ state: 'ended' });
  const path = `${batches}/${BATCH_ID}`;
  const url = async (face: TestFace, base: string) =>
    ((await (await call(face, `${base}${path}`)).json()) as { results_url: string }).results_url;
  assert.equal(await url(deps, 'http://Box.local:2424'), `http://box.local:2424${path}/results`);
  const published = { ...deps, publicUrl: 'https://batch.example.com/' };
  assert.equal(await url(published, 'http://localhost'), `https://batch.example.com${path}/results`);
});

test('unknown batches are the same 404 everywhere, and impossible ids are not even asked for', async () => {
  const deps = testDeps();
  let asked = 0;
  deps.service.retrieve = async () => (asked++, null);
  deps.service.cancel = async () => (asked++, null);
  deps.service.remove = async () => (asked++, 'unknown');
  deps.service.results = async () => (asked++, 'unknown');
  const calls = (id: string) => [
    call(deps, `${batches}/${id}`),
    call(deps, `${batches}/${id}/cancel`, { method: 'POST' }),
    call(deps, `${batches}/${id}`, { method: 'DELETE' }),
    call(deps, `${batches}/${id}/results`),
  ];
  for (const response of calls(other)) await expectError(await response, notFound(`Message Batch ${other} not found.`));
  assert.equal(asked, 4);
  for (const response of calls('a%00b')) await expectError(await response, notFound('Message Batch a\0b not found.'));
  assert.equal(asked, 4);
});

test('results before the end and deleting before the end have their official words', async () => {
  const deps = testDeps();
  const results = await call(deps, `${batches}/${BATCH_ID}/results`);
  await expectError(results, notFound(`Message Batch ${BATCH_ID} has no available results.`));
  deps.service.remove = async () => 'unfinished';
  const message = 'In progress batches cannot be deleted. Consider canceling the batch instead.';
  await expectError(await call(deps, `${batches}/${BATCH_ID}`, { method: 'DELETE' }), invalid(message));
  deps.service.remove = async () => 'removed';
  const removed = await call(deps, `${batches}/${BATCH_ID}`, { method: 'DELETE' });
  assert.equal(await removed.text(), `{"id":"${BATCH_ID}","type":"message_batch_deleted"}`);
});

test('cancel takes no body, an empty one and {}', async () => {
  const deps = testDeps();
  const json = { 'content-type': 'application/json' };
  for (const init of [{}, { headers: json, body: '' }, { headers: json, body: '{}' }]) {
    const response = await call(deps, `${batches}/${BATCH_ID}/cancel`, { method: 'POST', ...init });
    assert.equal(response.status, 200);
    assert.match(await response.text(), /"processing_status":"canceling"/);
  }
});

test('list: the page and its cursors', async () => {
  const deps = testDeps();
  const queries: object[] = [];
  deps.service.page = async (query) => {
    queries.push(query);
    return { batches: [testBatch(), testBatch({ id: other })], hasMore: true };
  };
  const page = (await (await call(deps, `${batches}?limit=2&after_id=${other}`)).json()) as Record<string, unknown>;
  assert.deepEqual(Object.keys(page), ['data', 'has_more', 'first_id', 'last_id']);
  assert.deepEqual([page['has_more'], page['first_id'], page['last_id']], [true, BATCH_ID, other]);
  deps.service.page = async (query) => {
    queries.push(query);
    return { batches: [], hasMore: false };
  };
  const empty = await call(deps, `${batches}?before_id=${other}`);
  assert.equal(await empty.text(), '{"data":[],"has_more":false,"first_id":null,"last_id":null}');
  assert.deepEqual(queries, [
    { workspaceId: 'wrkspc_01a', limit: 2, after: other, before: null },
    { workspaceId: 'wrkspc_01a', limit: 20, after: null, before: other },
  ]);
});

test('list: bad limits and cursors', async () => {
  const deps = testDeps();
  deps.service.page = async () => null;
  const integer = 'limit: Input should be a valid integer, unable to parse string as an integer';
  const rows: [string, string][] = [
    ['limit=x', integer],
    ['limit=', integer],
    ['limit=1.5', integer],
    ['limit=0', 'limit: Input should be greater than or equal to 1'],
    ['limit=-1', 'limit: Input should be greater than or equal to 1'],
    ['limit=1001', 'limit: Input should be less than or equal to 1000'],
    [`after_id=${other}`, `after_id: Message Batch ${other} not found.`],
    [`before_id=${other}`, `before_id: Message Batch ${other} not found.`],
    ['after_id=zzz', 'after_id: Message Batch zzz not found.'],
    [`after_id=${other}&before_id=${other}`, 'after_id: cannot be used together with before_id'],
  ];
  for (const [query, message] of rows) await expectError(await call(deps, `${batches}?${query}`), invalid(message));
});

test('a full disk is a 503 to come back to', async () => {
  const deps = testDeps();
  deps.service.create = () => Promise.reject(new StorageFullError('a blob'));
  const response = await call(deps, batches, { method: 'POST', body: '{}' });
  assert.equal(response.headers.get('retry-after'), '5');
  const message = 'storage is full; nothing was accepted';
  await expectError(response, { status: 503, type: 'api_error', message });
  deps.service.create = () => Promise.reject(new StorageFullError('the catalog', undefined, { mayHold: true }));
  const unsure = await call(deps, batches, { method: 'POST', body: '{}' });
  await expectError(unsure, { status: 503, type: 'api_error', message: 'storage is full' });
});

test('an unexpected error is told to operators, not to the caller', async () => {
  const deps = testDeps();
  const error = new Error('the secret is 42');
  deps.service.retrieve = () => Promise.reject(error);
  const response = await call(deps, `${batches}/${BATCH_ID}`);
  const requestId = response.headers.get('request-id');
  await expectError(response, { status: 500, type: 'api_error', message: 'Internal server error' });
  assert.deepEqual(deps.world.events[0], { kind: 'failure', where: 'http', error, requestId });
});

test("the engine's own errors keep their detail and headers", async () => {
  const deps = testDeps();
  deps.service.create = () =>
    Promise.reject(
      new AppError('rate_limited', 'Too many.', { detail: 'queue_full', headers: { 'retry-after': '7' } }),
    );
  const response = await call(deps, batches, { method: 'POST', body: '{}' });
  assert.equal(response.headers.get('retry-after'), '7');
  const { error } = (await response.json()) as ErrorBody;
  assert.deepEqual(error, { type: 'rate_limit_error', message: 'Too many.', details: { error_code: 'queue_full' } });
});

test('one http event a request, by route and without ids', async () => {
  const deps = testDeps();
  const response = await call(deps, `${batches}/${BATCH_ID}/results?x=1`);
  const event = await deps.world.event('http');
  assert.deepEqual(
    { ...event, durationMs: 0 },
    {
      kind: 'http',
      method: 'GET',
      route: '/v1/messages/batches/:id/results',
      status: 404,
      durationMs: 0,
      requestId: response.headers.get('request-id'),
      workspaceId: 'wrkspc_01a',
      client: null,
      code: 'not_found',
    },
  );
});

test('health, readiness and metrics need no key', async () => {
  const deps = testDeps();
  const app = createApp(deps);
  assert.equal((await app.request('/healthz')).status, 200);
  assert.equal((await app.request('/readyz')).status, 200);
  deps.service.ready = () => ({ ready: false, reason: 'recovering' });
  const unready = await app.request('/readyz');
  assert.equal(unready.status, 503);
  assert.deepEqual(await unready.json(), { ready: false, reason: 'recovering' });
  const metrics = await app.request('/metrics');
  assert.equal(metrics.headers.get('content-type'), 'text/plain; version=0.0.4');
  assert.equal(await metrics.text(), 'up 1\n');
});
