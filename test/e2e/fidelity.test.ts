/** What travels between a caller and a real upstream: the very bytes of `params`, the headers that belong to them, and no key. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { batchClient } from '../support/batch-client.ts';
import { bodyOf, paramsOf, requestOf, rows } from '../support/rows.ts';
import { startServer, testKey, type Server } from '../support/server.ts';
import { startUpstream, type Upstream } from '../support/upstream-server.ts';
import type { CapturedRequest } from '../support/upstream-record.ts';

const upstreamKey = 'sk-key-of-the-upstream';
const MiB = 1024 * 1024;

/** Each of these would come out otherwise if it were parsed and printed again. */
const delicate: Readonly<Record<string, string>> = {
  'keys in their order':
    '{"zebra":1,"max_tokens":16,"apple":2,"model":"m","messages":[{"content":"row-1","role":"user"}],"10":1,"2":2}',
  'an integer beyond 2^53':
    '{"model":"m","max_tokens":16,"messages":[{"role":"user","content":"row-2"}],"seed":9007199254740993}',
  'a number beyond doubles':
    '{"model":"m","max_tokens":16,"messages":[{"role":"user","content":"row-3"}],"huge":1e400,"tiny":-0.0,"same":1.0}',
  'a lone surrogate': '{"model":"m","max_tokens":16,"messages":[{"role":"user","content":"row-4 \\ud83d alone"}]}',
  'duplicate keys':
    '{"model":"m","max_tokens":16,"note":"first","note":"second","messages":[{"role":"user","content":"row-5"}]}',
  'unknown fields':
    '{"model":"m","max_tokens":16,"messages":[{"role":"user","content":"row-6"}],"from_the_future":{"a":[null,true]}}',
  'four-byte UTF-8':
    '{"model":"m","max_tokens":16,"messages":[{"role":"user","content":"row-7 \u{1f989}\u{20bb7} moon"}]}',
  'white space and escapes':
    '{ "model" : "m",\n\t"max_tokens":16,"messages":[{"role":"user","content":"row-8 \\u0041\\/\\u00e9"}] }',
};

test('params reach an upstream as the very bytes that were sent', async (t) => {
  const { server, upstream } = await started(t);
  const ids = Object.keys(delicate).map((_, at) => `row-${at + 1}`);
  const body = bodyOf(Object.values(delicate).map((params, at) => requestOf({ id: ids[at] ?? '', params })));
  await throughABatch(server, { body, headers: {} });
  const bodies = new Map((await upstream.last()).requests.map((request) => [rowOf(request), textOf(request)]));
  for (const [at, [what, params]] of Object.entries(delicate).entries()) {
    await t.test(what, () => assert.equal(bodies.get(ids[at] ?? ''), params));
  }
});

test('a request of ten megabytes reaches an upstream unchanged', async (t) => {
  const { server, upstream } = await started(t);
  const params = paramsOf(`row-10 ${'The same words again. \u{1f319}'.repeat((10 * MiB) / 26)}`);
  assert.ok(Buffer.byteLength(params) > 10 * MiB);
  await throughABatch(server, { body: bodyOf([requestOf({ id: 'row-10', params })]), headers: {} });
  assert.deepEqual((await upstream.rows())['row-10']?.hashes, [createHash('sha256').update(params).digest('hex')]);
});

test('version, betas and the own key go upstream; the key of the caller never does', async (t) => {
  const { server, upstream } = await started(t);
  const betas = 'message-batches-2024-09-24,output-300k-2026-03-24';
  for (const version of ['2023-06-01', '2026-10-21']) {
    await upstream.reset();
    const headers = { 'anthropic-version': version, 'anthropic-beta': betas, authorization: `Bearer ${testKey}` };
    await throughABatch(server, { body: rows(1).body, headers });
    const [request] = (await upstream.last()).requests;
    const sent = Object.fromEntries((request?.headers ?? []).map(([name, value]) => [name.toLowerCase(), value]));
    assert.equal(sent['anthropic-version'], version);
    assert.equal(sent['anthropic-beta'], betas);
    assert.equal(sent['x-api-key'], upstreamKey);
    assert.equal(sent['content-type'], 'application/json');
    assert.ok(!JSON.stringify(request?.headers).includes(testKey), 'the key of the caller stays here');
  }
});

