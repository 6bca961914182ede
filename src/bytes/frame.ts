/** Frames the records of a journal: the payload's length, its CRC-32, the payload; both numbers little-endian. */

import { crc32 } from 'node:zlib';
import { JOURNAL_RECORD_BYTES_MAX } from '../domain/limits.ts';
import { asBuffer } from './ascii.ts';

export const frameHeaderBytes = 8;

/**
 * Why reading stopped before the end. `zeros`: nothing but zeros follows, as after a crash of a file that was extended.
 * `short`: less follows than a frame needs. `length`: a length no writer writes. `checksum`: the payload is not what was written.
 */
export type TornReason = 'zeros' | 'short' | 'length' | 'checksum';

/** `end` is the index after the last good frame; whether a torn end is cut or refused is the log's to decide. */
export type FramesRead =
  | { readonly kind: 'complete'; readonly end: number }
  | { readonly kind: 'torn'; readonly end: number; readonly reason: TornReason };

/** Writes the header of the payload that already lies behind it, and returns the index after the frame. */
export function writeFrame(target: Buffer, at: number, payloadLength: number): number {
  const start = at + frameHeaderBytes;
  const end = start + payloadLength;
  // An empty payload would look like zeros on a disk, and one too large like damage.
  if (payloadLength < 1 || payloadLength > JOURNAL_RECORD_BYTES_MAX || end > target.length) {
    throw new RangeError(`cannot frame a payload of ${payloadLength} bytes at ${at}`);
  }
  target.writeUInt32LE(payloadLength, at);
  target.writeUInt32LE(crc32(target.subarray(start, end)), at + 4);
  return end;
}

/** Shows the payloads of all good frames from `start`, in order. */
export function readFrames(
  bytes: Uint8Array,
  start: number,
  visit: (payloadStart: number, payloadEnd: number) => void,
): FramesRead {
  const buffer = asBuffer(bytes);
  let at = start;
  while (at < buffer.length) {
    const reason = damage(buffer, at);
    if (reason !== null) return { kind: 'torn', end: at, reason };
    const payloadStart = at + frameHeaderBytes;
    at = payloadStart + buffer.readUInt32LE(at);
    visit(payloadStart, at);
  }
  return { kind: 'complete', end: at };
}

function damage(buffer: Buffer, at: number): TornReason | null {
  const payloadStart = at + frameHeaderBytes;
  if (payloadStart > buffer.length) return isZeros(buffer, at) ? 'zeros' : 'short';
  const length = buffer.readUInt32LE(at);
  if (length === 0) return isZeros(buffer, at) ? 'zeros' : 'length';
  if (length > JOURNAL_RECORD_BYTES_MAX) return 'length';
  if (payloadStart + length > buffer.length) return 'short';
  const payload = buffer.subarray(payloadStart, payloadStart + length);
  return crc32(payload) === buffer.readUInt32LE(at + 4) ? null : 'checksum';
}

function isZeros(buffer: Buffer, at: number): boolean {
  while (at < buffer.length && buffer[at] === 0) at += 1;
  return at === buffer.length;
}
