/** Lets the lanes of a run wait for each other, for a time, or for the run's end: a ring wakes all that wait. */
import type { World } from './world.ts';

export class Bell {
  readonly #world: World;
  readonly #signal: AbortSignal;
  #waiting = new Set<() => void>();

  constructor(world: World, signal: AbortSignal) {
    this.#world = world;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.ring(), { once: true });
  }

  ring(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const wake of waiting) wake();
  }

  /** So long, whatever rings; at once when the run has ended. */
  async pause(ms: number): Promise<void> {
    const untilMs = this.#world.nowMs() + ms;
    for (let leftMs = ms; leftMs > 0 && !this.#signal.aborted; leftMs = untilMs - this.#world.nowMs()) {
      await this.wait(leftMs);
    }
  }

  /** Until the next ring, or so long at most; null: until the next ring. At once when the run has ended. */
  wait(ms: number | null): Promise<void> {
    if (this.#signal.aborted || (ms !== null && ms <= 0)) return Promise.resolve();
    return new Promise((resolve) => {
      let callOff = (): void => {};
      const wake = (): void => {
        this.#waiting.delete(wake);
        callOff();
        resolve();
      };
      this.#waiting.add(wake);
      if (ms !== null) callOff = this.#world.after(ms, wake);
    });
  }
}
