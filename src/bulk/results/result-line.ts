/**
 * One line of a batch's results, read. JSON.parse it is: measured against a scanner that checks the bytes and builds nothing, it takes two
 * thirds of the time for short answers and for long ones, whatever their script.
 */
import { asBuffer } from '../../bytes/ascii.ts';
import type { Usage } from '../../domain/tally.ts';
import { ANSWER_TOOL } from './answer-text.ts';

export type Members = Readonly<Record<string, unknown>>;

export type ResultLine = { readonly customId: string; readonly result: Members };

/** The line, or what is wrong with it. */
export function readResultLine(line: Uint8Array): ResultLine | { readonly fault: string } {
  let read: unknown;
  try {
    read = JSON.parse(asBuffer(line).toString('utf8'));
  } catch (error) {
    return { fault: `not JSON: ${(error as SyntaxError).message}` };
  }
  if (!isMembers(read)) return { fault: 'not a JSON object' };
  const { custom_id: customId, result } = read;
  if (typeof customId !== 'string' || !isMembers(result)) return { fault: 'no custom_id and result' };
  return { customId, result };
}

export type Message = {
  readonly model: string | null;
  readonly stopReason: string | null;
  readonly usage: Usage | null;
  readonly content: unknown;
};

/** Null where a result holds none. */
export function messageOf({ message }: Members): Message | null {
  if (!isMembers(message)) return null;
  const { model, stop_reason: stopReason, usage, content } = message;
  return {
    model: typeof model === 'string' ? model : null,
    stopReason: typeof stopReason === 'string' ? stopReason : null,
    usage: isMembers(usage) ? usageOf(usage) : null,
    content,
  };
}

function usageOf(usage: Members): Usage {
  const { cache_creation: creation } = usage;
  return {
    inputTokens: tokens(usage.input_tokens),
    outputTokens: tokens(usage.output_tokens),
    cacheCreationInputTokens: tokens(usage.cache_creation_input_tokens),
    cacheReadInputTokens: tokens(usage.cache_read_input_tokens),
    cacheCreation1hInputTokens: isMembers(creation) ? tokens(creation.ephemeral_1h_input_tokens) : 0,
  };
}

/** What is no count counts nothing: money must not become negative or fractional by somebody's mistake. */
function tokens(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

/**
 * The texts of a message's content, one after another; the input of the answer's tool, as JSON, where it was used; and where there is
 * no text at all, the input of the first tool used.
 */
export function answerIn(content: unknown): string {
  if (!Array.isArray(content)) return '';
  let texts = '';
  let form: string | null = null;
  let firstInput: string | null = null;
  for (const block of content as unknown[]) {
    if (!isMembers(block)) continue;
    if (block.type === 'text' && typeof block.text === 'string') texts += block.text;
    if (block.type !== 'tool_use' || block.input === undefined) continue;
    firstInput ??= JSON.stringify(block.input);
    if (block.name === ANSWER_TOOL) form ??= JSON.stringify(block.input);
  }
  return form ?? (texts === '' ? (firstInput ?? '') : texts);
}

export type RowError = { readonly type: string; readonly message: string };

/** The two-level error: the outer one is always of type `error`, the inner one says what it is. A single level is read, too. */
export function errorIn(error: unknown): RowError {
  if (!isMembers(error)) return { type: 'unknown_error', message: '' };
  if (isMembers(error.error)) return errorIn(error.error);
  const { type, message } = error;
  return {
    type: typeof type === 'string' ? type : 'unknown_error',
    message: typeof message === 'string' ? message : '',
  };
}

export function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
