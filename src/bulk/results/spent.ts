/** What a run has cost, from the usage in its answers and nothing else: batches at half of the list price, calls at the whole; unknown stays unknown. */
import type { Usage } from '../../domain/tally.ts';
import { addUsage, noUsage } from '../../domain/tally.ts';
import { accountOf, add, nothing, type Amount, type Dated } from '../../money/cost.ts';

export type SpentLine = {
  readonly model: string;
  /** By the Message Batches API, or by the Messages API at the full price. */
  readonly how: 'batch' | 'standard';
  readonly requests: number;
  readonly usage: Usage;
  readonly cost: Amount;
};

export type Spent = {
  readonly lines: readonly SpentLine[];
  readonly cost: Amount;
  /** The same requests by the Messages API, nothing cached. */
  readonly standard: Amount;
  /** What half price saved. */
  readonly batchSaved: Amount;
  /** What the cache saved, in picodollars; negative when prefixes were written and hardly read. */
  readonly cacheSaved: Amount;
};

export function spentOf(usage: readonly Dated[]): Spent {
  const lines = linesOf(usage);
  const batch = accountOf(usage.filter(isBatch));
  const calls = accountOf(usage.filter((row) => !isBatch(row)));
  const callsCost = calls.spent.standard ?? nothing;
  const cost = add(batch.billed, callsCost);
  return {
    lines,
    cost,
    standard: add(batch.standard, calls.standard),
    batchSaved: minus(batch.standard, batch.batch),
    cacheSaved: add(minus(batch.batch, batch.billed), minus(calls.standard, callsCost)),
  };
}

/** Of the prompts' tokens, the share that was read from the cache; null without any. */
export function cacheReadShare(usage: readonly Usage[]): number | null {
  const { inputTokens, cacheCreationInputTokens, cacheReadInputTokens } = usage.reduce(addUsage, noUsage);
  const all = inputTokens + cacheCreationInputTokens + cacheReadInputTokens;
  return all === 0 ? null : cacheReadInputTokens / all;
}

function linesOf(usage: readonly Dated[]): SpentLine[] {
  const lines = new Map<string, SpentLine>();
  for (const row of usage) {
    const { model, requests } = row;
    const how = isBatch(row) ? 'batch' : 'standard';
    const account = accountOf([row]);
    const cost = how === 'batch' ? account.billed : (account.spent.standard ?? nothing);
    const before = lines.get(`${model} ${how}`);
    const sum =
      before === undefined
        ? { requests, usage: usageOf(row), cost }
        : { requests: before.requests + requests, usage: addUsage(before.usage, row), cost: add(before.cost, cost) };
    lines.set(`${model} ${how}`, { model, how, ...sum });
  }
  return [...lines.values()];
}

function isBatch({ tier }: Dated): boolean {
  return tier === 'batch';
}

function usageOf(row: Usage): Usage {
  return addUsage(noUsage, row);
}

function minus(left: Amount, right: Amount): Amount {
  return { ...add(left, right), picodollars: left.picodollars - right.picodollars };
}
