/** Creating a batch: the body goes to the engine as it arrives. */
import { BODY_BYTES_MAX, UPLOAD_IDLE_MS, UPLOAD_PROGRESS_BYTES_MIN } from '../domain/limits.ts';
import { renderBatch, type AdmittedCall, type HttpDeps } from './call.ts';
import { decodedBody, readBodyEncoding } from './decoded-body.ts';
import { isResent, readBetas, readFormat, readIdempotencyKey, readTraceparent } from './headers.ts';
import { jsonReply, type Reply } from './respond.ts';
import { bodySource, readUpload, tooLargeError, type UploadBounds } from './upload.ts';

const defaultBounds: UploadBounds = {
  bytesMax: BODY_BYTES_MAX,
  idleMs: UPLOAD_IDLE_MS,
  progressBytesMin: UPLOAD_PROGRESS_BYTES_MIN,
};

export async function createBatch(deps: HttpDeps, call: AdmittedCall): Promise<Reply> {
  const { headers, signal } = call.request;
  const bounds = deps.upload ?? defaultBounds;
  const encoding = readBodyEncoding(headers);
  const idempotencyKey = readIdempotencyKey(headers);
  if (Number(headers.get('content-length') ?? '0') > bounds.bytesMax) throw tooLargeError();
  const { batch } = await deps.service.create({
    workspaceId: call.account.workspaceId,
    keyId: call.account.keyId,
    version: call.apiVersion,
    betas: readBetas(headers),
    body: decodedBody({
      encoding,
      source: readUpload({ source: bodySource(call), received: call.received, bounds, world: deps.world }),
      bytesMax: bounds.bytesMax,
    }),
    format: readFormat(headers),
    resent: isResent(headers),
    idempotencyKey,
    traceparent: readTraceparent(headers),
    signal,
  });
  whenWritten(call, () => deps.service.answered(batch.id));
  return jsonReply(renderBatch(deps, call, batch));
}

/** A client that did not get the whole answer will send the same create again, and that must find the same batch. */
function whenWritten(call: AdmittedCall, callback: () => void): void {
  if (call.node === null) callback();
  else if (!call.request.signal.aborted) call.node.outgoing.once('finish', callback);
}
