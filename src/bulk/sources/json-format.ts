/**
 * Objects of one JSON array, read one by one however long the array is; also objects one after another, as `jq` prints them.
 * Between objects any of `[`, `]`, `,` and white space is passed over; that an array is closed is looked at when the file is opened.
 */
import { InputError } from './input-error.ts';
import { parseInto } from './json-lines-format.ts';
import { fail, isTextBetween, linesBetween, type RecordFormat, textBetween, type Window } from './record-format.ts';

const separator = /[[\],\s]+/y;
const otherValue = /[^\],\n]+/y;

export const jsonFormat: RecordFormat = {
  kind: 'json',
  columns: null,
  next(window, cursor) {
    const start = cursor.at;
    const { text, final } = window;
    if (start >= text.length) return final ? 'end' : 'more';
    separator.lastIndex = start;
    if (separator.test(text)) {
      cursor.at = separator.lastIndex;
      cursor.line += linesBetween(window, start, cursor.at);
      return 'blank';
    }
    const line = cursor.line;
    const end = text[start] === '{' ? objectEnd(window, start) : otherEnd(text, start);
    if (end === -1 || (end === text.length && !final && text[start] !== '{')) {
      if (final) throw new InputError(`line ${line}: the object that begins here is never closed`);
      return 'more';
    }
    cursor.at = end;
    cursor.line += linesBetween(window, start, end);
    if (!isTextBetween(window, start, end)) return fail(cursor, `line ${line}: not valid UTF-8`);
    return parseInto(cursor, { text: textBetween(window, start, end), line });
  },
};

function otherEnd(text: string, start: number): number {
  otherValue.lastIndex = start;
  otherValue.test(text);
  return Math.max(otherValue.lastIndex, start + 1);
}

/** Behind the brace that closes the one at `start`; -1 where the window ends first. */
function objectEnd({ text }: Window, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x22:
        at = stringEnd(text, at + 1);
        if (at === -1) return -1;
        break;
      case 0x7b:
        depth += 1;
        break;
      case 0x7d:
        depth -= 1;
        if (depth === 0) return at + 1;
        break;
      default:
    }
  }
  return -1;
}

/** The quote that ends a string: one before which an even number of backslashes stands. */
function stringEnd(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === 0x5c) slashes += 1;
    if (slashes % 2 === 0) return at;
  }
  return -1;
}
