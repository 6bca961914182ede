/** Puts together a JSON value whose bytes arrive in several chunks: finds its end without judging it, and holds it in one piece. */

import { BACKSLASH, depthStep, QUOTE, STRING_BEGINS } from './ascii.ts';

/** Grows by doubling from here; most requests fit at once. */
const HELD_BYTES_MIN = 64 * 1024;

/** Bytes held in one piece until they are taken; the memory is used again. */
export class Held {
  #bytes = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(piece: Buffer): void {
    const needed = this.#length + piece.length;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length, HELD_BYTES_MIN));
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    piece.copy(this.#bytes, this.#length);
    this.#length = needed;
  }

  /** Gives what is held and starts anew; the bytes are valid until the next append. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    return taken;
  }
}

// 1 for the bytes of numbers, true, false and null.
const wordly = new Uint8Array(256);
for (const letter of '0123456789+-.Eaeflnrstu') wordly[letter.charCodeAt(0)] = 1;

/** Whether the value that begins with this byte is ended only by what comes after it. */
export function isWord(first: number): boolean {
  return wordly[first] === 1;
}

/** Finds where a value ends, chunk after chunk; brackets are only counted, because the value is checked once it is whole. */
export class Boundary {
  #isWord = false;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #found = false;

  /** Whether the last `scan` reached the end of the value. */
  get found(): boolean {
    return this.#found;
  }

  begin(first: number): void {
    this.#isWord = isWord(first);
    this.#depth = 0;
    this.#inString = false;
    this.#escaped = false;
    this.#found = false;
  }

  /** Returns the index after the last byte of the chunk that belongs to the value. */
  scan(chunk: Buffer, start: number): number {
    if (this.#isWord) return this.#scanWord(chunk, start);
    let at = start;
    let depth = this.#depth;
    while (at < chunk.length) {
      if (this.#inString) {
        at = this.#scanString(chunk, at);
        if (this.#inString) break;
      } else {
        const change = depthStep[chunk[at]];
        at += 1;
        if (change === 0) continue;
        if (change === STRING_BEGINS) {
          this.#inString = true;
          continue;
        }
        depth += change;
      }
      if (depth === 0) {
        this.#found = true;
        break;
      }
    }
    this.#depth = depth;
    return at;
  }

  #scanWord(chunk: Buffer, at: number): number {
    while (at < chunk.length && wordly[chunk[at]] === 1) at += 1;
    this.#found = at < chunk.length;
    return at;
  }

  /** Goes to after the closing quote, or to the end of the chunk, remembering whether its last byte escapes the next one. */
  #scanString(chunk: Buffer, at: number): number {
    if (this.#escaped) {
      this.#escaped = false;
      at += 1;
    }
    for (;;) {
      const quote = chunk.indexOf(QUOTE, at);
      const end = quote === -1 ? chunk.length : quote;
      let slash = end;
      while (slash > at && chunk[slash - 1] === BACKSLASH) slash -= 1;
      const escaped = (end - slash) % 2 === 1;
      if (quote === -1) {
        this.#escaped = escaped;
        return end;
      }
      at = quote + 1;
      if (!escaped) {
        this.#inString = false;
        return at;
      }
    }
  }
}
