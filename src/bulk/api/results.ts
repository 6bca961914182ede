/** The results of a batch, from a byte on where the server allows it: a part is only taken for one of exactly the bytes had before. */
import { ApiError, type BatchApi } from '../contract.ts';
import { API_ANSWER_BYTES_MAX, API_IDLE_MS } from '../limits.ts';
import { type Answer, type Connection, failed } from './connection.ts';
import { readFailure } from './reading.ts';

export type ResultsQuery = Parameters<BatchApi['results']>[0];
export type Results = Awaited<ReturnType<BatchApi['results']>>;

/** `length` is that of the whole results, wherever they begin. The body throws when it ends before its length. */
export async function readResults(connection: Connection, path: string, query: ResultsQuery): Promise<Results> {
  const { from, etag, signal } = query;
  // Without a validator nobody knows whether the bytes are still the same.
  const range: Record<string, string> = from > 0 && etag !== null ? { range: `bytes=${from}-`, 'if-range': etag } : {};
  const headers = { accept: 'application/x-jsonl', ...range };
  const answer = await connection.ask({ method: 'GET', path, headers, signal }, null, API_IDLE_MS);
  const { status } = answer;
  const encoding = answer.headers['content-encoding'] ?? 'identity';
  if (status === 416 && lengthTold(answer) === from) {
    answer.message.destroy();
    return { from, etag, length: from, body: nothing() };
  }
  if (status !== 200 && status !== 206) {
    const body = await connection.wholeBodyOf(answer, signal, API_ANSWER_BYTES_MAX);
    throw new ApiError(readFailure({ status, headers: answer.headers, body, serverNowMs: connection.serverNowMs() }));
  }
  const start = status === 206 ? startTold(answer) : 0;
  if (encoding !== 'identity' || start === null || (status === 206 && start !== from)) {
    answer.message.destroy();
    throw failed(
      'unreadable_answer',
      `results as ${encoding}, from ${answer.headers['content-range'] ?? 'their start'}`,
    );
  }
  const bytes = contentLength(answer);
  return {
    from: start,
    etag: answer.headers.etag ?? null,
    length: status === 206 ? lengthTold(answer) : bytes,
    body: connection.bodyOf(answer, signal),
  };
}

function contentLength({ headers }: Answer): number | null {
  return headers['content-length'] === undefined ? null : Number(headers['content-length']);
}

function startTold({ headers }: Answer): number | null {
  const found = /^bytes (\d+)-\d+\//.exec(headers['content-range'] ?? '');
  return found === null ? null : Number(found[1]);
}

function lengthTold({ headers }: Answer): number | null {
  const found = /\/(\d+)$/.exec(headers['content-range'] ?? '');
  return found === null ? null : Number(found[1]);
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
