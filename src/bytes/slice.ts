/** Cuts request bodies into requests while they stream in: the JSON of a create call, and JSON lines. */

import { isUtf8 } from 'node:buffer';
import { REQUEST_BYTES_MAX } from '../domain/limits.ts';
import { asBuffer, CLOSE_LIST, CLOSE_OBJECT, COLON, COMMA, LINE_FEED, OPEN_LIST, OPEN_OBJECT, QUOTE } from './ascii.ts';
import { Boundary, Held, isWord } from './gather.ts';
import { JsonError, text, validate, validateText, whitespace } from './json.ts';

export type BodyFault =
  | { readonly kind: 'not_json'; readonly message: string }
  | { readonly kind: 'not_an_object' }
  | { readonly kind: 'requests_missing' }
  | { readonly kind: 'requests_not_a_list' }
  | { readonly kind: 'unknown_key'; readonly key: string }
  | { readonly kind: 'duplicate_key'; readonly key: string }
  | { readonly kind: 'request_too_large'; readonly ordinal: number };

/** What is wrong with a body as a whole; `fault` is for rendering, the message of a body that is no JSON says where. */
export class BodyError extends Error {
  readonly kind: BodyFault['kind'];
  readonly fault: BodyFault;

  constructor(fault: BodyFault) {
    super(fault.kind === 'not_json' ? fault.message : fault.kind);
    this.name = 'BodyError';
    this.kind = fault.kind;
    this.fault = fault;
  }
}

/** Receives one request, strictly checked JSON of any type; the bytes are only valid during the call. */
export type Emit = (bytes: Uint8Array, ordinal: number) => void;

/** What the next byte that is no white space has to be. A value of several bytes is taken at once, or gathered. */
type Expected =
  | 'envelope'
  | 'first key or close'
  | 'key'
  | 'colon'
  | 'list'
  | 'first element or close'
  | 'element'
  | 'comma or end of list'
  | 'comma or end of envelope'
  | 'nothing';

/** A key is shown in an error up to this length. */
const KEY_SHOWN_LENGTH = 256;

/**
 * Slices `{"requests": [...]}`. It accepts what JSON.parse accepts of that shape, and holds one unfinished request at most.
 *
 *     envelope { → first key → : → [ → first element → , → element … ] → } → nothing
 *
 * A request that lies in one chunk is checked where it lies and never copied. One that does not is gathered first:
 * its end is found by counting, then the whole is checked, so that no byte is checked more than twice.
 * After an error the slicer must not be used again.
 */
export class EnvelopeSlicer {
  readonly #emit: Emit;
  readonly #held = new Held();
  readonly #boundary = new Boundary();
  #expected: Expected = 'envelope';
  #gathering = false;
  #ordinal = 0;
  #sawRequests = false;
  /** The place in the body of index 0 of the bytes now being looked at. */
  #base = 0;

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  push(chunk: Uint8Array): void {
    const bytes = asBuffer(chunk);
    const before = this.#base;
    let at = this.#gathering ? this.#gather(bytes, 0) : 0;
    for (;;) {
      at = whitespace(bytes, at);
      if (at === bytes.length) break;
      at = this.#read(bytes, at);
    }
    this.#base = before + bytes.length;
  }

  end(): void {
    if (this.#expected !== 'nothing') throw this.#notJson('Unexpected end', 0);
    if (!this.#sawRequests) throw new BodyError({ kind: 'requests_missing' });
  }

  /** Reads one token, or the part of it that is there, and returns the index after it. */
  #read(bytes: Buffer, at: number): number {
    const byte = bytes[at];
    switch (this.#expected) {
      case 'envelope':
        if (byte !== OPEN_OBJECT) throw this.#wrongType(byte, at, { kind: 'not_an_object' });
        return this.#expect('first key or close', at);
      case 'first key or close':
        if (byte === CLOSE_OBJECT) return this.#expect('nothing', at);
        this.#expected = 'key';
        return at;
      case 'key':
        if (byte !== QUOTE) throw this.#notJson('Expecting property name enclosed in double quotes', at);
        return this.#readValue(bytes, at);
      case 'colon':
        if (byte !== COLON) throw this.#notJson("Expecting ':' delimiter", at);
        return this.#expect('list', at);
      case 'list':
        if (byte !== OPEN_LIST) throw this.#wrongType(byte, at, { kind: 'requests_not_a_list' });
        return this.#expect('first element or close', at);
      case 'first element or close':
        if (byte === CLOSE_LIST) return this.#expect('comma or end of envelope', at);
        this.#expected = 'element';
        return at;
      case 'element':
        return this.#readValue(bytes, at);
      case 'comma or end of list':
        if (byte === COMMA) return this.#expect('element', at);
        if (byte === CLOSE_LIST) return this.#expect('comma or end of envelope', at);
        throw this.#notJson("Expecting ',' delimiter", at);
      case 'comma or end of envelope':
        if (byte === COMMA) return this.#expect('key', at);
        if (byte === CLOSE_OBJECT) return this.#expect('nothing', at);
        throw this.#notJson("Expecting ',' delimiter", at);
      case 'nothing':
        throw this.#notJson('Extra data', at);
    }
  }

  #expect(expected: Expected, at: number): number {
    this.#expected = expected;
    return at + 1;
  }

