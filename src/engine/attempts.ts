/** Attempts in flight: each is one call to an upstream for one request, with one controller that can abort it. */
import { ATTEMPT_TIMEOUT_BASE_MS, ATTEMPT_TIMEOUT_PER_TOKEN_MS } from '../domain/limits.ts';
import type { World } from '../ports/world.ts';
import type { AttemptId, AttemptResult } from '../scheduler/messages.ts';
import type { AttemptEnd } from '../telemetry/events.ts';
import type { CallResult, Upstream } from '../upstreams/upstream.ts';
import type { HeldSpan } from './held.ts';

export type Flight = {
  readonly attempt: AttemptId;
  readonly span: HeldSpan;
  readonly item: number;
  readonly upstream: Upstream;
  readonly startedMs: number;
  readonly deadlineMs: number;
  readonly controller: AbortController;
  /** Why it was aborted, if it was. */
  stopped: 'timeout' | 'command' | null;
};

export type FlightEnd =
  | CallResult
  | { readonly end: { readonly kind: 'aborted' }; readonly status: null; readonly headroom: null };

export type AttemptsDeps = {
  readonly world: World;
  readonly onEnd: (flight: Flight, result: FlightEnd) => void;
  /** The body of a request could not be read: a fault of ours, not of the upstream. */
  readonly onUnreadable: (flight: Flight, error: unknown) => void;
};

export class Attempts {
  readonly #deps: AttemptsDeps;
  readonly #flights = new Map<AttemptId, Flight>();

  constructor(deps: AttemptsDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#flights.size;
  }

  start(parts: { attempt: AttemptId; span: HeldSpan; item: number; upstream: Upstream }): void {
    const startedMs = this.#deps.world.clock.monotonicMs();
    const timeoutMs = ATTEMPT_TIMEOUT_BASE_MS + ATTEMPT_TIMEOUT_PER_TOKEN_MS * parts.span.index.maxTokens(parts.item);
    const flight: Flight = {
      ...parts,
      startedMs,
      deadlineMs: startedMs + timeoutMs,
      controller: new AbortController(),
      stopped: null,
    };
    this.#flights.set(flight.attempt, flight);
    void this.#fly(flight);
  }

  abort(attempt: AttemptId): void {
    const flight = this.#flights.get(attempt);
    if (flight) stop(flight, 'command');
  }

  abortAll(): void {
    for (const flight of this.#flights.values()) stop(flight, 'command');
  }

  /** One sweep a second instead of a timer for each. */
  sweep(nowMs: number): void {
    for (const flight of this.#flights.values()) if (nowMs >= flight.deadlineMs) stop(flight, 'timeout');
  }

  async #fly(flight: Flight): Promise<void> {
    const { span, item, upstream, controller } = flight;
    const { version, betas } = span.run.batch;
    let params: Uint8Array;
    try {
      const body = span.bodies.body(item);
      params = body instanceof Uint8Array ? body : await body;
    } catch (error) {
      this.#flights.delete(flight.attempt);
      return this.#deps.onUnreadable(flight, error);
    }
    // While its body was read its batch may have begun to close, or its lease have passed on: it is not worth paying for.
    if (flight.stopped === null && (span.lost || span.run.closing !== null)) {
      this.#flights.delete(flight.attempt);
      return this.#deps.onEnd(flight, aborted);
    }
    let result: FlightEnd;
    try {
      result = await upstream.call({ params, version, betas, signal: controller.signal });
    } catch (error) {
      if (flight.stopped === null) throw error;
      result = flight.stopped === 'timeout' ? timedOut : aborted;
    }
    this.#flights.delete(flight.attempt);
    this.#report(flight, result);
    this.#deps.onEnd(flight, result);
  }

  #report(flight: Flight, { end, status }: FlightEnd): void {
    const durationMs = this.#deps.world.clock.monotonicMs() - flight.startedMs;
    const { upstream, span } = flight;
    this.#deps.world.emit({
      kind: 'attempt',
      batchId: span.lease.batchId,
      upstream: upstream.name,
      model: span.segment.model,
      end: endName(end),
      status,
      durationMs,
    });
  }
}

const aborted: FlightEnd = { end: { kind: 'aborted' }, status: null, headroom: null };
const timedOut: FlightEnd = {
  end: { kind: 'perhaps_paid', error: { type: 'timeout_error', message: 'The upstream did not answer in time.' } },
  status: null,
  headroom: null,
};

function stop(flight: Flight, reason: 'timeout' | 'command'): void {
  if (flight.stopped !== null) return;
  flight.stopped = reason;
  flight.controller.abort();
}

function endName(end: FlightEnd['end']): AttemptEnd {
  if (end.kind === 'message') return 'succeeded';
  if (end.kind === 'refused') return 'errored';
  if (end.kind === 'unpaid') return end.throttled ? 'throttled' : 'unpaid';
  return end.kind;
}

/** What the scheduler hears of an attempt that brought no outcome. */
export function attemptResult(end: Exclude<FlightEnd['end'], { kind: 'message' | 'refused' }>): AttemptResult {
  if (end.kind === 'perhaps_paid')
    return { kind: 'perhaps_paid', timeout: end.error.type === 'timeout_error', error: end.error };
  return end;
}
