/** The client of the batch API against a fake: what it reads, how a download goes on, and what its errors are called. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'node:test';
import { fakeBatches } from '../../../test/support/fake-batches.ts';
import { apiOf, bodyFor, never, post, textOf, world } from '../../../test/support/fake-batches-calls.ts';
import { ApiError } from '../contract.ts';
import { apiFromClient } from './from-client.ts';
import { walkList } from './walk.ts';

test('a batch is made, listed, retrieved, and its results are read', async (t) => {
  const fake = await fakeBatches(t, { pathPrefix: '/some/where' });
  const api = apiOf(t, fake, { baseUrl: `${fake.url}/` });
  const end = await post(api, bodyFor(1_000));
  assert.equal(end.kind, 'created');
  assert.ok(end.kind === 'created');
  assert.equal((await api.retrieve(end.batch.id, never)).counts.succeeded, 1_000);
  const page = await api.list({ afterId: null, limit: 10, signal: never });
  assert.deepEqual(
    page.batches.map(({ id }) => id),
    [end.batch.id],
  );
  const results = await api.results({ id: end.batch.id, from: 0, etag: null, signal: never });
  const text = await textOf(results.body);
  assert.equal(text.split('\n').length, 1_001);
  assert.equal(results.length, Buffer.byteLength(text));
  assert.equal(api.identity().organizationId, 'org-fake');
  assert.equal(fake.posts.length, 1);
  assert.equal(fake.posts[0]!.idempotencyKey, 'k');
});

test('a download that is cut goes on where it was', async (t) => {
  const fake = await fakeBatches(t, {
    onResults: ({ index }) => (index === 0 ? { kind: 'truncate', afterBytes: 1_000 } : { kind: 'none' }),
  });
  const api = apiOf(t, fake);
  await post(api, bodyFor(100));
  const id = fake.batches()[0]!.id;
  const first = await api.results({ id, from: 0, etag: null, signal: never });
  let got = Buffer.alloc(0);
  await assert.rejects(
    async () => {
      for await (const piece of first.body) got = Buffer.concat([got, piece]);
    },
    (error) => error instanceof ApiError && error.failure.type === 'connection_error',
  );
  assert.equal(got.length, 1_000);
  const rest = await api.results({ id, from: got.length, etag: first.etag, signal: never });
  assert.equal(rest.from, 1_000);
  assert.equal(rest.length, first.length);
  const whole = got.toString() + (await textOf(rest.body));
  assert.equal(whole, await textOf((await api.results({ id, from: 0, etag: null, signal: never })).body));
  const done = await api.results({ id, from: whole.length, etag: first.etag, signal: never });
  assert.equal(done.from, whole.length);
  assert.equal(await textOf(done.body), '');
});

test('without ranges, or with another etag, a download begins again', async (t) => {
  const fake = await fakeBatches(t, { range: false });
  const api = apiOf(t, fake);
  await post(api, bodyFor(10));
  const id = fake.batches()[0]!.id;
  assert.equal((await api.results({ id, from: 50, etag: '"x"', signal: never })).from, 0);
  fake.behaviour.range = true;
  assert.equal((await api.results({ id, from: 50, etag: '"x"', signal: never })).from, 0);
  assert.equal((await api.results({ id, from: 50, etag: null, signal: never })).from, 0);
});

test('results that are not there, a key that is revoked, a batch that is gone: errors of a stable type', async (t) => {
  let now = Date.UTC(2026, 0, 1);
  const fake = await fakeBatches(t, { nowMs: () => now, endsAfterMs: 1_000 });
  const api = apiOf(t, fake);
  await post(api, bodyFor(1));
  const id = fake.batches()[0]!.id;
  const failsWith = (type: string, status: number) => (error: unknown) =>
    error instanceof ApiError && error.failure.type === type && error.failure.status === status;
  await assert.rejects(api.results({ id, from: 0, etag: null, signal: never }), failsWith('not_found_error', 404));
  now += 30 * 86_400_000;
  await assert.rejects(api.results({ id, from: 0, etag: null, signal: never }), failsWith('not_found_error', 404));
  assert.notEqual((await api.retrieve(id, never)).archivedAtMs, null);
  await assert.rejects(api.retrieve('nobody', never), failsWith('not_found_error', 404));
  fake.behaviour.revoked = true;
  await assert.rejects(api.retrieve(id, never), failsWith('authentication_error', 401));
  assert.equal((await post(api, bodyFor(1))).kind, 'refused');
});

test('the clock of the server and what it can do are told by its headers', async (t) => {
  const fake = await fakeBatches(t, { nowMs: () => Date.now() + 3_600_000, capabilities: 'idempotency, range' });
  const api = apiOf(t, fake);
  assert.equal(api.clockAheadMs(), 0);
  await api.list({ afterId: null, limit: 1, signal: never });
  assert.ok(Math.abs(api.clockAheadMs() - 3_600_000) < 5_000);
  assert.deepEqual([...api.capabilities()], ['idempotency', 'range']);
});

test('a walk through the list goes as far back as needed, and says how far', async (t) => {
  const now = 1_000_000_000_000;
  const fake = await fakeBatches(t, { nowMs: () => now });
  for (let count = 0; count < 2_500; count++) fake.addForeign({ requests: 5, createdAtMs: now - count * 1_000 });
  const api = apiOf(t, fake);
  const nowMs = (): number => 7; // a local clock that is wrong altogether
  const near = await walkList(api, { backToMs: now - 10_000, nowMs, signal: never });
  assert.equal(near.batches.length, 1_000);
  assert.equal(near.reachesMs, now - 10_000);
  const all = await walkList(api, { backToMs: 0, nowMs, signal: never });
  assert.equal(all.batches.length, 2_500);
  assert.equal(all.reachesMs, -Infinity);
});

test('messages and counts', async (t) => {
  const fake = await fakeBatches(t);
  const api = apiOf(t, fake);
  const params = Buffer.from(
    JSON.stringify({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] }),
  );
  const answer = await api.message(params, never);
  assert.equal(answer.status, 200);
  assert.match(Buffer.from(answer.body).toString(), /answer to hi/);
  assert.ok(((await api.countTokens(params, never)) ?? 0) > 0);
  fake.behaviour.onMessage = () => ({ kind: 'errored', type: 'invalid_request_error', message: 'no' });
  assert.equal((await api.message(params, never)).status, 400);
});

test('cancel', async (t) => {
  const fake = await fakeBatches(t, { endsAfterMs: 1_000_000 });
  const api = apiOf(t, fake);
  await post(api, bodyFor(3));
  const canceled = await api.cancel(fake.batches()[0]!.id, never);
  assert.equal(canceled.status, 'ended');
  assert.equal(canceled.counts.canceled, 3);
});

test('an object shaped like the official client says where and who', async (t) => {
  const heads: (string | undefined)[][] = [];
  const server = createServer((request, response) => {
    heads.push([
      request.url,
      request.headers['x-api-key'] as string,
      request.headers.authorization,
      request.headers['x-more'] as string,
    ]);
    response.end('{"data":[],"has_more":false}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/prefix`;
  const { default: Anthropic } = await import('@anthropic-ai/sdk');
  const clients = [
    new Anthropic({ baseURL, apiKey: 'one', defaultHeaders: { 'X-More': 'yes' } }),
    { baseURL, apiKey: null, authToken: 'two' },
  ];
  for (const client of clients) {
    const api = apiFromClient(client, world);
    await api.list({ afterId: null, limit: 1, signal: never });
    await api.close();
  }
  assert.deepEqual(heads, [
    ['/prefix/v1/messages/batches?limit=1', 'one', undefined, 'yes'],
    ['/prefix/v1/messages/batches?limit=1', undefined, 'Bearer two', undefined],
  ]);
});
