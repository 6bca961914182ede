import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { createApp } from './app.ts';
import { AUTH, BATCH_ID, testDeps, type TestFace } from './fake-face.ts';
import { readTraceparent } from './headers.ts';

type ErrorBody = { error: { type: string; message: string; details?: { error_code: string } } };

function create(
  deps: TestFace,
  init: { headers?: Record<string, string>; body?: string | Uint8Array<ArrayBuffer> | ReadableStream } = {},
): Promise<Response> {
  const headers = { ...AUTH, ...init.headers };
  const options = { method: 'POST', headers, body: init.body ?? '{}', duplex: 'half' } as RequestInit;
  return Promise.resolve(createApp(deps).request('/v1/messages/batches', options));
}

test('the body reaches the engine byte for byte, with everything the headers say', async () => {
  const deps = testDeps();
  const response = await create(deps, {
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'anthropic-version': '2026-10-21',
      'anthropic-beta': 'b-1,a-1, b-1,, message-batches-2024-09-24',
      'x-stainless-retry-count': '1',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      'idempotency-key': 'key-1',
    },
    body: '{"requests":[]}\n',
  });
  assert.equal(response.status, 200);
  assert.match(await response.text(), new RegExp(`"id":"${BATCH_ID}"`));
  const [{ request, bytes }] = deps.service.created as [(typeof deps.service.created)[number]];
  assert.equal(Buffer.from(bytes).toString(), '{"requests":[]}\n');
  const { body: _body, signal, ...rest } = request;
  assert.equal(signal.aborted, false);
  assert.deepEqual(rest, {
    workspaceId: 'wrkspc_01a',
    keyId: 'apikey_01a',
    version: '2026-10-21',
    betas: ['b-1', 'a-1', 'message-batches-2024-09-24'],
    format: 'json',
    resent: true,
    idempotencyKey: 'key-1',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  });
  assert.deepEqual(deps.service.answeredIds, [BATCH_ID]);
});

test('lines are told from JSON by the content type; anything else is read as JSON', async () => {
  const rows = [
    ['application/json', 'json'],
    ['application/x-www-form-urlencoded', 'json'],
    ['text/plain', 'json'],
    ['application/x-jsonl', 'lines'],
    ['application/jsonl', 'lines'],
    ['Application/X-NDJSON; charset=utf-8', 'lines'],
  ] as const;
  for (const [type, format] of rows) {
    const deps = testDeps();
    await create(deps, { headers: { 'content-type': type } });
    assert.equal(deps.service.created[0]?.request.format, format, type);
  }
});

test('a first attempt is not a re-send', async () => {
  for (const headers of [{}, { 'x-stainless-retry-count': '0' }, { 'x-stainless-retry-count': 'x' }]) {
    const deps = testDeps();
    await create(deps, { headers: headers as Record<string, string> });
    assert.equal(deps.service.created[0]?.request.resent, false);
  }
});

test('a compressed body reaches the engine as it was before; what cannot be decoded is refused by its error code', async () => {
  const deps = testDeps();
  for (const [encoding, body] of [
    ['identity', Buffer.from('{"requests":[]}')],
    ['gzip', gzipSync('{"requests":[]}')],
    ['zstd', zstdCompressSync('{"requests":[]}')],
  ] as const) {
    const response = await create(deps, { headers: { 'content-encoding': encoding }, body: new Uint8Array(body) });
    assert.equal(response.status, 200);
    assert.equal(Buffer.from(deps.service.created.at(-1)?.bytes ?? []).toString(), '{"requests":[]}');
  }
  for (const [encoding, code] of [
    ['br', 'request_body_encoding_unsupported'],
    ['gzip, gzip', 'request_body_encoding_unsupported'],
    ['gzip', 'request_body_encoding_invalid'],
  ] as const) {
    const response = await create(deps, { headers: { 'content-encoding': encoding }, body: 'not compressed' });
    assert.equal(response.status, 400);
    assert.equal(response.headers.get('accept-encoding'), code.endsWith('unsupported') ? 'gzip, zstd' : null);
    const { error } = (await response.json()) as ErrorBody;
    assert.equal(error.type, 'invalid_request_error');
    assert.deepEqual(error.details, { error_code: code });
  }
});

