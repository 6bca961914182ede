/** The API's limits at their edges, over real sockets: what is too much is refused with the right words, and soon. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { batchClient, oneLineEach } from '../support/batch-client.ts';
import { bodyOf, requestOf, rows } from '../support/rows.ts';
import { startServer } from '../support/server.ts';

const BODY_BYTES_MAX = 268_435_456;
const MiB = 1024 * 1024;

test('the limits of a batch', async (t) => {
  const server = await startServer(t, { flags: ['--log-level', 'warn'] });
  const client = batchClient(server);

  await t.test('a hundred thousand requests are a batch, one more is not', async () => {
    const { ids, requests, body } = rows(100_000, { content: '' });
    const over = await client.send({ body: bodyOf([...requests, requestOf({ id: 'one-more', params: '{}' })]) });
    assert.equal(over.status, 400);
    assert.match(await over.text(), /100000|100,000/);
    const { id } = await client.create({ body });
    assert.equal((await client.ended(id)).request_counts.succeeded, ids.length);
    oneLineEach(await client.results(id), ids);
  });

  await t.test('a body announced as too large is refused before it is sent', async () => {
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(server.url).port) });
    const head = [
      'POST /v1/messages/batches HTTP/1.1',
      'host: 127.0.0.1',
      `x-api-key: ${server.key}`,
      'anthropic-version: 2023-06-01',
    ];
    head.push(
      'content-type: application/json',
      `content-length: ${BODY_BYTES_MAX + 1}`,
      'expect: 100-continue',
      'connection: close',
      '',
      '',
    );
    socket.write(head.join('\r\n'));
    let answer = '';
    for await (const piece of socket.setEncoding('utf8')) {
      answer += piece;
      // The server stays a while, for clients that send on; this one has seen enough.
      if (answer.includes('"request_id"')) break;
    }
    assert.match(answer, /^HTTP\/1\.1 413 /);
    assert.match(answer, /"request_too_large"/);
  });

  await t.test('a body that grows too large on its way is refused, and leaves nothing behind', async () => {
    const before = (await client.list()).length;
    const refused = await fetch(`${server.url}/v1/messages/batches`, {
      method: 'POST',
      headers: { 'x-api-key': server.key, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' },
      body: ReadableStream.from(endless()),
      duplex: 'half',
    } as RequestInit);
    assert.equal(refused.status, 413);
    assert.match(await refused.text(), /"request_too_large"/);
    assert.equal((await client.list()).length, before);
  });

  await t.test('bodies that are no batch are refused, each with a reason', async () => {
    const { requests } = rows(1);
    const wrong = [
      '',
      '{',
      '[]',
      'null',
      '{"requests":[]}',
      '{"requests":{}}',
      '{"requests":[{}]}',
      bodyOf(['{"custom_id":"","params":{}}']),
    ];
    wrong.push(
      bodyOf([...requests, ...requests]),
      `${bodyOf(requests)} trailing`,
      bodyOf([requestOf({ id: 'x'.repeat(65), params: '{}' })]),
    );
    for (const body of wrong) {
      const response = await client.send({ body });
      const answer = await response.text();
      assert.equal(response.status, 400, `${body.slice(0, 60)}: ${answer}`);
      assert.match(answer, /"type":"invalid_request_error"/);
    }
  });

  assert.ok(!server.log().includes('failure'), server.log());
});

/** More than the limit, as long as somebody takes it. */
async function* endless(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('{"requests":[');
  const padding = 'x'.repeat(MiB / 2);
  for (let sent = 0, at = 0; sent < BODY_BYTES_MAX + 64 * MiB; at += 1) {
    const piece = Buffer.from(`${rows(1, { from: at, content: padding }).requests[0]},`);
    sent += piece.length;
    yield piece;
  }
}
