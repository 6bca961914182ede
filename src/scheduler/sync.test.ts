import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  LANE_PAUSE_MAX_MS,
  SYNC_RESERVE_MS,
  SYNC_WAIT_MS_MAX,
  SYNC_WAITING_LANE_MAX,
  SYNC_WAITING_WORKSPACE_MAX,
  LANES_IDLE_MAX,
} from '../domain/limits.ts';
import type { AttemptResult, Command, Input, LaneSettings } from './messages.ts';
import { Scheduler } from './scheduler.ts';

const LANE = 'upstream\nmodel';
const error = { type: 'api_error', message: 'so it goes' };
const final: AttemptResult = { kind: 'final' };

type Kind<K extends Command['kind']> = Extract<Command, { kind: K }>;
type Options = { concurrency?: number; syncConcurrency?: number; requestsPerMinute?: number | null };
type SyncOptions = { workspaceId?: string; weight?: number; lane?: string };

/** Plays the engine, of which everything but its calls goes well: batches have one long span. */
class Play {
  readonly scheduler: Scheduler;
  readonly settings: LaneSettings;
  nowMs = 1_000;
  lastSync = 0;
  /** Attempts of batches, and synchronous calls, in flight, oldest first. */
  batch: number[] = [];
  sync: number[] = [];
  readonly refused: Kind<'refuse'>[] = [];
  /** What was let go, in order. */
  readonly order: string[] = [];

  constructor({ concurrency = 8, syncConcurrency = 64, requestsPerMinute = null }: Options = {}) {
    this.scheduler = new Scheduler({ chance: () => 0.5, syncConcurrency });
    this.settings = { concurrency, requestsPerMinute, tokensPerMinute: null };
  }

  step(inputs: readonly Input[] = []): Command[] {
    const commands = this.scheduler.step(inputs, this.nowMs);
    for (const command of commands) {
      if (command.kind === 'send') this.batch.push(command.attempt);
      if (command.kind === 'grant') this.sync.push(command.sync);
      if (command.kind === 'refuse') this.refused.push(command);
      if (command.kind === 'send' || command.kind === 'grant') this.order.push(command.kind);
    }
    return commands;
  }

  fill(requests = 100_000): void {
    const batch = { batchId: 'b', workspaceId: 'batches', weight: 1, deadlineMs: 86_400_000, remaining: requests };
    const items = Uint32Array.from({ length: requests }, (_, index) => index);
    const held = { items, tokens: new Uint32Array(requests), faults: new Uint8Array(requests) };
    this.step([
      { kind: 'lane', lane: LANE, settings: this.settings },
      { kind: 'batch', ...batch },
      { kind: 'span', span: 1, batchId: 'b', lane: LANE, ...held },
    ]);
  }

  ask({ workspaceId = 'people', weight = 1, lane = LANE }: SyncOptions = {}): number {
    const sync = ++this.lastSync;
    this.step([{ kind: 'sync', sync, lane, settings: this.settings, workspaceId, weight, tokens: 1 }]);
    return sync;
  }

  endBatch(result: AttemptResult = final): void {
    this.step([{ kind: 'ended', attempt: this.batch.shift() ?? assert.fail(), result }]);
  }

  endSync(result: AttemptResult = final, sync = this.sync[0] ?? assert.fail()): void {
    this.sync = this.sync.filter((other) => other !== sync);
    this.step([{ kind: 'syncEnded', sync, result }]);
  }
}

test('a synchronous call takes the next free slot, before a hundred thousand requests', () => {
  const play = new Play();
  play.fill();
  assert.equal(play.batch.length, 4);
  play.ask();
  play.ask();
  assert.deepEqual(play.sync, []);
  play.order.length = 0;
  for (let end = 0; end < 3; end++) play.endBatch();
  // The third end frees the one slot that stays free from now on… while two are taken, none is kept besides.
  assert.deepEqual(play.order, ['grant', 'grant', 'send']);
});

test('Y4: while they are used, one slot in eight stays free for them, and a minute later no more', () => {
  const play = new Play({ concurrency: 32 });
  play.fill();
  assert.equal(play.batch.length, 16);
  play.ask();
  play.endBatch();
  play.endSync();
  for (let end = 0; end < 10; end++) play.endBatch();
  assert.equal(play.batch.length, 14);
  play.ask();
  play.ask();
  assert.equal(play.sync.length, 2, 'both at once, while the batch has more to send');
  play.endSync();
  play.endSync();
  play.nowMs += SYNC_RESERVE_MS;
  play.step([{ kind: 'tick' }]);
  assert.equal(play.batch.length, 14);
  play.nowMs += 1;
  play.step([{ kind: 'tick' }]);
  assert.equal(play.batch.length, 16);
});

