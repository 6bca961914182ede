/**
 * How many requests a lane may have in flight: learnt from what more of them brought.
 *
 *   growing ──(an epoch brought no more than the one before the growth)──► holding, at the size before ──(10 s)──► growing, by a quarter
 *      ▲                                                                                                                │
 *      └───────────── growing by a quarter ◄── past half of where it was ◄── halved (429, 529, timeout) ◄────────────────┘
 *
 * W1 1 <= size <= cap.
 * W2 An epoch is about `size` completions, and a quarter of a second at least, while the window was full; it is abandoned as soon as demand lacks, because then its rate says
 *    nothing, and after that the first `size` completions are not measured: a window that is just filled answers late, then all at once.
 * W3 A growth must bring its part of 10 % for a doubling, or it is taken back; but up to half of what was borne before a storm it is free.
 */
import { LANE_GROWTH_PROBE_MS } from '../domain/limits.ts';

const DOUBLE = 2;
const QUARTER = 1.25;
/** What doubling the window must add to the rate, as a part of it; smaller growth must add its part of that. */
const RISE_BY_DOUBLING = 0.1;
/** A rate over fewer completions is more noise than rate. */
const EPOCH_COMPLETIONS_MIN = 16;
const EPOCH_MS_MIN = 250;
/** So many windows make an epoch when a quarter is on trial: its rise is a quarter of a doubling's, and noise falls with the root. */
const QUARTER_EPOCHS = 4;

export class Window {
  #cap: number;
  #size: number;
  #factor = DOUBLE;
  /** Above this size the window grows by quarters: it was halved at twice this. */
  #cautiousFrom = Infinity;
  /** The size and rate before the growth on trial. */
  #before: { size: number; rate: number } | null = null;
  #holdUntilMs = 0;
  #stormy = false;
  #epochStartMs: number | null = null;
  /** Negative while it warms up. */
  #epochCompletions = 0;

  constructor(cap: number) {
    this.#cap = cap;
    // The cap is the operator's word, so half of it is safe to start with, and leaves room to learn.
    this.#size = Math.ceil(cap / 2);
  }

  get size(): number {
    return this.#size;
  }

  setCap(cap: number): void {
    if (cap === this.#cap) return;
    this.#cap = cap;
    this.#resize(Math.min(this.#size, cap));
    this.#holdUntilMs = 0;
  }

  /** Told after all sends of a step, so that "full" means that demand had its chance. */
  observe(full: boolean, nowMs: number): void {
    if (!full) {
      this.#epochStartMs = null;
    } else if (this.#epochStartMs === null) {
      this.#epochStartMs = nowMs;
      this.#epochCompletions = -this.#size;
    }
  }

  completed(nowMs: number): void {
    if (this.#epochStartMs === null) return;
    this.#epochCompletions += 1;
    if (this.#epochCompletions === 0) this.#epochStartMs = nowMs;
    const elapsedMs = nowMs - this.#epochStartMs;
    if (this.#epochCompletions < this.#epochLength() || elapsedMs < this.#epochMs()) return;
    const rate = this.#epochCompletions / Math.max(elapsedMs, 0.001);
    this.#epochStartMs = nowMs;
    this.#epochCompletions = 0;
    this.#learn(rate, nowMs);
  }

  /** After a 429, 529 or timeout. */
  halve(): void {
    const half = Math.max(1, this.#size >> 1);
    // Halvings without an epoch between them are one storm: the size before it is what the upstream bore.
    this.#cautiousFrom = this.#stormy ? Math.max(half, this.#cautiousFrom) : half;
    this.#stormy = true;
    this.#factor = QUARTER;
    this.#holdUntilMs = 0;
    this.#resize(half);
  }

  /** After a sickness: half the size, and from there as if new. */
  restart(): void {
    this.#cautiousFrom = Infinity;
    this.#stormy = false;
    this.#resize(Math.max(1, this.#size >> 1));
    this.#factor = DOUBLE;
    this.#holdUntilMs = 0;
  }

  #learn(rate: number, nowMs: number): void {
    const before = this.#before;
    this.#before = null;
    this.#stormy = false;
    if (before !== null && rate < before.rate * (1 + RISE_BY_DOUBLING * (this.#size / before.size - 1))) {
      this.#size = before.size;
      this.#factor = QUARTER;
      this.#holdUntilMs = nowMs + LANE_GROWTH_PROBE_MS;
    } else if (this.#size < this.#cap && nowMs >= this.#holdUntilMs) {
      this.#grow(rate);
    }
  }

  #grow(rate: number): void {
    if (this.#recovering()) {
      this.#size = Math.min(this.#cap, this.#size * DOUBLE, this.#cautiousFrom);
      return;
    }
    this.#before = { size: this.#size, rate };
    this.#size = Math.min(this.#cap, Math.max(this.#size + 1, Math.floor(this.#size * this.#factor)));
  }

  #recovering(): boolean {
    return this.#cautiousFrom < Infinity && this.#size < this.#cautiousFrom;
  }

  /** The smaller the growth on trial, the longer it must be looked at to be told from noise. */
  #epochLength(): number {
    if (this.#recovering()) return this.#size;
    const completions = Math.max(this.#size, EPOCH_COMPLETIONS_MIN);
    return this.#factor === QUARTER ? QUARTER_EPOCHS * completions : completions;
  }

  /** A short epoch measures the last pause of the machine, not the upstream. What is free to grow need not be measured. */
  #epochMs(): number {
    return this.#recovering() ? 0 : EPOCH_MS_MIN;
  }

  #resize(size: number): void {
    this.#size = size;
    this.#before = null;
    this.#epochStartMs = null;
  }
}
