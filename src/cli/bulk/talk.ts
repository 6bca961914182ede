/** Standard output is data, standard error is talk: who writes where, in what colors, and what happens when a reader goes away. */
import { once } from 'node:events';
import type { Given } from './read-flags.ts';

export type Style = 'bold' | 'dim' | 'green' | 'yellow' | 'red';

const codes: Readonly<Record<Style, string>> = { bold: '1', dim: '2', green: '32', yellow: '33', red: '31' };

/** NO_COLOR and FORCE_COLOR as https://no-color.org and Node read them. */
export function hasColor(
  { env, values }: Pick<Given, 'env' | 'values'>,
  stream: { readonly isTTY?: boolean },
): boolean {
  if (!values.color || (env.NO_COLOR ?? '') !== '') return false;
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return stream.isTTY === true && env.TERM !== 'dumb';
}

export function painter(
  given: Pick<Given, 'env' | 'values'>,
  stream: { readonly isTTY?: boolean },
): (text: string, style: Style) => string {
  const color = hasColor(given, stream);
  return (text, style) => (color ? `\u001B[${codes[style]}m${text}\u001B[0m` : text);
}

/** For people; nothing with --quiet. */
export function say({ values }: Pick<Given, 'values'>, text: string): void {
  if (!values.quiet) process.stderr.write(`${text}\n`);
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** One object on one line, as every `--json` is. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, bigintsAsText));
}

function bigintsAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

/** A reader of standard output that has gone away, such as `head`. */
export class ReaderGone extends Error {
  constructor() {
    super('the reader of standard output has gone');
    this.name = 'ReaderGone';
  }
}

/** Waits where the reader is slower than we are. */
export async function write(bytes: Uint8Array | string): Promise<void> {
  if (process.stdout.destroyed || process.stdout.errored) throw new ReaderGone();
  if (process.stdout.write(bytes)) return;
  await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'close')]).catch(() => undefined);
  if (process.stdout.destroyed || process.stdout.errored) throw new ReaderGone();
}

/** The first row holds the headings. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function number(value: number): string {
  return value.toLocaleString('en-US');
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** 90_000 → `1m30s`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const [days, hours, minutes, rest] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3_600) % 24,
    Math.floor(seconds / 60) % 60,
    seconds % 60,
  ];
  if (days > 0) return `${days}d${hours}h`;
  if (hours > 0) return `${hours}h${String(minutes).padStart(2, '0')}m`;
  return minutes > 0 ? `${minutes}m${String(rest).padStart(2, '0')}s` : `${rest}s`;
}

export function date(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

export function second(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
