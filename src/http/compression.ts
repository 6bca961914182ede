/** Compressed answers: which encoding the caller prefers, and how an answer gets it. Validators of a compressed body are its own. */
import { promisify } from 'node:util';
import { constants, createGzip, createZstdCompress, gzip, zstdCompress } from 'node:zlib';
import { COMPRESSED_BYTES_MIN, DECODED_PIECE_BYTES } from '../domain/limits.ts';
import type { Reply } from './respond.ts';

export type Encoding = 'gzip' | 'zstd';

/** Fast ones: an answer is compressed anew for each caller, and a network is slow against them anyway. */
const gzipOptions = { level: 1, chunkSize: DECODED_PIECE_BYTES };
const zstdOptions = { params: { [constants.ZSTD_c_compressionLevel]: 1 }, chunkSize: DECODED_PIECE_BYTES };

/** What `Accept-Encoding` asks for (RFC 9110, section 12.5.3); null for the plain bytes. Of equals zstd is the cheaper one. */
export function preferredEncoding(accepted: string | null): Encoding | null {
  if (accepted === null) return null;
  const weights = new Map(accepted.split(',').map(readWeight));
  const any = weights.get('*') ?? 0;
  const weightOf = (name: string): number => weights.get(name) ?? any;
  const gzipWeight = Math.max(weightOf('gzip'), weights.get('x-gzip') ?? 0);
  const best = Math.max(weightOf('zstd'), gzipWeight);
  if (best === 0 || best < (weights.get('identity') ?? 0)) return null;
  return weightOf('zstd') === best ? 'zstd' : 'gzip';
}

function readWeight(part: string): [name: string, weight: number] {
  const [name = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
  const weight = /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(quality) ? Number(quality) : 0;
  return [name, weight];
}

export function etagOf(etag: string, encoding: Encoding | null): string {
  return encoding === null ? etag : `${etag.slice(0, -1)}-${encoding}"`;
}

/** The same bytes compressed, at the pace of whoever reads them. */
export function compressed(bytes: AsyncIterable<Uint8Array>, encoding: Encoding): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => compress(bytes, encoding) };
}

async function* compress(
  bytes: AsyncIterable<Uint8Array>,
  encoding: Encoding,
): AsyncGenerator<Uint8Array, void, undefined> {
  const encoder = encoding === 'gzip' ? createGzip(gzipOptions) : createZstdCompress(zstdOptions);
  const fed = feed(bytes, encoder);
  // Its error reaches the reader through the encoder.
  fed.catch(() => undefined);
  try {
    for await (const piece of encoder as AsyncIterable<Uint8Array>) yield piece;
  } finally {
    encoder.destroy();
  }
}

async function feed(
  bytes: AsyncIterable<Uint8Array>,
  encoder: ReturnType<typeof createGzip> | ReturnType<typeof createZstdCompress>,
): Promise<void> {
  try {
    for await (const piece of bytes) {
      if (encoder.destroyed) return;
      if (!encoder.write(piece)) await roomIn(encoder);
    }
    encoder.end();
  } catch (error) {
    encoder.destroy(error as Error);
  }
}

function roomIn(encoder: ReturnType<typeof createGzip> | ReturnType<typeof createZstdCompress>): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      encoder.off('drain', done).off('close', done);
      resolve();
    };
    encoder.on('drain', done).on('close', done);
  });
}

const gzipWhole = promisify(gzip);
const zstdWhole = promisify(zstdCompress);

/** An answer that is there as a whole, compressed if it is worth it: pages of a list, mostly. */
export async function compressReply(reply: Reply, accepted: string | null): Promise<Reply> {
  const { body, headers } = reply;
  if (typeof body !== 'string' || body.length < COMPRESSED_BYTES_MIN || headers['content-encoding'] !== undefined) {
    return reply;
  }
  const varied = { ...headers, vary: 'accept-encoding' };
  const encoding = preferredEncoding(accepted);
  if (encoding === null) return { ...reply, headers: varied };
  const bytes =
    encoding === 'gzip' ? await gzipWhole(body, { level: gzipOptions.level }) : await zstdWhole(body, zstdOptions);
  return {
    ...reply,
    headers: { ...varied, 'content-encoding': encoding, 'content-length': String(bytes.byteLength) },
    body: bytes,
  };
}
