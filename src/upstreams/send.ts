/** Calls over the network: `Send` of the world, made of one undici pool an origin. */
import { buildConnector, Pool, type Dispatcher } from 'undici';
import { ResponseTooLargeError, SendError, type Send, type UpstreamRequest, type UpstreamResponse } from '../ports/world.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** Shorter than the five seconds after which common servers close an idle connection, so that a call seldom meets its end. */
const KEEP_ALIVE_MS = 4_000;
/** URLs are few (one or two an upstream); beyond this the cache is begun anew. */
const TARGETS_MAX = 1_000;

export type Sender = { readonly send: Send; close(): Promise<void> };

/** `connections` bounds each origin; null leaves the bound to the callers, whose lanes have windows of their own. */
export function createSend(options: { connections: number | null }): Sender {
  const pools = new Map<string, Pool>();
  const targets = new Map<string, Target>();

  function targetOf(url: string): Target {
    const known = targets.get(url);
    if (known !== undefined) return known;
    if (targets.size >= TARGETS_MAX) targets.clear();
    const { origin, pathname, search } = new URL(url);
    let pool = pools.get(origin);
    if (pool === undefined) pools.set(origin, (pool = openPool(origin, options.connections)));
    const target = { pool, path: pathname + search };
    targets.set(url, target);
    return target;
  }

  async function send(request: UpstreamRequest): Promise<UpstreamResponse> {
    const { headers, body, signal } = request;
    try {
      const { pool, path } = targetOf(request.url);
      const answer = await pool.request({ method: 'POST', path, headers, body, signal });
      return { status: answer.statusCode, headers: joinedHeaders(answer.headers), body: new Body(answer, signal) };
    } catch (error) {
      throw explained(error, signal);
    }
  }

  async function close(): Promise<void> {
    await Promise.all([...pools.values()].map((pool) => pool.destroy()));
  }

  return { send, close };
}

type Target = { readonly pool: Pool; readonly path: string };

/** undici's own timeouts are off: the engine has one sweep for all calls. */
function openPool(origin: string, connections: number | null): Pool {
  return new Pool(origin, {
    connections,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connect: connectorThatSaysSo(),
  });
}

/** Before a connection stands nothing can have been sent; this error is how `explained` knows. */
class ConnectError extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
    this.name = 'ConnectError';
  }
}

function connectorThatSaysSo(): buildConnector.connector {
  const connect = buildConnector({ timeout: CONNECT_TIMEOUT_MS, allowH2: false });
  return (options, callback) => {
    connect(options, (...[error, socket]) => {
      if (error === null) callback(null, socket as NonNullable<typeof socket>);
      else callback(new ConnectError(error), null);
    });
  };
}

class Body {
  readonly #answer: Dispatcher.ResponseData;
  readonly #signal: AbortSignal;

  constructor(answer: Dispatcher.ResponseData, signal: AbortSignal) {
    this.#answer = answer;
    this.#signal = signal;
  }

  async bytes(max: number): Promise<Uint8Array> {
    const { body, headers } = this.#answer;
    const announced = Number(headers['content-length'] ?? NaN);
    try {
      // A body of a known length cannot outgrow it (undici checks), so the quickest way is safe.
      if (announced <= max) return await body.bytes();
      if (announced > max) throw new ResponseTooLargeError(max);
      return await collected(body, max);
    } catch (error) {
      if (!(error instanceof ResponseTooLargeError)) throw explained(error, this.#signal);
      body.on('error', () => undefined).destroy(error);
      throw error;
    }
  }

  async *stream(): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of this.#answer.body) yield piece as Uint8Array;
    } catch (error) {
      throw explained(error, this.#signal);
    }
  }
}

/** Listens instead of iterating: an answer of many small pieces then costs no promise a piece. */
function collected(body: Dispatcher.ResponseData['body'], max: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    // An end that came before anybody listened is not told again.
    if (body.destroyed) reject(body.errored ?? new Error('the answer was cut off'));
    const pieces: Buffer[] = [];
    let length = 0;
    body.on('data', (piece: Buffer) => {
      length += piece.length;
      if (length <= max) pieces.push(piece);
      else reject(new ResponseTooLargeError(max));
    });
    body.on('end', () => resolve(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces, length)));
    body.on('error', reject);
    body.on('close', () => reject(new Error('the answer was cut off')));
  });
}

function joinedHeaders(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  for (const name in headers) {
    const value = headers[name];
    if (Array.isArray(value)) headers[name] = value.join(', ');
  }
  return headers as Record<string, string>;
}

function explained(error: unknown, signal: AbortSignal): Error {
  if (signal.aborted) return abortError(signal);
  const message = error instanceof Error ? error.message : String(error);
  return new SendError(message, { sent: perhapsSent(error), cause: error instanceof ConnectError ? error.cause : error });
}

function abortError(signal: AbortSignal): Error {
  const error = new Error('the call was aborted', { cause: signal.reason });
  error.name = 'AbortError';
  return error;
}

/** Errors of undici that come before anything is written. */
const unsentCodes: ReadonlySet<unknown> = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_CLOSED', 'ERR_INVALID_URL']);

/**
 * Whether the upstream may have the whole request. A failed *write* says no: with one request on a connection at a
 * time, what could not be written was a part of this one. Every other end of a connection leaves it open.
 */
function perhapsSent(error: unknown): boolean {
  if (error instanceof ConnectError) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  return !(unsentCodes.has(code) || syscall === 'write');
}
