/** The POST of a batch against a fake that cuts sockets: each end is told as precisely as it can be known, and nothing is sent twice. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import test from 'node:test';
import { fakeBatches, type PostFault } from '../../../test/support/fake-batches.ts';
import { apiOf, bodyFor, never, piecesOf, post, world } from '../../../test/support/fake-batches-calls.ts';
import { ApiError, type PostEnd } from '../contract.ts';
import { httpBatchApi } from './api.ts';
import type { ApiWorld } from './connection.ts';

const ends: readonly { name: string; fault: PostFault; kind: PostEnd['kind']; made: number; requests?: number }[] = [
  {
    name: 'cut after a third',
    fault: { kind: 'cut-at', bytes: 1_000_000 },
    kind: 'incomplete',
    made: 0,
    requests: 150_000,
  },
  {
    name: 'cut at the first byte',
    fault: { kind: 'cut-at', bytes: 0 },
    kind: 'incomplete',
    made: 0,
    requests: 100_000,
  },
  {
    name: 'cut after the last byte, nothing made',
    fault: { kind: 'cut-after-last', commit: false },
    kind: 'unclear',
    made: 0,
  },
  { name: 'made, then cut', fault: { kind: 'cut-after-last', commit: true }, kind: 'unclear', made: 1 },
  { name: '500 after it was made', fault: { kind: 'answer', status: 500, commit: true }, kind: 'unclear', made: 1 },
  { name: '502', fault: { kind: 'answer', status: 502, commit: false, body: '<html>' }, kind: 'unclear', made: 0 },
  { name: '504', fault: { kind: 'answer', status: 504, commit: true }, kind: 'unclear', made: 1 },
  { name: '529', fault: { kind: 'answer', status: 529, commit: true }, kind: 'unclear', made: 1 },
  { name: '408', fault: { kind: 'answer', status: 408, commit: false }, kind: 'unclear', made: 0 },
  {
    name: '200 with garbage',
    fault: { kind: 'answer', status: 200, commit: true, body: 'OK' },
    kind: 'unclear',
    made: 1,
  },
  {
    name: '200 with half an answer',
    fault: { kind: 'answer', status: 200, commit: true, body: '{"id":"x"}' },
    kind: 'unclear',
    made: 1,
  },
  {
    name: '200 cut within',
    fault: { kind: 'answer', status: 200, commit: true, body: '{', headers: { 'content-length': '9' } },
    kind: 'unclear',
    made: 1,
  },
  { name: '400', fault: { kind: 'refuse', status: 400 }, kind: 'refused', made: 0 },
  { name: '401', fault: { kind: 'refuse', status: 401 }, kind: 'refused', made: 0 },
  { name: '409', fault: { kind: 'refuse', status: 409 }, kind: 'refused', made: 0 },
  { name: '413', fault: { kind: 'refuse', status: 413 }, kind: 'refused', made: 0 },
  {
    name: '413 before the body is read',
    fault: { kind: 'refuse', status: 413, early: true },
    kind: 'refused',
    made: 0,
  },
  { name: '308', fault: { kind: 'refuse', status: 308 }, kind: 'refused', made: 0 },
];

for (const { name, fault, kind, made, requests = 200 } of ends) {
  test(`a POST: ${name} is ${kind}, and sent once`, async (t) => {
    const fake = await fakeBatches(t, { onPost: () => fault });
    const end = await post(apiOf(t, fake), bodyFor(requests));
    assert.equal(end.kind, kind, JSON.stringify(end));
    assert.equal(fake.batches().length, made);
    assert.equal(fake.posts.length, 1);
  });
}

test('a refusal before the body is through stops the upload, or ends as incomplete; never unclear', async (t) => {
  const fake = await fakeBatches(t, { onPost: () => ({ kind: 'refuse', status: 413, early: true }) });
  const end = await post(apiOf(t, fake), bodyFor(200_000));
  assert.ok(end.kind === 'refused' || end.kind === 'incomplete', JSON.stringify(end));
});

test('a refusal tells type, message and how long to wait', async (t) => {
  const refusal = {
    kind: 'refuse',
    status: 429,
    type: 'rate_limit_error',
    message: 'slowly',
    retryAfterSeconds: 7,
  } as const;
  const fake = await fakeBatches(t, { onPost: () => refusal });
  const end = await post(apiOf(t, fake), bodyFor(1));
  assert.deepEqual(end, {
    kind: 'refused',
    status: 429,
    type: 'rate_limit_error',
    message: 'slowly',
    retryAfterMs: 7_000,
  });
});

test('nothing listening, or a name that is none: incomplete', async (t) => {
  const fake = await fakeBatches(t);
  await fake.close();
  assert.equal((await post(apiOf(t, fake), bodyFor(1))).kind, 'incomplete');
  const listing = apiOf(t, fake).list({ afterId: null, limit: 1, signal: never });
  await assert.rejects(listing, (error) => error instanceof ApiError && error.failure.type === 'connection_error');
});

test('a body of another length than said is never sent to its end', async (t) => {
  const fake = await fakeBatches(t);
  const api = apiOf(t, fake);
  const body = bodyFor(3);
  for (const bytes of [body.length - 1, body.length + 1]) {
    const end = await api.post({ bytes, body: piecesOf(body), idempotencyKey: 'k', signal: never });
    assert.equal(end.kind, 'incomplete');
  }
  assert.equal(fake.batches().length, 0);
});

test('a source of the body that fails half-way: incomplete', async (t) => {
  const fake = await fakeBatches(t);
  const failing = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from('{"requests":');
    throw new Error('the input is gone');
  };
  const end = await apiOf(t, fake).post({ bytes: 100, body: failing(), idempotencyKey: 'k', signal: never });
  assert.equal(end.kind, 'incomplete');
  assert.match((end as { message: string }).message, /input is gone/);
});

test('a stop while it waits for the answer is unclear, before the last byte incomplete', async (t) => {
  const controller = new AbortController();
  const fake = await fakeBatches(t, { onPost: () => ({ kind: 'hang', commit: true }) });
  const api = apiOf(t, fake);
  const pending = post(api, bodyFor(2), controller.signal);
  while (fake.batches().length === 0) await new Promise(setImmediate);
  controller.abort();
  assert.equal((await pending).kind, 'unclear');
  assert.equal((await post(api, bodyFor(2), AbortSignal.abort())).kind, 'incomplete');
});

test('a server that never answers is given up after the time for it, by the clock that was given', async (t) => {
  const timers: { ms: number; callback: () => void }[] = [];
  const fakeWorld: ApiWorld = {
    nowMs: () => 0,
    after(ms, callback) {
      const timer = { ms, callback };
      timers.push(timer);
      return () => void timers.splice(timers.indexOf(timer), 1);
    },
  };
  const fake = await fakeBatches(t, { onPost: () => ({ kind: 'hang', commit: false }) });
  const pending = post(apiOf(t, fake, { world: fakeWorld }), bodyFor(2));
  while (fake.posts[0]?.bytes !== bodyFor(2).length) await new Promise(setImmediate);
  assert.deepEqual(
    timers.map(({ ms }) => ms),
    [600_000],
  );
  timers[0]!.callback();
  assert.equal((await pending).kind, 'unclear');
});

test('the socket of a POST carries nothing else, and its head is exact', async (t) => {
  const heads: string[] = [];
  let sockets = 0;
  const server = createServer((socket) => {
    sockets += 1;
    let text = '';
    socket.on('data', (piece) => {
      text += piece.toString('latin1');
      if (text.endsWith('}')) {
        heads.push(text.slice(0, text.indexOf('\r\n\r\n')));
        socket.end('HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n');
      }
    });
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const api = httpBatchApi({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    apiKey: 'secret',
    betas: ['b1', 'b2'],
    world,
  });
  const body = bodyFor(3);
  await post(api, body);
  await post(api, body);
  assert.equal(sockets, 2);
  const lines = heads[0]!.toLowerCase().split('\r\n');
  assert.equal(lines[0], 'post /v1/messages/batches http/1.1');
  for (const line of [
    `content-length: ${body.length}`,
    'connection: close',
    'x-api-key: secret',
    'anthropic-version: 2023-06-01',
    'anthropic-beta: b1,b2',
    'idempotency-key: k',
  ]) {
    assert.ok(lines.includes(line), line);
  }
  assert.ok(lines.some((line) => /^user-agent: nightshift-run\/\d+\.\d+/.test(line)));
});
