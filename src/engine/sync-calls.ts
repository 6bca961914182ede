/**
 * Synchronous calls under way: each waits for a slot of its lane, is made once, and its answer is handed on as it comes.
 *
 *   asked ──(grant)──► made ──► answered whole, or streamed ──► ended: the slot is free, and the lane has heard how it went
 *     │ └─(refuse, 30 s)─► 429, 529, 503      └─(caller leaves, time is over)─► broken off
 *     └◄── once more within 2 s, if it surely was not paid
 */
import { readAnswer } from '../bytes/answer.ts';
import type { AppError } from '../domain/errors.ts';
import {
  ANSWER_BYTES_MAX,
  ATTEMPT_TIMEOUT_BASE_MS,
  ATTEMPT_TIMEOUT_PER_TOKEN_MS,
  ERROR_BYTES_MAX,
  SYNC_BYTES_MAX,
  SYNC_RETRY_MS,
  SYNC_RETRY_WAIT_MS,
  SYNC_WAIT_MS_MAX,
} from '../domain/limits.ts';
import { headroomOf, isOwnFault, isThrottle, retryAfterMs } from '../domain/rate-headers.ts';
import type { Usage } from '../domain/tally.ts';
import type { UpstreamResponse, World } from '../ports/world.ts';
import type { AttemptResult, Command, Input, LaneId, SyncId } from '../scheduler/messages.ts';
import type { Upstream } from '../upstreams/upstream.ts';
import type { MessageAnswer, MessageCall } from './contract.ts';
import {
  crowded,
  draining,
  failureOf,
  isUnpaid,
  left,
  notAMessage,
  refusalOf,
  statusOf,
  upstreamTimeout,
} from './sync-errors.ts';
import { TokenCounts } from './token-counts.ts';

export type SyncCallsDeps = {
  readonly world: World;
  readonly upstreamFor: (model: string) => Upstream;
  readonly weightOf: (workspaceId: string) => number;
  readonly post: (input: Input) => void;
  readonly onTrouble: (upstream: Upstream, model: string, reason: string) => void;
};

type Flight = {
  readonly id: SyncId;
  readonly call: MessageCall;
  readonly upstream: Upstream;
  readonly lane: LaneId;
  readonly askedMs: number;
  /** It is the call's second attempt: whatever comes of it is told. */
  readonly isSecond: boolean;
  readonly controller: AbortController;
  readonly granted: PromiseWithResolvers<void>;
  readonly onLeave: () => void;
  /** Null while it waits. */
  startedMs: number | null;
  deadlineMs: number;
  /** Why it was broken off, if it was. */
  stopped: AppError | null;
};

type AttemptOptions = { readonly waitMs: number; readonly isSecond: boolean };

/** `status` is what the caller was told; 499 where it left. */
type End = { readonly result: AttemptResult; readonly status: number; readonly usage: Usage | null };

export class SyncCalls {
  readonly counts: TokenCounts;
  readonly #deps: SyncCallsDeps;
  readonly #flights = new Map<SyncId, Flight>();
  #lastId: SyncId = 0;
  #bytes = 0;
  #closed = false;

  constructor(deps: SyncCallsDeps) {
    this.#deps = deps;
    this.counts = new TokenCounts(deps);
  }

  /** Waiting or in flight. */
  get size(): number {
    return this.#flights.size;
  }

  get waiting(): number {
    let waiting = 0;
    for (const { startedMs } of this.#flights.values()) if (startedMs === null) waiting += 1;
    return waiting;
  }

  /** Resolves when the answer has begun. Throws AppError. */
  async open(call: MessageCall): Promise<MessageAnswer> {
    const bytes = call.params.byteLength;
    if (this.#bytes + bytes > SYNC_BYTES_MAX) throw crowded('Too many synchronous calls are being answered.');
    this.#bytes += bytes;
    try {
      return await this.#attempt(call, { waitMs: SYNC_WAIT_MS_MAX, isSecond: false }).catch((error: unknown) =>
        this.#again(call, error),
      );
    } finally {
      this.#bytes -= bytes;
    }
  }

  /** Nothing was sent, so nothing was paid: a restart of the upstream or a connection it had just closed. Everything else is left to the caller. */
  async #again(call: MessageCall, error: unknown): Promise<MessageAnswer> {
    if (!isUnpaid(error) || this.#closed || call.signal.aborted) throw failureOf(error);
    await new Promise<void>((resolve) => this.#deps.world.timers.after(SYNC_RETRY_MS, resolve));
    return this.#attempt(call, { waitMs: SYNC_RETRY_WAIT_MS, isSecond: true }).catch((second: unknown) => {
      throw failureOf(second);
    });
  }

