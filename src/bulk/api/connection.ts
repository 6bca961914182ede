/** One HTTP exchange with a batch API: its headers, what its answers tell of the server, and the end of connections on which nothing moves. */
import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { ApiError } from '../contract.ts';
import { API_IDLE_MS } from '../limits.ts';
import type { World } from '../run/world.ts';
import { readCapabilities } from './reading.ts';

export type ApiWorld = Pick<World, 'nowMs' | 'after'>;

/** Who the API says we are; ledgers compare it, because a list of another workspace proves nothing. */
export type Identity = { readonly organizationId: string | null; readonly workspaceId: string | null };

export type Query = {
  readonly method: 'GET' | 'POST';
  /** From the base URL on, with a leading slash. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
};

export type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly message: IncomingMessage;
};

export class Connection {
  readonly world: ApiWorld;
  readonly #base: URL;
  readonly #headers: () => Promise<Readonly<Record<string, string>>>;
  readonly #agent: HttpAgent | HttpsAgent;
  #capabilities: ReadonlySet<string> = new Set();
  #clockAheadMs = 0;
  #identity: Identity = { organizationId: null, workspaceId: null };

  constructor(options: {
    readonly baseUrl: string;
    /** Asked for before each exchange, as keys may be short-lived. */
    readonly headers: () => Promise<Readonly<Record<string, string>>>;
    readonly world: ApiWorld;
  }) {
    this.world = options.world;
    this.#base = new URL(options.baseUrl.replace(/\/+$/, ''));
    this.#headers = options.headers;
    this.#agent = this.#isSecure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  }

  get capabilities(): ReadonlySet<string> {
    return this.#capabilities;
  }

  get clockAheadMs(): number {
    return this.#clockAheadMs;
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** The server's clock, as far as it is known. */
  serverNowMs(): number {
    return this.world.nowMs() + this.#clockAheadMs;
  }

  /** A request whose body is still to be written. `own`: on a connection of its own, which carries nothing before or after. */
  async open(query: Query, { own }: { readonly own: boolean }): Promise<ClientRequest> {
    const common = await this.#headers();
    query.signal.throwIfAborted();
    const begin = this.#isSecure ? httpsRequest : httpRequest;
    const path = this.#base.pathname === '/' ? query.path : this.#base.pathname + query.path;
    const outgoing = begin({
      protocol: this.#base.protocol,
      hostname: this.#base.hostname.replace(/^\[|\]$/g, ''),
      port: this.#base.port === '' ? undefined : this.#base.port,
      path,
      method: query.method,
      headers: { ...common, 'accept-encoding': 'identity', ...query.headers },
      agent: own ? false : this.#agent,
    });
    const abort = (): void => void outgoing.destroy(asError(query.signal.reason));
    query.signal.addEventListener('abort', abort, { once: true });
    outgoing.once('close', () => query.signal.removeEventListener('abort', abort));
    outgoing.on('error', () => undefined); // whoever waits listens as well
    outgoing.once('response', (message: IncomingMessage) => this.#remember(message.headers));
    return outgoing;
  }

  /** Sends a small body, or none, and waits for the head of the answer. */
  async ask(query: Query, body: Uint8Array | null, answerMs: number): Promise<Answer> {
    try {
      const outgoing = await this.open(query, { own: false });
      const watch = new IdleWatch(this.world, () =>
        outgoing.destroy(new Error(`no answer within ${answerMs / 1_000} s`)),
      );
      watch.begin(answerMs);
      try {
        const answered = answerOf(outgoing);
        outgoing.end(body ?? undefined);
        return await answered;
      } finally {
        watch.end();
      }
    } catch (error) {
      throw asApiError(error, query.signal);
    }
  }

  /** The bytes of an answer as they come; a reader that takes its time is no idle connection. */
  async *bodyOf({ message }: Answer, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const watch = new IdleWatch(this.world, () => message.destroy(new Error(`no byte for ${API_IDLE_MS / 1_000} s`)));
    try {
      watch.begin(API_IDLE_MS);
      for await (const piece of message) {
        watch.end();
        yield piece as Uint8Array;
        watch.begin(API_IDLE_MS);
      }
    } catch (error) {
      throw asApiError(error, signal);
    } finally {
      watch.end();
      message.destroy();
    }
  }

  /** A whole answer of at most so many bytes. */
  async wholeBodyOf(answer: Answer, signal: AbortSignal, bytesMax: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of this.bodyOf(answer, signal)) {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes > bytesMax) {
        throw failed('unreadable_answer', `an answer longer than ${bytesMax} bytes`);
      }
    }
    return Buffer.concat(pieces);
  }

  close(): void {
    this.#agent.destroy();
  }

  get #isSecure(): boolean {
    return this.#base.protocol === 'https:';
  }

  #remember(headers: IncomingHttpHeaders): void {
    this.#capabilities = readCapabilities(headers) ?? this.#capabilities;
    const date = headers.date === undefined ? Number.NaN : Date.parse(headers.date);
    if (!Number.isNaN(date)) {
      this.#clockAheadMs = date - this.world.nowMs();
    }
    const { organizationId, workspaceId } = this.#identity;
    this.#identity = {
      organizationId: textOf(headers['anthropic-organization-id']) ?? organizationId,
      workspaceId: textOf(headers['anthropic-workspace-id']) ?? workspaceId,
    };
  }
}

/** Calls back when nothing ended its wait in time; `begin` again moves the time on. Cheap enough for every piece of a body. */
export class IdleWatch {
  readonly #world: ApiWorld;
  readonly #onIdle: () => void;
  #untilMs: number | null = null;
  #stop: (() => void) | null = null;

  constructor(world: ApiWorld, onIdle: () => void) {
    this.#world = world;
    this.#onIdle = onIdle;
  }

  begin(ms: number): void {
    this.end();
    this.#untilMs = this.#world.nowMs() + ms;
    this.#stop = this.#world.after(ms, () => {
      if (this.#untilMs !== null) {
        this.#untilMs = null;
        this.#onIdle();
      }
    });
  }

  end(): void {
    this.#untilMs = null;
    this.#stop?.();
    this.#stop = null;
  }
}

/** Resolves at the head of the answer; rejects when the connection ends before it. */
export function answerOf(outgoing: ClientRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', (message: IncomingMessage) => {
      message.on('error', () => undefined); // its reader listens as well
      resolve({ status: message.statusCode ?? 0, headers: message.headers, message });
    });
    outgoing.once('error', reject);
    outgoing.once('close', () => reject(new Error('the connection ended without an answer')));
  });
}

export function failed(type: string, message: string): ApiError {
  return new ApiError({ status: null, type, message, retryAfterMs: null });
}

/** Errors of connections have one type; an abort stays what its signal says. */
export function asApiError(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) {
    return signal.reason;
  }
  return error instanceof ApiError ? error : failed('connection_error', describe(error));
}

export function describe(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const code = (error as NodeJS.ErrnoException).code;
  const message = error instanceof AggregateError ? error.errors.map(describe).join('; ') : error.message;
  return code === undefined || message.includes(code) ? message : `${message} (${code})`;
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

function textOf(value: string | string[] | undefined): string | null {
  return value === undefined ? null : [value].flat().join(',');
}
