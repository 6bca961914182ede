/** The app on a socket: Node's server with its timeouts, answers to what is not HTTP, and an orderly end. */
import { getRequestListener } from '@hono/node-server';
import type { HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { AppError, StartError } from '../domain/errors.ts';
import { newId } from '../domain/id.ts';
import { KEEP_ALIVE_MS } from '../domain/limits.ts';
import type { World } from '../ports/world.ts';
import { errorReply, internalError } from './respond.ts';

export type ListenOptions = {
  readonly app: Hono<{ Bindings: HttpBindings }>;
  readonly host: string;
  readonly port: number;
  readonly world: World;
};

export type Listening = {
  readonly url: string;
  readonly port: number;
  /** Takes nothing new, waits until what is in flight is answered or the time is over, then cuts. May be called twice. */
  close(options: { drainMs: number }): Promise<void>;
};

export async function listen({ app, host, port, world }: ListenOptions): Promise<Listening> {
  const requestId = (): string => newId('req', (count) => world.chance.bytes(count));
  const answerRequest = getRequestListener(app.fetch, {
    // A body nobody read is settled in unread.ts.
    autoCleanupIncoming: false,
    errorHandler: (error) => refuse(error, { world, requestId: requestId() }),
  });
  const inFlight = new Set<ServerResponse>();
  let closing: Promise<void> | null = null;
  // Uploads may take hours: their idle time is watched in upload.ts. A missing Host is refused by the adapter, in JSON.
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS, requireHostHeader: false });
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    inFlight.add(outgoing);
    if (closing !== null) outgoing.setHeader('connection', 'close');
    outgoing.once('close', () => {
      inFlight.delete(outgoing);
      if (closing !== null) server.closeIdleConnections();
    });
    void answerRequest(incoming, outgoing);
  };
  server.on('request', onRequest);
  // The body is invited in upload.ts, once the headers have passed.
  server.on('checkContinue', onRequest);
  // Without this listener Node answers an unknown `Expect` by itself, without a body.
  server.on('checkExpectation', onRequest);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // What follows a whole request must not be answered in its place.
    const started = [...inFlight].some(
      ({ socket: own, headersSent, req }) => own === socket && (headersSent || req.complete),
    );
    answerGarbage({ error, socket, started, requestId: requestId() });
  });
  // Without this listener Node closes the connection without a word.
  server.on('connect', (_incoming, socket) =>
    answerGarbage({ error: new Error('CONNECT'), socket, started: false, requestId: requestId() }),
  );
  await bind(server, { host, port });
  // No more file descriptors, for one: the server goes on with the connections it has.
  server.on('error', (error) => world.emit({ kind: 'failure', where: 'http/listen', error, requestId: null }));
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    close: ({ drainMs }) => (closing ??= closeServer({ server, inFlight, drainMs, world })),
  };
}

function bind(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException): void => reject(bindError(error, { host, port }));
    server.once('error', refused);
    server.listen({ host, port }, () => {
      server.off('error', refused);
      resolve();
    });
  });
}

function bindError(error: NodeJS.ErrnoException, { host, port }: { host: string; port: number }): Error {
  const hints: Readonly<Record<string, string>> = {
    EADDRINUSE: 'stop the other process or choose another port with --port (0 takes a free one)',
    EACCES: 'choose a port above 1023 with --port',
    EADDRNOTAVAIL: 'choose an address of this machine with --host',
    ENOTFOUND: 'choose an address of this machine with --host',
  };
  const hint = hints[error.code ?? ''] ?? 'look at --host and --port';
  const what = error.code === 'EADDRINUSE' ? 'it is in use' : error.message;
  return new StartError(`cannot listen on ${host}:${port}: ${what}`, { hint, cause: error });
}

type Closing = {
  readonly server: Server;
  readonly inFlight: ReadonlySet<ServerResponse>;
  readonly drainMs: number;
  readonly world: World;
};

function closeServer({ server, inFlight, drainMs, world }: Closing): Promise<void> {
  for (const outgoing of inFlight) {
    if (!outgoing.headersSent) outgoing.setHeader('connection', 'close');
  }
  return new Promise((resolve) => {
    const cancel = world.timers.after(drainMs, () => server.closeAllConnections());
    server.close(() => {
      cancel();
      resolve();
    });
  });
}

/** What the adapter could not make a request of (a bad Host or target), or a failure outside of every handler. */
function refuse(error: unknown, { world, requestId }: { world: World; requestId: string }): Response {
  const bad = error instanceof Error && error.name === 'RequestError';
  if (!bad) world.emit({ kind: 'failure', where: 'http/listen', error, requestId });
  const told = bad ? new AppError('invalid_request', error.message) : internalError();
  const { status, headers, body } = errorReply(told, requestId);
  return new Response(body, { status, headers: { 'request-id': requestId, ...headers } });
}

type Garbage = {
  readonly error: NodeJS.ErrnoException;
  readonly socket: Duplex;
  /** An answer has begun on this socket: nothing can be said any more. */
  readonly started: boolean;
  readonly requestId: string;
};

function answerGarbage({ error, socket, started, requestId }: Garbage): void {
  if (started || !socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const { body } = errorReply(new AppError('invalid_request', 'The request is not valid HTTP.'), requestId);
  const text = typeof body === 'string' ? body : '';
  const lines = [
    `HTTP/1.1 ${statusLines[error.code ?? ''] ?? '400 Bad Request'}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(text)}`,
    `request-id: ${requestId}`,
    'connection: close',
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${text}`, () => socket.destroy());
}

const statusLines: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};
