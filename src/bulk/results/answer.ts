/** What a kept line says, for the output: the answer, or its error. */
import type { Usage } from '../../domain/tally.ts';
import type { ItemState } from '../contract.ts';
import { answerIn, errorIn, messageOf, readResultLine, type RowError } from './result-line.ts';

export type LineAnswer = {
  readonly text: string | null;
  readonly error: RowError | null;
  readonly stopReason: string | null;
  readonly model: string | null;
  readonly usage: Usage | null;
};

const nothing: LineAnswer = { text: null, error: null, stopReason: null, model: null, usage: null };

export function answerOf(line: Uint8Array): LineAnswer {
  const read = readResultLine(line);
  if ('fault' in read) return nothing;
  const { result } = read;
  if (result.type === 'errored') return { ...nothing, error: errorIn(result.error) };
  const message = messageOf(result);
  if (message === null) return nothing;
  const { model, stopReason, usage, content } = message;
  return { text: answerIn(content), error: null, stopReason, model, usage };
}

/** The error of a result as an SDK shows it, a level deeper than its type: for results of the official client, too. Null when it is none. */
export function errorOf(result: unknown): RowError | null {
  if (!isRecord(result)) return null;
  // A whole line holds its result; an errored result holds a response; a response holds the error.
  if (isRecord(result.result)) return errorOf(result.result);
  if (result.type === 'expired' || result.type === 'canceled')
    return { type: String(result.type), message: reasons[result.type] };
  if (isRecord(result.error)) return errorOf(result.error);
  if (typeof result.type !== 'string' || typeof result.message !== 'string') return null;
  return { type: result.type, message: result.message };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

const reasons = {
  expired: 'not begun before its batch expired',
  canceled: 'its batch was canceled before it began',
} as const;

/** Why a row in this state has no usable answer, where its line does not say. */
export function reasonOf(state: ItemState, stopReason: string | null): RowError | null {
  switch (state) {
    case 'truncated':
      return {
        type: stopReason ?? 'max_tokens',
        message:
          stopReason === 'model_context_window_exceeded'
            ? 'the answer filled the context window'
            : 'the answer was cut off by max_tokens',
      };
    case 'refused':
      return { type: 'refusal', message: 'the model declined to answer' };
    case 'incomplete':
      return { type: 'pause_turn', message: 'the model paused its turn, and a batch has no second one' };
    case 'expired':
    case 'canceled':
      return { type: state, message: reasons[state] };
    case 'missing':
      return { type: 'missing', message: 'its batch ended without a result for it' };
    case 'errored':
      return { type: 'unknown_error', message: 'it failed, and its line does not say why' };
    default:
      return null;
  }
}
