/**
 * CSV and TSV as RFC 4180 has them: LF or CRLF, fields quoted where they hold a separator, a line end or a quote. What does not
 * follow it is that row's fault, named with its line, and reading goes on with the next line.
 *
 * Our own parser, not a package: it is several times quicker than the strict ones, knows the place and line of each record without
 * being slowed by it, and goes on after a fault; the test holds it against csv-parse.
 */
import { InputError } from './input-error.ts';
import {
  type Cursor,
  fail,
  isTextBetween,
  linesBetween,
  nextQuote,
  type RecordFormat,
  type Step,
  succeed,
  textBetween,
  type Window,
} from './record-format.ts';

export type CsvDialect = { readonly kind: 'csv' | 'tsv'; readonly delimiter: string };

const CR = 13;
const LF = 10;
const QUOTE = 34;
/** More names than this are not listed in a message. */
const NAMES_LISTED_MAX = 12;

export function csvFormat(dialect: CsvDialect, columns: readonly string[]): RecordFormat {
  const fields: string[] = [];
  return {
    kind: dialect.kind,
    columns,
    next(window, cursor) {
      const line = cursor.line;
      const step = readFields(window, cursor, { delimiter: dialect.delimiter, fields });
      if (step !== 'record' || cursor.fault !== null) return step;
      if (fields.length !== columns.length) return fail(cursor, raggedFault(line, fields.length, columns));
      const row: Record<string, string> = {};
      for (let index = 0; index < columns.length; index += 1) row[columns[index]!] = fields[index]!;
      return succeed(cursor, row);
    },
  };
}

/** The first record as names; the cursor then stands behind it. Null where there is none. */
export function readHeader(
  window: Window,
  cursor: Cursor,
  options: { readonly dialect: CsvDialect; readonly name: string; readonly delimiterGiven: boolean },
): readonly string[] | null {
  const { dialect, name } = options;
  const fields: string[] = [];
  let step: Step = 'blank';
  while (step === 'blank') step = readFields(window, cursor, { delimiter: dialect.delimiter, fields });
  if (step === 'end') return null;
  if (step === 'more') throw new InputError(`${name}, line 1: the line of column names does not end`);
  if (cursor.fault !== null) throw new InputError(`${name}, ${cursor.fault}`);
  const line = cursor.line - 1;
  if (fields.some((field) => field.includes('\r'))) {
    throw new InputError(`${name}: its lines end in CR alone; turn them into LF first: tr '\\r' '\\n' < ${name}`);
  }
  if (fields.length === 1 && !options.delimiterGiven) {
    const other = [';', '\t', ',', '|'].find((one) => one !== dialect.delimiter && fields[0]!.includes(one));
    if (other !== undefined) {
      const shown = other === '\t' ? 'tabs' : JSON.stringify(other);
      throw new InputError(
        `${name}, line ${line}: the columns seem to be separated by ${shown}: say so with --delimiter`,
      );
    }
  }
  return checkedNames(fields, { name, line });
}

/** The number of fields in the first record, which is not consumed: names for a file without a header. */
export function countFields(window: Window, line: number, dialect: CsvDialect): number {
  const fields: string[] = [];
  const cursor: Cursor = { at: 0, line, row: null, fault: null };
  let step: Step = 'blank';
  while (step === 'blank') step = readFields(window, cursor, { delimiter: dialect.delimiter, fields });
  return step === 'record' && cursor.fault === null ? fields.length : 0;
}

function checkedNames(
  fields: readonly string[],
  at: { readonly name: string; readonly line: number },
): readonly string[] {
  const names = fields.map((field) => field.trim());
  for (const [index, name] of names.entries()) {
    if (name === '') throw new InputError(`${at.name}, line ${at.line}: column ${index + 1} has no name`);
    if (name === '__proto__') throw new InputError(`${at.name}, line ${at.line}: a column cannot be named __proto__`);
    const first = names.indexOf(name);
    if (first !== index) {
      const places = `columns ${first + 1} and ${index + 1}`;
      throw new InputError(`${at.name}, line ${at.line}: ${places} are both named ${JSON.stringify(name)}`);
    }
  }
  return names;
}

type Reading = { readonly delimiter: string; readonly fields: string[] };