test('a window of one is not divided: who waits takes turns with what a batch has in flight', () => {
  const play = new Play({ concurrency: 1 });
  play.fill();
  play.ask();
  play.endBatch();
  assert.equal(play.sync.length, 1);
  play.endSync();
  assert.equal(play.batch.length, 1);
});

test('Y2: their own limit leaves the rest of the lane to batches', () => {
  const play = new Play({ concurrency: 16, syncConcurrency: 2 });
  for (let call = 0; call < 5; call++) play.ask();
  play.fill();
  assert.deepEqual([play.sync.length, play.batch.length], [2, 6]);
  play.endSync();
  assert.deepEqual([play.sync.length, play.batch.length], [2, 6]);
});

test('Y2: they wait out a pause, without a batch too, and a pause of batch work is none of theirs', () => {
  const play = new Play();
  play.step([{ kind: 'pause', reason: 'journal' }]);
  play.ask();
  play.endSync({ kind: 'unpaid', throttled: true, retryAfterMs: 2_000, error });
  play.ask();
  assert.equal(play.sync.length, 0);
  const dueMs = play.scheduler.nextDueMs() ?? assert.fail();
  assert.ok(dueMs >= play.nowMs + 2_000);
  play.nowMs = dueMs;
  play.step();
  assert.equal(play.sync.length, 1);
});

test('Y2: budgets are shared with batches', () => {
  const play = new Play({ requestsPerMinute: 60 });
  play.ask();
  play.ask();
  assert.equal(play.sync.length, 1);
  play.nowMs = play.scheduler.nextDueMs() ?? assert.fail();
  play.step();
  assert.equal(play.sync.length, 2);
});

test('Y2: of a sick lane one call is the probe, and its success lets the others go', () => {
  const play = new Play();
  const refused: AttemptResult = { kind: 'unpaid', throttled: false, retryAfterMs: null, error };
  for (let call = 0; call < 8; call++) {
    play.ask();
    play.endSync(refused);
  }
  play.ask();
  play.ask();
  assert.equal(play.sync.length, 0);
  play.nowMs = play.scheduler.nextDueMs() ?? assert.fail();
  play.step();
  assert.equal(play.sync.length, 1);
  play.endSync();
  assert.equal(play.sync.length, 1);
});

test('Y3: a lane that is paused for longer than a call may wait refuses at once, those that wait too, and says how long', () => {
  const play = new Play({ concurrency: 2 });
  play.ask();
  play.ask();
  play.endSync({ kind: 'unpaid', throttled: true, retryAfterMs: SYNC_WAIT_MS_MAX + 10_000, error });
  assert.deepEqual(
    play.refused.map(({ sync, reason }) => [sync, reason]),
    [[2, 'paused']],
  );
  const { retryAfterMs } = play.refused[0];
  assert.ok(retryAfterMs !== null && retryAfterMs >= SYNC_WAIT_MS_MAX + 10_000 && retryAfterMs < LANE_PAUSE_MAX_MS);
  play.ask();
  assert.equal(play.refused.length, 2);
  assert.equal(play.scheduler.nextDueMs(), null);
});

test('Y3: the lines are bounded, of a workspace and of a lane', () => {
  const play = new Play({ concurrency: 1 });
  play.ask();
  for (let call = 0; call <= SYNC_WAITING_WORKSPACE_MAX; call++) play.ask();
  assert.deepEqual(
    play.refused.map(({ reason }) => reason),
    ['workspace'],
  );
  for (let other = 0; play.refused.length === 1; other++) play.ask({ workspaceId: `other ${other % 100}` });
  assert.equal(play.refused[1].reason, 'lane');
  assert.equal(play.lastSync, 2 + SYNC_WAITING_LANE_MAX + 1);
});

test('Y3: workspaces that wait take turns by weight, the calls of one in order', () => {
  const play = new Play({ concurrency: 1 });
  play.ask();
  const heavy = Array.from({ length: 40 }, () => play.ask({ workspaceId: 'heavy', weight: 3 }));
  const light = Array.from({ length: 40 }, () => play.ask({ workspaceId: 'light', weight: 1 }));
  const served: number[] = [];
  for (let turn = 0; turn < 40; turn++) {
    play.endSync();
    served.push(...play.sync);
  }
  const lightServed = served.filter((sync) => light.includes(sync));
  assert.equal(lightServed.length, 10);
  assert.deepEqual(lightServed, light.slice(0, 10));
  assert.deepEqual(
    served.filter((sync) => heavy.includes(sync)),
    heavy.slice(0, 30),
  );
});

