/**
 * The 16 bytes every stored blob begins with, and the one place that maps plaintext offsets to stored ones.
 *
 *   0 magic "nsblob\r\n" · 8 version (u8) · 9 codec (u8) · 10 zero (u16) · 12 key id (u32 LE)
 *
 * The line end in the magic shows a copy that was made in text mode. A compressing or encrypting codec comes as a new number here.
 */
import type { BlobRange } from '../ports/blobs.ts';
import { asBuffer } from './ascii.ts';

export const BLOB_HEADER_BYTES = 16;

const MAGIC = Buffer.from('nsblob\r\n', 'latin1');
const VERSION = 1;
const CODEC_IDENTITY = 0;
const NO_KEY = 0;

/** How one blob is stored, as its header says. */
export type BlobLayout = { readonly codec: 'identity' };

export class BlobFormatError extends Error {
  constructor(key: string, what: string) {
    super(`blob ${key} ${what}`);
    this.name = 'BlobFormatError';
  }
}

export function blobHeader(): Uint8Array {
  const header = Buffer.alloc(BLOB_HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt8(VERSION, 8);
  header.writeUInt8(CODEC_IDENTITY, 9);
  header.writeUInt32LE(NO_KEY, 12);
  return header;
}

/** Reads the first bytes of a stored blob; what this version does not know is refused, never guessed. */
export function readBlobHeader(key: string, bytes: Uint8Array): BlobLayout {
  const header = asBuffer(bytes);
  if (header.length < BLOB_HEADER_BYTES) {
    throw new BlobFormatError(key, `is cut off inside its header (${header.length} of ${BLOB_HEADER_BYTES} bytes)`);
  }
  if (!header.subarray(0, MAGIC.length).equals(MAGIC)) throw new BlobFormatError(key, 'does not begin like a blob');
  const version = header.readUInt8(8);
  if (version !== VERSION) {
    throw new BlobFormatError(key, `has format version ${version}; this Nightshift reads version ${VERSION}`);
  }
  const codec = header.readUInt8(9);
  if (codec !== CODEC_IDENTITY)
    throw new BlobFormatError(key, `has codec ${codec}, which this Nightshift does not know`);
  const keyId = header.readUInt32LE(12);
  if (keyId !== NO_KEY) throw new BlobFormatError(key, `is encrypted with key ${keyId}, which this Nightshift has not`);
  return { codec: 'identity' };
}

/** Where a plaintext range lies in the stored bytes. */
export function storedRange(_layout: BlobLayout, range: BlobRange): BlobRange {
  return { start: BLOB_HEADER_BYTES + range.start, end: BLOB_HEADER_BYTES + range.end };
}

/** The plaintext size of a blob of so many stored bytes, known without its header because the only codec is identity. */
export function plaintextBytes(storedBytes: number): number {
  return Math.max(0, storedBytes - BLOB_HEADER_BYTES);
}