/** Each of these would come out otherwise if it were parsed and printed again; only the service tier is put in its place, and line ends outside of strings go. */
const answers: readonly { readonly sent: string; readonly line: string }[] = [
  { sent: messageOf('"text":"row-0"'), line: messageOf('"text":"row-0"') },
  {
    sent: messageOf('"text":"row-1 \\ud83d alone","n":[9007199254740993,1e400,-0.0]'),
    line: messageOf('"text":"row-1 \\ud83d alone","n":[9007199254740993,1e400,-0.0]'),
  },
  {
    sent: messageOf('"text":"row-2 \u{1f989}","z":1,"a":2,"a":3,"1":0'),
    line: messageOf('"text":"row-2 \u{1f989}","z":1,"a":2,"a":3,"1":0'),
  },
  { sent: `\r\n${messageOf('\r\n\t"text" : "row-3 \\n"\n')}\n`, line: messageOf('\t"text" : "row-3 \\n"') },
  {
    sent: messageOf(`"text":"row-4 ${'long '.repeat(200_000)}"`),
    line: messageOf(`"text":"row-4 ${'long '.repeat(200_000)}"`),
  },
];

test('answers come back as the bytes that were received, on one line each', async (t) => {
  const upstream = createServer((request, response) => {
    void text(request).then((body) => {
      const at = Number(/row-(\d+)/.exec(body)?.[1]);
      response.setHeader('content-type', 'application/json').end(answers[at]?.sent);
    });
  });
  await once(upstream.listen(0, '127.0.0.1'), 'listening');
  t.after(() => upstream.close().closeAllConnections());
  const { port } = upstream.address() as AddressInfo;
  const server = await startServer(t, { upstream: `anthropic:http://127.0.0.1:${port}` });
  const lines = (await throughABatch(server, { body: rows(answers.length).body, headers: {} })).trimEnd().split('\n');
  assert.equal(lines.length, answers.length);
  for (const [at, { line }] of answers.entries()) {
    const own = lines.find((one) => one.startsWith(`{"custom_id":"row-${at}",`)) ?? '';
    const wanted = line.replace('"standard"', '"batch"');
    assert.ok(
      own === `{"custom_id":"row-${at}","result":{"type":"succeeded","message":${wanted}}}`,
      `row-${at}: ${own.slice(0, 400)}`,
    );
  }
});

function messageOf(block: string): string {
  const usage = '"usage":{"input_tokens":1,"service_tier":"standard","output_tokens":2}';
  return `{"id":"msg_01","type":"message","role":"assistant","model":"m","content":[{"type":"text",${block}}],"stop_reason":"end_turn",${usage}}`;
}

async function started(t: TestContext): Promise<{ server: Server; upstream: Upstream }> {
  const upstream = await startUpstream({ hashBodies: true });
  t.after(() => upstream.stop());
  const env = { NIGHTSHIFT_UPSTREAM_API_KEY: upstreamKey };
  return { upstream, server: await startServer(t, { upstream: `anthropic:${upstream.url}`, env }) };
}

async function throughABatch(
  server: Server,
  sending: { body: string; headers: Readonly<Record<string, string>> },
): Promise<string> {
  const client = batchClient(server);
  const { id } = await client.create(sending);
  const batch = await client.ended(id);
  const text = await client.rawResults(id);
  assert.equal(batch.request_counts.errored, 0, text.slice(0, 500));
  return text;
}

function textOf(request: CapturedRequest): string {
  return Buffer.from(request.bodyBase64, 'base64').toString('utf8');
}

function rowOf(request: CapturedRequest): string {
  return /row-\d+/.exec(textOf(request))?.[0] ?? '';
}
