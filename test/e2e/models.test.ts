/** Names of models over real sockets: which upstream each goes to and what it is called there, and the list of those that can be asked for. */
import Anthropic from '@anthropic-ai/sdk';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { batchClient, oneLineEach } from '../support/batch-client.ts';
import { bodyOf, requestOf } from '../support/rows.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { runServer, startServer, type Server } from '../support/server.ts';
import { startUpstream, type Upstream } from '../support/upstream-server.ts';

type Models = Readonly<Record<string, { readonly upstream: string; readonly model?: string }>>;

test('patterns say where a name goes, and what it is called there', async (t) => {
  const [local, paid] = await Promise.all([upstreamOf(t), upstreamOf(t)]);
  const server = await serverWith(
    t,
    { local: local.url, paid: paid.url },
    {
      // Written from the widest to the narrowest: the order in the file decides nothing.
      '*': { upstream: 'local' },
      'claude-*': { upstream: 'paid' },
      'claude-haiku-*': { upstream: 'local', model: 'qwen3:8b' },
      'claude-haiku-4-5': { upstream: 'paid', model: 'claude-haiku-4-5-20251001' },
    },
  );
  const names = ['claude-opus-5', 'claude-haiku-5-5', 'claude-haiku-4-5', 'mistral'];
  // Spaces, escapes and a second "model" further in: all of it must arrive as it was written.
  const params = (model: string, row: number): string =>
    `{ "max_tokens" :16, "model": "${model}" ,"metadata":{"model":"x"},"messages":[{"role":"user","content":"row-${row} \\u00e9 \\n"}]}`;
  const client = batchClient(server);
  const requests = names.map((name, row) => requestOf({ id: `id-${row}`, params: params(name, row) }));
  const { id } = await client.create({ body: bodyOf(requests) });
  await client.ended(id);

  assert.deepEqual(
    await bodiesOf(paid),
    [params('claude-haiku-4-5-20251001', 2), params('claude-opus-5', 0)].toSorted(),
  );
  assert.deepEqual(await bodiesOf(local), [params('mistral', 3), params('qwen3:8b', 1)].toSorted());
  const lines = oneLineEach(await client.results(id), ['id-0', 'id-1', 'id-2', 'id-3']);
  const answered = ['id-0', 'id-1', 'id-2', 'id-3'].map((one) => {
    const message = lines.get(one)?.message as { readonly model?: string } | undefined;
    return message?.model;
  });
  assert.deepEqual(answered, ['claude-opus-5', 'qwen3:8b', 'claude-haiku-4-5-20251001', 'mistral']);
});

test('a rule for an upstream that is not there refuses the start, and names it', async (t) => {
  const folder = await scratchFolder(t);
  const config = await configIn(folder, { local: 'http://127.0.0.1:1' }, { 'claude-*': { upstream: 'lokal' } });
  const { code, stderr } = await runServer({
    data: path.join(folder, 'data'),
    upstream: null,
    flags: ['--config', config],
  });
  assert.equal(code, 2);
  assert.match(stderr, /models."claude-\*".upstream: "lokal" is not accepted/);
  assert.match(stderr, /one of local/);
});

test('the list is what can be asked for, whatever the upstreams say of themselves', async (t) => {
  const [good, lying, broken, hanging] = await Promise.all([
    listening(t, (_request, response) =>
      response.end(JSON.stringify({ data: [{ id: 'local-b' }, { id: 'local-a' }, { id: 'other' }] })),
    ),
    listening(t, (_request, response) => {
      const ids = ['', 'two\nlines', 'x'.repeat(300), 7, null, {}, 'lying-1', 'lying-1'];
      response.end(JSON.stringify({ data: [null, 'text', ...ids.map((id) => ({ id }))] }));
    }),
    listening(t, (_request, response) => response.writeHead(200).end('<html>'.repeat(2_000_000))),
    listening(t, () => undefined),
  ]);
  const server = await serverWith(
    t,
    { good, lying, broken, hanging },
    {
      'claude-haiku-4-5-20251001': { upstream: 'good', model: 'local-a' },
      'local-*': { upstream: 'good' },
      'lying-*': { upstream: 'lying' },
      'broken-*': { upstream: 'broken' },
      '*': { upstream: 'hanging' },
    },
  );
  const client = new Anthropic({ baseURL: server.url, apiKey: server.key, maxRetries: 0 });
  const startedAtMs = performance.now();
  const names: string[] = [];
  for await (const { id } of client.models.list({ limit: 2 })) names.push(id);
  assert.ok(performance.now() - startedAtMs < 3_000, 'nobody waits long for the one that hangs');
  assert.deepEqual(names, ['claude-haiku-4-5-20251001', 'local-a', 'local-b', 'lying-1']);

  const model = await client.models.retrieve('claude-haiku-4-5');
  assert.deepEqual([model.id, model.display_name], ['claude-haiku-4-5-20251001', 'Claude Haiku 4.5']);
  await assert.rejects(client.models.retrieve('nobody'), (error: unknown) => {
    assert.ok(error instanceof Anthropic.NotFoundError);
    assert.match(error.message, /model: nobody/);
    return true;
  });
  const told = await (
    await fetch(`${server.url}/v1/models`, { headers: { 'x-api-key': server.key, 'anthropic-version': '2023-06-01' } })
  ).text();
  assert.ok(!told.includes('127.0.0.1'), 'where the models run is nobody’s business');
});

test('the simulator has a list without any configuration', async (t) => {
  const server = await startServer(t);
  const client = new Anthropic({ baseURL: server.url, apiKey: server.key });
  const first = await client.models.list({ limit: 3 });
  assert.equal(first.data.length, 3);
  const second = await client.models.list({ limit: 3, after_id: first.last_id ?? '' });
  const back = await client.models.list({ limit: 3, before_id: second.first_id ?? '' });
  assert.deepEqual(
    back.data.map(({ id }) => id),
    first.data.map(({ id }) => id),
  );
});

async function upstreamOf(t: TestContext): Promise<Upstream> {
  const upstream = await startUpstream();
  t.after(() => upstream.stop());
  return upstream;
}

async function serverWith(
  t: TestContext,
  upstreams: Readonly<Record<string, string>>,
  models: Models,
): Promise<Server> {
  const config = await configIn(await scratchFolder(t), upstreams, models);
  return await startServer(t, { upstream: null, flags: ['--config', config] });
}

async function configIn(folder: string, upstreams: Readonly<Record<string, string>>, models: Models): Promise<string> {
  const file = path.join(folder, 'config.json');
  const named = Object.entries(upstreams).map(([name, url]) => [name, { protocol: 'anthropic', url }]);
  await writeFile(file, JSON.stringify({ upstreams: Object.fromEntries(named), models }));
  return file;
}

async function bodiesOf(upstream: Upstream): Promise<readonly string[]> {
  const { requests } = await upstream.last();
  return requests
    .filter(({ method }) => method === 'POST')
    .map(({ bodyBase64 }) => Buffer.from(bodyBase64, 'base64').toString())
    .toSorted();
}

/** A server that answers only for its models; returns its address. */
async function listening(t: TestContext, listener: RequestListener): Promise<string> {
  const server: HttpServer = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
