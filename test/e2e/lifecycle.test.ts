/** A server's life as a process: draining, aborting, starting again, what it keeps to itself and what it refuses. */
import assert from 'node:assert/strict';
import { globSync, rmSync, statSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { batchClient, oneLineEach } from '../support/batch-client.ts';
import { bodyOf, requestOf, rows } from '../support/rows.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { runServer, startServer, testKey, type Exit } from '../support/server.ts';
import { until } from '../support/until.ts';
import { startUpstream, type Upstream, type UpstreamOptions } from '../support/upstream-server.ts';

test('SIGTERM lets what is in flight finish, and the next start finishes the batch', async (t) => {
  const upstream = await upstreamFor(t, { profile: { latencyMs: 300 } });
  const options = {
    data: await scratchFolder(t),
    upstream: `anthropic:${upstream.url}`,
    flags: ['--concurrency', '8'],
  };
  const first = await startServer(t, options);
  const { ids, body } = rows(40);
  const { id } = await batchClient(first).create({ body });
  await until({ what: 'calls are in flight', withinMs: 5_000, ask: async () => (await upstream.stats()).inFlight > 0 });
  assert.deepEqual(await first.stop(), { code: 0, signal: null });
  const before = await upstream.stats();
  assert.equal(before.cutOff, 0, 'nobody hung up on the upstream');
  assert.ok(before.answers < ids.length, 'the batch was not done yet');

  const client = batchClient(await startServer(t, options));
  await client.ended(id);
  oneLineEach(await client.results(id), ids);
  assert.equal((await upstream.stats()).calls, ids.length, 'no request was sent twice');
});

test('a lost catalog is refused, not begun anew, also where the batches were small enough to lie in it', async (t) => {
  const data = await scratchFolder(t);
  const first = await startServer(t, { data });
  const client = batchClient(first);
  await client.ended((await client.create({ body: rows(3).body })).id);
  await first.kill();
  for (const file of globSync(path.join(data, 'catalog.sqlite*'))) rmSync(file);
  const { code, stderr } = await runServer({ data });
  assert.equal(code, 1);
  assert.match(stderr, /catalog\.sqlite is missing, but .*\nhint: Restore /);
});

test('a create under way when SIGTERM comes is answered, and its batch is run by the next start', async (t) => {
  const options = { data: await scratchFolder(t) };
  const server = await startServer(t, options);
  const { ids, body } = rows(1_000);
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(server.url).port) });
  const answer = text(socket);
  const head = [
    'POST /v1/messages/batches HTTP/1.1',
    'host: 127.0.0.1',
    `x-api-key: ${server.key}`,
    'anthropic-version: 2023-06-01',
  ];
  head.push('content-type: application/json', `content-length: ${body.length}`, 'connection: close', '', '');
  socket.write(head.join('\r\n') + body.slice(0, 10_000));
  // A request on another connection is answered after the server has read what came before it.
  await fetch(`${server.url}/healthz`);
  server.signal('SIGTERM');
  await until({ what: 'it refuses new connections', withinMs: 5_000, ask: async () => await refuses(server.url) });
  socket.write(body.slice(10_000));
  const told = await answer;
  assert.match(told, /^HTTP\/1\.1 200 /);
  assert.deepEqual(await server.exited, { code: 0, signal: null });

  const id = /msgbatch_\w+/.exec(told)?.[0] ?? '';
  const client = batchClient(await startServer(t, options));
  await client.ended(id);
  oneLineEach(await client.results(id), ids);
});

test('a second SIGTERM ends the process at once', async (t) => {
  const upstream = await upstreamFor(t, { profile: { faults: { hang: 1 } } });
  const server = await startServer(t, { upstream: `anthropic:${upstream.url}` });
  await batchClient(server).create({ body: rows(4).body });
  await until({ what: 'calls hang', withinMs: 5_000, ask: async () => (await upstream.stats()).inFlight > 0 });
  server.signal('SIGTERM');
  await until({ what: 'it refuses new connections', withinMs: 5_000, ask: async () => await refuses(server.url) });
  // So close together that a terminal could have sent both, two signals are one: it is asked until it ends.
  let exit: Exit | null = null;
  void server.exited.then((ended) => (exit = ended));
  await until({
    what: 'it has ended',
    withinMs: 2_000,
    ask: async () => {
      server.signal('SIGTERM');
      return exit !== null;
    },
  });
  assert.deepEqual(exit, { code: 143, signal: null });
});

