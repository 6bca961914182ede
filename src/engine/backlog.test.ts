import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXPIRING_SOON_MS } from '../domain/limits.ts';
import { noCounts } from '../domain/outcome.ts';
import { backlogOf } from './backlog.ts';
import { createRun } from './held.ts';
import { batchOf } from './support.ts';

const nowMs = 1_800_000_000_000;

test('nothing waits', () => {
  assert.deepEqual(backlogOf([], nowMs), { pending: 0, expiringSoon: 0, oldestMs: 0 });
});

test('what has no sealed outcome waits, since its batch was created', () => {
  const old = batchOf({
    createdAt: (nowMs - 60_000) * 1_000,
    expiresAt: (nowMs + EXPIRING_SOON_MS - 1) * 1_000,
    requests: 10,
    counts: { ...noCounts, succeeded: 4 },
  });
  const young = batchOf({ createdAt: (nowMs - 5_000) * 1_000, expiresAt: (nowMs + 2 * EXPIRING_SOON_MS) * 1_000 });
  const done = batchOf({ createdAt: 1, requests: 3, counts: { ...noCounts, errored: 3 } });
  assert.deepEqual(backlogOf([old, young, done].map(createRun), nowMs), {
    pending: 106,
    expiringSoon: 6,
    oldestMs: 60_000,
  });
});
