import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createNetServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { ResponseTooLargeError, SendError, type UpstreamResponse } from '../ports/world.ts';
import { createSend } from './send.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

describe('an answer', () => {
  test('has its status, its headers joined and its body', async (t) => {
    const { call } = await httpFixture(t, (request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        response.writeHead(201, { 'X-Many': ['a', 'b'], 'Content-Type': 'application/json', 'X-Path': request.url });
        response.end(Buffer.concat(pieces));
      });
    });
    const answer = await call({ path: '/v1/messages?beta=true', body: 'hello' });
    assert.equal(answer.status, 201);
    assert.equal(answer.headers['x-many'], 'a, b');
    assert.equal(answer.headers['content-type'], 'application/json');
    assert.equal(answer.headers['x-path'], '/v1/messages?beta=true');
    assert.equal(text(await answer.body.bytes(100)), 'hello');
  });

  test('resolves at the headers, before the body has come', async (t) => {
    const { call, next } = await httpFixture(t, (_request, response) => response.writeHead(200).flushHeaders());
    const answer = await call({});
    (await next).end('late');
    assert.equal(text(await answer.body.bytes(10)), 'late');
  });

  test('streams', async (t) => {
    const { call } = await httpFixture(t, (_request, response) => {
      response.write('one ');
      response.end('two');
    });
    const pieces: Uint8Array[] = [];
    for await (const piece of (await call({})).body.stream()) pieces.push(piece);
    assert.equal(text(Buffer.concat(pieces)), 'one two');
  });

  test('of many pieces and no announced length comes whole, up to the bound exactly', async (t) => {
    const { call } = await httpFixture(t, (_request, response) => {
      for (let count = 0; count < 64; count++) response.write(Buffer.alloc(16 * KiB, count));
      response.end();
    });
    const bytes = await (await call({})).body.bytes(MiB);
    assert.equal(bytes.length, MiB);
    assert.equal(bytes[MiB - 1], 63);
  });

  for (const announced of [true, false]) {
    test(`that is too large is cut off and its connection closed (length ${announced ? '' : 'not '}announced)`, async (t) => {
      const { call, next } = await httpFixture(t, (_request, response) => {
        if (announced) response.setHeader('content-length', 64 * MiB);
        response.write(Buffer.alloc(MiB));
      });
      const answer = await call({});
      const closed = next.then((response) => once(response, 'close'));
      await assert.rejects(answer.body.bytes(64 * KiB), ResponseTooLargeError);
      await closed;
    });
  }
});

describe('a call that fails', () => {
  test('because nobody listens was surely not sent', async (t) => {
    const { call, server } = await httpFixture(t, () => undefined);
    server.close();
    await once(server, 'close');
    await rejectsSent(call({}), false);
    await rejectsSent(call({ host: 'localhost' }), false);
  });

  test('because the host is unknown was surely not sent', async (t) => {
    const sender = opened(t);
    const signal = new AbortController().signal;
    await rejectsSent(
      sender.send({ url: 'http://nowhere.invalid/', headers: {}, body: new Uint8Array(), signal }),
      false,
    );
  });

  test('in the handshake was surely not sent', async (t) => {
    const port = await netFixture(t, (socket) => socket.end('this is not TLS\r\n'));
    const signal = new AbortController().signal;
    await rejectsSent(
      opened(t).send({ url: `https://127.0.0.1:${port}/`, headers: {}, body: new Uint8Array(), signal }),
      false,
    );
  });

  test('because the URL is none was surely not sent', async (t) => {
    const signal = new AbortController().signal;
    await rejectsSent(opened(t).send({ url: 'nonsense', headers: {}, body: new Uint8Array(), signal }), false);
  });

  for (const way of ['ended', 'reset'] as const) {
    test(`because the connection was ${way} before an answer was perhaps sent`, async (t) => {
      const port = await netFixture(t, (socket) => {
        socket.once('data', () => (way === 'reset' ? socket.resetAndDestroy() : socket.end()));
      });
      await rejectsSent(post(t, port), true);
    });
  }

  test('because the connection was reset inside the answer was perhaps sent', async (t) => {
    for (const head of ['content-length: 100\r\n\r\nhalf', 'transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n']) {
      const port = await netFixture(t, (socket) => {
        socket.once('data', () => {
          socket.write(`HTTP/1.1 200 OK\r\n${head}`, () => socket.resetAndDestroy());
        });
      });
      await rejectsSent(
        post(t, port).then((answer) => answer.body.bytes(KiB)),
        true,
      );
    }
  });

  test('because the answer is not HTTP was perhaps sent', async (t) => {
    const port = await netFixture(t, (socket) => socket.once('data', () => socket.end('rubbish\r\n\r\n')));
    await rejectsSent(post(t, port), true);
  });

  test('while its large body was still being written was surely not sent whole', async (t) => {
    const port = await netFixture(t, (socket) => {
      socket.once('data', () => socket.pause().resetAndDestroy());
    });
    const error = await post(t, port, Buffer.alloc(64 * MiB)).then(
      () => assert.fail('it was answered'),
      (reason: unknown) => reason,
    );
    assert(error instanceof SendError);
    const { syscall } = error.cause as NodeJS.ErrnoException;
    assert.equal(error.sent, syscall !== 'write', 'only a failed write proves it');
  });

  test('leaves the pool fit for the next call', async (t) => {
    let calls = 0;
    const { call } = await httpFixture(t, (request, response) => {
      if (calls++ === 0) request.socket.resetAndDestroy();
      else response.end('fine');
    });
    await rejectsSent(call({}), true);
    assert.equal(text(await (await call({})).body.bytes(10)), 'fine');
  });
});

