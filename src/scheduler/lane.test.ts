import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LANE_PAUSE_MAX_MS, LANE_PROBE_MAX_MS } from '../domain/limits.ts';
import { Lane } from './lane.ts';
import type { SentAttempt } from './lane.ts';

const plain = { concurrency: 64, requestsPerMinute: null, tokensPerMinute: null };
let lastId = 0;

function fill(lane: Lane, nowMs: number, tokens = 1): SentAttempt[] {
  const sent: SentAttempt[] = [];
  while (lane.maySend(nowMs)) {
    const id = ++lastId;
    sent.push({ id, probe: lane.sent(id, tokens) });
  }
  lane.observe(nowMs);
  return sent;
}

function newLane(settings = {}, chance = 0): Lane {
  return new Lane({ ...plain, ...settings }, { nowMs: 0, chance: () => chance });
}

test('L2: a window full of refusals halves once, and pauses once', () => {
  const lane = newLane();
  const sent = fill(lane, 0);
  assert.equal(sent.length, 32);
  for (const attempt of sent) {
    lane.freed(attempt);
    lane.throttled(attempt, null, 10);
  }
  assert.equal(lane.window, 16);
  assert.equal(lane.pausedUntilMs(), 260);
  assert.equal(fill(lane, 259).length, 0);
  assert.equal(fill(lane, 260).length, 16);
});

for (const share of [0.02, 0.05, 0.1]) {
  test(`an upstream that sheds ${share * 100} % of its load by chance keeps its window`, () => {
    // A stride that is no divisor of anything: clumps come as they do by chance, the same in every run.
    let draw = 0.5;
    const lane = newLane();
    for (let nowMs = 0; nowMs < 20_000; nowMs += 20) {
      for (const attempt of fill(lane, nowMs)) {
        draw = (draw + 0.618_033_988_75) % 1;
        lane.freed(attempt);
        if (draw < share) lane.throttled(attempt, null, nowMs + 10);
        else lane.succeeded(attempt, nowMs + 10);
      }
    }
    assert.ok(lane.window >= 32, `${lane.window}`);
  });
}

test('a limit that refuses what is beyond it halves the window', () => {
  const lane = newLane();
  for (let nowMs = 0; nowMs < 2_000; nowMs += 20) {
    fill(lane, nowMs).forEach((attempt, place) => {
      lane.freed(attempt);
      if (place < 20) lane.succeeded(attempt, nowMs + 10);
      else lane.throttled(attempt, null, nowMs + 10);
    });
  }
  assert.ok(lane.window <= 25, `${lane.window}`);
});

test('a long storm costs few calls: the window, half of it, then one probe at a time, a second apart', () => {
  const lane = newLane();
  let calls = 0;
  for (let nowMs = 0; nowMs < 60_000; nowMs += 50) {
    for (const attempt of fill(lane, nowMs)) {
      calls += 1;
      lane.freed(attempt);
      lane.throttled(attempt, null, nowMs);
    }
  }
  assert.ok(calls < 32 + 16 + 62, `${calls} calls`);
  const [probe, ...others] = fill(lane, 70_000);
  assert.ok(probe.probe && others.length === 0);
  lane.freed(probe);
  lane.succeeded(probe, 70_100);
  assert.ok(fill(lane, 70_100).length >= 1);
});

test('retry-after and headroom pause the lane, with little jitter and at most five minutes', () => {
  const lane = newLane({}, 0.999);
  const [first] = fill(lane, 0);
  lane.freed(first);
  lane.throttled(first, 10_000, 0);
  assert.ok(lane.pausedUntilMs() >= 10_000 && lane.pausedUntilMs() <= 10_500);
  lane.pauseUntil(5_000, 0);
  assert.ok(lane.pausedUntilMs() >= 10_000, 'a shorter pause does not end a longer one');
  lane.pauseUntil(1e9, 0);
  assert.ok(lane.pausedUntilMs() <= LANE_PAUSE_MAX_MS * 1.05);
});

