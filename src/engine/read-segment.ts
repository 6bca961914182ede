/** Reads bytes of a segment, wherever they are: at once from its row, else from its blob. */
import type { Segment } from '../domain/segment.ts';
import type { BlobRange, Blobs } from '../ports/blobs.ts';

/** Offsets are the segment's: those of its blob, or of its inline bytes. Throws when there are no such bytes. */
export function readSegment(blobs: Blobs, segment: Segment, range: BlobRange): Uint8Array | Promise<Uint8Array> {
  const { source, batchId, number } = segment;
  if (source.kind === 'blob') return blobs.get(source.key, range);
  const { start, end } = range;
  if (start < 0 || start > end || end > source.bytes.length)
    throw new Error(`segment ${number} of ${batchId} has no bytes ${start} to ${end}`);
  return source.bytes.subarray(start, end);
}
