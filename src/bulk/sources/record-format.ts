/** What a text format has to say to be read: where a record ends, and what is in it. */
import { isAscii, isUtf8 } from 'node:buffer';
import type { Row } from '../contract.ts';

/**
 * A stretch of a file. `text` has one character a byte, so that places in it are places in the file and native searches find
 * line ends, quotes and commas, which are ASCII in UTF-8 too; `textBetween` gives what the bytes really say.
 */
export type Window = {
  readonly bytes: Buffer;
  readonly text: string;
  readonly ascii: boolean;
  /** All of it is UTF-8 (a character cut by its end aside); else each record is looked at. */
  readonly valid: boolean;
  /** Where it begins in the file. */
  readonly offset: number;
  /** The file ends with it. */
  readonly final: boolean;
  /** The first quote at or after the last place asked for: most records are before it. */
  quoteAt: number;
};

/** Where reading stands, and the last record read: one object for a whole file, since a million would cost more than the parsing. */
export type Cursor = {
  at: number;
  /** Counts from 1, by line feeds. */
  line: number;
  row: Row | null;
  fault: string | null;
};

/**
 * `record`: the cursor holds one and stands behind it. `blank`: it stands behind something that is none. `more`: the window ends
 * inside a record (the cursor may stand anywhere). `end`: there is no further record.
 */
export type Step = 'record' | 'blank' | 'more' | 'end';

export type RecordFormat = {
  readonly kind: string;
  readonly columns: readonly string[] | null;
  next(window: Window, cursor: Cursor): Step;
};

export function windowOf(bytes: Buffer, place: { readonly offset: number; readonly final: boolean }): Window {
  const ascii = isAscii(bytes);
  return {
    bytes,
    text: bytes.toString('latin1'),
    ascii,
    valid: ascii || isUtf8(place.final ? bytes : bytes.subarray(0, bytes.length - cutCharacterBytes(bytes))),
    ...place,
    quoteAt: -2,
  };
}

export function textBetween(window: Window, start: number, end: number): string {
  return window.ascii ? window.text.slice(start, end) : window.bytes.toString('utf8', start, end);
}

export function isTextBetween(window: Window, start: number, end: number): boolean {
  return window.valid || isUtf8(window.bytes.subarray(start, end));
}

export function nextQuote(window: Window, from: number): number {
  if (window.quoteAt !== -1 && window.quoteAt < from) window.quoteAt = window.text.indexOf('"', from);
  return window.quoteAt;
}

export function linesBetween(window: Window, start: number, end: number): number {
  let lines = 0;
  for (let at = window.text.indexOf('\n', start); at !== -1 && at < end; at = window.text.indexOf('\n', at + 1))
    lines += 1;
  return lines;
}

/** Says that the row is not to be used; the cursor stands behind it already. */
export function fail(cursor: Cursor, fault: string): Step {
  cursor.row = null;
  cursor.fault = fault;
  return 'record';
}

export function succeed(cursor: Cursor, row: Row): Step {
  cursor.row = row;
  cursor.fault = null;
  return 'record';
}

/** How many bytes at the end belong to a character that goes on in the next window. */
function cutCharacterBytes(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}
