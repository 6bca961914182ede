// Tokens from bytes, money from tokens, and where prompts stop being equal.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { planAdvice } from './advice.ts';
import { costLines, costText, outputTokens, type CostQuestion } from './cost.ts';
import { prefixAdvice, sharedPrefix } from './prefix.ts';
import { countSamples, fitTokens, guessedTokens, SizeSampler, sureness, tokensFor } from './tokens.ts';

test('a line through counted rows is found again', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 500 }), fc.double({ min: 0.05, max: 1, noNaN: true }), (base, perByte) => {
      const model = fitTokens([100, 200, 1_000, 5_000].map((bytes) => ({ bytes, tokens: base + perByte * bytes })));
      const { expected } = tokensFor(model, { requests: 10, bytes: 20_000 });
      assert.ok(Math.abs(expected - (10 * base + perByte * 20_000)) <= 1);
      assert.ok(model.spread < 0.001);
    }),
  );
});

test('rows of one size, or nothing counted, still give a figure and how sure it is', () => {
  assert.equal(
    fitTokens([
      { bytes: 10, tokens: 5 },
      { bytes: 10, tokens: 5 },
      { bytes: 10, tokens: 5 },
    ]).perByte,
    0.5,
  );
  assert.equal(fitTokens([]), guessedTokens);
  assert.equal(sureness(guessedTokens), '±40%, guessed at 3.2 bytes a token');
  assert.deepEqual(tokensFor(guessedTokens, { requests: 5, bytes: 3_200 }), { low: 600, expected: 1_000, high: 1_400 });
});

test('samples are counted by the API; without counts it is a guess', async () => {
  const { signal } = new AbortController();
  const samples = Array.from({ length: 20 }, (_unused, index) => new Uint8Array(100 * (index + 1)));
  const model = await countSamples({ samples, count: async ({ length }) => 7 + length / 4, signal });
  assert.deepEqual([model.samples, Math.round(model.base), model.perByte], [20, 7, 0.25]);
  let asked = 0;
  const none = async () => (asked++, null);
  assert.equal(await countSamples({ samples, count: none, signal }), guessedTokens);
  assert.equal(asked, 5);
});

test('samples are of all sizes, and no more than wanted', () => {
  const sampler = new SizeSampler<number>(() => 0.5);
  for (let index = 0; index < 10_000; index += 1) sampler.add(100, 100);
  for (const size of [1e4, 1e5, 1e6]) sampler.add(size, size);
  const samples = sampler.samples();
  assert.equal(samples.length, 50);
  assert.deepEqual(new Set(samples), new Set([100, 1e4, 1e5, 1e6]));
});

const question: CostQuestion = {
  models: ['claude-sonnet-4', 'nobody-knows'],
  requests: 500,
  input: { low: 900_000, expected: 1_000_000, high: 1_100_000 },
  output: { low: 50_000, expected: 100_000, high: 150_000 },
  outputMax: 500_000,
  sharedTokens: 0,
  ttl: '1h',
  atMs: Date.parse('2026-11-21'),
};

test('a batch costs half, and a price nobody knows stays unknown', () => {
  const [standard, batch, unknown] = costLines(question);
  assert.equal(costText(standard), '≈ $4.50 (low $3.45 · high $5.55 · worst case $10.80)');
  assert.equal(costText(batch), '≈ $2.25 (low $1.73 · high $2.78 · worst case $5.40)');
  assert.equal(costText(unknown), 'unknown: no price for nobody-knows');
});

test('a cached prefix that is long enough has a line of its own, and writing it always is the worst', () => {
  const lines = costLines({ ...question, models: ['claude-sonnet-4'], sharedTokens: 1_500 });
  const [, batch, cached] = lines;
  assert.deepEqual(
    lines.map(({ how }) => how),
    ['standard', 'batch', 'batch with cache'],
  );
  assert.ok(cached.low! < batch.low! && cached.worst! > batch.worst!);
  assert.equal(costLines({ ...question, models: ['claude-sonnet-4'], sharedTokens: 100 }).length, 2);
});

test('answers are expected as they were seen, and never above what they may be', () => {
  assert.deepEqual(outputTokens({ requests: 100, maxTokens: 100, seen: [] }), {
    low: 500,
    expected: 3_000,
    high: 10_000,
  });
  const { low, expected, high } = outputTokens({ requests: 100, maxTokens: 25, seen: [19, 21, 20] });
  assert.ok(low < expected && expected === 2_000 && high === 2_500);
});

test('the shared beginning is found and its price told', () => {
  const params = (text: string, system = 'S') =>
    Buffer.from(JSON.stringify({ model: 'm', max_tokens: 1, system, messages: [{ role: 'user', content: text }] }));
  assert.deepEqual(sharedPrefix([params('ab1'), params('ab2')]), {
    bytes: 3,
    tokens: 1,
    where: 'the message, character 3',
  });
  assert.equal(sharedPrefix([params('a', 'x'), params('a', 'y')]).where, 'the system prompt, character 1');
  assert.equal(sharedPrefix([params('a'), params('a')]).where, null);
  const shared = sharedPrefix([params(`${'x'.repeat(20_000)}1`), params(`${'x'.repeat(20_000)}2`)]);
  const advice = { shared, model: 'claude-haiku-4-5', requests: 1_001, marked: false, atMs: question.atMs };
  assert.equal(
    prefixAdvice(advice),
    'all prompts are equal up to the message, character 20001, about 6250 tokens; reading it from the cache would save up to $2.81 (--cache auto)',
  );
  assert.equal(prefixAdvice({ ...advice, marked: true }), null);
});

test('few rows are told of the quicker way', () => {
  assert.match(planAdvice({ requests: 99, sync: false })[0], /^99 requests only: --sync/);
  assert.deepEqual([planAdvice({ requests: 100, sync: false }), planAdvice({ requests: 9, sync: true })], [[], []]);
});