  async #attempt(call: MessageCall, options: AttemptOptions): Promise<MessageAnswer> {
    const flight = this.#ask(call, options);
    await flight.granted.promise;
    let response: UpstreamResponse | null = null;
    try {
      const { params, version, betas } = call;
      response = await flight.upstream.open({ params, version, betas, signal: flight.controller.signal });
      const { status, headers } = response;
      if (isStream(response)) return { status, headers, body: this.#relay(flight, response) };
      const body = await response.body.bytes(status < 400 ? ANSWER_BYTES_MAX : ERROR_BYTES_MAX);
      this.#end(flight, endOf(response, { body, wallMs: () => this.#deps.world.clock.wallMs() }), response);
      return { status, headers, body };
    } catch (error) {
      throw this.#failed(flight, error, response);
    }
  }

  #ask(call: MessageCall, { waitMs, isSecond }: AttemptOptions): Flight {
    if (this.#closed) throw draining();
    const upstream = this.#deps.upstreamFor(call.model);
    const askedMs = this.#deps.world.clock.monotonicMs();
    const flight: Flight = {
      id: ++this.#lastId,
      call,
      upstream,
      lane: `${upstream.name}\n${call.model}`,
      askedMs,
      isSecond,
      controller: new AbortController(),
      granted: Promise.withResolvers(),
      onLeave: () => this.#stop(flight, left),
      startedMs: null,
      deadlineMs: askedMs + waitMs,
      stopped: null,
    };
    this.#flights.set(flight.id, flight);
    const { concurrency, requestsPerMinute, tokensPerMinute } = upstream;
    this.#deps.post({
      kind: 'sync',
      sync: flight.id,
      lane: flight.lane,
      settings: { concurrency, requestsPerMinute, tokensPerMinute },
      workspaceId: call.workspaceId,
      weight: this.#deps.weightOf(call.workspaceId),
      tokens: call.tokens,
    });
    call.signal.addEventListener('abort', flight.onLeave, { once: true });
    if (call.signal.aborted) flight.onLeave();
    return flight;
  }

  granted(id: SyncId): void {
    const flight = this.#flights.get(id);
    // Its caller has left meanwhile, and that was told.
    if (flight === undefined) return;
    const { maxTokens } = flight.call;
    flight.startedMs = this.#deps.world.clock.monotonicMs();
    flight.deadlineMs = flight.startedMs + ATTEMPT_TIMEOUT_BASE_MS + ATTEMPT_TIMEOUT_PER_TOKEN_MS * maxTokens;
    flight.granted.resolve();
  }

  refused(command: Extract<Command, { kind: 'refuse' }>): void {
    const flight = this.#flights.get(command.sync);
    if (flight !== undefined) this.#stop(flight, refusalOf(command));
  }

  sweep(nowMs: number): void {
    for (const flight of this.#flights.values()) {
      if (nowMs < flight.deadlineMs) continue;
      this.#stop(flight, flight.startedMs === null ? crowded('No slot became free in time.') : upstreamTimeout());
    }
  }

  /** Nothing is taken any more, and what is under way is broken off. */
  close(): void {
    this.#closed = true;
    for (const flight of this.#flights.values()) this.#stop(flight, draining());
  }

  /** Breaks it off. What waits ends here; what is in flight ends as its call does, but a stream, which may never be read again. */
  #stop(flight: Flight, reason: AppError): void {
    if (flight.stopped !== null || !this.#flights.has(flight.id)) return;
    flight.stopped = reason;
    flight.controller.abort(reason);
    flight.granted.reject(reason);
    const timeout = flight.startedMs !== null && reason.code === 'upstream_timeout';
    const error = { type: 'timeout_error', message: reason.message };
    const result: AttemptResult = timeout ? { kind: 'perhaps_paid', timeout, error } : { kind: 'aborted' };
    this.#end(flight, { result, status: statusOf(reason), usage: null });
  }

  /** The events as they come. */
  async *#relay(flight: Flight, response: UpstreamResponse): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* response.body.stream();
      this.#end(flight, { result: { kind: 'final' }, status: response.status, usage: null }, response);
    } catch (error) {
      throw failureOf(this.#failed(flight, error, response));
    } finally {
      this.#stop(flight, left);
    }
  }

  #failed(flight: Flight, error: unknown, response: UpstreamResponse | null): unknown {
    if (flight.stopped !== null) return flight.stopped;
    const told = failureOf(error);
    if (told.code === 'internal') this.#deps.world.emit({ kind: 'failure', where: 'messages', error, requestId: null });
    const cause = { type: 'api_error', message: told.message };
    let result: AttemptResult = { kind: 'perhaps_paid', timeout: false, error: cause };
    if (told.code === 'invalid_request') result = { kind: 'aborted' };
    else if (response === null && isUnpaid(error))
      result = { kind: 'unpaid', throttled: false, retryAfterMs: null, error: cause };
    this.#end(flight, { result, status: statusOf(told), usage: null });
    // What an answer has begun to come for is not made again.
    return response === null ? error : told;
  }

  #end(flight: Flight, { result, status, usage }: End, response?: UpstreamResponse): void {
    if (!this.#flights.delete(flight.id)) return;
    const { world, post } = this.#deps;
    const { call, lane, upstream, askedMs, startedMs } = flight;
    call.signal.removeEventListener('abort', flight.onLeave);
    const nowMs = world.clock.monotonicMs();
    const headroom = response === undefined ? null : headroomOf(response.headers, () => world.clock.wallMs());
    if (headroom !== null) post({ kind: 'headroom', lane, ...headroom, resetMs: nowMs + headroom.resetMs });
    post({ kind: 'syncEnded', sync: flight.id, result });
    if ('error' in result) this.#deps.onTrouble(upstream, call.model, result.error.message);
    // The first of two attempts is not what its caller is told of.
    if (result.kind === 'unpaid' && response === undefined && !flight.isSecond) return;
    world.emit({
      kind: 'message',
      upstream: upstream.name,
      model: call.model,
      workspaceId: call.workspaceId,
      status,
      waitedMs: (startedMs ?? nowMs) - askedMs,
      durationMs: nowMs - askedMs,
      inputTokens: usage?.inputTokens ?? null,
      outputTokens: usage?.outputTokens ?? null,
    });
  }
}

/** Only where the params ask for a stream; everything else comes whole. */
function isStream({ status, headers }: UpstreamResponse): boolean {
  return status >= 200 && status < 300 && /^text\/event-stream\b/i.test(headers['content-type'] ?? '');
}

/** Of a whole answer. Throws where it says that it succeeded but is no message: that may have been paid for. */
function endOf({ status, headers }: UpstreamResponse, read: { body: Uint8Array; wallMs: () => number }): End {
  if (status >= 200 && status < 300) {
    const answer = readAnswer(read.body);
    if (answer.kind === 'garbage') throw notAMessage(answer.reason);
    return { result: { kind: 'final' }, status, usage: answer.usage };
  }
  if (isOwnFault(status)) return { result: { kind: 'final' }, status, usage: null };
  const error = { type: 'api_error', message: `The upstream answered with status ${status}.` };
  const throttled = isThrottle(status);
  const result: AttemptResult = {
    kind: 'unpaid',
    throttled,
    retryAfterMs: retryAfterMs(headers, read.wallMs),
    error,
  };
  return { result, status, usage: null };
}