test('a drain refuses who waits and who comes, and lets those in flight end', () => {
  const play = new Play({ concurrency: 1 });
  play.ask();
  play.ask();
  play.step([{ kind: 'drain' }]);
  play.ask();
  assert.deepEqual(
    play.refused.map(({ reason }) => reason),
    ['draining', 'draining'],
  );
  play.endSync();
  assert.deepEqual(
    play.scheduler.stats().map(({ inFlight }) => inFlight),
    [0],
  );
});

test('more lanes than are kept are forgotten when nothing uses them', () => {
  const play = new Play();
  play.fill(10);
  for (let model = 0; model < LANES_IDLE_MAX; model++) {
    play.ask({ lane: `upstream\nmodel ${model}` });
    play.endSync();
  }
  assert.equal(play.scheduler.stats().length, LANES_IDLE_MAX + 1);
  play.step([{ kind: 'tick' }]);
  assert.equal(play.scheduler.stats().length, LANES_IDLE_MAX + 1, 'they were used a moment ago');
  play.nowMs += SYNC_RESERVE_MS + 1;
  play.step([{ kind: 'tick' }]);
  assert.deepEqual(
    play.scheduler.stats().map(({ lane }) => lane),
    [LANE],
  );
});

type Action = 'ask' | 'leave' | 'end' | 'throttle' | 'refuse' | 'batch end' | 'time';
const actions = fc.array(
  fc.record({
    action: fc.constantFrom<Action>(
      'ask',
      'ask',
      'ask',
      'leave',
      'end',
      'end',
      'throttle',
      'refuse',
      'batch end',
      'time',
    ),
    at: fc.nat(1_000),
  }),
  { minLength: 20, maxLength: 200, size: 'max' },
);

test('Y1: whatever happens, each call is granted or refused once or has left, and none holds a slot in the end', () => {
  fc.assert(
    fc.property(
      actions,
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 6 }),
      (list, concurrency, limit) => {
        const play = new Play({ concurrency, syncConcurrency: limit });
        play.fill();
        const told = new Map<number, number>();
        const step = (commands: readonly Command[]): void => {
          for (const command of commands)
            if (command.kind === 'grant' || command.kind === 'refuse')
              told.set(command.sync, (told.get(command.sync) ?? 0) + 1);
          assert.ok(play.sync.length <= limit, 'Y2');
          const [lane] = play.scheduler.stats();
          assert.equal(lane.inFlight, play.sync.length + play.batch.length);
          const dueMs = play.scheduler.nextDueMs();
          assert.ok(dueMs === null || dueMs > play.nowMs, 'a timer never spins');
        };
        const left = new Set<number>();
        const undecided = (): boolean =>
          Array.from({ length: play.lastSync }, (_, at) => at + 1).some((sync) => !told.has(sync) && !left.has(sync));
        const original = play.step.bind(play);
        play.step = (inputs) => {
          const commands = original(inputs);
          step(commands);
          return commands;
        };
        for (const { action, at } of list) act(play, { action, at, left, told });
        for (let round = 0; round < 2_000 && undecided(); round++) {
          if (play.sync.length > 0) play.endSync();
          else if (play.batch.length > 0) play.endBatch();
          play.nowMs += 100;
          play.step([]);
        }
        while (play.sync.length > 0) play.endSync();
        for (let sync = 1; sync <= play.lastSync; sync++)
          assert.ok(left.has(sync) ? (told.get(sync) ?? 0) <= 1 : told.get(sync) === 1, `call ${sync}`);
      },
    ),
    { numRuns: 200 },
  );
});

function act(
  play: Play,
  { action, at, left, told }: { action: Action; at: number; left: Set<number>; told: ReadonlyMap<number, number> },
): void {
  const unpaid = {
    kind: 'unpaid',
    throttled: action === 'throttle',
    retryAfterMs: at % 2 ? 500 : null,
    error,
  } as const;
  const sync = play.sync[at % Math.max(1, play.sync.length)];
  switch (action) {
    case 'ask':
      return void play.ask({ workspaceId: `workspace ${at % 3}`, weight: 1 + (at % 2) });
    case 'leave': {
      const id = 1 + (at % Math.max(1, play.lastSync));
      if (play.lastSync === 0 || (told.has(id) && !play.sync.includes(id))) return;
      left.add(id);
      return play.endSync({ kind: 'aborted' }, id);
    }
    case 'batch end':
      return play.batch.length > 0 ? play.endBatch() : undefined;
    case 'time':
      play.nowMs += at;
      return void play.step([{ kind: 'tick' }]);
    default:
      return sync === undefined ? undefined : play.endSync(action === 'end' ? final : unpaid, sync);
  }
}
