/** Simulated histories keep every promise: the seeds that once did not, fresh ones, and the proof that a seed is one history. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import test from 'node:test';
import { plantedBugs } from './planted.ts';
import { regressions } from './regressions.ts';
import { simulate } from './scenario.ts';

const freshSeeds = 40;

async function holds(seed: number): Promise<void> {
  const { violation } = await simulate(seed);
  assert.equal(
    violation,
    null,
    `seed ${seed} broke "${violation?.promise}": ${violation?.message}; again: npm run sim -- --seed ${seed} --verbose`,
  );
}

for (const { seed, note } of regressions) test(`seed ${seed} keeps every promise (${note})`, () => holds(seed));

test('fresh seeds keep every promise', async (context) => {
  const first = randomInt(1_000_000_000);
  context.diagnostic(`fresh seeds from ${first}`);
  for (let seed = first; seed < first + freshSeeds; seed++) await holds(seed);
});

test('a seed is one history, event by event', async () => {
  for (const seed of [3, 17, 42]) {
    const [first, second] = [await simulate(seed), await simulate(seed)];
    assert.equal(first.hash, second.hash, `seed ${seed}`);
    assert.equal(first.events, second.events);
    assert.ok(first.events > 100);
  }
});

for (const { name, promise, plant } of plantedBugs.filter(({ quick }) => quick === true)) {
  test(`the simulation finds: ${name}`, async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { violation } = await simulate(seed, plant());
      if (violation) return;
    }
    assert.fail(`no seed broke "${promise}"`);
  });
}
