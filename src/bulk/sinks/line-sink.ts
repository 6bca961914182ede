/** Outputs of one piece of text a row: JSON lines, CSV, TSV, and the result lines as they came. */
import type { OutputRow, Sink } from '../contract.ts';
import type { Destination } from './destination.ts';
import { objectLayout, type Shape } from './layout.ts';
import type { TableWriter } from './table-sink.ts';

type Encode = (rows: readonly OutputRow[]) => string | Uint8Array;

export function jsonLinesSink(destination: Destination, shape: Shape): Sink {
  const objectOf = objectLayout(shape);
  return lineSink(destination, (rows) => {
    let text = '';
    for (const row of rows) text += `${JSON.stringify(objectOf(row))}\n`;
    return text;
  });
}

/** Rows that have no result line (never sent, never answered) are not in a raw output. */
export function rawSink(destination: Destination): Sink {
  const lineFeed = Buffer.from('\n');
  return lineSink(destination, (rows) =>
    Buffer.concat(rows.flatMap(({ line }) => (line === null ? [] : line.at(-1) === 10 ? [line] : [line, lineFeed]))),
  );
}

/**
 * CSV as RFC 4180 has it, LF, quoted only where needed. Cells are written as they are: a text that begins with = or + stays so,
 * because it is data and not meant for a spreadsheet's formulas; null is empty, nested values are JSON.
 */
export async function csvWriter(
  destination: Destination,
  options: { readonly names: readonly string[]; readonly delimiter: string },
): Promise<TableWriter> {
  const unsafe = new RegExp(`["\\r\\n${options.delimiter === '\t' ? '\\t' : options.delimiter}]`);
  const quoted = (text: string): string => (unsafe.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lineOf = (cells: readonly unknown[]): string => {
    let line = '';
    for (let index = 0; index < cells.length; index += 1) {
      line += (index === 0 ? '' : options.delimiter) + quoted(cellText(cells[index]));
    }
    return line === '' ? '""\n' : `${line}\n`;
  };
  await destination.write(lineOf(options.names));
  return {
    async write(rows) {
      let text = '';
      for (const cells of rows) text += lineOf(cells);
      await destination.write(text);
    },
    finish: () => destination.finish(),
    abandon: () => destination.abandon(),
  };
}

export function cellText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '';
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : JSON.stringify(value);
}

function lineSink(destination: Destination, encode: Encode): Sink {
  return {
    async write(rows) {
      if (rows.length > 0) await destination.write(encode(rows));
    },
    finish: () => destination.finish(),
    abandon: () => destination.abandon(),
  };
}
