/** Result lines in the shapes of the Message Batches API. */
import type { OutcomeKind, RequestError } from '../domain/outcome.ts';

// A custom_id has only characters that stand for themselves, in JSON and in one byte each: it was checked on the way in.

const succeededMiddle = '","result":{"type":"succeeded","message":';
const succeededTail = '}}\n';

/** Puts a line around the very bytes of a message, which must not hold a line end. It runs for every result: one buffer, no encoding. */
export function succeededLine(customId: string, message: Uint8Array): Uint8Array {
  const head = `{"custom_id":"${customId}${succeededMiddle}`;
  const tailAt = head.length + message.length;
  const line = Buffer.allocUnsafe(tailAt + succeededTail.length);
  line.write(head, 'latin1');
  line.set(message, head.length);
  line.write(succeededTail, tailAt, 'latin1');
  return line;
}

const unexplained: RequestError = { type: 'api_error', message: 'Internal server error' };

/**
 * The line of a request without a message.
 *
 * An error has two levels. In the inner one `type` comes first: the official guide's shell program looks for the last
 * `"error":{"type":"…"` of a line, which must be the inner one, because the outer always says "error".
 */
export function failedLine(
  customId: string,
  outcome: Exclude<OutcomeKind, 'succeeded'>,
  error: RequestError | null,
): Uint8Array {
  if (outcome !== 'errored')
    return Buffer.from(`{"custom_id":"${customId}","result":{"type":"${outcome}"}}\n`, 'latin1');
  const { type, message } = error ?? unexplained;
  const inner = { type, message, details: { error_visibility: 'user_facing' } };
  const result = { type: 'errored', error: { type: 'error', error: inner, request_id: null } };
  return Buffer.from(`${JSON.stringify({ custom_id: customId, result })}\n`);
}
