// What usage costs: the founding documents' example, billings told apart, and what is not known.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { noUsage } from '../domain/tally.ts';
import { accountOf, add, costOf, nothing, onlyPart, parts, type Dated } from './cost.ts';
import { priceList } from './price-list.ts';
import { ratesOf } from './prices.ts';
import { amountJson, amountText, decimal, dollars, readAmount } from './words.ts';

const day = Date.parse(`${priceList.asOf}T00:00:00Z`) / 1_000;

function row(changes: Partial<Dated>): Dated {
  const key = { model: 'claude-sonnet-4', upstream: 'api', billing: 'standard', tier: 'standard' } as const;
  return { day, ...key, band: 0, wasted: false, requests: 1, ...noUsage, ...changes };
}

test('a million tokens in and 100,000 out of Sonnet 4 are $4.50, and $2.25 as a batch', () => {
  const account = accountOf([row({ inputTokens: 1_000_000, outputTokens: 100_000, requests: 500 })]);
  assert.equal(amountText(account.standard), '$4.50');
  assert.equal(amountText(account.batch), '$2.25');
  assert.equal(amountText(account.billed), '$2.25');
  assert.equal(account.requests, 500);
});

test('realtime calls to the provider are spent at the full price, whatever the batch rules would bill', () => {
  const account = accountOf([row({ inputTokens: 1_000_000, outputTokens: 100_000 })]);
  assert.deepEqual(Object.keys(account.spent), ['standard']);
  assert.equal(amountText(account.spent.standard!), '$4.50');
});

test('a cached prompt in a batch costs a twentieth of the input price', () => {
  const account = accountOf([row({ cacheReadInputTokens: 1_000_000 })]);
  assert.equal(amountText(account.standard), '$3.00');
  assert.equal(amountText(account.batch), '$1.50');
  assert.equal(amountText(account.billed), '$0.15');
  assert.equal(amountText(account.spent.standard!), '$0.30');
});

test('writes to the cache cost by how long they stay', () => {
  const usage = { cacheCreationInputTokens: 3_000_000, cacheCreation1hInputTokens: 1_000_000 };
  const { spent, billed } = accountOf([row(usage)]);
  assert.equal(amountText(spent.standard!), '$13.50');
  assert.equal(amountText(billed), '$6.75');
});

test('the band of a row chooses its rates', () => {
  const long = row({ model: 'claude-haiku-5-5', inputTokens: 1_000_000, outputTokens: 1_000_000 });
  assert.equal(amountText(accountOf([long]).billed), '$0.30');
  assert.equal(amountText(accountOf([{ ...long, band: 1 }]).billed), '$1.50');
});

test('the simulator spends nothing, under its own name', () => {
  const account = accountOf([row({ billing: 'simulated', inputTokens: 1_000_000 })]);
  assert.deepEqual(Object.keys(account.spent), ['simulated']);
  assert.equal(amountText(account.spent.simulated!), '$0');
  assert.equal(amountText(account.billed), '$1.50');
});

test("a machine of one's own costs its configured price from its day on, and without one it is unknown", () => {
  const price = { input: 100_000, output: 400_000, cacheRead: 10_000, cacheWrite: 100_000 };
  const used = row({
    upstream: 'gpu',
    billing: 'own',
    model: 'qwen3:8b',
    inputTokens: 1_000_000,
    outputTokens: 1_000_000,
  });
  const prices = [
    { upstream: 'gpu', day, price },
    { upstream: 'other', day: 0, price },
  ];
  assert.equal(amountText(accountOf([used], prices).spent.own!), '$0.50');
  assert.equal(amountText(accountOf([{ ...used, day: day - 86_400 }], prices).spent.own!), 'unknown');
  assert.deepEqual(amountJson(accountOf([used]).spent.own!), {
    amount: null,
    at_least: false,
    unpriced: ['upstream gpu'],
  });
  assert.equal(amountText(accountOf([used], prices).billed), 'unknown');
});

test('a sum with an unknown part is a lower bound that names what is missing', () => {
  const { billed, spent } = accountOf([
    row({ inputTokens: 1_000_000 }),
    row({ model: 'claude-mythos-preview', inputTokens: 5 }),
    row({ model: 'claude-mythos-preview', outputTokens: 5 }),
  ]);
  assert.equal(amountText(billed), 'at least $1.50');
  assert.deepEqual(amountJson(spent.standard!), { amount: '3', at_least: true, unpriced: ['claude-mythos-preview'] });
});

test('wasted attempts are spent and never billed; what they cost is a lower bound', () => {
  const account = accountOf([
    row({ inputTokens: 1_000_000 }),
    row({ inputTokens: 1_000_000, wasted: true, requests: 2 }),
  ]);
  assert.equal(amountText(account.spent.standard!), 'at least $6.00');
  assert.equal(amountText(account.billed), '$1.50');
  assert.deepEqual([account.requests, account.wasted], [1, 2]);
});

test('the parts of a row cost what the row costs, and rows in any order and grouping cost the same', () => {
  const tokens = fc.integer({ min: 0, max: 10_000_000_000 });
  const usages = fc.record({
    inputTokens: tokens,
    outputTokens: tokens,
    cacheReadInputTokens: tokens,
    write5m: tokens,
    cacheCreation1hInputTokens: tokens,
  });
  const rates = ratesOf(priceList.models.find(({ id }) => id === 'claude-opus-5-5')!.prices[0]!.bands[0]!);
  fc.assert(
    fc.property(fc.array(usages, { minLength: 1, maxLength: 6 }), (made) => {
      const rows = made.map(({ write5m, ...usage }) =>
        row({
          ...usage,
          model: 'claude-opus-5-5',
          cacheCreationInputTokens: write5m + usage.cacheCreation1hInputTokens,
        }),
      );
      for (const one of rows)
        assert.equal(
          parts.reduce((sum, part) => sum + costOf(onlyPart(one, part), rates), 0n),
          costOf(one, rates),
        );
      const apart = rows.map((one) => accountOf([one]).billed).reduceRight((sum, one) => add(sum, one), nothing);
      assert.deepEqual(apart, accountOf(rows).billed);
      assert.deepEqual(readAmount(amountJson(apart)), apart);
    }),
  );
});

test('money in figures and words', () => {
  assert.deepEqual(
    [0n, 4_500_000_000_000n, 1n, 62_500n, 12_345_678_901_234n].map((value) => decimal(value)),
    ['0', '4.5', '0.000000000001', '0.0000000625', '12.345678901234'],
  );
  assert.equal(decimal(4_500_000_000_000n, { cents: true }), '450');
  assert.deepEqual([0n, 1_000n, 12_300_000_000n, 999_999_999_999n, 1_234_567_890_000_000_000n].map(dollars), [
    '$0',
    'under $0.0001',
    '$0.0123',
    '$1.00',
    '$1,234,567.89',
  ]);
});
