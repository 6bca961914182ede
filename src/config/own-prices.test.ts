// Prices of one's own machines: what the file may say, and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readOwnPrices } from './own-prices.ts';

const read = (value: unknown, billing = 'own') => readOwnPrices({ value, source: 'upstreams.gpu.prices', billing });

test('what is not said of the cache costs as any input', () => {
  assert.deepEqual(read({ input: 0.1, output: 0.4 }), { input: 0.1, output: 0.4, cacheRead: 0.1, cacheWrite: 0.1 });
  assert.deepEqual(read({ input: 0.1, output: 0.4, cacheRead: 0, cacheWrite: 0.2 }), {
    input: 0.1,
    output: 0.4,
    cacheRead: 0,
    cacheWrite: 0.2,
  });
  assert.equal(read(undefined), null);
});

test('prices that are no prices, lack one, or belong to another billing are refused by name', () => {
  for (const prices of [{ input: -1, output: 1 }, { input: '1', output: 1 }, { input: 1 }, { input: 1, output: 1e-7 }])
    assert.throws(() => read(prices), /upstreams\.gpu\.prices\.(input|output)/);
  assert.throws(() => read({ input: 1, output: 1, cached: 1 }), /unknown key "cached"/);
  assert.throws(() => read({ input: 1, output: 1 }, 'standard'), /billing is standard has no prices of its own/);
});