test('a second process on the same folder is refused with a message', async (t) => {
  const server = await startServer(t);
  const second = await runServer({ data: server.data });
  assert.equal(second.code, 1);
  assert.match(second.stderr, /in use|already|another/i);
  assert.ok(second.stderr.includes(server.data), second.stderr);
  // The first one has taken no harm.
  const client = batchClient(server);
  await client.ended((await client.create({ body: rows(3).body })).id);
});

test('only its own user can look into the data folder', async (t) => {
  const server = await startServer(t);
  const client = batchClient(server);
  await client.ended((await client.create({ body: rows(50).body })).id);
  assert.equal(modeOf(server.data), 0o700);
  const entries = globSync('**/*', { cwd: server.data }).map((name) => path.join(server.data, name));
  assert.ok(entries.length > 8, 'a folder that is in use');
  const open = entries.filter((entry) => modeOf(entry) !== (statSync(entry).isDirectory() ? 0o700 : 0o600));
  assert.deepEqual(open, []);
});

test('the log never holds a prompt, an answer or a key', async (t) => {
  const upstream = await upstreamFor(t, { profile: { faults: { status400: 0.2, garbage: 0.1, status500: 0.1 } } });
  const marks = {
    prompt: 'xylophone-prompt',
    system: 'xylophone-system',
    upstreamKey: 'sk-xylophone-upstream',
    customId: 'xylophone-id',
  };
  const env = { NIGHTSHIFT_UPSTREAM_API_KEY: marks.upstreamKey };
  const server = await startServer(t, { upstream: `anthropic:${upstream.url}`, flags: ['--log-level', 'trace'], env });
  const client = batchClient(server);
  const params = (at: number): string =>
    JSON.stringify({
      model: 'm',
      max_tokens: 16,
      system: marks.system,
      messages: [{ role: 'user', content: `row-${at} ${marks.prompt}` }],
    });
  const requests = Array.from({ length: 50 }, (_, at) =>
    requestOf({ id: `${marks.customId}-${at}`, params: params(at) }),
  );
  const { id } = await client.create({ body: bodyOf(requests) });
  await client.ended(id);
  assert.match(await client.rawResults(id), /quick brown fox/);
  // Bodies that break in the middle of a prompt, of every kind, and a key that is none.
  await client.send({ body: bodyOf(requests).slice(0, 300) });
  await client.send({ body: `{"requests":[{"custom_id":"a b","params":${params(0)}}]}` });
  await client.send({ body: bodyOf(requests), headers: { 'x-api-key': `${testKey}-wrong` } });
  await server.stop();
  const log = server.log();
  assert.ok(log.includes('"attempt"') && log.includes(id), 'it is a log at level trace');
  for (const mark of ['xylophone', 'quick brown fox', testKey])
    assert.ok(!log.includes(mark), `${mark} is in the log:\n${lineWith(log, mark)}`);
});

test('a journal whose tail was torn is taken up again', async (t) => {
  const upstream = await upstreamFor(t, { profile: { latencyMs: 100 } });
  const options = {
    data: await scratchFolder(t),
    upstream: `anthropic:${upstream.url}`,
    flags: ['--concurrency', '4'],
  };
  const first = await startServer(t, options);
  const { ids, body } = rows(30);
  const { id } = await batchClient(first).create({ body });
  await until({ what: 'some are answered', withinMs: 5_000, ask: async () => (await upstream.stats()).answers >= 8 });
  await first.kill();
  const journals = globSync('journal/*', { cwd: options.data }).toSorted();
  const newest = path.join(options.data, journals.at(-1) ?? '');
  // What a crash in the middle of a write leaves: the head of a record, and then nothing.
  await appendFile(newest, Buffer.from([0xff, 0x01, 0x00, 0x00, 0x12, 0x34]));

  const second = await startServer(t, options);
  const client = batchClient(second);
  await client.ended(id);
  oneLineEach(await client.results(id), ids);
  assert.match(second.log(), /torn tail/);
});

async function upstreamFor(t: TestContext, options: UpstreamOptions): Promise<Upstream> {
  const upstream = await startUpstream(options);
  t.after(() => upstream.stop());
  return upstream;
}

async function refuses(url: string): Promise<boolean> {
  return await fetch(`${url}/healthz`).then(
    () => false,
    () => true,
  );
}

function modeOf(entry: string): number {
  return statSync(entry).mode & 0o777;
}

function lineWith(log: string, mark: string): string {
  return log.split('\n').find((line) => line.includes(mark)) ?? '';
}