  /** Takes a key or an element where it lies, or begins to gather it. */
  #readValue(bytes: Buffer, at: number): number {
    const end = this.#check(bytes, at);
    const isWhole = end !== -1 && (end < bytes.length || !isWord(bytes[at]));
    if (isWhole) {
      this.#finish(bytes.subarray(at, end), at);
      return end;
    }
    this.#gathering = true;
    this.#boundary.begin(bytes[at]);
    return this.#gather(bytes, at);
  }

  #gather(bytes: Buffer, at: number): number {
    const end = this.#boundary.scan(bytes, at);
    this.#requireSize(this.#held.length + end - at);
    this.#held.append(bytes.subarray(at, end));
    if (!this.#boundary.found) return end;
    this.#gathering = false;
    const value = this.#held.take();
    const base = this.#base;
    this.#base = base + end - value.length;
    const checked = this.#check(value, 0);
    if (checked === -1) throw this.#notJson('Expecting value', value.length);
    if (checked < value.length) throw this.#notJson("Expecting ',' delimiter", checked);
    this.#finish(value, 0);
    this.#base = base;
    return end;
  }

  /** Returns the index after the value, or -1 when the bytes end before it does. */
  #check(bytes: Buffer, at: number): number {
    try {
      return validate(bytes, at, bytes.length);
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      if (error.offset >= bytes.length) return -1;
      throw this.#notJson(error.message, error.offset);
    }
  }

  #finish(value: Buffer, at: number): void {
    this.#requireSize(value.length);
    if (!isUtf8(value)) throw this.#notJson('Invalid UTF-8', at);
    if (this.#expected === 'key') {
      this.#acceptKey(text(value, 0, value.length));
      return;
    }
    this.#expected = 'comma or end of list';
    this.#emit(value, this.#ordinal++);
  }

  #acceptKey(key: string): void {
    if (key !== 'requests') throw new BodyError({ kind: 'unknown_key', key: key.slice(0, KEY_SHOWN_LENGTH) });
    if (this.#sawRequests) throw new BodyError({ kind: 'duplicate_key', key });
    this.#sawRequests = true;
    this.#expected = 'colon';
  }

  #requireSize(length: number): void {
    if (length <= REQUEST_BYTES_MAX) return;
    if (this.#expected === 'key') throw new BodyError({ kind: 'unknown_key', key: '' });
    throw new BodyError({ kind: 'request_too_large', ordinal: this.#ordinal });
  }

  /** A value of the wrong type is only called that if it could be a value at all. */
  #wrongType(byte: number, at: number, fault: BodyFault): BodyError {
    const isValue = byte === QUOTE || byte === OPEN_LIST || byte === OPEN_OBJECT || isWord(byte);
    return isValue ? new BodyError(fault) : this.#notJson('Expecting value', at);
  }

  #notJson(message: string, at: number): BodyError {
    return new BodyError({ kind: 'not_json', message: `${message} (byte ${this.#base + at})` });
  }
}

/** Slices JSON lines: one value a line, ended by LF or CRLF; blank lines are ignored, and the last line may lack its end. */
export class LineSlicer {
  readonly #emit: Emit;
  readonly #held = new Held();
  #line = 1;
  #ordinal = 0;

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  push(chunk: Uint8Array): void {
    const bytes = asBuffer(chunk);
    let at = 0;
    for (;;) {
      const lineEnd = bytes.indexOf(LINE_FEED, at);
      const piece = bytes.subarray(at, lineEnd === -1 ? bytes.length : lineEnd);
      const isPart = lineEnd === -1 || this.#held.length > 0;
      if (isPart) {
        this.#requireSize(this.#held.length + piece.length);
        this.#held.append(piece);
      }
      if (lineEnd === -1) return;
      this.#finish(isPart ? this.#held.take() : piece);
      at = lineEnd + 1;
    }
  }

  end(): void {
    this.#finish(this.#held.take());
  }

  #finish(line: Buffer): void {
    this.#requireSize(line.length);
    const start = whitespace(line, 0);
    if (start < line.length) {
      const end = this.#check(line, start);
      this.#emit(line.subarray(start, end), this.#ordinal++);
    }
    this.#line += 1;
  }

  #check(line: Buffer, start: number): number {
    try {
      return validateText(line, start, line.length);
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      throw new BodyError({ kind: 'not_json', message: `line ${this.#line}: ${error.message} (byte ${error.offset})` });
    }
  }

  #requireSize(length: number): void {
    if (length > REQUEST_BYTES_MAX) throw new BodyError({ kind: 'request_too_large', ordinal: this.#ordinal });
  }
}
