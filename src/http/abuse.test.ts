/** Headers, queries and paths that no client sends by mistake: the official error, and the next caller notices nothing. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { RawClient, type RawAnswer } from '../../test/support/raw-client.ts';
import { createApp } from './app.ts';
import { BATCH_ID, SECRET, testDeps } from './fake-face.ts';
import { listen } from './listen.ts';

const path = '/v1/messages/batches';
const auth = `x-api-key: ${SECRET}\r\nanthropic-version: 2023-06-01\r\n`;

const get = (target: string, more = '') => `GET ${target} HTTP/1.1\r\nhost: box\r\n${auth}${more}\r\n`;

async function portOf(context: TestContext): Promise<number> {
  const deps = testDeps();
  const server = await listen({ app: createApp(deps), host: '127.0.0.1', port: 0, world: deps.world });
  context.after(() => server.close({ drainMs: 0 }));
  return server.port;
}

function expectError(
  { status, headers, text }: RawAnswer,
  expected: { status: number; message?: RegExp | undefined; at: string },
): void {
  assert.equal(status, expected.status, `${expected.at}: ${text}`);
  assert.equal(headers.get('content-type'), 'application/json', expected.at);
  const body = JSON.parse(text) as { type: string; error: { message: string }; request_id: string };
  assert.equal(body.type, 'error');
  assert.equal(body.request_id, headers.get('request-id'));
  if (expected.message) assert.match(body.error.message, expected.message, expected.at);
}

/** What is still HTTP: after each answer the connection takes the next call. */
test('odd calls are answered on a connection that goes on', async (context) => {
  const client = new RawClient(await portOf(context));
  const rows: [string, number, RegExp?][] = [
    [get(`${path}?limit=1e3`), 400, /^limit: Input should be a valid integer/],
    [get(`${path}?limit=0x10`), 400, /^limit: /],
    [get(`${path}?limit=%31%30%00`), 400, /^limit: /],
    [get(`${path}?limit=٣`.replace('٣', '%D9%A3')), 400, /^limit: /],
    [get(`${path}?limit=${'9'.repeat(400)}`), 400, /^limit: Input should be less than or equal to 1000/],
    [get(`${path}?limit=-0`), 400, /greater than or equal to 1/],
    [get(`${path}?limit=5&limit=0`), 400, /greater than or equal to 1/],
    [get(`${path}?after_id=%00`), 400, /^after_id: Message Batch/],
    [get(`${path}?after_id=${'a'.repeat(8_000)}`), 400, /^after_id: /],
    [get(`${path}?after_id=%FF%FE`), 400, /^after_id: /],
    [get(`${path}/%00`), 404],
    [get(`${path}/%FF`), 404],
    [get(`${path}/%`), 404],
    [get(`${path}/%2e%2e%2f%2e%2e%2fetc%2fpasswd`), 404],
    [get(`${path}/../../../etc/passwd`), 404],
    [get(`//evil.example${path}`), 404],
    [get(`/${'a/'.repeat(4_000)}`), 404],
    [get(`${path}/${'a'.repeat(12_000)}`), 404],
    [get('/v1/organizations/workspaces?include_archived=maybe'), 400, /^include_archived: /],
    [get('/v1/organizations/api_keys?status=sleeping'), 400, /^status: Input should be 'active'/],
    [get(path, 'host: other\r\n'), 400, /^host: /],
    [get(path, 'x-api-key: other\r\n'), 401],
    [get(path, 'anthropic-version: 2023-06-01\r\n'), 400, /anthropic-version/],
    [`GET ${path} HTTP/1.1\r\nhost: box\r\nx-api-key: ${'k'.repeat(10_000)}\r\n\r\n`, 401],
    [`GET ${path} HTTP/1.1\r\nhost: box\r\nx-api-key: \xff\xfe\r\n\r\n`, 401],
    [`GET ${path} HTTP/1.1\r\nhost: box\r\nauthorization: Bearer a b c\r\n\r\n`, 401],
    [get(`${path}/${BATCH_ID}`, `anthropic-workspace-id: ${'w'.repeat(5_000)}\r\n`), 403],
    [get(`${path}`, 'anthropic-workspace-id: \xe9\r\n'), 403],
    [`BREW ${path} HTTP/1.1\r\nhost: box\r\n\r\n`, 400],
  ];
  for (const [text, status, message] of rows.slice(0, -1)) {
    client.write(text);
    expectError(await client.answer(), { status, message, at: text.slice(0, 80) });
  }
  client.write(get(path));
  assert.equal((await client.answer()).status, 200);
  // What is no method at all ends the connection, in JSON too.
  const [text, status] = rows.at(-1)!;
  client.write(text);
  expectError(await client.answer(), { status, at: text });
  await client.closed;
});

