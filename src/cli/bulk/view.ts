/** How a run is told while it works: a few lines redrawn at a terminal, a line now and then elsewhere, or its events as JSON. */
import type { RunEvent } from '../../bulk/contract.ts';
import { lineOf, linesOf, type Snapshot } from './snapshot.ts';
import { painter } from './talk.ts';
import type { Given } from './read-flags.ts';

/** Redrawn so often at most: more is seen by nobody and scrolls logs of screens. */
const REDRAW_MS = 250;
/** Where nobody watches, a sign of life so often although nothing changed. */
const HEARTBEAT_MS = 60_000;
/** Where nobody watches, changes are told so often at most. */
const CHANGE_MS = 1_000;

export interface View {
  /** What happens in the run; also when to look again. */
  event(event: RunEvent): void;
  /** A line of talk that stays. */
  note(text: string): void;
  /** Runs with the live lines taken away: for what goes to the same terminal. */
  aside<T>(body: () => Promise<T>): Promise<T>;
  end(): void;
}

type ViewOptions = { readonly given: Given; readonly name: string; readonly snapshot: () => Snapshot };

export function openView(options: ViewOptions): View {
  const { values, env } = options.given;
  const atTerminal = process.stderr.isTTY === true && env.TERM !== 'dumb' && !values.quiet;
  const kind = values.progress === 'auto' ? (atTerminal ? 'bar' : 'plain') : values.progress;
  if (values.quiet || kind === 'none') return new Silent();
  if (kind === 'json') return new Events();
  return kind === 'bar' ? new Bar(options) : new Plain(options);
}

class Silent implements View {
  event(_event: RunEvent): void {}

  note(_text: string): void {}

  aside<T>(body: () => Promise<T>): Promise<T> {
    return body();
  }

  end(): void {}
}

class Events extends Silent {
  override event(event: RunEvent): void {
    process.stderr.write(`${JSON.stringify(event)}\n`);
  }

  override note(text: string): void {
    process.stderr.write(`${JSON.stringify({ kind: 'note', message: text })}\n`);
  }
}

/** `2026-11-20T10:04:11Z run=reviews batches=3/5 ok=28940 …`, on change and every minute. */
class Plain implements View {
  readonly #options: ViewOptions;
  readonly #timer: NodeJS.Timeout;
  #last = '';
  #lastAtMs = 0;

  constructor(options: ViewOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#beat(false), CHANGE_MS).unref();
  }

  event(event: RunEvent): void {
    const text = wordsOf(event);
    if (text !== null) this.note(text);
  }

  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  aside<T>(body: () => Promise<T>): Promise<T> {
    return body();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#beat(true);
  }

  #beat(isEnd: boolean): void {
    const nowMs = Date.now();
    const line = lineOf(this.#options.snapshot());
    if (line === this.#last && (isEnd || nowMs - this.#lastAtMs < HEARTBEAT_MS)) return;
    this.#last = line;
    this.#lastAtMs = nowMs;
    process.stderr.write(`${new Date(nowMs).toISOString().slice(0, 19)}Z run=${this.#options.name} ${line}\n`);
  }
}

/** Never a full screen: what is above it scrolls as ever, and what is left at the end is the last state. */
class Bar implements View {
  readonly #options: ViewOptions;
  readonly #timer: NodeJS.Timeout;
  #drawn = 0;

  constructor(options: ViewOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#redraw(), REDRAW_MS).unref();
  }

  event(event: RunEvent): void {
    const text = wordsOf(event);
    if (text !== null) this.note(text);
  }

  note(text: string): void {
    this.#erase();
    process.stderr.write(`${text}\n`);
    this.#redraw();
  }

  async aside<T>(body: () => Promise<T>): Promise<T> {
    this.#erase();
    return await body();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#redraw();
    this.#drawn = 0;
  }

  #redraw(): void {
    const paint = painter(this.#options.given, process.stderr);
    // A line that wraps would be two: the next redraw would leave one behind.
    const width = (process.stderr.columns ?? 80) - 1;
    const lines = linesOf(this.#options.snapshot()).map((line) => `  ${line}`.slice(0, width));
    const shown = lines.map((line) => line.replace(/^ {2}\w+/, (head) => paint(head, 'dim')));
    const up = this.#drawn === 0 ? '' : `\u001B[${this.#drawn}A`;
    process.stderr.write(`${up}\r${shown.map((line) => `${line}\u001B[K\n`).join('')}\u001B[J`);
    this.#drawn = lines.length;
  }

  #erase(): void {
    if (this.#drawn > 0) process.stderr.write(`\u001B[${this.#drawn}A\r\u001B[J`);
    this.#drawn = 0;
  }
}

/** What a person wants to hear of by name; the rest is in the numbers. */
function wordsOf(event: RunEvent): string | null {
  switch (event.kind) {
    case 'unclear':
      return `  batch of chunk ${event.chunk}: no clear answer (${event.message}); it is looked for, and not sent again until it is known`;
    case 'resolved':
      return `  batch of chunk ${event.chunk}: ${event.batchId === null ? 'was not made' : `found as ${event.batchId}`} (${event.how})`;
    case 'refused':
      return `  batch of chunk ${event.chunk}: refused with ${event.status}: ${event.message}`;
    case 'retry':
      return `  ${event.rows} rows again: ${event.why}`;
    case 'budget':
      return `  budget: $${event.spentDollars.toFixed(2)} of $${event.capDollars.toFixed(2)} are spent or under way; no more is submitted`;
    case 'trouble':
      return `  ${event.message}${event.retryInMs === null ? '' : ` (again in ${Math.ceil(event.retryInMs / 1_000)}s)`}`;
    default:
      return null;
  }
}
