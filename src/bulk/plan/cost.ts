/** What a run will cost, before any money: by model, at the full price, as batches, and as batches that share a cached prefix. */
import { noUsage, type Usage } from '../../domain/tally.ts';
import { costOf, inBatch } from '../../money/cost.ts';
import type { Rates } from '../../money/price-list.ts';
import { bandOf, listedModel, PICODOLLARS_PER_DOLLAR, priceOf } from '../../money/prices.ts';
import { dollars } from '../../money/words.ts';
import { CACHE_HITS, CACHEABLE_TOKENS_MIN_DEFAULT, OUTPUT_SHARE } from '../limits.ts';
import type { TokenRange } from './tokens.ts';

export type CostQuestion = {
  /** The run's own model first, then those to compare. */
  readonly models: readonly string[];
  readonly requests: number;
  /** Of all requests together. */
  readonly input: TokenRange;
  readonly output: TokenRange;
  /** If every answer is as long as it may be. */
  readonly outputMax: number;
  /** Of one request: about how much of its beginning is marked and the same in all. */
  readonly sharedTokens: number;
  readonly ttl: '5m' | '1h';
  readonly atMs: number;
};

/** Picodollars; null where the price is not known, which is never nothing. */
export type CostLine = {
  readonly model: string;
  readonly how: 'standard' | 'batch' | 'batch with cache';
  readonly low: bigint | null;
  readonly expected: bigint | null;
  readonly high: bigint | null;
  /** The high end of the input, and every answer as long as it may be. */
  readonly worst: bigint | null;
};

export function costLines(question: CostQuestion): readonly CostLine[] {
  return question.models.flatMap((model) => linesOf(question, model));
}

function linesOf(question: CostQuestion, model: string): CostLine[] {
  const rates = ratesFor(question, model);
  const plain = lineOf(question, { model, how: 'standard', rates });
  const lines = [plain, { ...plain, how: 'batch' as const, ...each(plain, inBatch) }];
  if (!cachesPrefix(question, model)) return lines;
  const cached = lineOf(question, { model, how: 'batch with cache', rates });
  return [...lines, { ...cached, ...each(cached, inBatch) }];
}

function cachesPrefix({ sharedTokens }: CostQuestion, model: string): boolean {
  return sharedTokens > 0 && sharedTokens >= (listedModel(model)?.cacheableTokensMin ?? CACHEABLE_TOKENS_MIN_DEFAULT);
}

type Ends = Pick<CostLine, 'low' | 'expected' | 'high' | 'worst'>;

function lineOf(
  question: CostQuestion,
  { model, how, rates }: { model: string; how: CostLine['how']; rates: Rates | null },
): CostLine {
  const { input, output, outputMax } = question;
  const cached = how === 'batch with cache';
  const cost = (inputTokens: number, outputTokens: number, hits: number): bigint | null =>
    rates === null ? null : costOf(usageOf(question, { inputTokens, outputTokens, hits: cached ? hits : null }), rates);
  return {
    model,
    how,
    low: cost(input.low, output.low, CACHE_HITS.high),
    expected: cost(input.expected, output.expected, CACHE_HITS.expected),
    high: cost(input.high, output.high, CACHE_HITS.low),
    worst: cost(input.high, outputMax, 0),
  };
}

/** What is not found in the cache is written to it. */
function usageOf(
  { requests, sharedTokens, ttl }: CostQuestion,
  { inputTokens, outputTokens, hits }: { inputTokens: number; outputTokens: number; hits: number | null },
): Usage {
  const usage = { ...noUsage, outputTokens: Math.round(outputTokens) };
  if (hits === null) return { ...usage, inputTokens: Math.round(inputTokens) };
  const shared = Math.min(Math.round(sharedTokens * requests), Math.round(inputTokens));
  const read = Math.round(shared * hits);
  const written = shared - read;
  return {
    ...usage,
    inputTokens: Math.round(inputTokens) - shared,
    cacheReadInputTokens: read,
    cacheCreationInputTokens: written,
    cacheCreation1hInputTokens: ttl === '1h' ? written : 0,
  };
}

function each({ low, expected, high, worst }: Ends, change: (picodollars: bigint) => bigint): Ends {
  const changed = (value: bigint | null): bigint | null => (value === null ? null : change(value));
  return { low: changed(low), expected: changed(expected), high: changed(high), worst: changed(worst) };
}

/** The rates of the mean request: where long prompts cost more, a plan does not know which of its rows are long. */
function ratesFor({ requests, input, atMs }: CostQuestion, model: string): Rates | null {
  const usage = { ...noUsage, inputTokens: Math.round(input.expected / Math.max(1, requests)) };
  const bands = priceOf(model, atMs)?.bands;
  return bands === undefined ? null : (bands[bandOf({ model, usage, atMs })] ?? bands.at(-1)!).rates;
}

/** How long answers will be: as those seen were, or, before any, a share of what they may be. */
export function outputTokens({
  requests,
  maxTokens,
  seen,
}: {
  readonly requests: number;
  readonly maxTokens: number;
  /** Lengths of answers there are already, such as the canary's. */
  readonly seen: readonly number[];
}): TokenRange {
  if (seen.length === 0) {
    const all = requests * maxTokens;
    return { low: Math.round(all * OUTPUT_SHARE.low), expected: Math.round(all * OUTPUT_SHARE.expected), high: all };
  }
  const mean = seen.reduce((sum, tokens) => sum + tokens, 0) / seen.length;
  const deviation = Math.sqrt(seen.reduce((sum, tokens) => sum + (tokens - mean) ** 2, 0) / seen.length);
  // Few answers say little: three that are alike may still be off by half.
  const spread = Math.max((2 * deviation) / Math.sqrt(seen.length), mean / (1 + seen.length / 2));
  const high = Math.min(maxTokens, mean + spread);
  return {
    low: Math.round(Math.max(0, mean - spread) * requests),
    expected: Math.round(mean * requests),
    high: Math.round(high * requests),
  };
}

/** `≈ $6.80 (low $6.10 · high $9.90 · worst case $12.40)`, or that it is unknown. */
export function costText({ low, expected, high, worst, model }: CostLine): string {
  if (low === null || expected === null || high === null || worst === null) return `unknown: no price for ${model}`;
  return `≈ ${dollars(expected)} (low ${dollars(low)} · high ${dollars(high)} · worst case ${dollars(worst)})`;
}

/** For caps and comparisons, which people give in dollars. */
export function inDollars(picodollars: bigint): number {
  return Number(picodollars) / Number(PICODOLLARS_PER_DOLLAR);
}
