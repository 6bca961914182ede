/** Downloading results: whole or in part, pulled from the engine only as fast as the client reads. */
import { AppError } from '../domain/errors.ts';
import { DOWNLOAD_IDLE_MS } from '../domain/limits.ts';
import { knownShape } from './batches.ts';
import { batchNotFound, type AdmittedCall, type HttpDeps } from './call.ts';
import { compressed, etagOf, preferredEncoding, type Encoding } from './compression.ts';
import { clientOf } from './proxy.ts';
import { select } from './range.ts';
import type { Reply } from './respond.ts';

export async function downloadResults(deps: HttpDeps, call: AdmittedCall): Promise<Reply> {
  const results = await deps.service.results(call.account.workspaceId, knownShape(call.batchId));
  if (results === 'unknown') throw batchNotFound(call.batchId);
  if (results === 'unavailable') throw noResults(call.batchId);
  const { bytes } = results;
  const { headers } = call.request;
  const range = headers.get('range');
  // A part is always one of the plain bytes.
  const encoding = range === null ? wantedEncoding(deps, call) : null;
  const plainEtag = results.etag.startsWith('"') ? results.etag : `"${results.etag}"`;
  const etag = etagOf(plainEtag, encoding);
  const vary = 'accept-encoding';
  const selection = select({
    range,
    ifRange: headers.get('if-range'),
    ifNoneMatch: headers.get('if-none-match'),
    etag,
    bytes,
  });
  if (selection.kind === 'unchanged') return { status: 304, headers: { etag, vary }, body: null };
  if (selection.kind === 'unsatisfiable') throw rangeError(bytes, { etag, vary });
  const { start, end } = selection.kind === 'part' ? selection : { start: 0, end: bytes };
  const type = { 'content-type': 'application/x-jsonl', etag, vary };
  if (encoding !== null) {
    const open = (): AsyncIterable<Uint8Array> => compressed(results.read({ start, end }), encoding);
    return {
      status: 200,
      headers: { ...type, 'content-encoding': encoding },
      body: download({ deps, call, bytes: null, open }),
    };
  }
  const part = selection.kind === 'part' ? { 'content-range': `bytes ${start}-${end - 1}/${bytes}` } : {};
  return {
    status: selection.kind === 'part' ? 206 : 200,
    headers: { ...type, 'content-length': String(end - start), 'accept-ranges': 'bytes', ...part },
    body: download({ deps, call, bytes: end - start, open: () => results.read({ start, end }) }),
  };
}

/**
 * HTTP libraries ask for `gzip, deflate` and more by themselves. On one machine there is no network to spare: plain bytes cost less there,
 * their length is known, and a reader that counts decoded bytes can go on with them by `Range`.
 */
function wantedEncoding(deps: HttpDeps, call: AdmittedCall): Encoding | null {
  const accepted = call.request.headers.get('accept-encoding');
  const isUnasked = /\bdeflate\b/i.test(accepted ?? '');
  if (isUnasked && isLoopback(clientOf(deps, call))) return null;
  return preferredEncoding(accepted);
}

function isLoopback(address: string | null): boolean {
  return address !== null && /^(::ffff:)?127\.|^::1$/.test(address);
}

export function noResults(batchId: string): AppError {
  return new AppError('not_found', `Message Batch ${batchId} has no available results.`);
}

export function rangeError(bytes: number, headers: Readonly<Record<string, string>>): AppError {
  return new AppError('range_not_satisfiable', `range: the results have ${bytes} bytes`, {
    headers: { 'content-range': `bytes */${bytes}`, ...headers },
  });
}

type Download = {
  readonly deps: HttpDeps;
  readonly call: AdmittedCall;
  /** How many must come; null where only the end can tell. */
  readonly bytes: number | null;
  readonly open: () => AsyncIterable<Uint8Array>;
};

/** Nothing is opened before the first pull, so a HEAD costs nothing; a disconnect closes what was opened. */
export function download({ deps, call, bytes, open }: Download): ReadableStream<Uint8Array> {
  let source: AsyncIterator<Uint8Array> | null = null;
  let left = bytes ?? 0;
  let canceled = false;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          source ??= openFor(call, { open, idleMs: deps.downloadIdleMs ?? DOWNLOAD_IDLE_MS });
          const step = await source.next();
          if (canceled) return;
          if (bytes !== null) left -= step.done === true ? 0 : step.value.byteLength;
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
