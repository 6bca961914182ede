/**
 * The virtual world: one queue of events in the order of (time, sequence), a monotonic clock that only events move, a wall clock that
 * may jump. Between two events all promises are drained, so that the same seed gives the same history, event by event.
 */
import { crc32 } from 'node:zlib';
import type { Send, World } from '../src/ports/world.ts';
import { Heap, type HeapEntry } from '../src/scheduler/heap.ts';
import type { NightshiftEvent } from '../src/telemetry/events.ts';
import { Random } from './random.ts';

type Event = HeapEntry & { readonly atMs: number; readonly sequence: number; readonly callback: () => void };

const traceLines = 200;
/** The largest honest histories have a tenth of it. */
const eventsMax = 300_000;
/** 2026-01-01, so that times look like times. */
const firstWallMs = 1_767_225_600_000;

/** A promise of the design that did not hold. */
export class Violation extends Error {
  readonly promise: string;

  constructor(promise: string, message: string) {
    super(message);
    this.name = 'Violation';
    this.promise = promise;
  }
}

export class SimWorld {
  readonly random: Random;
  readonly trace: string[] = [];
  violation: Violation | null = null;
  lastNote = '';
  /** Of the times before a jump: what was judged by it was judged rightly. */
  highestWallMs = 0;
  nowMs = 0;
  events = 0;
  #wallAheadMs = firstWallMs;
  #sequence = 0;
  #hash = 0;
  readonly #queue = new Heap<Event>(
    (left, right) => left.atMs < right.atMs || (left.atMs === right.atMs && left.sequence < right.sequence),
  );

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  /** Names the history so far. */
  get hash(): number {
    return this.#hash;
  }

  wallMs(): number {
    return this.#wallAheadMs + this.nowMs;
  }

  jumpWall(byMs: number): void {
    this.highestWallMs = Math.max(this.highestWallMs, this.wallMs());
    this.#wallAheadMs += byMs;
    this.note(`wall clock jumps by ${Math.round(byMs)} ms`);
  }

  after(ms: number, callback: () => void): () => void {
    const event: Event = {
      heapIndex: -1,
      atMs: this.nowMs + Math.max(0, ms),
      sequence: (this.#sequence += 1),
      callback,
    };
    this.#queue.add(event);
    return () => {
      if (event.heapIndex >= 0) this.#queue.remove(event);
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  note(text: string): void {
    const line = `${(this.nowMs / 1_000).toFixed(6)} ${text}`;
    this.#hash = crc32(line, this.#hash);
    this.trace.push(line);
    this.lastNote = text;
    if (this.trace.length > traceLines * 2) this.trace.splice(0, traceLines);
  }

  /** The first one counts: what follows from it is noise. */
  violate(promise: string, message: string): void {
    if (this.violation) return;
    this.violation = new Violation(promise, message);
    this.note(`VIOLATION of "${promise}": ${message}`);
  }

  /** Runs events until a condition holds, a violation, or the end of the time given. */
  async run(options: { until: () => boolean; forMs: number }): Promise<boolean> {
    const endMs = this.nowMs + options.forMs;
    for (;;) {
      await quiescence();
      if (this.violation) return false;
      if (options.until()) return true;
      const event = this.#queue.first();
      if (!event || event.atMs > endMs) {
        this.nowMs = endMs;
        return options.until();
      }
      this.#queue.remove(event);
      this.nowMs = event.atMs;
      this.events += 1;
      event.callback();
      if (this.events > eventsMax) this.violate('every batch ends', `nothing comes to rest within ${eventsMax} events`);
    }
  }
}

/** Everything promises can do by themselves is done before an immediate runs. */
function quiescence(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** One run of a node's process, from its start to its end: what it waits for never comes once it is dead. */
export class Life {
  readonly node: string;
  readonly number: number;
  readonly bornMs: number;
  alive = true;
  diedMs = Infinity;
  readonly frozenAtMs: number[] = [];
  readonly died: Promise<void>;
  #die!: () => void;
  #parked: (() => void)[] | null = null;

  constructor(parts: { node: string; number: number; bornMs: number }) {
    this.node = parts.node;
    this.number = parts.number;
    this.bornMs = parts.bornMs;
    this.died = new Promise((resolve) => (this.#die = resolve));
  }

  die(nowMs: number): void {
    if (!this.alive) return;
    this.alive = false;
    this.diedMs = nowMs;
    this.#parked = null;
    this.#die();
  }

  /** Its process stands still, as under SIGSTOP or a long pause of its machine: what it would hear is heard at the thaw, in order. */
  freeze(nowMs: number): void {
    this.frozenAtMs.push(nowMs);
    if (this.alive) this.#parked ??= [];
  }

  /** What was to be heard meanwhile is heard one after another, as a loop does that finds it all waiting. */
  thaw(world: SimWorld): void {
    const parked = this.#parked ?? [];
    this.#parked = null;
    for (const callback of parked) world.after(0, () => this.deliver(callback));
  }

  /** Runs a callback in this process, if there is one, when it runs. */
  deliver(callback: () => void): void {
    if (!this.alive) return;
    if (this.#parked) this.#parked.push(callback);
    else callback();
  }
}

/** The world as one life of a node sees it. */
export function worldOf(parts: {
  world: SimWorld;
  life: Life;
  send: Send;
  emit: (event: NightshiftEvent) => void;
}): World {
  const { world, life, send, emit } = parts;
  const random = world.random.fork();
  const inLife = (callback: () => void) => () => life.deliver(callback);
  return {
    clock: { wallMs: () => world.wallMs(), monotonicMs: () => world.nowMs },
    timers: {
      after: (ms, callback) => world.after(ms, inLife(callback)),
      turn: (callback) => void world.after(0, inLife(callback)),
    },
    chance: { next: () => random.next(), bytes: (count) => random.bytes(count) },
    send,
    emit,
  };
}

export type Operation<T> = {
  readonly world: SimWorld;
  readonly life: Life;
  /** Until it takes effect, and from there until the caller hears of it: a crash may fall into either. */
  readonly effectMs: number;
  readonly returnMs: number;
  /** It was on its way to another machine: it may take effect although its sender is dead. */
  readonly survivesSender?: boolean;
  readonly effect: () => T | Promise<T>;
};

export function operate<T>(operation: Operation<T>): Promise<T> {
  const { world, life, effectMs, returnMs, effect } = operation;
  return new Promise((resolve, reject) => {
    const settle = (how: () => void) => void world.after(returnMs, () => life.deliver(how));
    const run = async () => effect();
    world.after(effectMs, () => {
      if (!life.alive && operation.survivesSender !== true) return;
      run().then(
        (value) => settle(() => resolve(value)),
        (error: unknown) => settle(() => reject(error as Error)),
      );
    });
  });
}
