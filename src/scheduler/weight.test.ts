/** A weight that a command changed, as the scheduler takes it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Input } from './messages.ts';
import { Scheduler } from './scheduler.ts';

const LANE = 'upstream\nmodel';
const DAY_MS = 86_400_000;

function batch(number: number, workspaceId: string): Input[] {
  const batchId = `batch ${number}`;
  const items = Uint32Array.from({ length: 1_000 }, (_, index) => index);
  const nothing = { tokens: new Uint32Array(1_000), faults: new Uint8Array(1_000) };
  return [
    { kind: 'batch', batchId, workspaceId, weight: 1, deadlineMs: DAY_MS, remaining: 1_000 },
    { kind: 'span', span: number, batchId, lane: LANE, items, ...nothing },
  ];
}

/** Ends and serves so many, one after the other; how often each span was served. */
function served(scheduler: Scheduler, inFlight: number[], count: number): Record<number, number> {
  const spans: Record<number, number> = { 1: 0, 2: 0 };
  for (let turn = 0; turn < count; turn++) {
    const attempt = inFlight.shift() ?? assert.fail('nothing is in flight');
    for (const command of scheduler.step([{ kind: 'ended', attempt, result: { kind: 'final' } }], 0)) {
      if (command.kind !== 'send') continue;
      inFlight.push(command.attempt);
      spans[command.span]! += 1;
    }
  }
  return spans;
}

test('a weight that changes moves the shares of batches that run, and of what comes later', () => {
  const scheduler = new Scheduler({ chance: () => 0.5 });
  const settings = { concurrency: 1, requestsPerMinute: null, tokensPerMinute: null };
  const begin = [{ kind: 'lane', lane: LANE, settings } as const, ...batch(1, 'research'), ...batch(2, 'production')];
  const inFlight = scheduler.step(begin, 0).flatMap((command) => (command.kind === 'send' ? [command.attempt] : []));
  const equal = served(scheduler, inFlight, 100);
  assert.ok(Math.abs(equal[1]! - equal[2]!) <= 1, JSON.stringify(equal));
  scheduler.step([{ kind: 'weight', workspaceId: 'production', weight: 4 }], 0);
  const shifted = served(scheduler, inFlight, 100);
  assert.ok(Math.abs(shifted[2]! - 80) <= 2, JSON.stringify(shifted));
  scheduler.step([{ kind: 'weight', workspaceId: 'nobody', weight: 9 }], 0);
  assert.ok(Math.abs(served(scheduler, inFlight, 100)[2]! - 80) <= 2);
});

test('a weight that is raised helps at once: what was served at the old one is not waited for', () => {
  const scheduler = new Scheduler({ chance: () => 0.5 });
  const settings = { concurrency: 1, requestsPerMinute: null, tokensPerMinute: null };
  const begin = [{ kind: 'lane', lane: LANE, settings } as const, ...batch(1, 'research'), ...batch(2, 'production')];
  scheduler.step([{ kind: 'weight', workspaceId: 'production', weight: 1 }], 0);
  const inFlight = scheduler.step(begin, 0).flatMap((command) => (command.kind === 'send' ? [command.attempt] : []));
  scheduler.step([{ kind: 'weight', workspaceId: 'production', weight: 0.001 }], 0);
  assert.ok(served(scheduler, inFlight, 100)[2]! <= 1);
  scheduler.step([{ kind: 'weight', workspaceId: 'production', weight: 1_000 }], 0);
  const raised = served(scheduler, inFlight, 100);
  assert.ok(raised[2]! >= 97, JSON.stringify(raised));
  scheduler.step([{ kind: 'weight', workspaceId: 'production', weight: 1 }], 0);
  const level = served(scheduler, inFlight, 100);
  assert.ok(Math.abs(level[2]! - 50) <= 2, JSON.stringify(level));
});
