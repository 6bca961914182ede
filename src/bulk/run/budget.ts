/** What the run has cost so far, and whether the next batch still fits under what it may cost. */
import { accountOf, type Dated } from '../../money/cost.ts';
import { PICODOLLARS_PER_DOLLAR } from '../../money/prices.ts';
import { MEAN_ANSWERS_MIN } from '../limits.ts';

export type Spent = { readonly dollars: number; readonly answers: number; readonly unpriced: readonly string[] };

/** Batches are billed at their share of the list price, calls one by one at the whole of it. */
export function spentOn(usage: readonly Dated[]): Spent {
  const inBatches = accountOf(usage.filter(({ tier }) => tier === 'batch'));
  const oneByOne = accountOf(usage.filter(({ tier }) => tier !== 'batch')).spent.standard;
  const picodollars = inBatches.billed.picodollars + (oneByOne?.picodollars ?? 0n);
  return {
    dollars: Number(picodollars) / Number(PICODOLLARS_PER_DOLLAR),
    answers: usage.reduce((sum, { requests }) => sum + requests, 0),
    unpriced: [...new Set([...inBatches.billed.unpriced, ...(oneByOne?.unpriced ?? [])])],
  };
}

/** Of one request in a batch: the mean of the answers so far once there are enough, before that what the plan says. */
export function expectedDollars(usage: readonly Dated[], planned: number | null): number | null {
  const batched = spentOn(usage.filter(({ tier }) => tier === 'batch'));
  return batched.answers >= MEAN_ANSWERS_MIN && batched.unpriced.length === 0
    ? batched.dollars / batched.answers
    : planned;
}

/** How many more requests fit, when those in flight cost what is expected of them. Infinity without a cap or a price. */
export function affordableRequests(about: {
  readonly spentDollars: number;
  readonly expectedDollarsPerRequest: number | null;
  readonly inFlightRequests: number;
  readonly capDollars: number | null;
}): number {
  const { spentDollars, expectedDollarsPerRequest: each, inFlightRequests, capDollars } = about;
  if (capDollars === null) return Infinity;
  const left = capDollars - spentDollars - (each ?? 0) * inFlightRequests;
  if (left <= 0) return 0;
  // A rounding must not turn away the last request that fits exactly.
  return each === null || each === 0 ? Infinity : Math.floor(left / each + 1e-9);
}
