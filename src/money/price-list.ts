/**
 * The price list: what the provider asks for each model, in dollars for a million tokens of the realtime API. Plain data, with dates.
 *
 * Read from the provider's pages on prices and models in November 2026; models that those did not show yet, from notices of others about
 * them: Fable 5.2 and Mythos 5.2 (their write for an hour is taken to be twice the input price, as everywhere), Opus 5.5, Sonnet 5.5 and
 * Haiku 5.5. Prices of Opus 3, Sonnet 3.7 and Haiku 3 are the last ones before they went.
 *
 * To add a price: append to `prices` of its model with the UTC day it begins; an older one stays, because old usage keeps its price.
 */

export type Rates = {
  readonly input: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  readonly cacheRead: number;
  readonly output: number;
};

/** The rates of prompts of at most so many tokens, cache reads and writes included; null for any length. */
export type ListedBand = Rates & { readonly promptMax: number | null };

export type ListedPrice = {
  /** The UTC day it begins; null for as long as the model is known. */
  readonly from: string | null;
  /** Shortest prompts first. All tokens of a request fall into the band of its whole prompt. */
  readonly bands: readonly ListedBand[];
};

export type ListedModel = {
  readonly id: string;
  /** Other names of the same model; a name followed by a date of eight digits needs no line. */
  readonly aliases: readonly string[];
  /** Oldest first; none when the price is not known. */
  readonly prices: readonly ListedPrice[];
  readonly contextTokens: number;
  readonly outputTokensMax: number | null;
  /** With the beta for long outputs of batches; null where there is none. */
  readonly batchOutputTokensMax: number | null;
  /** The shortest prompt that is cached; null where it is not known. */
  readonly cacheableTokensMin: number | null;
  readonly lifecycle: 'current' | 'legacy' | 'deprecated' | 'retired' | 'preview';
  /** The last day it can be called, where that is known. */
  readonly endOfLife: string | null;
};

type Shape = Partial<Omit<ListedModel, 'id' | 'prices'>>;

const million = 1_000_000;
const large: Shape = { contextTokens: million, outputTokensMax: 128_000 };
const long: Shape = { ...large, batchOutputTokensMax: 300_000 };
const former: Shape = { contextTokens: 200_000, outputTokensMax: 64_000 };

const fable = { input: 10, cacheWrite5m: 12.5, cacheWrite1h: 20, output: 50 };
const opus = { input: 5, cacheWrite5m: 6.25, cacheWrite1h: 10, cacheRead: 0.5, output: 25 };
const formerOpus = { input: 15, cacheWrite5m: 18.75, cacheWrite1h: 30, cacheRead: 1.5, output: 75 };
const newerSonnet = { input: 2, cacheWrite5m: 2.5, cacheWrite1h: 4, output: 10 };
const sonnet = { input: 3, cacheWrite5m: 3.75, cacheWrite1h: 6, cacheRead: 0.3, output: 15 };

