/** Creates over real sockets: both formats, re-sent creates, and clients that leave in the middle. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { batchClient, oneLineEach } from '../support/batch-client.ts';
import { rows } from '../support/rows.ts';
import { startServer, type Server } from '../support/server.ts';
import { until } from '../support/until.ts';

test('creates over real sockets', async (t) => {
  const server = await startServer(t);
  const client = batchClient(server);

  await t.test('JSON lines make the same batch as JSON', async () => {
    const { ids, requests } = rows(5);
    const headers = { 'content-type': 'application/x-jsonl' };
    const { id } = await client.create({ body: `${requests.join('\n')}\n`, headers });
    await client.ended(id);
    const results = oneLineEach(await client.results(id), ids);
    assert.ok([...results.values()].every(({ type }) => type === 'succeeded'));
  });

  await t.test('a client that leaves in mid create leaves no batch and no blobs', async () => {
    const before = { files: filesOf(server), batches: (await client.list()).length };
    await leaveInMidCreate(server, rows(400, { content: 'A long story. '.repeat(10_000) }).body);
    await until({ what: 'its blobs are gone', withinMs: 10_000, ask: async () => filesOf(server) === before.files });
    assert.equal((await client.list()).length, before.batches);
  });

  await t.test('a create whose answer never came runs once when it is sent again', async () => {
    const { body, ids } = rows(3, { from: 100 });
    const known = new Set((await client.list()).map(({ id }) => id));
    await sendAndHangUp(server, body);
    const again = await client.create({ body, headers: { 'x-stainless-retry-count': '1' } });
    // Whether the server noticed in time or not, there is one batch of this body.
    const added = (await client.list()).filter((batch) => !known.has(batch.id));
    assert.deepEqual(
      added.map(({ id }) => id),
      [again.id],
    );
    await client.ended(again.id);
    oneLineEach(await client.results(again.id), ids);
  });

  await t.test('an Idempotency-Key makes one batch of many creates', async () => {
    const { body } = rows(2, { from: 200 });
    const headers = { 'idempotency-key': 'night-of-the-first-run' };
    const [first, second] = await Promise.all([client.create({ body, headers }), client.create({ body, headers })]);
    assert.equal(first.id, second.id);
    const other = await client.send({ body: rows(2, { from: 300 }).body, headers });
    assert.equal(other.status, 422);
  });

  await t.test('two plain creates of one body are two batches', async () => {
    const { body } = rows(2, { from: 400 });
    const first = await client.create({ body });
    const second = await client.create({ body });
    assert.notEqual(first.id, second.id);
  });
});

function filesOf(server: Server): number {
  return globSync('{blobs,tmp}/**/*', { cwd: server.data, withFileTypes: true }).filter((entry) => entry.isFile())
    .length;
}

/** Most of the body, until the server has written blobs of it; then a reset. */
async function leaveInMidCreate(server: Server, body: string): Promise<void> {
  const before = filesOf(server);
  const socket = await opened(server);
  socket.write(headOf(server, Buffer.byteLength(body)) + body.slice(0, body.length * 0.9));
  await until({ what: 'the first blob is there', withinMs: 10_000, ask: async () => filesOf(server) > before });
  socket.resetAndDestroy();
  await once(socket, 'close');
}

/** The whole request, and nobody to read its answer. */
async function sendAndHangUp(server: Server, body: string): Promise<void> {
  const socket = await opened(server);
  await new Promise<void>((resolve) => socket.write(headOf(server, Buffer.byteLength(body)) + body, () => resolve()));
  socket.resetAndDestroy();
  await once(socket, 'close');
}

async function opened(server: Server): Promise<ReturnType<typeof connect>> {
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port) });
  await once(socket, 'connect');
  return socket;
}

function headOf(server: Server, bytes: number): string {
  const lines = [
    'POST /v1/messages/batches HTTP/1.1',
    `host: ${path.basename(server.url)}`,
    `x-api-key: ${server.key}`,
  ];
  lines.push('anthropic-version: 2023-06-01', 'content-type: application/json', `content-length: ${bytes}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}
