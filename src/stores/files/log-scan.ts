/**
 * Reads one file of the log in bounded memory, and tells a torn tail from damage.
 *
 * A crash tears only the end: appends are written in order and nothing follows the last one. So where a record fails and no valid
 * record follows it, the tail was torn; where one does follow, bytes that were once good have changed. The search tries every
 * byte behind the failing place, as far as the longest record reaches, for a plausible length with a matching checksum. JSON
 * lines hold no byte below 0x20, so the text of an answer cannot pass for such a length.
 * Two cases cannot be told apart: damage to the very last record looks torn; and a power loss after which the disk kept a later
 * page but not an earlier one looks damaged, and is refused rather than cut.
 */
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { frameHeaderBytes, readFrames, type TornReason } from '../../bytes/frame.ts';
import { FILE_SCAN_BYTES, JOURNAL_RECORD_BYTES_MAX, JOURNAL_SEARCH_BYTES_MAX } from '../../domain/limits.ts';

export type ScanFrom = { readonly handle: FileHandle; readonly start: number; readonly size: number };

/** Visits every good record from the start on; returns where the last one ends: the file's size when all are good. */
export async function scanFrames(from: ScanFrom, visit: (payload: Uint8Array) => void): Promise<number> {
  const { handle, size } = from;
  let buffer = Buffer.allocUnsafe(FILE_SCAN_BYTES);
  let position = from.start;
  let length = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, position + length);
    length += bytesRead;
    const filled = buffer.subarray(0, length);
    const read = readFrames(filled, 0, (start, end) => visit(filled.subarray(start, end)));
    const rest = filled.subarray(read.end);
    position += read.end;
    if (bytesRead === 0 || position === size) return position;
    if (read.kind === 'torn' && !mayContinue(read.reason, rest)) return position;
    const needed = rest.length < frameHeaderBytes ? frameHeaderBytes : frameHeaderBytes + rest.readUInt32LE(0);
    if (position + needed > size) return position;
    buffer = moveRest(buffer, rest, needed);
    length = rest.length;
  }
}

/** A record that merely ends behind the buffer is read further; every other reason is final wherever it appears. */
function mayContinue(reason: TornReason, rest: Buffer): boolean {
  return reason === 'short' || rest.length < frameHeaderBytes;
}

function moveRest(buffer: Buffer<ArrayBuffer>, rest: Buffer, needed: number): Buffer<ArrayBuffer> {
  const target = needed > buffer.length ? Buffer.allocUnsafe(needed) : buffer;
  target.set(rest, 0);
  return target;
}

/** Whether a valid record begins anywhere behind a failing place; when the search would cost too much, it is assumed to. */
export async function hasFrameAfter(handle: FileHandle, offset: number, size: number): Promise<boolean> {
  const stop = Math.min(size - frameHeaderBytes, offset + frameHeaderBytes + JOURNAL_RECORD_BYTES_MAX);
  const buffer = Buffer.allocUnsafe(FILE_SCAN_BYTES);
  let checksummed = 0;
  for (let position = offset + 1; position <= stop;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
    const last = Math.min(bytesRead - frameHeaderBytes, stop - position);
    if (last < 0) return false;
    for (let at = 0; at <= last; at++) {
      const length = buffer.readUInt32LE(at);
      const start = position + at + frameHeaderBytes;
      if (length === 0 || length > JOURNAL_RECORD_BYTES_MAX || start + length > size) continue;
      checksummed += length;
      if (checksummed > JOURNAL_SEARCH_BYTES_MAX) return true;
      if ((await checksum(handle, start, length)) === buffer.readUInt32LE(at + 4)) return true;
    }
    position += last + 1;
  }
  return false;
}

async function checksum(handle: FileHandle, start: number, length: number): Promise<number> {
  const buffer = Buffer.allocUnsafe(Math.min(length, FILE_SCAN_BYTES));
  let value = 0;
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, length - done), start + done);
    if (bytesRead === 0) break;
    value = crc32(buffer.subarray(0, bytesRead), value);
    done += bytesRead;
  }
  return value;
}
