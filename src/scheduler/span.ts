/** The requests of one held span and where each of them stands: a byte a request and a cursor, no object. */
import type { AttemptId, SpanId } from './messages.ts';

const PENDING = 0;
const IN_FLIGHT = 1;
/** Failed, and its backoff is not over. */
const DELAYED = 2;
/** Failed, and its backoff is over. */
const DUE = 3;
const DONE = 4;

export type InFlight = { readonly id: AttemptId; /** Its place in the span's list, kept by the span. */ place: number };

export class HeldSpan<A extends InFlight> {
  readonly id: SpanId;
  readonly items: Uint32Array;
  readonly tokens: Uint32Array;
  readonly inFlight: A[] = [];
  /** Requests that were never taken. */
  pending: number;
  /** Requests without an outcome. */
  left: number;
  readonly #states: Uint8Array;
  #cursor = 0;
  // Most spans never see a failure, so these are made at the first one.
  #failures: Uint8Array | null = null;
  #perhapsPaid: Uint8Array | null = null;

  constructor(input: { span: SpanId; items: Uint32Array; tokens: Uint32Array }) {
    this.id = input.span;
    this.items = input.items;
    this.tokens = input.tokens;
    this.#states = new Uint8Array(input.items.length);
    this.pending = input.items.length;
    this.left = input.items.length;
  }

  /** The first request never taken, as its index in `items`. */
  take(): number {
    while (this.#states[this.#cursor] !== PENDING) this.#cursor += 1;
    this.pending -= 1;
    return this.#cursor++;
  }

  sent(index: number, attempt: A): void {
    this.#states[index] = IN_FLIGHT;
    attempt.place = this.inFlight.length;
    this.inFlight.push(attempt);
  }

  ended(attempt: A): void {
    const last = this.inFlight.pop();
    if (last === undefined || last === attempt) return;
    this.inFlight[attempt.place] = last;
    last.place = attempt.place;
  }

  delay(index: number): void {
    this.#states[index] = DELAYED;
  }

  /** False where the request is no longer delayed: it was finished, or its span lost. */
  endDelay(index: number): boolean {
    if (this.#states[index] !== DELAYED) return false;
    this.#states[index] = DUE;
    return true;
  }

  /** Of the requests not in flight: how many may go now, and how many wait for the end of their backoff. */
  countHeld(): { readonly ready: number; readonly delayed: number } {
    let due = 0;
    let delayed = 0;
    for (const state of this.#states) {
      if (state === DUE) due += 1;
      if (state === DELAYED) delayed += 1;
    }
    return { ready: this.pending + due, delayed };
  }

  finish(index: number): void {
    if (this.#states[index] === PENDING) this.pending -= 1;
    this.#states[index] = DONE;
    this.left -= 1;
  }

  /** Finishes every request that is not in flight and returns their items. */
  finishHeld(): number[] {
    const items: number[] = [];
    for (let index = 0; index < this.items.length; index++) {
      if (this.#states[index] === IN_FLIGHT || this.#states[index] === DONE) continue;
      this.finish(index);
      items.push(this.items[index]);
    }
    return items;
  }

  /** Finishes the requests that can never be sent and returns their items. */
  finishFaults(faults: Uint8Array): number[] {
    const items: number[] = [];
    for (let index = 0; index < faults.length; index++) {
      if (faults[index] === 0) continue;
      this.finish(index);
      items.push(this.items[index]);
    }
    return items;
  }

  /** Counts a failure of a request: how many it has had, this one included. */
  failed(index: number): number {
    this.#failures ??= new Uint8Array(this.items.length);
    return count(this.#failures, index);
  }

  perhapsPaid(index: number): number {
    this.#perhapsPaid ??= new Uint8Array(this.items.length);
    return count(this.#perhapsPaid, index);
  }
}

/** Stops at 255: the backoff has long reached its bound by then. */
function count(counts: Uint8Array, index: number): number {
  if (counts[index] < 255) counts[index] += 1;
  return counts[index];
}
