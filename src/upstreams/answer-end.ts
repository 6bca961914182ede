/** How a call ends that brought no message, whatever the protocol: refused, unpaid, or perhaps paid. */
import type { RequestError } from '../domain/outcome.ts';
import { ResponseTooLargeError, SendError, type UpstreamResponse } from '../ports/world.ts';
import type { CallEnd } from './upstream.ts';

/** Errors are small; of a longer body only the status matters. */
export const ERROR_BYTES_MAX = 256 * 1024;
const LOCATION_LENGTH_MAX = 200;

/** An error in the form of the Messages API, or told by its status. */
export async function readError(response: UpstreamResponse): Promise<RequestError> {
  const fallback = {
    type: response.status >= 500 ? 'api_error' : 'invalid_request_error',
    message: `The upstream answered with status ${response.status}.${redirectHint(response)}`,
  };
  try {
    const bytes = await response.body.bytes(ERROR_BYTES_MAX);
    const parsed = JSON.parse(Buffer.from(bytes).toString('utf8')) as { error?: { type?: unknown; message?: unknown } };
    const { type, message } = parsed.error ?? {};
    return typeof type === 'string' && typeof message === 'string' ? { type, message } : fallback;
  } catch {
    // An error without a readable body is still that error: its status was read.
    return fallback;
  }
}

/** Redirects are not followed: the key would go to whoever the upstream names. The operator is told where to point instead. */
function redirectHint({ status, headers }: UpstreamResponse): string {
  if (status < 300 || status >= 400 || headers.location === undefined) return '';
  return ` It redirects to ${headers.location.slice(0, LOCATION_LENGTH_MAX)}: if that is right, name that address in --upstream.`;
}

/** The end of a call that failed on the way. */
export function failedEnd(error: unknown, answered: boolean): CallEnd {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof SendError && !error.sent && !answered) {
    return {
      kind: 'unpaid',
      throttled: false,
      retryAfterMs: null,
      error: { type: 'api_error', message: `The upstream could not be reached: ${message}` },
    };
  }
  const what =
    error instanceof ResponseTooLargeError ? 'The upstream sent too much' : 'The upstream cut the connection';
  return { kind: 'perhaps_paid', error: { type: 'api_error', message: `${what}: ${message}` } };
}
