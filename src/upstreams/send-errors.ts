/** What a failed call means: whether the upstream may have had the whole request, and so whether it may have been paid for. */
import { SendError } from '../ports/world.ts';

/** Before a connection stands nothing can have been sent; this error is how `explained` knows. */
export class ConnectError extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
    this.name = 'ConnectError';
  }
}

export function explained(error: unknown, call: { signal: AbortSignal; sent: boolean }): Error {
  if (call.signal.aborted) return abortError(call.signal);
  // A name with several addresses that all refuse gives an error without a message.
  const { message, code } = (error instanceof ConnectError ? error.cause : error) as NodeJS.ErrnoException;
  return new SendError(message || code || 'the call failed', {
    sent: call.sent && perhapsReceived(error),
    cause: error instanceof ConnectError ? error.cause : error,
  });
}

export function abortError(signal: AbortSignal): Error {
  const error = new Error('the call was aborted', { cause: signal.reason });
  error.name = 'AbortError';
  return error;
}

/**
 * A failed *write* says that the upstream does not have it all: with one request on a connection at a time, what could not be
 * written was a part of this one. Every other end of a connection leaves it open.
 */
function perhapsReceived(error: unknown): boolean {
  if (error instanceof ConnectError) return false;
  return (error as NodeJS.ErrnoException).syscall !== 'write';
}