test('many parameters and headers are looked through without harm', async (context) => {
  const client = new RawClient(await portOf(context));
  const many = Array.from({ length: 1_500 }, (_, index) => `p${index}=${index}`).join('&');
  const rows: [string, number][] = [
    [get(`${path}?${many}`), 200],
    [get(`${path}?${'&'.repeat(5_000)}limit=3`), 200],
    [get(`${path}?__proto__=1&constructor=2&toString`), 200],
    [get(path, Array.from({ length: 500 }, (_, index) => `x-${index}: y\r\n`).join('')), 200],
    [get(path, 'anthropic-beta: a,,b, ,\r\nanthropic-beta: __proto__\r\n'), 200],
    [get(path, 'x-forwarded-host: evil.example\r\nforwarded: for=";;;,,;=\r\n'), 200],
    [get(path, 'accept-encoding: gzip;q=zero, *;q=-1, ;;\r\nrange: bytes=--1\r\n'), 200],
    [get(path, 'expect: 100-continue\r\n'), 200],
  ];
  for (const [text, status] of rows) {
    client.write(text);
    let answer = await client.answer();
    if (answer.status === 100) answer = await client.answer();
    assert.equal(answer.status, status, `${text.slice(0, 120)}: ${answer.text}`);
  }
  client.destroy();
});

test('what cannot be told apart from an attack ends its connection with a JSON error', async (context) => {
  const port = await portOf(context);
  const rows: [string, number][] = [
    [get(path, 'x-evil: a\x00b\r\n'), 400],
    [get(path, 'x-evil: a\x01b\r\n'), 400],
    [get(path, 'x evil: a\r\n'), 400],
    [get(path, ': a\r\n'), 400],
    [get(path, ' folded: a\r\n'), 400],
    [get(path, 'x-evil: a\nb\r\n'), 400],
    [get(`${path}\x00`), 400],
    [get(`${path}\x7f`), 400],
    [get(path, `x-long: ${'y'.repeat(20_000)}\r\n`), 431],
    [get(path, Array.from({ length: 3_000 }, (_, index) => `x-${index}: y\r\n`).join('')), 431],
    [get(`${path}?${'a'.repeat(20_000)}`), 431],
    [`POST ${path} HTTP/1.1\r\nhost: box\r\n${auth}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`, 400],
    [`POST ${path} HTTP/1.1\r\nhost: box\r\n${auth}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}`, 400],
    [`POST ${path} HTTP/1.1\r\nhost: box\r\n${auth}content-length: -2\r\n\r\n{}`, 400],
    [`POST ${path} HTTP/1.1\r\nhost: box\r\n${auth}transfer-encoding: gzip, chunked, identity\r\n\r\n0\r\n\r\n`, 400],
  ];
  for (const [text, status] of rows) {
    const client = new RawClient(port);
    client.write(text);
    expectError(await client.answer(), { status, at: JSON.stringify(text.slice(0, 160)) });
    client.destroy();
  }
  const neighbour = new RawClient(port);
  neighbour.write(get(path));
  assert.equal((await neighbour.answer()).status, 200);
  neighbour.destroy();
});
