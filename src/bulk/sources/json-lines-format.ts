/** One JSON object a line, split at LF and nothing else: U+2028 may stand in a string. Blank lines are passed over. */
import type { Row } from '../contract.ts';
import {
  type Cursor,
  fail,
  isTextBetween,
  type RecordFormat,
  type Step,
  succeed,
  textBetween,
} from './record-format.ts';

const blank = /^[\s]*$/;

export const jsonLinesFormat: RecordFormat = {
  kind: 'jsonl',
  columns: null,
  next(window, cursor) {
    const start = cursor.at;
    if (start >= window.text.length) return window.final ? 'end' : 'more';
    let end = window.text.indexOf('\n', start);
    if (end === -1) {
      if (!window.final) return 'more';
      end = window.text.length;
    }
    const line = cursor.line;
    cursor.at = end + 1;
    cursor.line += 1;
    if (end - start < 3 && blank.test(window.text.slice(start, end))) return 'blank';
    if (!isTextBetween(window, start, end)) return fail(cursor, `line ${line}: not valid UTF-8`);
    return parseInto(cursor, { text: textBetween(window, start, end), line });
  },
};

/** Shared with JSON arrays, whose elements are found in another way. */
export function parseInto(cursor: Cursor, from: { readonly text: string; readonly line: number }): Step {
  let value: unknown;
  try {
    value = JSON.parse(from.text);
  } catch (error) {
    if (blank.test(from.text)) return 'blank';
    return fail(cursor, `line ${from.line}: not JSON: ${(error as Error).message}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return succeed(cursor, value as Row);
  return fail(cursor, `line ${from.line}: a row must be a JSON object, and this is ${nameOf(value)}`);
}

function nameOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}