test('L3: eight failures in a row make it sick; probes go one by one, further apart; a success restores half', () => {
  const lane = newLane();
  const sent = fill(lane, 0);
  for (const [index, attempt] of sent.entries()) {
    lane.freed(attempt);
    lane.failed(attempt, 0);
    assert.equal(lane.sick, index >= 7);
  }
  assert.equal(lane.window, 1);
  const probedAtMs: number[] = [];
  for (let nowMs = 0; nowMs < 6_000; nowMs += 10) {
    for (const probe of fill(lane, nowMs)) {
      assert.ok(probe.probe);
      probedAtMs.push(nowMs);
      lane.freed(probe);
      lane.failed(probe, nowMs);
    }
  }
  const gaps = probedAtMs.slice(1).map((atMs, index) => atMs - probedAtMs[index]);
  assert.deepEqual(gaps.slice(0, 4), [100, 200, 400, 500]);
  assert.ok(Math.max(...gaps) <= LANE_PROBE_MAX_MS);
  const [probe] = fill(lane, 10_000);
  lane.freed(probe);
  lane.succeeded(probe, 10_010);
  assert.equal(lane.sick, false);
  assert.equal(lane.window, 16);
});

test('L3: answers of better days do not end a sickness', () => {
  const lane = newLane();
  const [good, ...others] = fill(lane, 0);
  for (const attempt of others.slice(0, 8)) {
    lane.freed(attempt);
    lane.failed(attempt, 0);
  }
  lane.freed(good);
  lane.succeeded(good, 1);
  assert.equal(lane.sick, true);
});

test('attempts that hang do not keep a sick lane from being probed', () => {
  const lane = newLane();
  const sent = fill(lane, 0);
  for (const attempt of sent.slice(0, 8)) {
    lane.freed(attempt);
    lane.failed(attempt, 0);
  }
  assert.equal(lane.inFlight, 24);
  assert.equal(fill(lane, 1_000).length, 1);
});

test('isolated failures change nothing', () => {
  const lane = newLane();
  for (let nowMs = 0; nowMs < 1_000; nowMs++) {
    for (const [index, attempt] of fill(lane, nowMs).entries()) {
      lane.freed(attempt);
      if (index % 5 === 4) lane.failed(attempt, nowMs);
      else lane.succeeded(attempt, nowMs);
    }
    assert.ok(lane.window >= 32 && !lane.sick);
  }
});

test('timeouts halve once a round trip and do not pause', () => {
  const lane = newLane();
  for (const attempt of fill(lane, 0)) {
    lane.freed(attempt);
    lane.timedOut(attempt, 600_000);
  }
  assert.equal(lane.window, 16);
  assert.equal(fill(lane, 600_000).length, 16);
});

test('budgets: requests and tokens per minute hold over any time, with at most a second saved up', () => {
  for (const settings of [{ requestsPerMinute: 120 }, { tokensPerMinute: 12_000 }, { requestsPerMinute: 6 }]) {
    const lane = newLane(settings);
    const perMs = 'tokensPerMinute' in settings ? 2 / 1_000 : settings.requestsPerMinute / 60_000;
    let sent = 0;
    let nowMs = 0;
    while (nowMs < 60_000) {
      for (const attempt of fill(lane, nowMs, 100)) {
        sent += 1;
        lane.freed(attempt);
      }
      assert.ok(sent <= Math.max(1, perMs * 1_000) + perMs * nowMs + 1);
      const dueMs = lane.maySendAtMs() ?? assert.fail();
      assert.ok(dueMs > nowMs, 'the next time is ahead');
      nowMs = dueMs;
    }
    assert.ok(sent >= perMs * 60_000 - 1, `${sent} sent`);
    lane.setSettings({ ...plain, ...settings }, nowMs);
    assert.ok(fill(lane, nowMs, 100).length <= 1, 'settings told again do not fill a budget');
  }
});
