/**
 * The index of a segment: all that is known of its requests without reading their bodies. Little-endian, version 1:
 *
 *   "NSI1" · crc32 of the rest · count · bytes of ids · number of breakpoints · bytes of faults
 *   count × u32: ordinals · offsets · lengths · max tokens · token estimates · id ends · breakpoint ends · fault ends
 *   ids · breakpoints (8 bytes each) · faults (JSON `{"type","message"}`; most requests have none)
 */
import { crc32 } from 'node:zlib';
import type { IndexEntry } from '../domain/segment.ts';

const magic = 0x3149534e;
const headerBytes = 24;
const columns = 8;
const breakpointBytes = 8;

export function encodeSegmentIndex(entries: readonly IndexEntry[]): Uint8Array {
  const ids = Buffer.from(entries.map((entry) => entry.customId).join(''), 'utf8');
  const breakpoints = Buffer.from(entries.flatMap((entry) => entry.breakpoints).join(''), 'hex');
  const faultTexts = entries.map((entry) => (entry.fault ? Buffer.from(JSON.stringify(entry.fault), 'utf8') : null));
  const faults = Buffer.concat(faultTexts.filter((text) => text !== null));

  const table = new Uint32Array(entries.length * columns);
  const ends = { id: 0, breakpoint: 0, fault: 0 };
  entries.forEach((entry, item) => {
    ends.id += Buffer.byteLength(entry.customId);
    ends.breakpoint += entry.breakpoints.length;
    ends.fault += faultTexts[item]?.length ?? 0;
    const row = [entry.ordinal, entry.offset, entry.length, entry.maxTokens, entry.tokenEstimate];
    [...row, ends.id, ends.breakpoint, ends.fault].forEach((value, column) => {
      table[column * entries.length + item] = Math.min(value, 0xffff_ffff);
    });
  });

  const header = Buffer.alloc(headerBytes);
  const fields = [magic, 0, entries.length, ids.length, ends.breakpoint, faults.length];
  fields.forEach((value, at) => header.writeUInt32LE(value, at * 4));
  const bytes = Buffer.concat([header, Buffer.from(table.buffer), ids, breakpoints, faults]);
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4);
  return bytes;
}

/** Reads an index in place: a held span costs these bytes and nothing a request. */
export class SegmentIndex {
  readonly count: number;
  readonly #table: Uint32Array;
  readonly #ids: Buffer;
  readonly #breakpoints: Buffer;
  readonly #faults: Buffer;

  /** Throws when the bytes are not an index or are damaged. */
  constructor(bytes: Uint8Array) {
    // A copy of its own: typed arrays need alignment, and a view would pin the read buffer.
    const copy = new Uint8Array(bytes);
    const buffer = Buffer.from(copy.buffer);
    if (buffer.length < headerBytes || buffer.readUInt32LE(0) !== magic) throw new Error('this is not a segment index');
    if (buffer.readUInt32LE(4) !== crc32(buffer.subarray(8))) throw new Error('the segment index is damaged');
    this.count = buffer.readUInt32LE(8);
    const tableEnd = headerBytes + this.count * columns * 4;
    const idsEnd = tableEnd + buffer.readUInt32LE(12);
    const breakpointsEnd = idsEnd + buffer.readUInt32LE(16) * breakpointBytes;
    this.#table = new Uint32Array(copy.buffer, headerBytes, this.count * columns);
    this.#ids = buffer.subarray(tableEnd, idsEnd);
    this.#breakpoints = buffer.subarray(idsEnd, breakpointsEnd);
    this.#faults = buffer.subarray(breakpointsEnd, breakpointsEnd + buffer.readUInt32LE(20));
  }

  ordinal(item: number): number {
    return this.#column(0, item);
  }

  offset(item: number): number {
    return this.#column(1, item);
  }

  length(item: number): number {
    return this.#column(2, item);
  }

  maxTokens(item: number): number {
    return this.#column(3, item);
  }

  tokenEstimate(item: number): number {
    return this.#column(4, item);
  }

  customId(item: number): string {
    return this.#ids.toString('utf8', this.#endBefore(5, item), this.#column(5, item));
  }

  breakpoints(item: number): readonly string[] {
    const hashes: string[] = [];
    for (let at = this.#endBefore(6, item); at < this.#column(6, item); at++) {
      hashes.push(this.#breakpoints.toString('hex', at * breakpointBytes, (at + 1) * breakpointBytes));
    }
    return hashes;
  }

  hasFault(item: number): boolean {
    return this.#endBefore(7, item) !== this.#column(7, item);
  }

  fault(item: number): IndexEntry['fault'] {
    if (!this.hasFault(item)) return null;
    const text = this.#faults.toString('utf8', this.#endBefore(7, item), this.#column(7, item));
    return JSON.parse(text) as { type: string; message: string };
  }

  #column(column: number, item: number): number {
    return this.#table[column * this.count + item]!;
  }

  #endBefore(column: number, item: number): number {
    return item === 0 ? 0 : this.#column(column, item - 1);
  }
}
