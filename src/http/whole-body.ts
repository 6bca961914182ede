/** The body of a call that is small enough to be held whole: read as it comes, bounded, decompressed. */
import { REQUEST_BYTES_MAX, UPLOAD_IDLE_MS, UPLOAD_PROGRESS_BYTES_MIN } from '../domain/limits.ts';
import type { AdmittedCall, HttpDeps } from './call.ts';
import { decodedBody, readBodyEncoding } from './decoded-body.ts';
import { bodySource, readUpload, tooLargeError, type UploadBounds } from './upload.ts';

const defaultBounds: UploadBounds = {
  bytesMax: REQUEST_BYTES_MAX,
  idleMs: UPLOAD_IDLE_MS,
  progressBytesMin: UPLOAD_PROGRESS_BYTES_MIN,
};

/** Throws AppError: 413 beyond the limit of one request, 408 where it stops arriving. */
export async function readWholeBody(deps: HttpDeps, call: AdmittedCall): Promise<Buffer> {
  const { headers } = call.request;
  const bounds = deps.upload ?? defaultBounds;
  const encoding = readBodyEncoding(headers);
  if (Number(headers.get('content-length') ?? '0') > bounds.bytesMax) throw tooLargeError();
  const source = readUpload({ source: bodySource(call), received: call.received, bounds, world: deps.world });
  const pieces: Uint8Array[] = [];
  for await (const piece of decodedBody({ encoding, source, bytesMax: bounds.bytesMax })) pieces.push(piece);
  return Buffer.concat(pieces);
}
