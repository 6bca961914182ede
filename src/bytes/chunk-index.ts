/**
 * The index of a chunk, behind its lines: where each line ends, whose it is and what became of it. Little-endian, version 1:
 *
 *   "NSC1" · crc32 of the rest · count · count × u32 line ends · count × u32 ordinals · count × u8 outcome kinds
 */
import { crc32 } from 'node:zlib';
import { outcomeKinds, type OutcomeKind } from '../domain/outcome.ts';

const magic = 0x3143534e;
const headerBytes = 12;

export type ChunkEntry = { readonly bytes: number; readonly ordinal: number; readonly kind: OutcomeKind };

export function encodeChunkIndex(entries: readonly ChunkEntry[]): Uint8Array {
  const index = Buffer.alloc(headerBytes + entries.length * 9);
  index.writeUInt32LE(magic, 0);
  index.writeUInt32LE(entries.length, 8);
  let end = 0;
  entries.forEach((entry, line) => {
    end += entry.bytes;
    index.writeUInt32LE(end, headerBytes + line * 4);
    index.writeUInt32LE(entry.ordinal, headerBytes + (entries.length + line) * 4);
    index.writeUInt8(outcomeKinds.indexOf(entry.kind), headerBytes + entries.length * 8 + line);
  });
  index.writeUInt32LE(crc32(index.subarray(8)), 4);
  return index;
}

/** Throws when the bytes are not an index or are damaged. */
export function decodeChunkIndex(bytes: Uint8Array): readonly ChunkEntry[] {
  const index = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (index.length < headerBytes || index.readUInt32LE(0) !== magic) throw new Error('this is not a chunk index');
  if (index.readUInt32LE(4) !== crc32(index.subarray(8))) throw new Error('the chunk index is damaged');
  const count = index.readUInt32LE(8);
  let before = 0;
  return Array.from({ length: count }, (_, line) => {
    const end = index.readUInt32LE(headerBytes + line * 4);
    const entry = {
      bytes: end - before,
      ordinal: index.readUInt32LE(headerBytes + (count + line) * 4),
      kind: outcomeKinds[index.readUInt8(headerBytes + count * 8 + line)]!,
    };
    before = end;
    return entry;
  });
}
