// Prices against the founding documents' table, and how names, days and long prompts choose among them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noUsage } from '../domain/tally.ts';
import { inBatch } from './cost.ts';
import { priceList } from './price-list.ts';
import { bandOf, listedModel, priceOf, rateOf } from './prices.ts';

const now = Date.parse(`${priceList.asOf}T12:00:00Z`);

/** Batch prices in dollars for a million tokens, as the guide prints them: input and output. */
const guide: Readonly<Record<string, readonly [number, number]>> = {
  'claude-opus-4-6': [2.5, 12.5],
  'claude-opus-4-5-20251101': [2.5, 12.5],
  'claude-opus-4-1-20250805': [7.5, 37.5],
  'claude-opus-4-20250514': [7.5, 37.5],
  'claude-sonnet-4-6': [1.5, 7.5],
  'claude-sonnet-4-5-20250929': [1.5, 7.5],
  'claude-sonnet-4-20250514': [1.5, 7.5],
  'claude-3-7-sonnet-20250219': [1.5, 7.5],
  'claude-haiku-4-5-20251001': [0.5, 2.5],
  'claude-3-5-haiku-20241022': [0.4, 2],
  'claude-3-opus-20240229': [7.5, 37.5],
  'claude-3-haiku-20240307': [0.125, 0.625],
};

test('the batch price of each model is the one in the guide', () => {
  for (const [model, [input, output]] of Object.entries(guide)) {
    const { rates } = priceOf(model, now)!.bands[0]!;
    assert.equal(inBatch(BigInt(rates.input)), BigInt(rateOf(input)), model);
    assert.equal(inBatch(BigInt(rates.output)), BigInt(rateOf(output)), model);
  }
});

/** In dollars for a million tokens: input, write for 5 minutes, for an hour, read, output. */
const newer: Readonly<Record<string, readonly number[]>> = {
  'claude-fable-5-2': [8, 10, 16, 0.2, 40],
  'claude-mythos-5-2': [8, 10, 16, 0.2, 40],
  'claude-fable-5-1': [10, 12.5, 20, 0.25, 50],
  'claude-mythos-5-1': [10, 12.5, 20, 0.25, 50],
  'claude-fable-5': [10, 12.5, 20, 1, 50],
  'claude-mythos-5': [10, 12.5, 20, 1, 50],
  'claude-opus-5-5': [4, 5, 8, 0.2, 20],
  'claude-opus-5': [5, 6.25, 10, 0.5, 25],
  'claude-opus-4-8': [5, 6.25, 10, 0.5, 25],
  'claude-opus-4-7': [5, 6.25, 10, 0.5, 25],
  'claude-opus-4-1': [15, 18.75, 30, 1.5, 75],
  'claude-sonnet-5-5': [2, 2.5, 4, 0.1, 10],
  'claude-sonnet-5': [2, 2.5, 4, 0.2, 10],
  'claude-sonnet-4-6': [3, 3.75, 6, 0.3, 15],
  'claude-haiku-5-5': [0.1, 0.125, 0.2, 0.01, 0.5],
  'claude-haiku-4-5': [1, 1.25, 2, 0.1, 5],
  'claude-haiku-3-5': [0.8, 1, 1.6, 0.08, 4],
  'claude-3-haiku': [0.25, 0.3, 0.5, 0.03, 1.25],
};

test('the prices of realtime calls, those of the cache included', () => {
  for (const [model, [input, write5m, write1h, read, output]] of Object.entries(newer)) {
    const wanted = { input, cacheWrite5m: write5m, cacheWrite1h: write1h, cacheRead: read, output };
    const expected = Object.fromEntries(Object.entries(wanted).map(([part, value]) => [part, rateOf(value!)]));
    assert.deepEqual({ ...priceOf(model, now)!.bands[0]!.rates }, expected, model);
  }
});

test('a price holds from its day on, and the one before it until then', () => {
  const readAt = (time: string) => priceOf('claude-sonnet-5-5', Date.parse(time))!.bands[0]!.rates.cacheRead;
  assert.equal(readAt('2026-10-06T23:59:59Z'), rateOf(0.2));
  assert.equal(readAt('2026-10-07T00:00:00Z'), rateOf(0.1));
});

test('a long prompt moves the whole request into the upper band; cached tokens make a prompt long too', () => {
  const band = (usage: Partial<typeof noUsage>, model = 'claude-haiku-5-5') =>
    bandOf({ model, usage: { ...noUsage, ...usage }, atMs: now });
  assert.equal(band({ inputTokens: 100_000 }), 0);
  assert.equal(band({ inputTokens: 100_001 }), 1);
  assert.equal(band({ inputTokens: 1, cacheReadInputTokens: 60_000, cacheCreationInputTokens: 40_000 }), 1);
  assert.equal(band({ inputTokens: 1, outputTokens: 200_000 }), 0);
  assert.equal(band({ inputTokens: 900_000 }, 'claude-opus-5-5'), 0);
  assert.equal(band({ inputTokens: 900_000 }, 'qwen3:8b'), 0);
});

test('a model nobody has a price for has none, and neither has a known one whose price is not known', () => {
  for (const model of ['qwen3:8b', 'claude-opus-9', 'claude-opus-5-5-fast', '', 'claude-mythos-preview'])
    assert.equal(priceOf(model, now), null, model);
  assert.notEqual(listedModel('claude-mythos-preview'), null);
  assert.equal(listedModel('claude-opus-4-5-20251101')?.id, 'claude-opus-4-5');
});

test('every rate of the list is positive, its half is a whole number of picodollars, and no name is listed twice', () => {
  const names = priceList.models.flatMap(({ id, aliases }) => [id, ...aliases]);
  assert.equal(new Set(names).size, names.length);
  for (const { id, prices } of priceList.models) {
    for (const { bands } of prices) {
      assert.equal(bands.at(-1)?.promptMax, null, `${id}: the last band takes prompts of any length`);
      for (const { promptMax: _, ...rates } of bands)
        for (const rate of Object.values(rates))
          assert.ok(rateOf(rate) > 0 && rateOf(rate) % 2 === 0, `${id}: ${rate}`);
    }
  }
});
