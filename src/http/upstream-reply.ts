/** An upstream's answer as ours: its bytes as they are, its errors in our envelope, its events as they come. */
import { AppError, errorCatalogue } from '../domain/errors.ts';
import { DOWNLOAD_IDLE_MS } from '../domain/limits.ts';
import type { MessageAnswer } from '../engine/contract.ts';
import type { AdmittedCall, HttpDeps } from './call.ts';
import { errorReply, internalError, jsonReply, publicError, type Reply } from './respond.ts';

export type Passing = {
  readonly deps: HttpDeps;
  readonly call: AdmittedCall;
  readonly answer: MessageAnswer;
  /** Breaks the call off, because nobody reads its answer any more. */
  readonly leave: () => void;
};

export function upstreamReply(passing: Passing): Reply {
  const { call, answer } = passing;
  const { status, body } = answer;
  const headers = passedOn(answer.headers);
  if (status < 200 || status >= 300) return errorOf(answer, { call, headers });
  if (body instanceof Uint8Array) {
    return { status, headers: { ...headers, 'content-type': 'application/json' }, body: asOwn(body) };
  }
  const streaming = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };
  return { status, headers: { ...headers, ...streaming }, body: relay(passing, body) };
}

/** What it says of limits, but those of requests: of these we tell our own. */
function passedOn(headers: Readonly<Record<string, string>>): Record<string, string> {
  const limits =
    /^(anthropic-(ratelimit-(?!requests-)|priority-|fast-)|retry-after(-ms)?$|x-should-retry$|nightshift-)/;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => limits.test(name)));
}

type Told = { readonly type: string; readonly message: string };

/** Its status and words, under our request id. Its complaint about a key is about ours: the caller's was good. */
function errorOf({ status, body }: MessageAnswer, to: { call: AdmittedCall; headers: Record<string, string> }): Reply {
  const told = body instanceof Uint8Array ? readError(body) : null;
  if (status === 401 || status < 400) {
    const said = told === null ? `it answered with status ${status}` : told.message;
    const error = new AppError('upstream_failed', `The upstream refused the call: ${said}`, {
      headers: { 'x-should-retry': 'false' },
    });
    return errorReply(error, to.call.requestId);
  }
  const error = told ?? { type: typeOf(status), message: `The upstream answered with status ${status}.` };
  return jsonReply({ type: 'error', error, request_id: to.call.requestId }, { status, headers: to.headers });
}

/** Of the Messages API, or of servers that only say `{"error": {"message"}}` or less. */
function readError(body: Uint8Array): Told | null {
  try {
    const { error } = JSON.parse(Buffer.from(body).toString('utf8')) as { error?: Partial<Told> };
    return typeof error?.type === 'string' && typeof error.message === 'string' ? (error as Told) : null;
  } catch {
    return null;
  }
}

function typeOf(status: number): string {
  const known = Object.values(errorCatalogue).find((row) => row.status === status);
  return known?.type ?? (status >= 500 ? 'api_error' : 'invalid_request_error');
}

/** Pulled as the caller reads; what it leaves unread is broken off. */
function relay({ deps, call, leave }: Passing, events: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const source = events[Symbol.asyncIterator]();
  // A reader that takes nothing at all must not hold its slot; an upstream that thinks between two events may.
  let untaken = (): void => undefined;
  let canceled = false;
  const giveUp = (): void => {
    leave();
    call.node?.outgoing.destroy();
  };
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        untaken();
        try {
          const step = await source.next();
          if (step.done === true) controller.close();
          else controller.enqueue(step.value);
          if (step.done !== true) untaken = deps.world.timers.after(DOWNLOAD_IDLE_MS, giveUp);
        } catch (error) {
          if (canceled || call.request.signal.aborted) return;
          if (publicError(error) === null)
            deps.world.emit({ kind: 'failure', where: 'http/messages', error, requestId: call.requestId });
          controller.enqueue(errorEvent(publicError(error) ?? internalError(), call.requestId));
          controller.close();
        }
      },
      cancel: () => {
        canceled = true;
        untaken();
        leave();
      },
    },
    { highWaterMark: 0 },
  );
}

/**
 * The status is long sent, so the protocol's own event tells of it. It begins with the end of a line, because the events may have
 * broken off in the middle of one, which it then takes with it.
 */
function errorEvent(error: AppError, requestId: string): Uint8Array {
  const { body } = errorReply(error, requestId);
  return Buffer.from(`\nevent: error\ndata: ${typeof body === 'string' ? body : ''}\n\n`);
}

/** The types of the platform want to know that no memory is shared. */
function asOwn(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}
