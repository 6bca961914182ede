/**
 * What usage costs: spent (what the upstream asks), billed (what the rules of the official batches ask), and the same work as realtime
 * calls and as batches, side by side. A price that is not known makes its part of a sum unknown; it is never taken for nothing.
 */
import type { Billing, Usage, UsageRow } from '../domain/tally.ts';
import { priceList, type Rates } from './price-list.ts';
import { priceOf, promptTokens } from './prices.ts';

/** A sum of money: what is known of it, and whose price is missing. */
export type Amount = {
  readonly picodollars: bigint;
  /** Some part is in `picodollars`, if only nothing at all for no usage. */
  readonly known: boolean;
  /** Models, or upstreams of one's own, without a price. */
  readonly unpriced: readonly string[];
  /** More may have been spent than is known here, for another reason than a missing price. */
  readonly atLeast: boolean;
};

export const nothing: Amount = { picodollars: 0n, known: false, unpriced: [], atLeast: false };

export type Dated = UsageRow & { readonly day: number };

export type OwnPrice = {
  readonly upstream: string;
  readonly day: number;
  /** Picodollars a token. */
  readonly price: { input: number; output: number; cacheRead: number; cacheWrite: number } | null;
};

export type Account = {
  readonly requests: number;
  /** Attempts that may have been paid and gave no result. */
  readonly wasted: number;
  /** By billing, because money never stands without it. */
  readonly spent: Readonly<Partial<Record<Billing, Amount>>>;
  /** Every prompt token at the input price. */
  readonly standard: Amount;
  /** Half of `standard`. */
  readonly batch: Amount;
  /** Half of the list price with the cache writes and reads that there were: what the official batches would have billed. */
  readonly billed: Amount;
};

export function accountOf(rows: readonly Dated[], ownPrices: readonly OwnPrice[] = []): Account {
  let account: Account = { requests: 0, wasted: 0, spent: {}, standard: nothing, batch: nothing, billed: nothing };
  for (const row of rows) {
    const spent = { ...account.spent, [row.billing]: add(account.spent[row.billing], spentOn(row, ownPrices)) };
    account = { ...account, spent };
    if (row.wasted) account = { ...account, wasted: account.wasted + row.requests };
    else account = addListed({ ...account, requests: account.requests + row.requests }, row);
  }
  return account;
}

function addListed(account: Account, row: Dated): Account {
  const rates = listRates(row);
  if (rates === null) {
    const missing = { ...nothing, unpriced: [row.model] };
    const { standard, batch, billed } = account;
    return { ...account, standard: add(standard, missing), batch: add(batch, missing), billed: add(billed, missing) };
  }
  const standard = costOf(uncached(row), rates);
  return {
    ...account,
    standard: add(account.standard, exactly(standard)),
    batch: add(account.batch, exactly(inBatch(standard))),
    billed: add(account.billed, exactly(inBatch(costOf(row, rates)))),
  };
}

/** By kind of token, for reports that list them one by one. */
export type Part = 'input' | 'cacheWrite5m' | 'cacheWrite1h' | 'cacheRead' | 'output';

export const parts: readonly Part[] = ['input', 'cacheWrite5m', 'cacheWrite1h', 'cacheRead', 'output'];

export function tokensOf(usage: Usage): Readonly<Record<Part, number>> {
  return {
    input: usage.inputTokens,
    cacheWrite5m: usage.cacheCreationInputTokens - usage.cacheCreation1hInputTokens,
    cacheWrite1h: usage.cacheCreation1hInputTokens,
    cacheRead: usage.cacheReadInputTokens,
    output: usage.outputTokens,
  };
}

/** The row with the tokens of one kind only. */
export function onlyPart(row: Dated, part: Part): Dated {
  const tokens = tokensOf(row);
  const kept = (one: Part): number => (one === part ? tokens[one] : 0);
  return {
    ...row,
    inputTokens: kept('input'),
    cacheCreationInputTokens: kept('cacheWrite5m') + kept('cacheWrite1h'),
    cacheCreation1hInputTokens: kept('cacheWrite1h'),
    cacheReadInputTokens: kept('cacheRead'),
    outputTokens: kept('output'),
  };
}

export function costOf(usage: Usage, rates: Rates): bigint {
  const tokens = tokensOf(usage);
  return parts.reduce((sum, part) => sum + BigInt(tokens[part]) * BigInt(rates[part]), 0n);
}

export function inBatch(picodollars: bigint): bigint {
  const { of, in: whole } = priceList.batchShare;
  return (picodollars * BigInt(of)) / BigInt(whole);
}

export function add(left: Amount = nothing, right: Amount): Amount {
  return {
    picodollars: left.picodollars + right.picodollars,
    known: left.known || right.known,
    unpriced: [...new Set([...left.unpriced, ...right.unpriced])],
    atLeast: left.atLeast || right.atLeast,
  };
}

function exactly(picodollars: bigint): Amount {
  return { ...nothing, picodollars, known: true };
}

function spentOn(row: Dated, ownPrices: readonly OwnPrice[]): Amount {
  if (row.billing === 'simulated') return exactly(0n);
  const own = row.billing === 'own';
  const rates = own ? ownRates(row, ownPrices) : listRates(row);
  if (rates === null) return { ...nothing, unpriced: [own ? `upstream ${row.upstream}` : row.model] };
  // Whether a wasted attempt was paid, and for how many tokens, the upstream has seldom said.
  return { ...exactly(costOf(row, rates)), atLeast: row.wasted };
}

function listRates(row: Dated): Rates | null {
  const bands = priceOf(row.model, row.day * 1_000)?.bands;
  return bands === undefined ? null : (bands[row.band] ?? bands.at(-1)!).rates;
}

function ownRates({ upstream, day }: Dated, ownPrices: readonly OwnPrice[]): Rates | null {
  const price = ownPrices.findLast((own) => own.upstream === upstream && own.day <= day)?.price ?? null;
  if (price === null) return null;
  const { input, output, cacheRead, cacheWrite } = price;
  return { input, output, cacheRead, cacheWrite5m: cacheWrite, cacheWrite1h: cacheWrite };
}

function uncached(usage: Usage): Usage {
  return {
    inputTokens: promptTokens(usage),
    outputTokens: usage.outputTokens,
    cacheCreationInputTokens: 0,
    cacheCreation1hInputTokens: 0,
    cacheReadInputTokens: 0,
  };
}
