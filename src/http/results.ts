/** Downloading results: whole or in part, pulled from the engine only as fast as the client reads. */
import { AppError } from '../domain/errors.ts';
import { DOWNLOAD_IDLE_MS } from '../domain/limits.ts';
import { knownShape } from './batches.ts';
import { batchNotFound, type AdmittedCall, type HttpDeps } from './call.ts';
import { select } from './range.ts';
import type { Reply } from './respond.ts';

export async function downloadResults(deps: HttpDeps, call: AdmittedCall): Promise<Reply> {
  const results = await deps.service.results(call.account.workspaceId, knownShape(call.batchId));
  if (results === 'unknown') throw batchNotFound(call.batchId);
  if (results === 'unavailable') {
    throw new AppError('not_found', `Message Batch ${call.batchId} has no available results.`);
  }
  const { bytes } = results;
  const etag = results.etag.startsWith('"') ? results.etag : `"${results.etag}"`;
  const { headers } = call.request;
  const selection = select({
    range: headers.get('range'),
    ifRange: headers.get('if-range'),
    ifNoneMatch: headers.get('if-none-match'),
    etag,
    bytes,
  });
  if (selection.kind === 'unchanged') return { status: 304, headers: { etag }, body: null };
  if (selection.kind === 'unsatisfiable') {
    throw new AppError('range_not_satisfiable', `range: the results have ${bytes} bytes`, {
      headers: { 'content-range': `bytes */${bytes}`, etag },
    });
  }
  const { start, end } = selection.kind === 'part' ? selection : { start: 0, end: bytes };
  const part = selection.kind === 'part' ? { 'content-range': `bytes ${start}-${end - 1}/${bytes}` } : {};
  return {
    status: selection.kind === 'part' ? 206 : 200,
    headers: {
      'content-type': 'application/x-jsonl',
      'content-length': String(end - start),
      'accept-ranges': 'bytes',
      etag,
      ...part,
    },
    body: download({ deps, call, bytes: end - start, open: () => results.read({ start, end }) }),
  };
}

type Download = {
  readonly deps: HttpDeps;
  readonly call: AdmittedCall;
  readonly bytes: number;
  readonly open: () => AsyncIterable<Uint8Array>;
};

/** Nothing is opened before the first pull, so a HEAD costs nothing; a disconnect closes what was opened. */
function download({ deps, call, bytes, open }: Download): ReadableStream<Uint8Array> {
  let source: AsyncIterator<Uint8Array> | null = null;
  let left = bytes;
  let canceled = false;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          source ??= openFor(call, { open, idleMs: deps.downloadIdleMs ?? DOWNLOAD_IDLE_MS });
          const step = await source.next();
          if (canceled) return;
          left -= step.done === true ? 0 : step.value.byteLength;
          if (left < 0 || (step.done === true && left > 0)) throw new Error(`a download is off by ${left} bytes`);
          if (step.done === true) controller.close();
          else controller.enqueue(step.value);
        } catch (error) {
          if (canceled) return;
          deps.world.emit({ kind: 'failure', where: 'http/results', error, requestId: call.requestId });
          breakOff(call, () => controller.error(error));
        }
      },
      cancel: async () => {
        canceled = true;
        await source?.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

/** Node's own timeout sees progress inside one large write, so only a reader that takes nothing at all is cut. */
function openFor(call: AdmittedCall, options: { open: Download['open']; idleMs: number }): AsyncIterator<Uint8Array> {
  call.node?.outgoing.setTimeout(options.idleMs);
  return options.open()[Symbol.asyncIterator]();
}

/** The status is long sent: a connection cut short of content-length is the only way left to say that it failed. */
function breakOff(call: AdmittedCall, otherwise: () => void): void {
  if (call.node === null) otherwise();
  else call.node.outgoing.destroy();
}
