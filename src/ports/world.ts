/** The world: time, chance, the network and what is told to the outside. Production and simulation each make one. */
import type { NightshiftEvent } from '../telemetry/events.ts';

export interface Clock {
  /** Milliseconds since 1970, with microseconds behind the point; may jump. */
  wallMs(): number;
  /** Milliseconds that never jump, from an arbitrary start. */
  monotonicMs(): number;
}

export interface Timers {
  /** Calls back once after a time; the returned function cancels. */
  after(ms: number, callback: () => void): () => void;
  /** Calls back at the end of this turn of the loop, after pending input and output. */
  turn(callback: () => void): void;
}

export interface Chance {
  /** From 0 up to but not including 1. */
  next(): number;
  bytes(count: number): Uint8Array;
}

export type UpstreamRequest = {
  readonly method?: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly signal: AbortSignal;
};

export type UpstreamResponse = {
  readonly status: number;
  /** Lower-case names; a repeated header is joined with ", ". */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: {
    /** The whole body; throws ResponseTooLargeError beyond `max`. */
    bytes(max: number): Promise<Uint8Array>;
    stream(): AsyncIterable<Uint8Array>;
  };
};

/** Resolves at the headers. Rejects with a SendError. */
export type Send = (request: UpstreamRequest) => Promise<UpstreamResponse>;

export class ResponseTooLargeError extends Error {
  constructor(max: number) {
    super(`the answer is larger than ${max} bytes`);
    this.name = 'ResponseTooLargeError';
  }
}

/**
 * A call that came to nothing. `sent` says whether the upstream may have received the whole request:
 * if it surely did not (refused, unreachable), nothing was paid.
 */
export class SendError extends Error {
  readonly sent: boolean;

  constructor(message: string, options: { sent: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SendError';
    this.sent = options.sent;
  }
}

export interface World {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly chance: Chance;
  readonly send: Send;
  emit(event: NightshiftEvent): void;
}
