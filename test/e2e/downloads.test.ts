/** Downloads of results over real sockets: taken up again where they broke off, and broken off without harm. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchClient, oneLineEach } from '../support/batch-client.ts';
import { rows } from '../support/rows.ts';
import { startServer } from '../support/server.ts';

test('downloads of results', async (t) => {
  const server = await startServer(t);
  const client = batchClient(server);
  const { ids, body } = rows(20_000);
  const { id } = await client.create({ body });
  await client.ended(id);
  const whole = await client.rawResults(id);
  const url = `${server.url}/v1/messages/batches/${id}/results`;
  const headers = { 'x-api-key': server.key, 'anthropic-version': '2023-06-01' };

  await t.test('twenty thousand results have one line each, and are the same bytes every time', async () => {
    oneLineEach(await client.results(id), ids);
    assert.equal(await client.rawResults(id), whole);
  });

  await t.test('a download that broke off goes on by Range', async () => {
    const first = await fetch(url, { headers });
    const etag = first.headers.get('etag') ?? '';
    const { value = new Uint8Array() } = (await first.body?.getReader().read()) ?? {};
    assert.ok(value.length > 0 && value.length < whole.length);
    const rest = await fetch(url, { headers: { ...headers, range: `bytes=${value.length}-`, 'if-range': etag } });
    assert.equal(rest.status, 206);
    assert.equal(Buffer.from(value).toString() + (await rest.text()), whole);
  });

  await t.test('twenty clients that leave in the middle do not disturb one that stays', async () => {
    const staying = client.rawResults(id);
    const leaving = Array.from({ length: 20 }, async () => {
      const controller = new AbortController();
      const response = await fetch(url, { headers, signal: controller.signal });
      await response.body?.getReader().read();
      controller.abort();
    });
    await Promise.all(leaving);
    assert.equal(await staying, whole);
    assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
    assert.ok(!server.log().includes('failure'), server.log());
  });

  await t.test('deleting a batch takes its results away', async () => {
    assert.equal((await fetch(`${server.url}/v1/messages/batches/${id}`, { method: 'DELETE', headers })).status, 200);
    assert.equal((await client.get(`/${id}/results`)).status, 404);
  });
});
