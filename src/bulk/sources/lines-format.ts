/** A text file: each line that holds something is a row with the one column `text`. */
import { fail, isTextBetween, type RecordFormat, succeed, textBetween } from './record-format.ts';

const CR = 13;

export const linesFormat: RecordFormat = {
  kind: 'txt',
  columns: ['text'],
  next(window, cursor) {
    const start = cursor.at;
    if (start >= window.text.length) return window.final ? 'end' : 'more';
    let lineEnd = window.text.indexOf('\n', start);
    if (lineEnd === -1) {
      if (!window.final) return 'more';
      lineEnd = window.text.length;
    }
    const line = cursor.line;
    cursor.at = lineEnd + 1;
    cursor.line += 1;
    const end = lineEnd > start && window.text.charCodeAt(lineEnd - 1) === CR ? lineEnd - 1 : lineEnd;
    if (!isTextBetween(window, start, end)) return fail(cursor, `line ${line}: not valid UTF-8`);
    const text = textBetween(window, start, end);
    return text.trim() === '' ? 'blank' : succeed(cursor, { text });
  },
};
