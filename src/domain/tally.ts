/** The tally of a seal: counts by kind and usage by model, upstream, billing, tier and price band. Money is computed from nothing else. */
import { addCounts, noCounts, type Counts } from './outcome.ts';

export type Usage = {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheCreationInputTokens: number;
  readonly cacheReadInputTokens: number;
  /** The part of `cacheCreationInputTokens` written for an hour, which costs more. */
  readonly cacheCreation1hInputTokens: number;
};

export const noUsage: Usage = {
  inputTokens: 0,
  outputTokens: 0,
  cacheCreationInputTokens: 0,
  cacheReadInputTokens: 0,
  cacheCreation1hInputTokens: 0,
};

/** How an upstream is paid: the provider's list price, a price of one's own (or none), or nothing because it is simulated. */
export type Billing = 'standard' | 'own' | 'simulated';

export type UsageKey = {
  readonly model: string;
  readonly upstream: string;
  readonly billing: Billing;
  readonly tier: string;
  /** The price band the request fell into, by its prompt's length; most models have one. */
  readonly band: number;
  /** Whether the tokens bought a result, or an attempt that came to nothing. */
  readonly wasted: boolean;
};

export type UsageRow = UsageKey & Usage & { readonly requests: number };

export type Tally = { readonly counts: Counts; readonly usage: readonly UsageRow[] };

export const emptyTally: Tally = { counts: noCounts, usage: [] };

export function addUsage(left: Usage, right: Usage): Usage {
  return {
    inputTokens: left.inputTokens + right.inputTokens,
    outputTokens: left.outputTokens + right.outputTokens,
    cacheCreationInputTokens: left.cacheCreationInputTokens + right.cacheCreationInputTokens,
    cacheReadInputTokens: left.cacheReadInputTokens + right.cacheReadInputTokens,
    cacheCreation1hInputTokens: left.cacheCreation1hInputTokens + right.cacheCreation1hInputTokens,
  };
}

export function usageKeyText(key: UsageKey): string {
  return JSON.stringify([key.model, key.upstream, key.billing, key.tier, key.band, key.wasted]);
}

export function addTallies(left: Tally, right: Tally): Tally {
  const rows = new Map<string, UsageRow>();
  for (const row of [...left.usage, ...right.usage]) {
    const key = usageKeyText(row);
    const before = rows.get(key);
    rows.set(key, before ? { ...row, ...addUsage(before, row), requests: before.requests + row.requests } : row);
  }
  return { counts: addCounts(left.counts, right.counts), usage: [...rows.values()] };
}