describe('an aborted call', () => {
  const reason = new Error('canceled by the test');
  const isAbort = (error: Error): boolean => error.name === 'AbortError' && error.cause === reason;

  test('ends at once when it was aborted before', async (t) => {
    const { call } = await httpFixture(t, () => assert.fail('it was sent'));
    await assert.rejects(call({ signal: AbortSignal.abort(reason) }), isAbort);
  });

  test('ends while it waits for the answer, and closes the connection', async (t) => {
    const controller = new AbortController();
    const { call, next } = await httpFixture(t, () => undefined);
    const pending = call({ signal: controller.signal });
    const closed = next.then((response) => once(response, 'close'));
    await next;
    controller.abort(reason);
    await assert.rejects(pending, isAbort);
    await closed;
  });

  for (const way of ['bytes', 'stream'] as const) {
    test(`ends inside the answer (${way})`, async (t) => {
      const controller = new AbortController();
      const { call } = await httpFixture(t, (_request, response) => void response.write('begun'));
      const answer = await call({ signal: controller.signal });
      const reading = way === 'bytes' ? answer.body.bytes(100) : drained(answer);
      controller.abort(reason);
      await assert.rejects(reading, isAbort);
    });
  }

  for (const announced of [true, false]) {
    test(`ends before anybody reads the answer (length ${announced ? '' : 'not '}announced)`, async (t) => {
      const controller = new AbortController();
      const { call, next } = await httpFixture(t, (_request, response) => {
        if (announced) response.setHeader('content-length', 1_000);
        response.write('begun');
      });
      const answer = await call({ signal: controller.signal });
      const closed = next.then((response) => once(response, 'close'));
      controller.abort(reason);
      await closed;
      await assert.rejects(answer.body.bytes(2_000), isAbort);
    });
  }
});

async function rejectsSent(call: Promise<unknown>, sent: boolean): Promise<void> {
  await assert.rejects(call, (error: Error) => {
    assert(error instanceof SendError, String(error.stack));
    assert.equal(error.sent, sent, error.message);
    assert.notEqual(error.message, '');
    return true;
  });
}

async function drained(answer: UpstreamResponse): Promise<void> {
  for await (const _piece of answer.body.stream());
}

function opened(t: TestContext): ReturnType<typeof createSend> {
  const sender = createSend({ connections: 2 });
  t.after(() => sender.close());
  return sender;
}

async function httpFixture(t: TestContext, listener: RequestListener) {
  const { promise: next, resolve } = Promise.withResolvers<Parameters<RequestListener>[1]>();
  const server = createServer((request, response) => {
    resolve(response);
    listener(request, response);
  });
  const port = await listening(t, server);
  t.after(() => server.closeAllConnections());
  const sender = opened(t);
  const call = (request: {
    host?: string;
    path?: string;
    body?: string;
    signal?: AbortSignal;
  }): Promise<UpstreamResponse> =>
    sender.send({
      url: `http://${request.host ?? '127.0.0.1'}:${port}${request.path ?? '/'}`,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(request.body ?? '{}'),
      signal: request.signal ?? new AbortController().signal,
    });
  return { call, next, server };
}

async function netFixture(t: TestContext, onSocket: (socket: Socket) => void): Promise<number> {
  const server = createNetServer((socket) => {
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  return await listening(t, server);
}

async function listening(t: TestContext, server: Server | NetServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  return (server.address() as AddressInfo).port;
}

function post(t: TestContext, port: number, body: Uint8Array = Buffer.from('{}')): Promise<UpstreamResponse> {
  const signal = new AbortController().signal;
  return opened(t).send({ url: `http://127.0.0.1:${port}/`, headers: {}, body, signal });
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
