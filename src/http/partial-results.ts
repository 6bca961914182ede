/** Results before the end: what is sealed so far, which only grows at its end, so that a client can take the rest by `Range`. */
import { POLL_AFTER_SECONDS } from '../domain/limits.ts';
import { knownShape } from './batches.ts';
import { batchNotFound, type AdmittedCall, type HttpDeps } from './call.ts';
import { select } from './range.ts';
import type { Reply } from './respond.ts';
import { download, noResults, rangeError } from './results.ts';

export async function downloadPartialResults(deps: HttpDeps, call: AdmittedCall): Promise<Reply> {
  const results = await deps.service.partialResults(call.account.workspaceId, knownShape(call.batchId));
  if (results === 'unknown') throw batchNotFound(call.batchId);
  if (results === 'unavailable') throw noResults(call.batchId);
  const { bytes, etag, complete } = results;
  if (!complete) deps.service.watched(results.batch.id);
  const told = {
    etag,
    'nightshift-complete': String(complete),
    ...(complete ? {} : { 'retry-after': String(POLL_AFTER_SECONDS) }),
  };
  const { headers } = call.request;
  const range = headers.get('range');
  // No If-Range: bytes once shown never change, so what a client has is always the beginning of what there is.
  const selection = select({ range, ifRange: null, ifNoneMatch: headers.get('if-none-match'), etag, bytes });
  if (selection.kind === 'unchanged') return { status: 304, headers: told, body: null };
  if (selection.kind === 'unsatisfiable') {
    if (!beginsAtEnd(range, bytes)) throw rangeError(bytes, told);
    return { status: 204, headers: told, body: null };
  }
  const isPart = selection.kind === 'part';
  const { start, end } = isPart ? selection : { start: 0, end: bytes };
  const length = complete ? String(bytes) : '*';
  return {
    status: isPart ? 206 : 200,
    headers: {
      ...told,
      'content-type': 'application/x-jsonl',
      'content-length': String(end - start),
      'accept-ranges': 'bytes',
      ...(isPart ? { 'content-range': `bytes ${start}-${end - 1}/${length}` } : {}),
    },
    body: download({ deps, call, bytes: end - start, open: () => results.read({ start, end }) }),
  };
}

/** Who has everything there is asks from there on: no error, only nothing new. */
function beginsAtEnd(range: string | null, bytes: number): boolean {
  return Number(/^\s*bytes\s*=\s*(\d+)\s*-/i.exec(range ?? '')?.[1] ?? NaN) === bytes;
}
