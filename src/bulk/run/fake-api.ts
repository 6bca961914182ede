/** For tests of the loop: a batch API in memory, on the test's clock, that fails as it is told to. */
import { ApiError, type BatchApi, type PostEnd, type RemoteBatch } from '../contract.ts';
import { parseCustomId } from '../../submit-once/custom-id.ts';
import type { World } from './world.ts';

export type FakePost =
  | { readonly kind: 'ok' | 'cut' | 'lost' | 'lost-after-commit' }
  | { readonly kind: 'lost-committed-late'; readonly afterMs: number }
  | { readonly kind: 'refused'; readonly status: number; readonly message?: string; readonly retryAfterMs?: number };

export type FakeRequest = {
  readonly custom_id: string;
  readonly params: { readonly max_tokens?: number; readonly messages?: unknown; readonly [name: string]: unknown };
};

type Made = {
  readonly id: string;
  readonly requests: readonly FakeRequest[];
  readonly atMs: number;
  listed: boolean;
  canceledAtMs: number | null;
};

export type FakeBehaviour = {
  onPost: (post: { readonly index: number; readonly requests: number; readonly bytes: number }) => FakePost;
  /** The result of a request; by default an answer. Undefined: its line is missing. */
  resultOf: (request: FakeRequest, batchId: string) => unknown;
  onMessage: (params: FakeRequest['params']) => { readonly status: number; readonly body: unknown };
  /** Throw to fail a call. */
  onCall: (what: 'list' | 'retrieve' | 'results') => void;
  /** Cuts a download after so many bytes; null: whole. */
  cutAt: (download: number) => number | null;
  strangers: readonly string[];
  capabilities: readonly string[];
  endsAfterMs: number;
  ranges: boolean;
};

export class FakeApi implements BatchApi {
  readonly behaviour: FakeBehaviour;
  readonly made: Made[] = [];
  posts = 0;
  downloads = 0;
  messages = 0;
  bytesSent = 0;
  readonly #world: World;
  readonly #byKey = new Map<string, string>();

  constructor(world: World, behaviour: Partial<FakeBehaviour> = {}) {
    this.#world = world;
    this.behaviour = {
      onPost: () => ({ kind: 'ok' }),
      resultOf: () => succeeded(),
      onMessage: () => ({ status: 200, body: message() }),
      onCall: () => {},
      cutAt: () => null,
      strangers: [],
      capabilities: [],
      endsAfterMs: 60_000,
      ranges: true,
      ...behaviour,
    };
  }

  capabilities(): ReadonlySet<string> {
    return new Set(this.behaviour.capabilities);
  }

  clockAheadMs(): number {
    return 0;
  }

