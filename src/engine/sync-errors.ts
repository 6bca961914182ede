/** What a synchronous call is told when it comes to nothing: statuses that the official SDKs retry exactly where trying again may help. */
import { AppError, errorCatalogue } from '../domain/errors.ts';
import { SYNC_RETRY_AFTER_SECONDS } from '../domain/limits.ts';
import { ResponseTooLargeError, SendError } from '../ports/world.ts';
import type { Command } from '../scheduler/messages.ts';
import type { RequestFault } from '../upstreams/upstream.ts';

/** Nobody reads this one. */
export const left = new AppError('internal', 'The caller has left.');
/** What proxies note for a caller that left. */
const LEFT_STATUS = 499;

export function statusOf(error: AppError): number {
  return error === left ? LEFT_STATUS : errorCatalogue[error.code].status;
}

export function crowded(message: string, retryAfterMs: number | null = null): AppError {
  return new AppError('overloaded', message, { headers: retryAfter(retryAfterMs) });
}

export function draining(): AppError {
  return new AppError('draining', 'The server is stopping.', { headers: retryAfter(null) });
}

export function upstreamTimeout(): AppError {
  return new AppError('upstream_timeout', 'The upstream did not answer in time.');
}

export function notAMessage(reason: string): AppError {
  return new AppError('upstream_failed', `The upstream's answer is not a message: ${reason}`);
}

export function refusalOf({ reason, retryAfterMs }: Extract<Command, { kind: 'refuse' }>): AppError {
  switch (reason) {
    case 'workspace':
      return new AppError('rate_limited', 'Too many synchronous calls of this workspace are waiting for this model.', {
        headers: retryAfter(null),
      });
    case 'lane':
      return crowded('Too many synchronous calls are waiting for this model.');
    case 'paused':
      return crowded('The upstream asks for a pause.', retryAfterMs);
    case 'draining':
      return draining();
  }
}

/** Surely nothing was paid. */
export function isUnpaid(error: unknown): boolean {
  return error instanceof SendError && !error.sent;
}

export function failureOf(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (isRequestFault(error)) return new AppError('invalid_request', error.error.message, { cause: error });
  const message = error instanceof Error ? error.message : String(error);
  if (isUnpaid(error)) {
    return new AppError('overloaded', `The upstream could not be reached: ${message}`, {
      cause: error,
      headers: retryAfter(null),
    });
  }
  const tooLarge = error instanceof ResponseTooLargeError;
  if (tooLarge || error instanceof SendError) {
    const what = tooLarge ? 'The upstream sent too much' : 'The upstream cut the connection';
    return new AppError('upstream_failed', `${what}: ${message}`, { cause: error });
  }
  // A fault of ours, whose words are nobody's business: the log has them.
  return new AppError('internal', 'Internal server error', { cause: error });
}

/** By its name: of upstreams this part knows only types. */
function isRequestFault(error: unknown): error is RequestFault {
  return error instanceof Error && error.name === 'RequestFault';
}

function retryAfter(ms: number | null): Readonly<Record<string, string>> {
  const seconds = ms === null ? SYNC_RETRY_AFTER_SECONDS : Math.max(1, Math.ceil(ms / 1_000));
  return { 'retry-after': String(seconds) };
}
