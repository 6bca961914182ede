/** The bytes JSON is made of, by name, for all code that reads it without decoding. */

export const TAB = 0x09;
export const LINE_FEED = 0x0a;
export const CARRIAGE_RETURN = 0x0d;
export const SPACE = 0x20;
export const QUOTE = 0x22;
export const PLUS = 0x2b;
export const COMMA = 0x2c;
export const MINUS = 0x2d;
export const POINT = 0x2e;
export const ZERO = 0x30;
export const NINE = 0x39;
export const COLON = 0x3a;
export const OPEN_LIST = 0x5b;
export const BACKSLASH = 0x5c;
export const CLOSE_LIST = 0x5d;
export const LETTER_E = 0x65;
export const LETTER_F = 0x66;
export const LETTER_N = 0x6e;
export const LETTER_T = 0x74;
export const LETTER_U = 0x75;
export const OPEN_OBJECT = 0x7b;
export const CLOSE_OBJECT = 0x7d;

/** What a byte outside strings does to the depth of nesting; a quote, which ends all counting, is marked apart. */
export const depthStep = new Int8Array(256);
export const STRING_BEGINS = 2;
depthStep[OPEN_OBJECT] = depthStep[OPEN_LIST] = 1;
depthStep[CLOSE_OBJECT] = depthStep[CLOSE_LIST] = -1;
depthStep[QUOTE] = STRING_BEGINS;

/** Sees any byte array as a Buffer of the same memory, because only Buffer searches and decodes natively. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