  async post({ bytes, body, idempotencyKey }: Parameters<BatchApi['post']>[0]): Promise<PostEnd> {
    const fate = this.behaviour.onPost({ index: this.posts, bytes, requests: 0 });
    this.posts += 1;
    if (fate.kind === 'cut') return { kind: 'incomplete', message: 'the connection was cut' };
    if (fate.kind === 'refused') return this.#refuse(fate);
    const pieces: Uint8Array[] = [];
    try {
      for await (const piece of body) pieces.push(piece);
    } catch (error) {
      return { kind: 'incomplete', message: String(error) };
    }
    const whole = Buffer.concat(pieces);
    if (whole.length !== bytes) throw new Error(`announced ${bytes} bytes, sent ${whole.length}`);
    this.bytesSent += bytes;
    const { requests } = JSON.parse(whole.toString('utf8')) as { requests: FakeRequest[] };
    const known = this.#byKey.get(idempotencyKey);
    if (known !== undefined && this.behaviour.capabilities.includes('idempotency'))
      return { kind: 'created', batch: this.#view(known) };
    if (fate.kind === 'lost') return { kind: 'unclear', message: 'no answer' };
    const lateMs = fate.kind === 'lost-committed-late' ? fate.afterMs : 0;
    const id = this.#make(requests, lateMs);
    this.#byKey.set(idempotencyKey, id);
    return fate.kind === 'ok' ? { kind: 'created', batch: this.#view(id) } : { kind: 'unclear', message: 'no answer' };
  }

  async list({ afterId, limit }: Parameters<BatchApi['list']>[0]): ReturnType<BatchApi['list']> {
    this.behaviour.onCall('list');
    const nowMs = this.#world.nowMs();
    const all = this.made
      .filter(({ atMs, listed }) => atMs <= nowMs && listed)
      .sort((left, right) => right.atMs - left.atMs);
    const start = afterId === null ? 0 : all.findIndex(({ id }) => id === afterId) + 1;
    return {
      batches: all.slice(start, start + limit).map(({ id }) => this.#view(id)),
      hasMore: start + limit < all.length,
    };
  }

  async retrieve(id: string): Promise<RemoteBatch> {
    this.behaviour.onCall('retrieve');
    return this.#view(id);
  }

  async cancel(id: string): Promise<RemoteBatch> {
    const made = this.#find(id);
    made.canceledAtMs ??= this.#world.nowMs();
    return this.#view(id);
  }

  async results({ id, from }: Parameters<BatchApi['results']>[0]): ReturnType<BatchApi['results']> {
    this.behaviour.onCall('results');
    const whole = Buffer.from(this.#linesOf(this.#find(id)));
    const cut = this.behaviour.cutAt(this.downloads);
    this.downloads += 1;
    const start = this.behaviour.ranges ? from : 0;
    const piece = whole.subarray(start, cut === null ? whole.length : start + cut);
    const isCut = start + piece.length < whole.length;
    async function* body(): AsyncGenerator<Uint8Array> {
      yield piece;
      if (isCut)
        throw new ApiError({ status: null, type: 'cut', message: 'the connection was cut', retryAfterMs: null });
    }
    return { from: start, etag: '"one"', length: whole.length - start, body: body() };
  }

  async message(params: Uint8Array): ReturnType<BatchApi['message']> {
    this.messages += 1;
    const { status, body } = this.behaviour.onMessage(
      JSON.parse(Buffer.from(params).toString('utf8')) as FakeRequest['params'],
    );
    return { status, body: Buffer.from(JSON.stringify(body)), retryAfterMs: null };
  }

  async countTokens(): Promise<number | null> {
    return null;
  }

  async close(): Promise<void> {}

  addForeign(requests: number): string {
    return this.#make(
      Array.from({ length: requests }, (_, index) => ({ custom_id: `foreign-${index}`, params: {} })),
      0,
    );
  }

  /** How often each row's request is in a batch that exists, by its number. */
  bought(): ReadonlyMap<number, number> {
    const bought = new Map<number, number>();
    for (const { requests } of this.made) {
      for (const { custom_id: customId } of requests) {
        const seq = parseCustomId(customId)?.seq;
        if (seq !== undefined) bought.set(seq, (bought.get(seq) ?? 0) + 1);
      }
    }
    return bought;
  }

  #make(requests: readonly FakeRequest[], lateMs: number): string {
    const id = `msgbatch_${this.made.length + 1}`;
    this.made.push({ id, requests, atMs: this.#world.nowMs() + lateMs, listed: true, canceledAtMs: null });
    return id;
  }

  #refuse({
    status,
    message: text = 'refused',
    retryAfterMs = null,
  }: {
    readonly status: number;
    readonly message?: string;
    readonly retryAfterMs?: number | null;
  }): PostEnd {
    return {
      kind: 'refused',
      status,
      type: status === 429 ? 'rate_limit_error' : 'invalid_request_error',
      message: text,
      retryAfterMs,
    };
  }

  #find(id: string): Made {
    const made = this.made.find((one) => one.id === id && one.atMs <= this.#world.nowMs() && one.listed);
    if (made === undefined)
      throw new ApiError({ status: 404, type: 'not_found_error', message: `no batch ${id}`, retryAfterMs: null });
    return made;
  }

  #linesOf({ id, requests, canceledAtMs }: Made): string {
    const lines = requests.flatMap((request) => {
      const result = canceledAtMs === null ? this.behaviour.resultOf(request, id) : { type: 'canceled' };
      return result === undefined ? [] : [JSON.stringify({ custom_id: request.custom_id, result })];
    });
    return [...lines, ...this.behaviour.strangers].map((line) => `${line}\n`).join('');
  }

  #view(id: string): RemoteBatch {
    const { atMs, requests, canceledAtMs } = this.#find(id);
    const endsAtMs = canceledAtMs ?? atMs + this.behaviour.endsAfterMs;
    const ended = this.#world.nowMs() >= endsAtMs;
    const count = requests.length;
    return {
      id,
      status: ended ? 'ended' : 'in_progress',
      createdAtMs: atMs,
      endedAtMs: ended ? endsAtMs : null,
      expiresAtMs: atMs + 86_400_000,
      archivedAtMs: null,
      resultsUrl: ended ? `/results/${id}` : null,
      counts: { processing: ended ? 0 : count, succeeded: ended ? count : 0, errored: 0, canceled: 0, expired: 0 },
    };
  }
}

export function message(text = 'fine', stopReason = 'end_turn'): unknown {
  return {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-haiku-4-5',
    content: [{ type: 'text', text }],
    stop_reason: stopReason,
    usage: { input_tokens: 100, output_tokens: 10, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 },
  };
}

export function succeeded(text?: string, stopReason?: string): unknown {
  return { type: 'succeeded', message: message(text, stopReason) };
}

export function errored(type: string, text = 'it failed'): unknown {
  return { type: 'errored', error: { type: 'error', error: { type, message: text } } };
}
