/** A world for tests of the telemetry: a clock and timers that the test moves, and a collector that answers as it is told. */
import type { UpstreamRequest, UpstreamResponse, World } from '../ports/world.ts';
import type { NightshiftEvent } from './events.ts';

type Timer = { readonly atMs: number; readonly callback: () => void };

export const startWallMs = 1_800_000_000_000;

export class FakeWorld implements World {
  readonly events: NightshiftEvent[] = [];
  readonly sent: { readonly request: UpstreamRequest; readonly text: string }[] = [];
  /** What the collector does with a call. */
  answer: (request: UpstreamRequest) => Promise<UpstreamResponse> = () => Promise.resolve(response(200));
  readonly clock = { wallMs: () => startWallMs + this.#nowMs, monotonicMs: () => this.#nowMs };
  readonly timers = {
    after: (ms: number, callback: () => void) => this.#after(ms, callback),
    turn: (callback: () => void) => void setImmediate(callback),
  };
  readonly chance = { next: () => this.chanceNext, bytes: (count: number) => this.#bytes(count) };
  chanceNext = 0.5;
  #nowMs = 0;
  #drawn = 0;
  #timers: Timer[] = [];

  readonly send = (request: UpstreamRequest): Promise<UpstreamResponse> => {
    this.sent.push({ request, text: Buffer.from(request.body).toString() });
    return this.answer(request);
  };

  emit(event: NightshiftEvent): void {
    this.events.push(event);
  }

  async move(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settled();
    for (;;) {
      const [next] = this.#timers.filter(({ atMs }) => atMs <= endMs).toSorted((left, right) => left.atMs - right.atMs);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
      await settled();
    }
    this.#nowMs = endMs;
  }

  #after(ms: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, callback };
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((other) => other !== timer));
  }

  #bytes(count: number): Uint8Array {
    this.#drawn += 1;
    return new Uint8Array(count).fill(this.#drawn);
  }
}

export function response(status: number, body = '{}'): UpstreamResponse {
  const bytes = Buffer.from(body);
  async function* stream(): AsyncGenerator<Uint8Array> {
    yield bytes;
  }
  return { status, headers: {}, body: { bytes: () => Promise.resolve(bytes), stream } };
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
