import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { StartError } from '../domain/errors.ts';
import { createApp } from './app.ts';
import { AUTH, BATCH_ID, testBatch, testDeps, type TestFace } from './fake-face.ts';
import { listen, type Listening } from './listen.ts';

const path = '/v1/messages/batches';
const auth = Object.entries(AUTH).map(([name, value]) => `${name}: ${value}\r\n`);
const head = (method: string, target: string, ...more: string[]) =>
  `${method} ${target} HTTP/1.1\r\nhost: box\r\n${auth.join('')}${more.map((line) => `${line}\r\n`).join('')}\r\n`;

async function serve(context: TestContext, deps: TestFace): Promise<Listening> {
  const server = await listen({ app: createApp(deps), host: '127.0.0.1', port: 0, world: deps.world });
  context.after(() => server.close({ drainMs: 0 }));
  return server;
}

type Answer = { status: number; headers: Headers; text: string };

/** A client of bytes: writes what it is told and cuts answers out of what comes. */
class Client {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  #text = '';
  #wake: () => void = () => {};

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setEncoding('latin1').on('data', (text: string) => {
      this.#text += text;
      this.#wake();
    });
    this.socket.on('error', () => {});
    this.closed = once(this.socket, 'close').then(() => this.#wake());
  }

  write(text: string | Uint8Array): void {
    this.socket.write(text);
  }

