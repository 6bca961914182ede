import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApp } from './app.ts';
import { AUTH, BATCH_ID, testBatch, testDeps, textResults, type TestFace } from './fake-face.ts';

const text = '{"custom_id":"a"}\n{"custom_id":"b"}\n';

function faceWith({ complete, shown = text }: { complete: boolean; shown?: string }): TestFace {
  const deps = testDeps();
  const batch = testBatch({ state: complete ? 'ended' : 'running' });
  deps.service.partialResults = async () => ({ ...textResults(shown), batch, etag: `"b-${shown.length}"`, complete });
  return deps;
}

function get(deps: TestFace, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> {
  const path = `/v1/messages/batches/${BATCH_ID}/results/partial`;
  return Promise.resolve(createApp(deps).request(path, { method, headers: { ...AUTH, ...headers } }));
}

test('what is there so far is shown, and whether it is all', async () => {
  for (const complete of [false, true]) {
    const deps = faceWith({ complete });
    const response = await get(deps, { 'accept-encoding': 'gzip' });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('nightshift-complete'), String(complete));
    assert.equal(response.headers.get('content-type'), 'application/x-jsonl');
    assert.equal(response.headers.get('content-length'), String(text.length));
    assert.equal(response.headers.get('content-encoding'), null);
    assert.equal(response.headers.get('retry-after'), complete ? null : '10');
    assert.equal(await response.text(), text);
    assert.deepEqual(deps.service.watchedIds, complete ? [] : [BATCH_ID]);
  }
});

test('nothing yet is an empty answer', async () => {
  const response = await get(faceWith({ complete: false, shown: '' }));
  assert.deepEqual([response.status, await response.text()], [200, '']);
  assert.equal((await get(faceWith({ complete: false, shown: '' }), { range: 'bytes=0-' })).status, 204);
});

test('the rest is asked for by range, until there is none', async () => {
  const part = await get(faceWith({ complete: false }), { range: 'bytes=18-', 'if-range': '"of an earlier answer"' });
  assert.equal(part.status, 206);
  assert.equal(part.headers.get('content-range'), `bytes 18-${text.length - 1}/*`);
  assert.equal(await part.text(), text.slice(18));
  const last = await get(faceWith({ complete: true }), { range: 'bytes=18-' });
  assert.equal(last.headers.get('content-range'), `bytes 18-${text.length - 1}/${text.length}`);

  for (const complete of [false, true]) {
    const none = await get(faceWith({ complete }), { range: `bytes=${text.length}-` });
    assert.equal(none.status, 204);
    assert.equal(none.headers.get('nightshift-complete'), String(complete));
    assert.equal(await none.text(), '');
  }
});

test('more than there is, was never shown: 416', async () => {
  const response = await get(faceWith({ complete: false }), { range: `bytes=${text.length + 1}-` });
  assert.equal(response.status, 416);
  assert.equal(response.headers.get('content-range'), `bytes */${text.length}`);
});

test('unchanged bytes are a 304', async () => {
  const response = await get(faceWith({ complete: false }), { 'if-none-match': `"b-${text.length}"` });
  assert.equal(response.status, 304);
  assert.equal(response.headers.get('nightshift-complete'), 'false');
});

test('an unknown batch and an archived one are 404, as for the results', async () => {
  const deps = testDeps();
  assert.match(await (await get(deps)).text(), /has no available results/);
  deps.service.partialResults = async () => 'unknown';
  const response = await get(deps);
  assert.equal(response.status, 404);
  assert.match(await response.text(), /not found/);
});
