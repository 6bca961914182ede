/**
 * What shows that an input is still the same: its size and a digest. Up to a mebibyte all of it is digested; of a larger one 64
 * samples of 16 KiB, evenly spread from the first byte to the last, so that 10 GB take as long as 1 MB. Anything put in or taken
 * out moves what follows, and is seen; a change in place between two samples that keeps the size is not.
 */
import { createHash, type Hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { SourceIdentity } from '../contract.ts';
import { IDENTITY_SAMPLE_BYTES, IDENTITY_SAMPLES } from '../limits.ts';

export async function identityOfFile(path: string, kind: string): Promise<SourceIdentity> {
  const hash = createHash('sha256');
  const bytes = await sampleInto(hash, path);
  return { kind, bytes, digest: hash.digest('hex') };
}

/** An identity of several things that are each known by a text. */
export function identityOfTexts(texts: readonly string[], rest: Omit<SourceIdentity, 'digest'>): SourceIdentity {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${Buffer.byteLength(text)}:${text}`);
  return { ...rest, digest: hash.digest('hex') };
}

async function sampleInto(hash: Hash, path: string): Promise<number> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    hash.update(`${size}:`);
    const buffer = Buffer.allocUnsafe(IDENTITY_SAMPLE_BYTES);
    for (const offset of sampleOffsets(size)) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
      hash.update(buffer.subarray(0, bytesRead));
    }
    return size;
  } finally {
    await handle.close();
  }
}

function sampleOffsets(size: number): readonly number[] {
  const whole = Math.ceil(size / IDENTITY_SAMPLE_BYTES);
  if (whole <= IDENTITY_SAMPLES) return Array.from({ length: whole }, (_, index) => index * IDENTITY_SAMPLE_BYTES);
  const step = (size - IDENTITY_SAMPLE_BYTES) / (IDENTITY_SAMPLES - 1);
  return Array.from({ length: IDENTITY_SAMPLES }, (_, index) => Math.floor(index * step));
}
