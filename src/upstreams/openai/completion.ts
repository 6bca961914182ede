/** What whole answers and streamed ones share: ids, token counts, and why an answer ended. */
import { hash } from 'node:crypto';
import { newId } from '../../domain/id.ts';
import { COUNTED_TOKENS_MAX } from '../../domain/limits.ts';
import type { Usage } from '../../domain/tally.ts';
import { isObject, type Json } from './fault.ts';
import type { AnswerContext } from './request.ts';

/** Stands where the API proves its thinking: ours proves nothing, and must never be sent to the API that would check it. */
export const UNSIGNED = 'nightshift-unsigned';
/** Holds the arguments of a tool as they came, where they are not a JSON object. */
export const RAW_ARGUMENTS = 'nightshift_raw_arguments';

/** The same answer gets the same id. Ids of some servers repeat after a thousand answers, so more than the id goes in. */
export function messageId(seed: string | Uint8Array): string {
  const digest = hash('sha256', seed, 'buffer');
  return newId('msg', () => digest);
}

/** Ids as Messages has them: letters, digits, "_" and "-", never empty and never twice in an answer. */
export function toolUseId(id: unknown, { taken, seed }: { taken: Set<string>; seed: string }): string {
  const given =
    typeof id === 'string' && id !== '' ? id : newId('toolu', () => hash('sha256', `${seed} ${taken.size}`, 'buffer'));
  const plain = /^[A-Za-z0-9_-]+$/.test(given) ? given : given.replaceAll(/[^A-Za-z0-9_-]/g, '_');
  let own = plain;
  // Begun where so many ids are taken: thousands of calls with one id must not be counted through from two for each.
  for (let count = taken.size + 1; taken.has(own); count += 1) own = `${plain}_${count}`;
  taken.add(own);
  return own;
}

export type Counted = { readonly usage: Usage; readonly thinkingTokens: number | null };

/** Messages counts what was read from or written to a cache beside the input; chat completions count it within. */
export function countedOf(value: unknown): Counted {
  const usage = isObject(value) ? value : {};
  const input = isObject(usage['prompt_tokens_details']) ? usage['prompt_tokens_details'] : {};
  const output = isObject(usage['completion_tokens_details']) ? usage['completion_tokens_details'] : {};
  const prompt = tokens(usage['prompt_tokens']);
  const read = Math.min(prompt, tokens(input['cached_tokens'] ?? usage['prompt_cache_hit_tokens']));
  const written = Math.min(prompt - read, tokens(input['cache_write_tokens']));
  const completion = tokens(usage['completion_tokens']);
  const thinking = tokens(output['reasoning_tokens']);
  // Some servers count reasoning beside the completion; their total gives them away.
  const isBeside = thinking > 0 && tokens(usage['total_tokens']) === prompt + completion + thinking;
  return {
    usage: {
      inputTokens: prompt - read - written,
      outputTokens: isBeside ? completion + thinking : completion,
      cacheCreationInputTokens: written,
      cacheReadInputTokens: read,
      cacheCreation1hInputTokens: 0,
    },
    thinkingTokens: output['reasoning_tokens'] === undefined ? null : thinking,
  };
}

/** Money must never become negative, fractional or unsafe by an upstream's mistake, nor by all of a batch's added up. */
function tokens(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= COUNTED_TOKENS_MAX ? value : 0;
}

export function usageText({ usage, thinkingTokens }: Counted, tier: string): string {
  return (
    `{"input_tokens":${usage.inputTokens},"cache_creation_input_tokens":${usage.cacheCreationInputTokens},` +
    `"cache_read_input_tokens":${usage.cacheReadInputTokens},"cache_creation":{"ephemeral_5m_input_tokens":` +
    `${usage.cacheCreationInputTokens},"ephemeral_1h_input_tokens":0},"output_tokens":${usage.outputTokens},` +
    (thinkingTokens === null ? '' : `"output_tokens_details":{"thinking_tokens":${thinkingTokens}},`) +
    `"service_tier":"${tier}","inference_geo":"not_available"}`
  );
}

export type Stop = {
  readonly reason: 'end_turn' | 'max_tokens' | 'stop_sequence' | 'tool_use' | 'refusal';
  readonly sequence: string | null;
  readonly details: { readonly type: 'refusal'; readonly category: null; readonly explanation: string | null } | null;
};

export type Ended = {
  readonly choice: Json;
  readonly hasToolCalls: boolean;
  /** What the model said in place of an answer; empty where it did not refuse. */
  readonly refusal: string;
  readonly context: AnswerContext;
};

export function stopOf({ choice, hasToolCalls, refusal, context }: Ended): Stop {
  const reason = choice['finish_reason'];
  if (refusal !== '' || reason === 'content_filter') {
    const explanation = refusal === '' ? null : refusal;
    return { reason: 'refusal', sequence: null, details: { type: 'refusal', category: null, explanation } };
  }
  // Cut short is cut short, even within the arguments of a tool.
  if (reason === 'length') return { reason: 'max_tokens', sequence: null, details: null };
  // A forced tool ends with "stop"; whether there are calls decides.
  if (hasToolCalls) return { reason: 'tool_use', sequence: null, details: null };
  // vLLM says which in `stop_reason`, SGLang in `matched_stop`; both say a token's number where it was no sequence.
  const matched = choice['stop_reason'] ?? choice['matched_stop'];
  if (typeof matched === 'string' && context.stopSequences.includes(matched)) {
    return { reason: 'stop_sequence', sequence: matched, details: null };
  }
  return { reason: 'end_turn', sequence: null, details: null };
}

/** Servers end an answer so when they fail in the middle of it. */
export function gaveUp(finishReason: unknown): boolean {
  return finishReason === 'error' || finishReason === 'abort';
}

/** Thinking and text of a message or a delta: text is a string, or parts as some servers send it. */
export function spoken(message: Json): { readonly thinking: string; readonly text: string } {
  const field = message['reasoning_content'] ?? message['reasoning'];
  let thinking = typeof field === 'string' ? field : '';
  const { content } = message;
  if (!Array.isArray(content)) return { thinking, text: typeof content === 'string' ? content : '' };
  let text = '';
  for (const part of content as readonly unknown[]) {
    if (!isObject(part)) continue;
    if (part['type'] === 'text' && typeof part['text'] === 'string') text += part['text'];
    if (part['type'] === 'thinking') thinking += spoken({ content: part['thinking'] }).text;
  }
  return { thinking, text };
}

/** The calls of a message, the one of older servers included. */
export function toolCallsOf(message: Json): readonly Json[] {
  const calls = message['tool_calls'];
  if (Array.isArray(calls)) return calls.filter(isObject);
  return isObject(message['function_call']) ? [{ function: message['function_call'] }] : [];
}
