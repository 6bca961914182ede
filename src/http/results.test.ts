import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { createApp } from './app.ts';
import { AUTH, BATCH_ID, testBatch, testDeps, textResults, type TestFace } from './fake-face.ts';

const text = '{"custom_id":"a"}\n{"custom_id":"b"}\n';

function faceWithResults(): TestFace {
  const deps = testDeps();
  deps.service.results = async () => textResults(text);
  return deps;
}

function get(deps: TestFace, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> {
  const init = { method, headers: { ...AUTH, ...headers } };
  return Promise.resolve(createApp(deps).request(`/v1/messages/batches/${BATCH_ID}/results`, init));
}

test('the whole: lines, length, strong etag, whatever the client accepts', async () => {
  for (const accept of ['application/binary', 'application/x-jsonl', 'text/html', '*/*']) {
    const response = await get(faceWithResults(), { accept });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'application/x-jsonl');
    assert.equal(response.headers.get('content-length'), String(text.length));
    assert.equal(response.headers.get('etag'), '"e1"');
    assert.equal(response.headers.get('accept-ranges'), 'bytes');
    assert.equal(await response.text(), text);
  }
});

test('a part, by range', async () => {
  const response = await get(faceWithResults(), { range: 'bytes=18-', 'if-range': '"e1"' });
  assert.equal(response.status, 206);
  assert.equal(response.headers.get('content-range'), `bytes 18-${text.length - 1}/${text.length}`);
  assert.equal(response.headers.get('content-length'), String(text.length - 18));
  assert.equal(await response.text(), text.slice(18));
});

test('a range beyond the end is a JSON 416 that tells the length', async () => {
  const response = await get(faceWithResults(), { range: 'bytes=1000-' });
  assert.equal(response.status, 416);
  assert.equal(response.headers.get('content-range'), `bytes */${text.length}`);
  assert.equal(response.headers.get('content-type'), 'application/json');
});

test('several ranges get the whole', async () => {
  const response = await get(faceWithResults(), { range: 'bytes=0-1,3-4' });
  assert.equal(response.status, 200);
  assert.equal(await response.text(), text);
});

test('unchanged results are a 304 without a body', async () => {
  const response = await get(faceWithResults(), { 'if-none-match': '"e1"' });
  assert.equal(response.status, 304);
  assert.equal(response.headers.get('etag'), '"e1"');
  assert.equal(await response.text(), '');
});

test('HEAD tells the length and opens nothing', async () => {
  const deps = testDeps();
  deps.service.results = async () => ({ ...textResults(text), read: () => assert.fail('opened') });
  const response = await get(deps, {}, 'HEAD');
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-length'), String(text.length));
});

test('nothing is read ahead of the client, and a client that leaves closes the reading', async () => {
  const deps = testDeps();
  let read = 0;
  let closed = false;
  deps.service.results = async () => ({
    ...textResults(text),
    async *read() {
      try {
        for (;;) yield new Uint8Array([++read]);
      } finally {
        closed = true;
      }
    },
  });
  const reader = (await get(deps)).body!.getReader();
  assert.equal(read, 0);
  await reader.read();
  await reader.read();
  assert.equal(read, 2);
  await reader.cancel();
  assert.equal(closed, true);
});

test('a reading that fails or comes short breaks the download off and is told', async () => {
  const failing = async function* (): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(1);
    throw new Error('disk');
  };
  const short = async function* (): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(1);
  };
  for (const read of [failing, short]) {
    const deps = testDeps();
    deps.service.results = async () => ({ batch: testBatch(), bytes: 10, etag: '"q"', read });
    const response = await get(deps);
    assert.equal(response.headers.get('etag'), '"q"');
    await assert.rejects(response.text());
    assert.equal((await deps.world.event('failure')).where, 'http/results');
  }
});

test('a caller that takes compressed bytes gets the whole of them, with a validator of their own', async () => {
  for (const [encoding, inflate] of [
    ['gzip', gunzipSync],
    ['zstd', zstdDecompressSync],
  ] as const) {
    const response = await get(faceWithResults(), { 'accept-encoding': encoding });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-encoding'), encoding);
    assert.equal(response.headers.get('etag'), `"e1-${encoding}"`);
    assert.equal(response.headers.get('vary'), 'accept-encoding');
    assert.equal(response.headers.get('content-length'), null);
    assert.equal(response.headers.get('accept-ranges'), null);
    assert.equal(inflate(await response.bytes()).toString(), text);

    const again = await get(faceWithResults(), { 'accept-encoding': encoding, 'if-none-match': `"e1-${encoding}"` });
    assert.deepEqual([again.status, again.headers.get('etag')], [304, `"e1-${encoding}"`]);
    const other = await get(faceWithResults(), { 'accept-encoding': encoding, 'if-none-match': '"e1"' });
    assert.equal(other.status, 200);
    const head = await get(faceWithResults(), { 'accept-encoding': encoding }, 'HEAD');
    assert.deepEqual([head.headers.get('content-encoding'), head.headers.get('etag')], [encoding, `"e1-${encoding}"`]);
  }
  assert.equal((await get(faceWithResults())).headers.get('vary'), 'accept-encoding');
});

test('a part is one of the plain bytes, whatever else the caller takes', async () => {
  const headers = { 'accept-encoding': 'gzip', range: 'bytes=18-' };
  const part = await get(faceWithResults(), headers);
  assert.deepEqual([part.status, part.headers.get('content-encoding')], [206, null]);
  assert.equal(await part.text(), text.slice(18));
  // What it has are bytes of the compressed answer: those cannot be gone on with.
  const whole = await get(faceWithResults(), { ...headers, 'if-range': '"e1-gzip"' });
  assert.deepEqual([whole.status, whole.headers.get('content-encoding')], [200, null]);
  assert.equal(await whole.text(), text);
});
