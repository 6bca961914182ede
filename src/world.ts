/** The system's world: the clocks, timers, chance and network that production runs on. */
import { randomFillSync } from 'node:crypto';
import type { Chance, Clock, Timers, World } from './ports/world.ts';

const POOL_BYTES = 8 * 1024;
/** The wall clock and the fine clock may drift apart by this before they are set to each other again. */
const DRIFT_MS = 1;

export function systemWorld(outside: Pick<World, 'send' | 'emit'>): World {
  return { clock: systemClock(), timers: systemTimers, chance: systemChance(), send: outside.send, emit: outside.emit };
}

/** `Date.now` tells the time and its jumps, but only whole milliseconds; the fraction comes from the monotonic clock. */
export function systemClock(coarse: () => number = Date.now, fine: () => number = () => performance.now()): Clock {
  let offsetMs = coarse() - fine();
  return {
    wallMs() {
      const coarseMs = coarse();
      const fineMs = fine() + offsetMs;
      // Inside the same millisecond, or beside it, both agree; otherwise the wall clock has been set.
      if (fineMs >= coarseMs - DRIFT_MS && fineMs < coarseMs + 1 + DRIFT_MS) return microseconds(fineMs);
      offsetMs = coarseMs - fine();
      return coarseMs;
    },
    monotonicMs: () => performance.now(),
  };
}

function microseconds(ms: number): number {
  return Math.floor(ms * 1_000) / 1_000;
}

const systemTimers: Timers = {
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    // A process ends when its server and its work have, not when a timer has.
    timer.unref();
    return () => clearTimeout(timer);
  },
  turn: (callback) => void setImmediate(callback),
};

/** Fetching random bytes is a call into the system: it is made for many at once. */
function systemChance(): Chance {
  const pool = Buffer.alloc(POOL_BYTES);
  let used = POOL_BYTES;

  /** Where in the pool so many unused bytes begin. */
  function take(count: number): number {
    if (used + count > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    used += count;
    return used - count;
  }

  return {
    next: () => pool.readUIntBE(take(6), 6) / 2 ** 48,
    bytes(count) {
      if (count > POOL_BYTES) return randomFillSync(new Uint8Array(count));
      const start = take(count);
      return new Uint8Array(pool.subarray(start, start + count));
    },
  };
}