/** Fills `fields`, or names the fault; either way the cursor then stands behind the record. */
function readFields(window: Window, cursor: Cursor, { delimiter, fields }: Reading): Step {
  const { text, final } = window;
  const start = cursor.at;
  if (start >= text.length) return final ? 'end' : 'more';
  const quote = nextQuote(window, start);
  let lineEnd = text.indexOf('\n', start);
  if (lineEnd === -1) {
    if (!final) return 'more';
    lineEnd = text.length;
  }
  cursor.fault = null;
  fields.length = 0;
  if (quote !== -1 && quote < lineEnd) return readQuoted(window, cursor, { delimiter, fields });
  cursor.at = lineEnd + 1;
  cursor.line += 1;
  const end = lineEnd > start && text.charCodeAt(lineEnd - 1) === CR ? lineEnd - 1 : lineEnd;
  if (end === start) return 'blank';
  if (!isTextBetween(window, start, end)) return fail(cursor, `line ${cursor.line - 1}: not valid UTF-8`);
  let from = start;
  for (let to = text.indexOf(delimiter, from); to !== -1 && to < end; to = text.indexOf(delimiter, from)) {
    fields.push(textBetween(window, from, to));
    from = to + 1;
  }
  fields.push(textBetween(window, from, end));
  return 'record';
}

/** A record with a quote on its first line: field by field. */
function readQuoted(window: Window, cursor: Cursor, { delimiter, fields }: Reading): Step {
  const { text, final } = window;
  const start = cursor.at;
  const line = cursor.line;
  const separator = delimiter.charCodeAt(0);
  let from = start;
  for (;;) {
    let end: number;
    if (text.charCodeAt(from) === QUOTE) {
      end = closingQuote(text, from + 1) + 1;
      if (end === 0 || (end >= text.length && !final)) {
        if (!final) return 'more';
        throw new InputError(unclosed(line + linesBetween(window, start, from), fields.length + 1));
      }
      const value = textBetween(window, from + 1, end - 1);
      fields.push(value.includes('"') ? value.replaceAll('""', '"') : value);
    } else {
      end = plainEnd(text, from, delimiter);
      if (end === text.length && !final) return 'more';
      const value = textBetween(
        window,
        from,
        text.charCodeAt(end) === LF || end === text.length ? trimCr(text, from, end) : end,
      );
      if (value.includes('"'))
        return skipLine(window, cursor, {
          start,
          from,
          problem: 'a quote inside a field that does not begin with one',
        });
      fields.push(value);
    }
    const next = text.charCodeAt(end);
    if (next === separator) {
      from = end + 1;
      continue;
    }
    if (next === CR && end + 1 >= text.length && !final) return 'more';
    const close = next === CR ? end + 1 : end;
    if (close >= text.length || text.charCodeAt(close) === LF) {
      cursor.at = close + 1;
      cursor.line = line + 1 + linesBetween(window, start, close);
      return isTextBetween(window, start, end) ? 'record' : fail(cursor, `line ${line}: not valid UTF-8`);
    }
    return skipLine(window, cursor, {
      start,
      from: end,
      problem: `something between the closing quote and the separator`,
    });
  }
}

function trimCr(text: string, from: number, end: number): number {
  return end > from && text.charCodeAt(end - 1) === CR ? end - 1 : end;
}

/** The place of the quote that ends a field; -1 where the text ends first. */
function closingQuote(text: string, from: number): number {
  let at = text.indexOf('"', from);
  while (at !== -1 && text.charCodeAt(at + 1) === QUOTE) at = text.indexOf('"', at + 2);
  return at;
}

function plainEnd(text: string, from: number, delimiter: string): number {
  let lineEnd = text.indexOf('\n', from);
  if (lineEnd === -1) lineEnd = text.length;
  const at = text.indexOf(delimiter, from);
  return at === -1 || at > lineEnd ? lineEnd : at;
}

/** The rest of a line cannot be understood after a stray quote: the row is one fault, and the next line is a new record. */
function skipLine(
  window: Window,
  cursor: Cursor,
  at: { readonly start: number; readonly from: number; readonly problem: string },
): Step {
  let end = window.text.indexOf('\n', at.from);
  if (end === -1) {
    if (!window.final) return 'more';
    end = window.text.length;
  }
  const line = cursor.line + linesBetween(window, at.start, at.from);
  cursor.at = end + 1;
  cursor.line = line + 1;
  return fail(cursor, `line ${line}: ${at.problem}; quote the whole field and write "" for each quote in it`);
}

function raggedFault(line: number, count: number, columns: readonly string[]): string {
  const names = columns.length <= NAMES_LISTED_MAX ? ` (${columns.join(', ')})` : '';
  return `line ${line}: ${count} ${count === 1 ? 'field' : 'fields'}, where the header has ${columns.length}${names}`;
}

function unclosed(line: number, field: number): string {
  return `line ${line}: field ${field} opens a quote that is never closed`;
}
