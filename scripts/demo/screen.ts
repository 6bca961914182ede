// What the demo shows while it works: a bar at a terminal, plain lines now and then elsewhere.

export type Style = { readonly bold: Paint; readonly good: Paint; readonly bad: Paint; readonly dim: Paint };
type Paint = (text: string) => string;

const HEARTBEAT_MS = 2_000;
const RATE_SPAN_MS = 2_000;
const BAR_CELLS_MAX = 40;
const PARTS_OF_A_CELL = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

export class Screen {
  readonly style: Style;
  readonly #total: number;
  readonly #kills: number;
  readonly #terminal = process.stdout.isTTY === true && process.env.TERM !== 'dumb';
  readonly #startedAtMs = performance.now();
  #samples: { readonly atMs: number; readonly answered: number }[] = [];
  #heartbeatAtMs = -Infinity;

  constructor(options: { readonly total: number; readonly kills: number }) {
    this.#total = options.total;
    this.#kills = options.kills;
    const colored = this.#terminal && !process.env.NO_COLOR;
    const paint = (code: string): Paint => (colored ? (text) => `\u001B[${code}m${text}\u001B[0m` : (text) => text);
    this.style = { bold: paint('1'), good: paint('32'), bad: paint('1;31'), dim: paint('2') };
  }

  title(text: string): void {
    process.stdout.write(`\n  ${this.style.bold('Nightshift demo')}  ${text}\n\n`);
  }

  line(text: string, mood: 'plain' | 'good' | 'bad' = 'plain'): void {
    const paint = mood === 'plain' ? (same: string): string => same : this.style[mood];
    this.#clear();
    process.stdout.write(`  ${this.style.dim(this.#clock())}  ${paint(text)}\n`);
  }

  progress(answered: number, kills: number): void {
    const nowMs = performance.now();
    this.#samples = [...this.#samples.filter(({ atMs }) => nowMs - atMs < RATE_SPAN_MS), { atMs: nowMs, answered }];
    const share = answered / this.#total;
    const numbers = `${percent(share)}  ${count(answered)} of ${count(this.#total)}  ${count(this.#rate())}/s  killed ${kills} of ${this.#kills}`;
    if (this.#terminal) {
      const cells = Math.max(8, Math.min(BAR_CELLS_MAX, (process.stdout.columns || 80) - numbers.length - 6));
      this.#clear();
      process.stdout.write(`  ${bar(share, cells, this.style)}  ${numbers}`);
    } else if (nowMs - this.#heartbeatAtMs >= HEARTBEAT_MS) {
      this.#heartbeatAtMs = nowMs;
      this.line(numbers);
    }
  }

  end(text: string): void {
    this.#clear();
    process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  #rate(): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (last === undefined || last.atMs - first.atMs < 1) return 0;
    return Math.round(((last.answered - first.answered) / (last.atMs - first.atMs)) * 1_000);
  }

  #clock(): string {
    return `${((performance.now() - this.#startedAtMs) / 1_000).toFixed(1).padStart(5)} s`;
  }

  #clear(): void {
    if (this.#terminal) process.stdout.write('\r\u001B[K');
  }
}

function bar(share: number, cells: number, style: Style): string {
  const eighths = Math.round(Math.min(1, share) * cells * 8);
  const filled = '█'.repeat(eighths >> 3) + PARTS_OF_A_CELL[eighths & 7];
  return style.good(filled) + style.dim('░'.repeat(cells - filled.length));
}

function percent(share: number): string {
  return `${Math.floor(share * 100)} %`.padStart(5);
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
