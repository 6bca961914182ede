/** Bitmaps of done requests: what a seal asks of them before it sets them. */
import { testBit } from '../../domain/segment.ts';

export type ItemRange = { readonly from: number; readonly to: number };

export function countBits(bits: Uint8Array): number {
  let count = 0;
  for (let byte of bits) for (; byte !== 0; byte &= byte - 1) count++;
  return count;
}

export function bitsOverlap(left: Uint8Array, right: Uint8Array): boolean {
  return left.some((byte, index) => (byte & (right[index] ?? 0)) !== 0);
}

/** Whether every set bit lies in the range. */
export function bitsWithin(bits: Uint8Array, range: ItemRange): boolean {
  for (let item = 0; item < bits.length * 8; item++) {
    if (testBit(bits, item) && (item < range.from || item >= range.to)) return false;
  }
  return true;
}

/** Whether every bit of the range is set. */
export function bitsFill(bits: Uint8Array, range: ItemRange): boolean {
  for (let item = range.from; item < range.to; item++) if (!testBit(bits, item)) return false;
  return true;
}

/** Both bitmaps together, as long as the first. */
export function bitsUnion(left: Uint8Array, right: Uint8Array): Uint8Array {
  return left.map((byte, index) => byte | (right[index] ?? 0));
}
