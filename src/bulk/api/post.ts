/**
 * Sends the body of one batch, once, and says how it ended as precisely as this side can know.
 *
 * What is provably incomplete: bytes given to a socket may lie in Node's or the kernel's buffers when the connection dies, so no count of
 * written bytes proves that the last one did not arrive. The other way round it can be proved: the last byte of the body is held back
 * until the callbacks of all writes before it have come (all of it is with the kernel). A connection that ends before the last byte was
 * given to the socket never carried a whole body, and a JSON document without its last byte is none. From the moment that byte is given
 * away, everything but a clear answer is unclear.
 */
import type { ClientRequest } from 'node:http';
import { isRefusal } from '../../submit-once/refusals.ts';
import type { PostEnd } from '../contract.ts';
import { API_ANSWER_BYTES_MAX, API_ANSWER_MS, API_IDLE_MS, UPLOAD_PIECE_BYTES } from '../limits.ts';
import { type Answer, answerOf, type Connection, describe, IdleWatch } from './connection.ts';
import { parseJson, readBatch, readFailure } from './reading.ts';

export type Post = {
  readonly path: string;
  readonly bytes: number;
  readonly body: AsyncIterable<Uint8Array>;
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
};

export async function sendPost(connection: Connection, post: Post): Promise<PostEnd> {
  const progress = { given: 0, isWhole: false };
  try {
    const outgoing = await connection.open(
      {
        method: 'POST',
        path: post.path,
        signal: post.signal,
        headers: {
          'content-type': 'application/json',
          'content-length': String(post.bytes),
          'idempotency-key': post.idempotencyKey,
          connection: 'close',
        },
      },
      { own: true },
    );
    try {
      const answer = await upload({ connection, outgoing, post, progress });
      return await endOf({ connection, answer, post, isWhole: progress.isWhole });
    } finally {
      outgoing.destroy();
    }
  } catch (error) {
    const message = describe(post.signal.aborted ? post.signal.reason : error);
    return progress.isWhole
      ? { kind: 'unclear', message: `after all ${post.bytes} bytes: ${message}` }
      : { kind: 'incomplete', message: `after ${progress.given} of ${post.bytes} bytes: ${message}` };
  }
}

type Upload = {
  readonly connection: Connection;
  readonly outgoing: ClientRequest;
  readonly post: Post;
  /** `given`: bytes the kernel has taken; `isWhole`: the last byte has been given to the socket. */
  readonly progress: { given: number; isWhole: boolean };
};

/** The head of the answer, which may come before the body is through: then the rest is not sent. */
async function upload({ connection, outgoing, post, progress }: Upload): Promise<Answer> {
  const watch = new IdleWatch(connection.world, () => outgoing.destroy(new Error('nothing moved any more')));
  const answered = answerOf(outgoing);
  let over = false;
  let wake: () => void = () => undefined;
  const end = (): void => {
    over = true;
    wake();
  };
  answered.then(end, end);

  /** Resolves when the kernel has it all, or when nothing more needs to be sent. */
  const write = (piece: Uint8Array): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
      watch.begin(API_IDLE_MS);
      outgoing.write(piece, (error) => {
        progress.given += error === null || error === undefined ? piece.length : 0;
        resolve();
      });
    });

  try {
    for await (const piece of exactly(post)) {
      if (over) {
        return await answered;
      }
      if (piece.bytes.length > 0) {
        await write(piece.bytes);
        watch.end();
      }
      if (piece.isBeforeLast && !over) {
        progress.isWhole = true;
        watch.begin(API_ANSWER_MS);
        outgoing.end(piece.last);
      }
    }
    return await answered;
  } finally {
    watch.end();
  }
}

type Piece =
  | { readonly bytes: Uint8Array; readonly isBeforeLast: false }
  | { readonly bytes: Uint8Array; readonly isBeforeLast: true; readonly last: Uint8Array };

/**
 * The body in pieces worth a write, its last byte apart; a body of another length than said is never sent to its end. All pieces are one
 * buffer filled again and again, which is safe because the next is asked for only when the kernel has the last one.
 */
async function* exactly({ body, bytes }: Post): AsyncGenerator<Piece> {
  const buffer = Buffer.allocUnsafe(Math.min(UPLOAD_PIECE_BYTES, Math.max(1, bytes)));
  const last = Buffer.alloc(1);
  let filled = 0;
  let total = 0;
  for await (const piece of body) {
    total += piece.length;
    if (total > bytes) {
      throw new Error(`the body is longer than the ${bytes} bytes it was said to have`);
    }
    const end = total === bytes ? piece.length - 1 : piece.length;
    for (let at = 0; at < end;) {
      const part = piece.subarray(at, Math.min(end, at + buffer.length - filled));
      buffer.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled === buffer.length) {
        yield { bytes: buffer, isBeforeLast: false };
        filled = 0;
      }
    }
    if (total === bytes && piece.length > 0) {
      last[0] = piece[end]!;
    }
  }
  if (total < bytes || total === 0) {
    throw new Error(`the body has ${total} bytes, not the ${bytes} it was said to have`);
  }
  yield { bytes: buffer.subarray(0, filled), isBeforeLast: true, last };
}

/** Decided by the status first: a refusal is one even when its body is cut. */
async function endOf({
  connection,
  answer,
  post,
  isWhole,
}: {
  connection: Connection;
  answer: Answer;
  post: Post;
  isWhole: boolean;
}): Promise<PostEnd> {
  const body = await bodyOrNothing({ connection, answer, post });
  const { status, headers } = answer;
  const failure = readFailure({ status, headers, body, serverNowMs: connection.serverNowMs() });
  if (isRefusal(status)) {
    return { kind: 'refused', ...failure };
  }
  if (status >= 200 && status < 300) {
    const batch = readBatch(parseJson(body));
    return batch === null || !isWhole
      ? { kind: 'unclear', message: `the server answered ${status} without a batch` }
      : { kind: 'created', batch };
  }
  return { kind: isWhole ? 'unclear' : 'incomplete', message: `${status} ${failure.type}: ${failure.message}` };
}

async function bodyOrNothing({
  connection,
  answer,
  post,
}: {
  connection: Connection;
  answer: Answer;
  post: Post;
}): Promise<Uint8Array> {
  try {
    return await connection.wholeBodyOf(answer, post.signal, API_ANSWER_BYTES_MAX);
  } catch {
    return new Uint8Array();
  }
}
