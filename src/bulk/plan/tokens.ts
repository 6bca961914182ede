/**
 * How many tokens rows will be, from their bytes. There is no public tokenizer of these models: some rows of all sizes are counted by the API
 * for nothing, and a line is laid through them; without it a guess is made and called one.
 */
import { BYTES_PER_TOKEN, TOKEN_GUESS_SPREAD, TOKEN_SAMPLES } from '../limits.ts';

/** tokens ≈ base + perByte · bytes of the params, give or take `spread` of the sum of many. */
export type TokenModel = {
  readonly base: number;
  readonly perByte: number;
  readonly spread: number;
  /** Rows that were counted; 0 for a guess. */
  readonly samples: number;
};

export const guessedTokens: TokenModel = {
  base: 0,
  perByte: 1 / BYTES_PER_TOKEN,
  spread: TOKEN_GUESS_SPREAD,
  samples: 0,
};

export type TokenRange = { readonly low: number; readonly expected: number; readonly high: number };

export function tokensFor(
  model: TokenModel,
  { requests, bytes }: { readonly requests: number; readonly bytes: number },
): TokenRange {
  const expected = model.base * requests + model.perByte * bytes;
  return {
    low: Math.round(expected * (1 - model.spread)),
    expected: Math.round(expected),
    high: Math.round(expected * (1 + model.spread)),
  };
}

/** How sure it is, for people: `±4%, 50 rows counted`. */
export function sureness({ spread, samples }: TokenModel): string {
  const percent = `±${Math.max(1, Math.round(spread * 100))}%`;
  return samples === 0
    ? `${percent}, guessed at ${BYTES_PER_TOKEN} bytes a token`
    : `${percent}, ${samples} rows counted`;
}

type Counted = { readonly bytes: number; readonly tokens: number };

/** The line through what was counted (least squares), and twice the standard error of its mean. */
export function fitTokens(counted: readonly Counted[]): TokenModel {
  if (counted.length === 0) return guessedTokens;
  const count = counted.length;
  const meanBytes = meanOf(counted.map(({ bytes }) => bytes));
  const meanTokens = meanOf(counted.map(({ tokens }) => tokens));
  const line = lineThrough(counted, { meanBytes, meanTokens });
  const squares = counted.reduce((sum, { bytes, tokens }) => sum + (tokens - line.base - line.perByte * bytes) ** 2, 0);
  const deviation = count > 2 ? Math.sqrt(squares / (count - 2)) : meanTokens * TOKEN_GUESS_SPREAD;
  const spread = meanTokens === 0 ? 0 : (2 * deviation) / Math.sqrt(count) / meanTokens;
  return { ...line, spread: Math.min(TOKEN_GUESS_SPREAD, spread), samples: count };
}

function lineThrough(
  counted: readonly Counted[],
  { meanBytes, meanTokens }: { meanBytes: number; meanTokens: number },
): { base: number; perByte: number } {
  const variance = counted.reduce((sum, { bytes }) => sum + (bytes - meanBytes) ** 2, 0);
  const together = counted.reduce((sum, { bytes, tokens }) => sum + (bytes - meanBytes) * (tokens - meanTokens), 0);
  const perByte = variance === 0 ? 0 : together / variance;
  const base = meanTokens - perByte * meanBytes;
  // Rows of one size tell nothing about others; a line that falls, or begins below nothing, is noise.
  if (perByte > 0 && base >= 0) return { base, perByte };
  return { base: 0, perByte: meanBytes === 0 ? 0 : meanTokens / meanBytes };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Counts samples by the API, a few at a time; one that gives no count is left out, and none at all makes it a guess. */
export async function countSamples({
  samples,
  count,
  signal,
}: {
  readonly samples: readonly Uint8Array[];
  readonly count: (params: Uint8Array, signal: AbortSignal) => Promise<number | null>;
  readonly signal: AbortSignal;
}): Promise<TokenModel> {
  const counted: Counted[] = [];
  for (let at = 0; at < samples.length; at += COUNTS_AT_ONCE) {
    const some = samples.slice(at, at + COUNTS_AT_ONCE);
    const tokens = await Promise.all(some.map((params) => count(params, signal)));
    for (const [index, found] of tokens.entries())
      if (found !== null) counted.push({ bytes: some[index].length, tokens: found });
    if (counted.length === 0) return guessedTokens;
  }
  return fitTokens(counted);
}

/** The counting endpoint has limits of its own. */
const COUNTS_AT_ONCE = 5;

/** Picks rows of all sizes while they pass by, each size (half an octave of bytes) with the same chance for each of its rows. */
export class SizeSampler<Item> {
  readonly #random: () => number;
  readonly #strata = new Map<number, { seen: number; readonly kept: Item[] }>();

  constructor(random: () => number) {
    this.#random = random;
  }

  add(item: Item, bytes: number): void {
    const size = Math.round(2 * Math.log2(bytes + 1));
    let stratum = this.#strata.get(size);
    if (stratum === undefined) this.#strata.set(size, (stratum = { seen: 0, kept: [] }));
    stratum.seen += 1;
    if (stratum.kept.length < TOKEN_SAMPLES) {
      stratum.kept.push(item);
      return;
    }
    const place = Math.floor(this.#random() * stratum.seen);
    if (place < TOKEN_SAMPLES) stratum.kept[place] = item;
  }

  /** Of each size in turn, until there are enough. */
  samples(): readonly Item[] {
    const strata = [...this.#strata].toSorted(([left], [right]) => left - right).map(([, { kept }]) => kept);
    const picked: Item[] = [];
    for (let turn = 0; turn < TOKEN_SAMPLES && picked.length < TOKEN_SAMPLES; turn += 1) {
      for (const kept of strata) if (turn < kept.length && picked.length < TOKEN_SAMPLES) picked.push(kept[turn]);
    }
    return picked;
  }
}
