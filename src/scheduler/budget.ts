/** A token bucket: so much per minute, with at most a second's worth (or one request) saved up. */

const MINUTE_MS = 60_000;
const SAVED_MS = 1_000;

export class Budget {
  readonly #perMs: number;
  readonly #most: number;
  #left: number;
  #filledAtMs: number;

  constructor(perMinute: number, nowMs: number) {
    this.#perMs = perMinute / MINUTE_MS;
    this.#most = Math.max(1, this.#perMs * SAVED_MS);
    this.#left = this.#most;
    this.#filledAtMs = nowMs;
  }

  allows(nowMs: number): boolean {
    this.#left = Math.min(this.#most, this.#left + Math.max(0, nowMs - this.#filledAtMs) * this.#perMs);
    this.#filledAtMs = nowMs;
    return this.#left >= 1;
  }

  /** May leave a debt: what is larger than all that can be saved must pass too, and is paid off before the next. */
  spend(amount: number): void {
    this.#left -= amount;
  }

  /** Half a millisecond late rather than a rounding error early. */
  allowsAtMs(): number {
    return this.#left >= 1 ? this.#filledAtMs : this.#filledAtMs + (1 - this.#left) / this.#perMs + 0.5;
  }
}
