/** What one line of a batch's results means for its row. */
import { parseCustomId } from '../../submit-once/custom-id.ts';
import type { RawPlace, Verdict } from '../contract.ts';
import { answerIn, errorIn, messageOf, readResultLine, type Members, type Message } from './result-line.ts';

export { messageAt, resultOf, resultStart } from './result-bytes.ts';

export type LineRead =
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  /** A line of somebody else's request: the batch is not ours, or not what we think. */
  | { readonly kind: 'stranger'; readonly customId: string }
  /** No line of results at all. */
  | { readonly kind: 'garbage'; readonly reason: string };

export type ReadLine = {
  readonly line: Uint8Array;
  readonly place: RawPlace;
  /** The row of a custom id, if it is one of this batch: `seqOfNonce` for batches we submitted. */
  readonly seqOf: (customId: string) => number | null;
  /** Null where no schema was asked for. */
  readonly complaintOf: ((text: string) => string | null) | null;
};

export function verdictOf({ line, place, seqOf, complaintOf }: ReadLine): LineRead {
  const read = readResultLine(line);
  if ('fault' in read) return { kind: 'garbage', reason: read.fault };
  const seq = seqOf(read.customId);
  if (seq === null) return { kind: 'stranger', customId: read.customId };
  const meaning = meaningOf(read.result, complaintOf);
  return meaning === null
    ? { kind: 'garbage', reason: 'a result of no known type' }
    : { kind: 'verdict', verdict: { seq, raw: place, ...meaning } };
}

/** The proof that a line is ours: its custom id begins with the nonce of the POST that made the batch. */
export function seqOfNonce(nonce: string): (customId: string) => number | null {
  return (customId) => {
    const parsed = parseCustomId(customId);
    return parsed !== null && parsed.nonce === nonce ? parsed.seq : null;
  };
}

/** Errors that say nothing about the row: nobody's request would be served, so sending stops and the row waits. */
const blocking = new Set(['authentication_error', 'permission_error', 'billing_error']);

export function isBlocking(errorType: string): boolean {
  return blocking.has(errorType);
}

/** The request's own fault: the same request fails again. */
const ownFault = new Set(['invalid_request_error', 'not_found_error', 'request_too_large']);

type Meaning = Omit<Verdict, 'seq' | 'raw'>;

const unpaid = { model: null, usage: null, error: null };

function meaningOf(result: Members, complaintOf: ReadLine['complaintOf']): Meaning | null {
  switch (result.type) {
    case 'succeeded': {
      const message = messageOf(result);
      return message === null ? null : meaningOfMessage(message, complaintOf);
    }
    case 'errored': {
      const error = errorIn(result.error);
      return { ...unpaid, state: ownFault.has(error.type) ? 'rejected' : 'errored', error };
    }
    case 'expired':
    case 'canceled':
      return { ...unpaid, state: result.type };
    default:
      return null;
  }
}

function meaningOfMessage(
  { model, usage, stopReason, content }: Message,
  complaintOf: ReadLine['complaintOf'],
): Meaning {
  const state = stateOf(stopReason);
  const complaint = state === 'ok' && complaintOf !== null ? complaintOf(answerIn(content)) : null;
  if (complaint === null) return { state, model, usage, error: null };
  return { state: 'invalid', model, usage, error: { type: 'schema', message: complaint } };
}

/** A reason that is not known yet is an answer that came to its end. */
function stateOf(stopReason: string | null): 'ok' | 'truncated' | 'refused' | 'incomplete' {
  switch (stopReason) {
    case 'max_tokens':
    case 'model_context_window_exceeded':
      return 'truncated';
    case 'refusal':
      return 'refused';
    case 'pause_turn':
      return 'incomplete';
    default:
      return 'ok';
  }
}