export const priceList: {
  readonly asOf: string;
  readonly currency: 'USD';
  /** Of every rate, those of the cache included, for the provider's own batches. */
  readonly batchShare: { readonly of: number; readonly in: number };
  readonly models: readonly ListedModel[];
} = {
  asOf: '2026-11-21',
  currency: 'USD',
  batchShare: { of: 1, in: 2 },
  models: [
    model('claude-fable-5-2', large, [
      always({ input: 8, cacheWrite5m: 10, cacheWrite1h: 16, cacheRead: 0.2, output: 40 }),
    ]),
    model('claude-mythos-5-2', large, [
      always({ input: 8, cacheWrite5m: 10, cacheWrite1h: 16, cacheRead: 0.2, output: 40 }),
    ]),
    model('claude-fable-5-1', large, [always({ ...fable, cacheRead: 0.25 })]),
    model('claude-mythos-5-1', large, [always({ ...fable, cacheRead: 0.25 })]),
    model('claude-fable-5', { ...large, cacheableTokensMin: 512 }, [always({ ...fable, cacheRead: 1 })]),
    model('claude-mythos-5', { ...large, cacheableTokensMin: 512 }, [always({ ...fable, cacheRead: 1 })]),
    model(
      'claude-mythos-preview',
      { ...large, outputTokensMax: null, cacheableTokensMin: 2_048, lifecycle: 'preview' },
      [],
    ),
    model('claude-opus-5-5', long, [
      always({ input: 4, cacheWrite5m: 5, cacheWrite1h: 8, cacheRead: 0.2, output: 20 }),
    ]),
    model('claude-opus-5', { ...long, cacheableTokensMin: 512, lifecycle: 'legacy' }, [always(opus)]),
    model('claude-opus-4-8', { ...long, cacheableTokensMin: 1_024 }, [always(opus)]),
    model('claude-opus-4-7', { ...long, cacheableTokensMin: 2_048 }, [always(opus)]),
    model('claude-opus-4-6', { ...long, cacheableTokensMin: 4_096 }, [always(opus)]),
    model('claude-opus-4-5', { ...former, cacheableTokensMin: 4_096 }, [always(opus)]),
    model('claude-opus-4-1', { ...former, outputTokensMax: 32_000, cacheableTokensMin: 1_024, lifecycle: 'retired' }, [
      always(formerOpus),
    ]),
    model(
      'claude-opus-4',
      {
        ...former,
        aliases: ['claude-opus-4-0'],
        outputTokensMax: 32_000,
        cacheableTokensMin: 1_024,
        lifecycle: 'retired',
      },
      [always(formerOpus)],
    ),
    model(
      'claude-3-opus',
      {
        ...former,
        aliases: ['claude-opus-3'],
        outputTokensMax: 4_096,
        cacheableTokensMin: 1_024,
        lifecycle: 'retired',
      },
      [always(formerOpus)],
    ),
    model('claude-sonnet-5-5', long, [
      always({ ...newerSonnet, cacheRead: 0.2 }),
      { ...always({ ...newerSonnet, cacheRead: 0.1 }), from: '2026-10-07' },
    ]),
    model('claude-sonnet-5', { ...long, cacheableTokensMin: 1_024 }, [always({ ...newerSonnet, cacheRead: 0.2 })]),
    model('claude-sonnet-4-6', { ...long, cacheableTokensMin: 1_024 }, [always(sonnet)]),
    model(
      'claude-sonnet-4-5',
      { ...former, cacheableTokensMin: 1_024, lifecycle: 'deprecated', endOfLife: '2026-11-30' },
      [always(sonnet)],
    ),
    model(
      'claude-sonnet-4',
      { ...former, aliases: ['claude-sonnet-4-0'], cacheableTokensMin: 1_024, lifecycle: 'retired' },
      [always(sonnet)],
    ),
    model(
      'claude-3-7-sonnet',
      {
        ...former,
        aliases: ['claude-sonnet-3-7'],
        cacheableTokensMin: 1_024,
        lifecycle: 'retired',
      },
      [always(sonnet)],
    ),
    model('claude-haiku-5-5', large, [
      {
        from: null,
        bands: [
          { promptMax: 100_000, input: 0.1, cacheWrite5m: 0.125, cacheWrite1h: 0.2, cacheRead: 0.01, output: 0.5 },
          { promptMax: null, input: 0.5, cacheWrite5m: 0.625, cacheWrite1h: 1, cacheRead: 0.05, output: 2.5 },
        ],
      },
    ]),
    model('claude-haiku-4-5', { ...former, cacheableTokensMin: 4_096 }, [
      always({ input: 1, cacheWrite5m: 1.25, cacheWrite1h: 2, cacheRead: 0.1, output: 5 }),
    ]),
    model(
      'claude-haiku-3-5',
      {
        ...former,
        aliases: ['claude-3-5-haiku'],
        outputTokensMax: 8_192,
        cacheableTokensMin: 2_048,
        lifecycle: 'retired',
      },
      [always({ input: 0.8, cacheWrite5m: 1, cacheWrite1h: 1.6, cacheRead: 0.08, output: 4 })],
    ),
    model(
      'claude-3-haiku',
      {
        ...former,
        aliases: ['claude-haiku-3'],
        outputTokensMax: 4_096,
        cacheableTokensMin: 2_048,
        lifecycle: 'retired',
      },
      [always({ input: 0.25, cacheWrite5m: 0.3, cacheWrite1h: 0.5, cacheRead: 0.03, output: 1.25 })],
    ),
  ],
};

function model(id: string, shape: Shape, prices: readonly ListedPrice[]): ListedModel {
  return {
    id,
    aliases: [],
    contextTokens: million,
    outputTokensMax: null,
    batchOutputTokensMax: null,
    cacheableTokensMin: null,
    lifecycle: 'current',
    endOfLife: null,
    ...shape,
    prices,
  };
}

function always(rates: Rates): ListedPrice {
  return { from: null, bands: [{ promptMax: null, ...rates }] };
}