test('a compressed body is bounded twice: as it comes, and as it was', async () => {
  const bounds = { bytesMax: 1_000, idleMs: 30_000, progressBytesMin: 1 };
  const bomb = await create(testDeps({ upload: bounds }), {
    headers: { 'content-encoding': 'zstd' },
    body: new Uint8Array(zstdCompressSync(Buffer.alloc(100_000))),
  });
  assert.equal(bomb.status, 413);
  const { error } = (await bomb.json()) as ErrorBody;
  assert.equal(error.type, 'request_too_large');
  assert.deepEqual(error.details, { error_code: 'request_body_too_large_after_decoding' });
  const headers = { 'content-encoding': 'zstd', 'content-length': '1001' };
  assert.equal((await create(testDeps({ upload: bounds }), { headers, body: 'x'.repeat(1_001) })).status, 413);
});

test('the idle time of a compressed body is that of the bytes that come', async () => {
  const deps = testDeps({ upload: { bytesMax: 100_000, idleMs: 5, progressBytesMin: 10 } });
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(gzipSync('{').subarray(0, 5)),
  });
  const response = await create(deps, { headers: { 'content-encoding': 'gzip' }, body });
  assert.equal(response.status, 408);
});

test('an idempotency key has 1 to 255 visible ASCII characters', async () => {
  for (const key of ['a'.repeat(256), 'with space', '', 'é']) {
    const response = await create(testDeps(), { headers: { 'idempotency-key': key } });
    assert.equal(response.status, 400, key);
    const { error } = (await response.json()) as ErrorBody;
    assert.equal(error.message, 'idempotency-key: must be 1 to 255 visible ASCII characters');
  }
  assert.equal((await create(testDeps(), { headers: { 'idempotency-key': 'a'.repeat(255) } })).status, 200);
});

test('a body is refused by its declared length at once, and by its real one as soon as it is known', async () => {
  const bounds = { bytesMax: 10, idleMs: 30_000, progressBytesMin: 1 };
  const declared = testDeps({ upload: bounds });
  const response = await create(declared, { headers: { 'content-length': '11' }, body: 'x'.repeat(11) });
  assert.equal(response.status, 413);
  const { error } = (await response.json()) as ErrorBody;
  assert.deepEqual(error, {
    type: 'request_too_large',
    message: 'Request exceeds the maximum allowed number of bytes.',
  });
  assert.equal(declared.service.created.length, 0);

  let pulled = 0;
  let canceled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      pulled++;
      controller.enqueue(new Uint8Array(6));
    },
    cancel: () => void (canceled = true),
  });
  assert.equal((await create(testDeps({ upload: bounds }), { body: endless })).status, 413);
  assert.equal(canceled, true);
  assert.ok(pulled <= 4);
});

test('a body that stops arriving is a 408', async () => {
  const deps = testDeps({ upload: { bytesMax: 100, idleMs: 5, progressBytesMin: 10 } });
  const silent = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new Uint8Array(5)) });
  const response = await create(deps, { body: silent });
  assert.equal(response.status, 408);
  assert.equal(((await response.json()) as ErrorBody).error.type, 'timeout_error');
});

test('the time the engine takes is not held against the client', async () => {
  const deps = testDeps({ upload: { bytesMax: 100, idleMs: 50, progressBytesMin: 100 } });
  deps.service.create = async ({ body }) => {
    for await (const _part of body) deps.world.aheadMs += 10_000;
    return { batch: (await deps.service.retrieve('', ''))!, repeated: false };
  };
  const parts = [1, 2, 3].map((size) => new Uint8Array(size));
  const response = await create(deps, { body: ReadableStream.from(parts) as ReadableStream });
  assert.equal(response.status, 200);
});

test('a trace that is none is ignored', () => {
  const read = (traceparent: string) => readTraceparent(new Headers({ traceparent }));
  const [trace, span] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
  assert.equal(read(`00-${trace}-${span}-00`), `00-${trace}-${span}-00`);
  assert.equal(read(`01-${trace}-${span}-01-more`), `01-${trace}-${span}-01`);
  const none = [
    '',
    'nonsense',
    `00-${trace}-${span}`,
    `00-${trace}-${span}-01-more`,
    `ff-${trace}-${span}-01`,
    `00-${'0'.repeat(32)}-${span}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace.toUpperCase()}-${span}-01`,
  ];
  for (const value of none) assert.equal(read(value), null, value);
});
