import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newShare, Shares } from './share.ts';
import type { Share } from './share.ts';

type Named = Share & { readonly name: string; readonly weight: number };

function named(name: string, weight = 1): Named {
  return { ...newShare(), name, weight };
}

function serve(shares: Shares<Named>, times: number): string[] {
  return Array.from({ length: times }, () => {
    const next = shares.next() ?? assert.fail();
    shares.serve(next, 1 / next.weight);
    return next.name;
  });
}

test('those that wait are served in proportion to their weights, never more than one serve apart', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 6 }), (weights) => {
      const shares = new Shares<Named>();
      for (const [index, weight] of weights.entries()) shares.join(named(String(index), weight));
      const served = weights.map(() => 0);
      for (let serves = 1; serves <= 200; serves++) {
        served[Number(serve(shares, 1)[0])] += 1;
        const times = served.map((count, index) => count / weights[index]);
        for (const [left, leftTime] of times.entries()) {
          for (const [right, rightTime] of times.entries()) {
            assert.ok(Math.abs(leftTime - rightTime) <= 1 / weights[left] + 1 / weights[right] + 1e-9);
          }
        }
      }
    }),
  );
});

test('a newcomer is next, and then takes turns like the others', () => {
  const shares = new Shares<Named>();
  for (const name of ['a', 'b', 'c']) shares.join(named(name));
  serve(shares, 1_000);
  shares.join(named('new'));
  const served = serve(shares, 8);
  assert.equal(served[0], 'new');
  assert.equal(served.filter((name) => name === 'new').length, 2);
});

test('one that returns has no claim on the time it was away', () => {
  const shares = new Shares<Named>();
  const away = named('away');
  shares.join(away);
  shares.join(named('here'));
  serve(shares, 10);
  shares.leave(away);
  serve(shares, 500);
  shares.join(away);
  assert.equal(serve(shares, 100).filter((name) => name === 'away').length, 50);
});

test('leaving and joining again after every serve wins nothing', () => {
  const shares = new Shares<Named>();
  const restless = named('restless');
  shares.join(restless);
  shares.join(named('steady', 3));
  let wins = 0;
  for (let turn = 0; turn < 100; turn++) {
    if (serve(shares, 1)[0] !== 'restless') continue;
    wins += 1;
    shares.leave(restless);
    shares.join(restless);
  }
  assert.equal(wins, 25);
});

test('the urgent go first, nearest deadline first, and when it is over the others are not behind', () => {
  const shares = new Shares<Named>();
  const [soon, sooner, calm] = [named('soon'), named('sooner'), named('calm')];
  for (const share of [soon, sooner, calm]) shares.join(share);
  shares.setUrgency(soon, { urgent: true, deadlineMs: 200 });
  shares.setUrgency(sooner, { urgent: true, deadlineMs: 100 });
  assert.deepEqual(new Set(serve(shares, 50)), new Set(['sooner']));
  shares.leave(sooner);
  assert.deepEqual(new Set(serve(shares, 50)), new Set(['soon']));
  shares.setUrgency(soon, { urgent: false, deadlineMs: 200 });
  assert.equal(serve(shares, 10).filter((name) => name === 'calm').length, 5);
});
