/** For tests: a clock that moves only when nothing else can happen, and chance from a seed. */
import type { World } from './world.ts';

export class FakeWorld implements World {
  #nowMs: number;
  #seed: number;
  #timers: { readonly atMs: number; readonly order: number; readonly callback: () => void }[] = [];
  #made = 0;

  constructor({ nowMs = Date.UTC(2026, 5, 1), seed = 1 }: { readonly nowMs?: number; readonly seed?: number } = {}) {
    this.#nowMs = nowMs;
    this.#seed = seed;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  random(): number {
    this.#seed = (this.#seed * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return this.#seed / 4_294_967_296;
  }

  randomBytes = (count: number): Uint8Array =>
    Uint8Array.from({ length: count }, () => Math.floor(this.random() * 256));

  after(ms: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, ms), order: (this.#made += 1), callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }

  /** Lets what was begun come to its end: whenever all of it waits, the clock goes to the next timer. */
  async drive<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const ended = work.finally(() => {
      settled = true;
    });
    ended.catch(() => {});
    while (!settled) {
      for (let turn = 0; (turn < 3 || isBusy()) && !settled; turn += 1)
        await new Promise((resolve) => setImmediate(resolve));
      if (!settled) this.#fire();
    }
    return await ended;
  }

  #fire(): void {
    const [next] = this.#timers.sort((left, right) => left.atMs - right.atMs || left.order - right.order);
    if (next === undefined) return;
    this.#timers = this.#timers.slice(1);
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    next.callback();
  }
}

/** The disk and the packing of bytes are at work: no time passes while they are. */
function isBusy(): boolean {
  return process.getActiveResourcesInfo().some((name) => /^(?:FSReq|Z)/i.test(name));
}
