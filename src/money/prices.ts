/**
 * Prices of models, by name and day. Money is counted in whole picodollars: a price of one dollar for a million tokens is 1,000,000 of them
 * a token, so that every listed price, its half too, is a whole number, and sums of bigints never drift.
 */
import type { Usage } from '../domain/tally.ts';
import { priceList, type ListedModel, type ListedPrice, type Rates } from './price-list.ts';

export const PICODOLLARS_PER_DOLLAR = 1_000_000_000_000n;

const PICODOLLARS_PER_RATE = 1_000_000;

/** Rates in picodollars a token. */
export type Band = { readonly promptMax: number | null; readonly rates: Rates };

export type Price = { readonly model: string; readonly from: string | null; readonly bands: readonly Band[] };

type Dated = { readonly fromMs: number; readonly price: Price };

const models = new Map<string, ListedModel>();
const priced = new Map<string, readonly Dated[]>();
for (const listed of priceList.models) {
  const prices = listed.prices.map((price) => datedOf(listed.id, price)).toReversed();
  for (const name of [listed.id, ...listed.aliases]) {
    models.set(name, listed);
    priced.set(name, prices);
  }
}

/** The price of a model on a day; null when nobody knows it, which is never nothing. */
export function priceOf(model: string, atMs: number): Price | null {
  const prices = named(priced, model) ?? [];
  return prices.find(({ fromMs }) => fromMs <= atMs)?.price ?? null;
}

export function listedModel(name: string): ListedModel | null {
  return named(models, name) ?? null;
}

/** Which band of its model's price a request falls into, by its whole prompt; 0 for models with one, or without a price. */
export function bandOf({ model, usage, atMs }: { model: string; usage: Usage; atMs: number }): number {
  const bands = priceOf(model, atMs)?.bands;
  if (bands === undefined || bands.length === 1) return 0;
  const prompt = promptTokens(usage);
  const band = bands.findIndex(({ promptMax }) => promptMax === null || prompt <= promptMax);
  return band < 0 ? bands.length - 1 : band;
}

export function promptTokens(usage: Usage): number {
  return usage.inputTokens + usage.cacheCreationInputTokens + usage.cacheReadInputTokens;
}

/** Dollars for a million tokens as picodollars a token. */
export function ratesOf(dollars: Rates): Rates {
  return {
    input: rateOf(dollars.input),
    cacheWrite5m: rateOf(dollars.cacheWrite5m),
    cacheWrite1h: rateOf(dollars.cacheWrite1h),
    cacheRead: rateOf(dollars.cacheRead),
    output: rateOf(dollars.output),
  };
}

export function rateOf(dollars: number): number {
  return Math.round(dollars * PICODOLLARS_PER_RATE);
}

function datedOf(model: string, { from, bands }: ListedPrice): Dated {
  const price = { model, from, bands: bands.map((band) => ({ promptMax: band.promptMax, rates: ratesOf(band) })) };
  return { fromMs: from === null ? -Infinity : Date.parse(`${from}T00:00:00Z`), price };
}

/** A model of a date is the model: `claude-opus-4-5-20251101`, and so is its latest. */
function named<T>(known: ReadonlyMap<string, T>, name: string): T | undefined {
  return known.get(name) ?? known.get(name.replace(/-(\d{8}|latest)$/, ''));
}
