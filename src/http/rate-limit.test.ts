import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fullBucket, rateState, take } from './rate-limit.ts';
import { Recent } from './recent.ts';

test('a bucket starts full, empties, and refills continuously', () => {
  let bucket = fullBucket({ perMinute: 2, nowMs: 0 });
  for (const nowMs of [0, 0]) {
    const taken = take(bucket, { perMinute: 2, nowMs });
    assert.equal(taken.allowed, true);
    bucket = taken.bucket;
  }
  assert.equal(take(bucket, { perMinute: 2, nowMs: 0 }).allowed, false);
  assert.deepEqual(rateState(bucket, { perMinute: 2, nowMs: 15_000 }), {
    limit: 2,
    remaining: 0,
    fullInMs: 45_000,
    retryInMs: 15_000,
  });
  assert.equal(take(bucket, { perMinute: 2, nowMs: 30_000 }).allowed, true);
});

test('no run of requests ever gets more than the full bucket and what was refilled', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.array(fc.nat(5_000), { maxLength: 200 }), (perMinute, steps) => {
      let nowMs = 0;
      let allowed = 0;
      let bucket = fullBucket({ perMinute, nowMs });
      for (const step of steps) {
        nowMs += step;
        const taken = take(bucket, { perMinute, nowMs });
        bucket = taken.bucket;
        if (taken.allowed) allowed++;
      }
      assert.ok(allowed <= perMinute + (nowMs * perMinute) / 60_000 + 1e-6);
    }),
  );
});

test('a clock that went back takes nothing away', () => {
  const bucket = fullBucket({ perMinute: 10, nowMs: 1_000 });
  assert.equal(rateState(bucket, { perMinute: 10, nowMs: 0 }).remaining, 10);
});

test('Recent forgets the entry longest unused', () => {
  const recent = new Recent<string, number>(2);
  recent.set('a', 1);
  recent.set('b', 2);
  assert.equal(recent.get('a'), 1);
  recent.set('c', 3);
  assert.equal(recent.get('b'), undefined);
  assert.equal(recent.get('a'), 1);
  assert.equal(recent.size, 2);
});