  async answer(): Promise<Answer> {
    for (;;) {
      const match = /^HTTP\/1\.1 (\d+) [^\r]*\r\n((?:[^\r]+\r\n)*)\r\n/.exec(this.#text);
      if (match !== null) {
        const lines = (match[2] ?? '')
          .trimEnd()
          .split('\r\n')
          .filter(Boolean)
          .map((line) => line.split(/: (.*)/s).slice(0, 2));
        const headers = new Headers(lines as [string, string][]);
        const length = Number(headers.get('content-length') ?? 0);
        if (this.#text.length >= match[0].length + length) {
          const text = this.#text.slice(match[0].length, match[0].length + length);
          this.#text = this.#text.slice(match[0].length + length);
          return { status: Number(match[1]), headers, text };
        }
      }
      assert.equal(this.socket.closed, false, `closed without an answer: ${this.#text}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

function expectJsonError(answer: Answer, status: number): void {
  assert.equal(answer.status, status);
  assert.equal(answer.headers.get('content-type'), 'application/json');
  const body = JSON.parse(answer.text) as { type: string; request_id: string };
  assert.equal(body.type, 'error');
  assert.equal(body.request_id, answer.headers.get('request-id'));
}

test('a create over a socket is answered, and its answer is known to be written', async (context) => {
  const deps = testDeps();
  const answered = Promise.withResolvers<string>();
  deps.service.answered = answered.resolve;
  const client = new Client((await serve(context, deps)).port);
  client.write(head('POST', path, 'content-length: 2') + '{}');
  const answer = await client.answer();
  assert.equal(answer.status, 200);
  assert.equal(await answered.promise, BATCH_ID);
  const event = await deps.world.event('http');
  assert.deepEqual([event.status, event.route], [200, path]);
  client.socket.destroy();
});

test('a client that leaves before the answer aborts the signal, and is not taken for answered', async (context) => {
  const deps = testDeps();
  const begun = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<void>();
  deps.service.create = async ({ body, signal }) => {
    for await (const _part of body) begun.resolve();
    await once(signal, 'abort');
    aborted.resolve();
    return { batch: testBatch(), repeated: false };
  };
  const client = new Client((await serve(context, deps)).port);
  client.write(head('POST', path, 'content-length: 2') + '{}');
  await begun.promise;
  client.socket.destroy();
  await aborted.promise;
  assert.equal((await deps.world.event('http')).status, 499);
  assert.deepEqual(deps.service.answeredIds, []);
});

test('a client that leaves in mid-body ends the upload with an error, and that is no failure of ours', async (context) => {
  const deps = testDeps();
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<unknown>();
  deps.service.create = async ({ body, signal }) => {
    try {
      for await (const _part of body) begun.resolve();
    } catch (error) {
      ended.resolve(signal.aborted);
      throw error;
    }
    return { batch: testBatch(), repeated: false };
  };
  const client = new Client((await serve(context, deps)).port);
  client.write(head('POST', path, 'content-length: 100') + '{');
  await begun.promise;
  client.socket.destroy();
  assert.equal(await ended.promise, true);
  assert.equal((await deps.world.event('http')).status, 499);
  assert.equal(
    deps.world.events.some((event) => event.kind === 'failure'),
    false,
  );
});

test('a body that drips is a 408 and the connection is closed', async (context) => {
  const deps = testDeps({ upload: { bytesMax: 1_000_000_000, idleMs: 60, progressBytesMin: 1_000 } });
  const client = new Client((await serve(context, deps)).port);
  client.write(head('POST', path, 'content-length: 100000000'));
  const drip = setInterval(() => client.write('x'), 10);
  const answer = await client.answer();
  clearInterval(drip);
  expectJsonError(answer, 408);
  assert.equal(answer.headers.get('connection'), 'close');
  client.socket.end();
  await client.closed;
});

test('a declared body over the limit is refused before it is sent', async (context) => {
  const deps = testDeps();
  const client = new Client((await serve(context, deps)).port);
  client.write(head('POST', path, 'content-length: 268435457'));
  const answer = await client.answer();
  expectJsonError(answer, 413);
  assert.equal(answer.headers.get('connection'), 'close');
  client.socket.end();
  await client.closed;
  assert.equal(deps.service.created.length, 0);
});

test('a chunked body over the limit is refused, and a client that sends on still gets its answer', async (context) => {
  const deps = testDeps({ upload: { bytesMax: 100_000, idleMs: 30_000, progressBytesMin: 1 } });
  const client = new Client((await serve(context, deps)).port);
  client.write(head('POST', path, 'transfer-encoding: chunked'));
  const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
  for (let count = 0; count < 40; count++) client.write(chunk);
  expectJsonError(await client.answer(), 413);
  for (let count = 0; count < 40; count++) client.write(chunk);
  client.write('0\r\n\r\n');
  await client.closed;
});

test('after an error in mid-body a small rest is thrown away and the connection goes on', async (context) => {
  const deps = testDeps();
  const good = deps.service.create;
  deps.service.create = async ({ body }) => {
    for await (const _part of body) throw new Error('bad start');
    return assert.fail('no body');
  };
  const client = new Client((await serve(context, deps)).port);
  client.write(head('POST', path, 'content-length: 200000') + 'x'.repeat(100));
  expectJsonError(await client.answer(), 500);
  deps.service.create = good;
  client.write('x'.repeat(199_900) + head('POST', path, 'content-length: 2') + '{}');
  assert.equal((await client.answer()).status, 200);
  assert.equal(Buffer.from(deps.service.created[0]!.bytes).toString(), '{}');
  client.socket.destroy();
});

test('an unauthenticated upload is answered at once and its rest does not confuse the next request', async (context) => {
  const client = new Client((await serve(context, testDeps())).port);
  client.write(`POST ${path} HTTP/1.1\r\nhost: box\r\ncontent-length: 5\r\n\r\nGET /` + head('GET', path));
  expectJsonError(await client.answer(), 401);
  assert.equal((await client.answer()).status, 200);
  client.socket.destroy();
});

test('what is not HTTP, a missing or bad Host and huge headers get JSON errors', async (context) => {
  const { port } = await serve(context, testDeps());
  const rows: [string, number][] = [
    ['hello\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nhost: a b\r\n\r\n', 400],
    ['GET /\\x HTTP/1.1\r\nhost: box\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nhost: box\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431],
    [head('POST', path, 'transfer-encoding: chunked') + 'zz\r\n', 400],
    ['GET / HTTP/1.1\r\nhost: box\r\nexpect: miracles\r\n\r\n', 404],
    ['CONNECT box:1 HTTP/1.1\r\nhost: box\r\n\r\n', 400],
  ];
  for (const [text, status] of rows) {
    const client = new Client(port);
    client.write(text);
    expectJsonError(await client.answer(), status);
    client.socket.destroy();
  }
});

test('garbage behind a whole request is not answered in its place', async (context) => {
  const deps = testDeps();
  const retrieve = Promise.withResolvers<ReturnType<typeof testBatch>>();
  deps.service.retrieve = () => retrieve.promise;
  const client = new Client((await serve(context, deps)).port);
  client.write(`${head('GET', `${path}/${BATCH_ID}`)}garbage\r\n\r\n`);
  await client.closed;
  retrieve.resolve(testBatch());
  await assert.rejects(client.answer());
});

test('a client that expects 100-continue is asked for the body only when it is wanted', async (context) => {
  const deps = testDeps();
  const { port } = await serve(context, deps);
  const wanted = new Client(port);
  wanted.write(head('POST', path, 'content-length: 2', 'expect: 100-continue'));
  assert.equal((await wanted.answer()).status, 100);
  wanted.write('{}');
  assert.equal((await wanted.answer()).status, 200);
  wanted.socket.destroy();
  const refused = new Client(port);
  refused.write(head('POST', path, 'content-length: 268435457', 'expect: 100-continue'));
  expectJsonError(await refused.answer(), 413);
  refused.socket.end();
  await refused.closed;
  const small = new Client(port);
  small.write(`POST ${path} HTTP/1.1\r\nhost: box\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n`);
  const answer = await small.answer();
  expectJsonError(answer, 401);
  assert.equal(answer.headers.get('connection'), 'close');
  small.socket.destroy();
});

test('a download whose reader leaves is closed; one whose reader takes nothing is cut', async (context) => {
  const deps = testDeps({ downloadIdleMs: 50 });
  let closed = Promise.withResolvers<void>();
  const piece = new Uint8Array(512 * 1024);
  deps.service.results = async () => ({
    batch: testBatch(),
    bytes: piece.byteLength * 1_000,
    etag: 'e',
    async *read() {
      try {
        for (let count = 0; count < 1_000; count++) yield piece;
      } finally {
        closed.resolve();
      }
    },
  });
  const { port } = await serve(context, deps);
  for (const leave of [true, false]) {
    closed = Promise.withResolvers();
    const client = new Client(port);
    client.socket.once('data', () => (leave ? client.socket.destroy() : client.socket.pause()));
    client.write(head('GET', `${path}/${BATCH_ID}/results`));
    await closed.promise;
    client.socket.destroy();
  }
  assert.equal(
    deps.world.events.some((event) => event.kind === 'failure'),
    false,
  );
});

test('a download that fails in the middle is cut short of its length', async (context) => {
  const deps = testDeps();
  deps.service.results = async () => ({
    batch: testBatch(),
    bytes: 100,
    etag: 'e',
    async *read() {
      yield new Uint8Array(10);
      throw new Error('disk');
    },
  });
  const client = new Client((await serve(context, deps)).port);
  client.write(head('GET', `${path}/${BATCH_ID}/results`));
  await client.closed;
  assert.equal((await deps.world.event('failure')).where, 'http/results');
  assert.equal((await deps.world.event('http')).status, 499);
});

test('closing: idle connections go, what is in flight is answered, the address is free again', async (context) => {
  const deps = testDeps();
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  deps.service.retrieve = async () => {
    begun.resolve();
    await go.promise;
    return testBatch();
  };
  const server = await serve(context, deps);
  const idle = new Client(server.port);
  idle.write(head('GET', '/healthz'));
  await idle.answer();
  const busy = new Client(server.port);
  busy.write(head('GET', `${path}/${BATCH_ID}`));
  await begun.promise;
  const closing = server.close({ drainMs: 60_000 });
  await idle.closed;
  go.resolve();
  const answer = await busy.answer();
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('connection'), 'close');
  await closing;
  await busy.closed;
  await (
    await listen({ app: createApp(deps), host: '127.0.0.1', port: server.port, world: deps.world })
  ).close({ drainMs: 0 });
});

test('closing: when the time is over, what still hangs is cut', async (context) => {
  const deps = testDeps();
  const begun = Promise.withResolvers<void>();
  deps.service.retrieve = () => (begun.resolve(), new Promise(() => {}));
  const server = await serve(context, deps);
  const client = new Client(server.port);
  client.write(head('GET', `${path}/${BATCH_ID}`));
  await begun.promise;
  await Promise.all([server.close({ drainMs: 10 }), server.close({ drainMs: 10 }), client.closed]);
});

test('a port in use refuses the start and says what to do', async (context) => {
  const deps = testDeps();
  const { port } = await serve(context, deps);
  await assert.rejects(listen({ app: createApp(deps), host: '127.0.0.1', port, world: deps.world }), (error) => {
    assert.ok(error instanceof StartError);
    assert.equal(error.message, `cannot listen on 127.0.0.1:${port}: it is in use`);
    assert.match(error.hint, /--port/);
    return true;
  });
});
