/** Where the prompts of all rows stop being equal, and whether a cache mark there is worth it. */
import { listedModel } from '../../money/prices.ts';
import { BYTES_PER_TOKEN, CACHE_SPLIT_TOKENS_MIN, CACHEABLE_TOKENS_MIN_DEFAULT } from '../limits.ts';

export type CacheMark = { readonly type: 'ephemeral'; readonly ttl: '5m' | '1h' };

export type CachePlan = {
  readonly mark: CacheMark | null;
  /** The mark stands at the end of the system prompt, of the beginning of the system prompt, or of the beginning of the message. */
  readonly at: 'system' | 'system prefix' | 'message prefix';
  /** About so many tokens are the same in every request. */
  readonly sharedTokens: number;
  readonly warnings: readonly string[];
};

export type SharedParts = {
  readonly cache: 'auto' | '5m' | '1h' | 'off';
  readonly model: string | null;
  /** Tools and what else comes before the system prompt. */
  readonly toolBytes: number;
  readonly system: { readonly prefix: string; readonly fixed: boolean } | null;
  /** Null where a function makes the message. */
  readonly message: { readonly prefix: string; readonly fixed: boolean; readonly firstColumn: string | null } | null;
  /** The params hold marks of their own. */
  readonly marked: boolean;
};

/** Rows of a batch run for hours, so `auto` keeps the prefix for one; a mark where the prefix is too short costs nothing. */
export function planCache(parts: SharedParts): CachePlan {
  const { cache, model, system, message, marked } = parts;
  const systemTokens = tokensOf(parts.toolBytes + Buffer.byteLength(system?.prefix ?? ''));
  const systemEnds = system === null || system.fixed;
  const messageTokens = systemEnds && message !== null ? tokensOf(Buffer.byteLength(message.prefix)) : 0;
  const sharedTokens = systemTokens + messageTokens;
  const least = (model === null ? null : listedModel(model)?.cacheableTokensMin) ?? null;
  const needed = least ?? CACHEABLE_TOKENS_MIN_DEFAULT;
  const at = markPlace({ systemTokens, messageTokens, needed, system });
  const none = { mark: null, at, sharedTokens };
  // Before a message without a beginning of its own there is only a system prompt to mark.
  const isMarkable = at !== 'system' || system !== null;
  if (cache === 'off' || marked || !isMarkable) return { ...none, warnings: [] };
  // Guessed tokens may be too few by some; a mark in vain is free.
  const isWorth = sharedTokens >= needed * 0.8;
  const where = placeText({ at, message });
  if (!isWorth)
    return {
      ...none,
      warnings:
        cache === 'auto' && sharedTokens < needed / 4
          ? []
          : [tooShort({ sharedTokens, needed, known: least !== null, model, where })],
    };
  const isClose = sharedTokens < needed * 1.2;
  const warnings = isClose
    ? [
        `${where}, after about ${sharedTokens} tokens: perhaps too few to be cached (${model ?? 'the model'} caches from ${needed})`,
      ]
    : [];
  return { mark: { type: 'ephemeral', ttl: cache === '5m' ? '5m' : '1h' }, at, sharedTokens, warnings };
}

function markPlace({
  systemTokens,
  messageTokens,
  needed,
  system,
}: {
  systemTokens: number;
  messageTokens: number;
  needed: number;
  system: SharedParts['system'];
}): CachePlan['at'] {
  if (system !== null && !system.fixed) return 'system prefix';
  const systemWillDo = system !== null && systemTokens >= needed && messageTokens < CACHE_SPLIT_TOKENS_MIN;
  return systemWillDo || messageTokens === 0 ? 'system' : 'message prefix';
}

function placeText({ at, message }: { at: CachePlan['at']; message: SharedParts['message'] }): string {
  if (at === 'system prefix') return 'prompts stop being equal at the first column of the system prompt';
  if (message === null) return 'prompts are equal up to the end of the system prompt';
  const column = message.firstColumn === null ? '' : `, column "${message.firstColumn}"`;
  return `prompts stop being equal at the first column of the template${column}`;
}

function tooShort({
  sharedTokens,
  needed,
  known,
  model,
  where,
}: {
  sharedTokens: number;
  needed: number;
  known: boolean;
  model: string | null;
  where: string;
}): string {
  const from = known
    ? `${model} caches from ${needed}`
    : `the least of ${model ?? 'the model'} is not known; ${needed} is taken for it`;
  return `nothing is cached: ${where}, after about ${sharedTokens} tokens (${from}); put what all rows share before the first column`;
}

function tokensOf(bytes: number): number {
  return Math.round(bytes / BYTES_PER_TOKEN);
}
