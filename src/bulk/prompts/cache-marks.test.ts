// Where a cache mark goes, and what is said when it would be in vain.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planCache, type CachePlan, type SharedParts } from './cache-marks.ts';

const base: SharedParts = {
  cache: 'auto',
  model: 'claude-opus-5',
  toolBytes: 0,
  system: null,
  message: null,
  marked: false,
};
/** Of `claude-opus-5`, which caches from 512 tokens, about 1,600 bytes. */
const long = 'x'.repeat(3_200);

function fixed(prefix: string) {
  return { prefix, fixed: true };
}

function columned(prefix: string) {
  return { prefix, fixed: false, firstColumn: 'text' };
}

const places: readonly (readonly [string, Partial<SharedParts>, CachePlan['at'] | null, CachePlan['mark']])[] = [
  [
    'a long system prompt',
    { system: fixed(long), message: columned('Sort: ') },
    'system',
    { type: 'ephemeral', ttl: '1h' },
  ],
  ['a long beginning', { message: columned(long) }, 'message prefix', { type: 'ephemeral', ttl: '1h' }],
  [
    'a system prompt and a beginning, both long',
    { system: fixed(long), message: columned(long) },
    'message prefix',
    { type: 'ephemeral', ttl: '1h' },
  ],
  [
    'the two together',
    { system: fixed('x'.repeat(1_000)), message: columned('x'.repeat(1_000)) },
    'message prefix',
    { type: 'ephemeral', ttl: '1h' },
  ],
  [
    'a system prompt with columns',
    { system: columned(long), message: columned(long) },
    'system prefix',
    { type: 'ephemeral', ttl: '1h' },
  ],
  ['five minutes', { cache: '5m', system: fixed(long) }, 'system', { type: 'ephemeral', ttl: '5m' }],
  ['what is off', { cache: 'off', system: fixed(long) }, null, null],
  ['marks of their own', { marked: true, system: fixed(long) }, null, null],
  ['tools with nothing behind them to mark', { toolBytes: 9_000 }, null, null],
  ['a short one', { system: fixed('short') }, null, null],
];

for (const [name, parts, at, mark] of places) {
  test(`${name}: ${at ?? 'no mark'}`, () => {
    const plan = planCache({ ...base, ...parts });
    assert.deepEqual(plan.mark, mark);
    if (at !== null) assert.equal(plan.at, at);
  });
}

test('a prefix that is too short is told when it is near, or was asked for', () => {
  const near = { message: columned('x'.repeat(800)) };
  assert.match(
    planCache({ ...base, ...near }).warnings[0],
    /^nothing is cached: prompts stop being equal at the first column of the template, column "text", after about 250 tokens \(claude-opus-5 caches from 512\)/,
  );
  assert.deepEqual(planCache({ ...base, message: columned('x'.repeat(80)) }).warnings, []);
  assert.equal(planCache({ ...base, cache: '1h', message: columned('x'.repeat(80)) }).warnings.length, 1);
  assert.match(
    planCache({ ...base, message: columned('x'.repeat(1_600)) }).warnings[0],
    /perhaps too few to be cached/,
  );
  assert.match(
    planCache({ ...base, model: 'mine', message: columned(long + long) }).warnings[0],
    /the least of mine is not known; 4096 is taken for it/,
  );
});
