/** Spans to a collector by OTLP over HTTP in JSON: a bounded queue, sent every few seconds. It never blocks and never throws; what it drops it counts. */
import {
  SPANS_CLOSE_MS,
  SPANS_DROPPED_QUIET_MS,
  SPANS_EXPORT_MAX,
  SPANS_EXPORT_MS,
  SPANS_EXPORT_TIMEOUT_MS,
  SPANS_QUEUED_MAX,
  SPANS_RETRY_MS,
} from '../domain/limits.ts';
import type { World } from '../ports/world.ts';
import { exportRequest, type Resource, type Span } from './span.ts';

export type OtlpOptions = {
  readonly world: World;
  /** Whole, with its path. */
  readonly url: string;
  /** Secrets, often. */
  readonly headers: Readonly<Record<string, string>>;
  readonly resource: Resource;
};

/** `rate` are failed attempts beyond those traced a second. */
export type DropReason = 'queue_full' | 'unreachable' | 'refused' | 'rate';

export type SpanCounts = { readonly sent: number; readonly dropped: Readonly<Record<DropReason, number>> };

export const noSpans: SpanCounts = { sent: 0, dropped: { queue_full: 0, unreachable: 0, refused: 0, rate: 0 } };

type Taken = { readonly rejected: number } | 'refused' | 'again';

const ANSWER_BYTES_MAX = 64 * 1024;

export class OtlpExporter {
  readonly #options: OtlpOptions;
  readonly #dropped = { ...noSpans.dropped };
  #queue: Span[] = [];
  #sent = 0;
  #cancelTimer: (() => void) | null = null;
  #exporting: Promise<void> | null = null;
  #closed = false;
  /** Ends the wait before a repeated export. */
  #wake: (() => void) | null = null;
  #untold = 0;
  #toldMs = -Infinity;

  constructor(options: OtlpOptions) {
    this.#options = options;
  }

  get counts(): SpanCounts {
    return { sent: this.#sent, dropped: { ...this.#dropped } };
  }

  add(span: Span): void {
    if (this.#closed) return;
    if (this.#queue.length >= SPANS_QUEUED_MAX) return this.drop('queue_full', 1);
    this.#queue.push(span);
    if (this.#queue.length >= SPANS_EXPORT_MAX) this.#begin();
    else this.#cancelTimer ??= this.#options.world.timers.after(SPANS_EXPORT_MS, () => this.#begin());
  }

  drop(reason: DropReason, count: number): void {
    this.#dropped[reason] += count;
    this.#untold += count;
    const { world } = this.#options;
    const nowMs = world.clock.monotonicMs();
    if (nowMs - this.#toldMs < SPANS_DROPPED_QUIET_MS) return;
    const told = this.#untold;
    this.#untold = 0;
    this.#toldMs = nowMs;
    world.emit({ kind: 'spans_dropped', reason, count: told });
  }

  /** Sends what there is, once, within a bound. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#wake?.();
    this.#begin();
    const { timers } = this.#options.world;
    const bound = new Promise<void>((resolve) => timers.after(SPANS_CLOSE_MS, resolve));
    await Promise.race([this.#exporting, bound]);
  }

  #begin(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#exporting ??= this.#exportAll().finally(() => {
      this.#exporting = null;
    });
  }

  async #exportAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const spans = this.#queue.splice(0, SPANS_EXPORT_MAX);
      const body = Buffer.from(JSON.stringify(exportRequest(this.#options.resource, spans)));
      const taken = await this.#exportUntilTaken(body);
      if (taken === 'again') this.drop('unreachable', spans.length);
      else {
        const rejected = taken === 'refused' ? spans.length : Math.min(taken.rejected, spans.length);
        this.#sent += spans.length - rejected;
        if (rejected > 0) this.drop('refused', rejected);
      }
    }
  }

  async #exportUntilTaken(body: Uint8Array): Promise<Taken> {
    for (const restMs of SPANS_RETRY_MS) {
      const taken = await this.#exportOnce(body);
      if (taken !== 'again' || this.#closed) return taken;
      await this.#rest(restMs * (0.5 + this.#options.world.chance.next()));
    }
    return this.#exportOnce(body);
  }

  #rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.world.timers.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  async #exportOnce(body: Uint8Array): Promise<Taken> {
    const { world, url } = this.#options;
    const controller = new AbortController();
    const cancel = world.timers.after(SPANS_EXPORT_TIMEOUT_MS, () => controller.abort());
    const headers = { ...this.#options.headers, 'content-type': 'application/json' };
    try {
      const answer = await world.send({ url, headers, body, signal: controller.signal });
      // Read, so that the connection can go on. What was taken stays so, whatever becomes of the rest of the answer.
      const bytes = await answer.body.bytes(ANSWER_BYTES_MAX).catch(() => new Uint8Array());
      if (answer.status >= 200 && answer.status < 300) return { rejected: rejectedOf(bytes) };
      return [429, 502, 503, 504].includes(answer.status) ? 'again' : 'refused';
    } catch {
      return 'again';
    } finally {
      cancel();
    }
  }
}

/** A collector may take an export in part; a number in JSON of this kind is text. */
function rejectedOf(answer: Uint8Array): number {
  try {
    const { partialSuccess } = JSON.parse(Buffer.from(answer).toString()) as PartialAnswer;
    return Math.max(0, Number(partialSuccess?.rejectedSpans ?? 0)) || 0;
  } catch {
    return 0;
  }
}

type PartialAnswer = { readonly partialSuccess?: { readonly rejectedSpans?: string | number } };
