import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SPANS_HELD_MAX, SPANS_STOPPED_CLAIM } from '../domain/limits.ts';
import type { AttemptResult, Command, Input } from './messages.ts';
import { Scheduler } from './scheduler.ts';

const LANE = 'upstream\nmodel';
const DAY_MS = 86_400_000;
const error = { type: 'api_error', message: 'so it goes' };
const final = { kind: 'final' } as const;
const refused = { kind: 'unpaid', throttled: false, retryAfterMs: null, error } as const;
const throttled = { kind: 'unpaid', throttled: true, retryAfterMs: null, error } as const;
const cut = { kind: 'perhaps_paid', timeout: false, error } as const;
const aborted = { kind: 'aborted' } as const;

type Send = Extract<Command, { kind: 'send' }>;
type BatchOptions = { workspaceId?: string; weight?: number; deadlineMs?: number; spans?: number; lane?: string };

/** Plays the engine: answers claims at once, with as many spans as a batch was said to have. */
class Play {
  readonly scheduler: Scheduler;
  nowMs = 0;
  perSpan = 100;
  lastSpan = 0;
  readonly unclaimed = new Map<string, number>();
  readonly batchOf = new Map<number, string>();
  /** Sent and not ended, oldest first. */
  inFlight: Send[] = [];

  constructor(options: { concurrency?: number; chance?: number } = {}) {
    this.scheduler = new Scheduler({ chance: () => options.chance ?? 0.5 });
    this.lane(LANE, options.concurrency ?? 16);
  }

  lane(lane: string, concurrency: number): void {
    this.step([{ kind: 'lane', lane, settings: { concurrency, requestsPerMinute: null, tokensPerMinute: null } }]);
  }

  /** Steps until no claim is left; returns all commands. */
  step(inputs: readonly Input[]): Command[] {
    const all: Command[] = [];
    let next = inputs;
    do {
      const commands = this.scheduler.step(next, this.nowMs);
      for (const command of commands) if (command.kind === 'send') this.inFlight.push(command);
      all.push(...commands);
      next = commands.flatMap((command) => (command.kind === 'claim' ? this.answer(command) : []));
    } while (next.length > 0);
    return all;
  }

  answer(claim: Extract<Command, { kind: 'claim' }>): Input[] {
    const { batchId, lane } = claim;
    const key = `${batchId} ${lane}`;
    const left = this.unclaimed.get(key) ?? 0;
    const given = Math.min(left, claim.spans);
    this.unclaimed.set(key, left - given);
    return [
      ...Array.from({ length: given }, () => this.span(batchId, { lane })),
      { kind: 'claimed', batchId, lane },
      { kind: 'unclaimed', batchId, lane, spans: left - given },
    ];
  }

  span(batchId: string, options: { lane?: string; items?: number; faults?: readonly number[] } = {}): Input {
    const length = options.items ?? this.perSpan;
    const span = ++this.lastSpan;
    this.batchOf.set(span, batchId);
    const faults = Uint8Array.from({ length }, (_, index) => (options.faults?.includes(index) === true ? 1 : 0));
    const items = Uint32Array.from({ length }, (_, index) => index);
    return { kind: 'span', span, batchId, lane: options.lane ?? LANE, items, tokens: new Uint32Array(length), faults };
  }

  news(batchId: string, options: BatchOptions = {}): Input[] {
    const { workspaceId = 'default', weight = 1, deadlineMs = DAY_MS, spans = 0, lane = LANE } = options;
    this.unclaimed.set(`${batchId} ${lane}`, spans);
    const remaining = spans * this.perSpan;
    return [
      { kind: 'batch', batchId, workspaceId, weight, deadlineMs, remaining },
      { kind: 'unclaimed', batchId, lane, spans },
    ];
  }

  batch(batchId: string, options: BatchOptions = {}): Command[] {
    return this.step(this.news(batchId, options));
  }

  end(result: AttemptResult): Command[] {
    const { attempt } = this.inFlight.shift() ?? assert.fail('nothing is in flight');
    return this.step([{ kind: 'ended', attempt, result }]);
  }

  /** Ends so many attempts well, one after the other, and returns the batches of what was sent. */
  served(count: number): string[] {
    return Array.from({ length: count }, () => sends(this.end(final))).flatMap((sent) =>
      sent.map(({ span }) => this.batchOf.get(span) ?? assert.fail()),
    );
  }
}

function sends(commands: readonly Command[]): Send[] {
  return commands.filter((command) => command.kind === 'send');
}

function finishes(commands: readonly Command[]): unknown[] {
  return commands.filter(({ kind }) => kind === 'finish');
}

function count<T>(entries: readonly T[], entry: T): number {
  return entries.filter((other) => other === entry).length;
}

test('items go in order, spans by arrival, and what has failed goes before what was never sent', () => {
  const play = new Play({ concurrency: 1 });
  play.perSpan = 3;
  play.batch('a', { spans: 2 });
  const order = [play.inFlight[0].item];
  const next = (result: AttemptResult): void => void order.push(...sends(play.end(result)).map(({ item }) => item));
  next(final);
  next(refused);
  assert.deepEqual(order, [0, 1, 2]);
  play.nowMs += 1_000;
  next(final);
  next(final);
  assert.deepEqual(order, [0, 1, 2, 1, 0]);
});

test('S6: a retry is not sent before its backoff, and nextDueMs says when', () => {
  const play = new Play({ concurrency: 1 });
  play.perSpan = 1;
  play.batch('a', { spans: 1 });
  for (const backoffMs of [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000]) {
    assert.deepEqual(sends(play.end(refused)), []);
    const dueMs = play.scheduler.nextDueMs() ?? assert.fail();
    assert.equal(dueMs, play.nowMs + backoffMs);
    play.nowMs = dueMs - 1;
    assert.deepEqual(play.step([]), []);
    play.nowMs = dueMs;
    assert.equal(sends(play.step([])).length, 1);
  }
});

test('S1, S5, S6: every result of an attempt in every state of its batch', () => {
  const gone = (outcome: string, why: unknown = null): unknown[] => [
    { kind: 'finish', span: 1, items: [0], outcome, error: why },
  ];
  const table: Record<string, Record<'running' | 'cancel' | 'expire', unknown[]>> = {
    final: { running: [], cancel: [], expire: [] },
    refused: { running: [], cancel: gone('canceled'), expire: gone('expired') },
    throttled: { running: [], cancel: gone('canceled'), expire: gone('expired') },
    cut: { running: [], cancel: gone('canceled'), expire: gone('expired') },
    timeout: { running: [], cancel: gone('canceled'), expire: gone('expired') },
    aborted: { running: [], cancel: gone('canceled'), expire: gone('expired') },
  };
  const results: Record<string, AttemptResult> = {
    final,
    refused,
    throttled,
    cut,
    timeout: { ...cut, timeout: true },
    aborted,
  };
  for (const [name, row] of Object.entries(table)) {
    for (const [state, expected] of Object.entries(row)) {
      const play = new Play();
      play.perSpan = 1;
      play.batch('a', { spans: 1 });
      if (state === 'cancel' || state === 'expire') play.step([{ kind: state, batchId: 'a', graceMs: 1_000 }]);
      assert.deepEqual(finishes(play.end(results[name])), expected, `${name} while ${state}`);
      const over = name === 'final' || state !== 'running';
      assert.equal(play.scheduler.held().spans, over ? 0 : 1);
    }
  }
});

test('S6: the third perhaps paid attempt is the last', () => {
  const play = new Play();
  play.perSpan = 1;
  play.batch('a', { spans: 1 });
  for (let attempts = 1; attempts < 3; attempts++) {
    assert.deepEqual(finishes(play.end(cut)), []);
    play.nowMs += 60_000;
    assert.equal(sends(play.step([])).length, 1);
  }
  assert.deepEqual(finishes(play.end(cut)), [{ kind: 'finish', span: 1, items: [0], outcome: 'errored', error }]);
});

test('requests with a fault are finished on arrival and never sent', () => {
  const play = new Play();
  const commands = play.step([...play.news('a'), play.span('a', { items: 4, faults: [0, 2] })]);
  assert.deepEqual(finishes(commands), [{ kind: 'finish', span: 1, items: [0, 2], outcome: 'errored', error: null }]);
  assert.deepEqual(
    sends(commands).map(({ item }) => item),
    [1, 3],
  );
});

test('S4, S5: a cancel finishes what is held, leaves what is in flight its grace, aborts it once and claims the rest', () => {
  const play = new Play({ concurrency: 4 });
  play.batch('a', { spans: 200 });
  assert.equal(play.inFlight.length, 2);
  const commands = play.step([{ kind: 'cancel', batchId: 'a', graceMs: 10_000 }]);
  assert.deepEqual(sends(commands), []);
  const finished = commands.flatMap((command) => (command.kind === 'finish' ? command.items : []));
  assert.equal(finished.length, 200 * 100 - 2);
  assert.deepEqual(
    new Set(commands.flatMap((command) => (command.kind === 'claim' ? command.spans : []))),
    new Set([SPANS_STOPPED_CLAIM]),
  );
  assert.equal(play.scheduler.remaining('a'), 2);
  assert.deepEqual(play.step([{ kind: 'expire', batchId: 'a', graceMs: 0 }, { kind: 'tick' }]), []);
  play.nowMs = play.scheduler.nextDueMs() ?? assert.fail();
  assert.equal(play.nowMs, 10_000);
  assert.deepEqual(
    play.step([]).map(({ kind }) => kind),
    ['abort', 'abort'],
  );
  assert.deepEqual(play.step([{ kind: 'tick' }]), []);
  assert.deepEqual(finishes(play.end(aborted)).length, 1);
  play.end(final);
  assert.equal(play.scheduler.held().batches, 0);
});

test('a lost span is forgotten, its attempts are aborted and their ends ignored', () => {
  const play = new Play({ concurrency: 4 });
  play.batch('a', { spans: 1 });
  const [first, second] = play.inFlight;
  const commands = play.step([{ kind: 'lost', span: 1 }]);
  assert.deepEqual(
    commands,
    [first, second].map(({ attempt }) => ({ kind: 'abort', attempt })),
  );
  assert.deepEqual(play.end(refused), []);
  assert.deepEqual(play.step([{ kind: 'lost', span: 1 }]), []);
  assert.deepEqual(play.scheduler.held(), { batches: 0, spans: 0, attempts: 0, claims: 0 });
});

test('S4: pauses add up, and a drain is for good', () => {
  const play = new Play({ concurrency: 2 });
  play.step([
    { kind: 'pause', reason: 'disk' },
    { kind: 'pause', reason: 'journal' },
  ]);
  assert.deepEqual(sends(play.batch('a', { spans: 1 })), []);
  assert.equal(play.scheduler.nextDueMs(), null);
  assert.deepEqual(sends(play.step([{ kind: 'resume', reason: 'disk' }])), []);
  assert.equal(sends(play.step([{ kind: 'resume', reason: 'journal' }])).length, 1);
  play.step([{ kind: 'drain' }]);
  assert.deepEqual(play.end(final), []);
  assert.deepEqual(play.batch('b', { spans: 5 }), []);
});

test('S7: workspaces share a lane by their weights, batches of one equally', () => {
  const play = new Play({ concurrency: 8 });
  play.batch('heavy', { workspaceId: 'one', weight: 3, spans: 100 });
  play.batch('light 1', { workspaceId: 'two', weight: 1, spans: 100 });
  play.batch('light 2', { workspaceId: 'two', weight: 1, spans: 100 });
  play.served(40);
  const served = play.served(800);
  assert.ok(Math.abs(count(served, 'heavy') - 600) <= 4);
  assert.ok(Math.abs(count(served, 'light 1') - 100) <= 4);
});

test('S7: one request behind a hundred thousand starts at once, of its workspace or of another', () => {
  const play = new Play({ concurrency: 8 });
  for (let index = 0; index < 10; index++) play.batch(`old ${index}`, { spans: 1_000 });
  play.served(500);
  play.perSpan = 1;
  play.batch('same workspace', { spans: 1 });
  assert.equal(play.served(1)[0], 'same workspace');
  play.batch('another', { workspaceId: 'another', spans: 1 });
  assert.equal(play.served(1)[0], 'another');
});

test('a batch that would miss its deadline goes first, nearest deadline first, but only in its own workspace', () => {
  const play = new Play({ concurrency: 2 });
  play.batch('calm', { spans: 50 });
  play.batch('late', { spans: 50, deadlineMs: 400_000 });
  play.batch('later', { spans: 50, deadlineMs: 500_000 });
  play.batch('neighbour', { workspaceId: 'another', spans: 50 });
  const pass = (seconds: number): string[] =>
    Array.from({ length: seconds }, () => {
      play.nowMs += 1_000;
      play.step([{ kind: 'tick' }]);
      return play.served(8);
    }).flat();
  pass(15);
  // Each of the three gets 1.3 a second; the late ones need 12.
  const served = pass(20);
  assert.equal(count(served, 'neighbour'), 80);
  assert.ok(count(served, 'late') >= 70, `${count(served, 'late')} of 80`);
});

test('without a rate, a batch is urgent in the last twentieth of its time', () => {
  const play = new Play({ concurrency: 1 });
  play.batch('calm', { spans: 5 });
  play.batch('soon', { spans: 5, deadlineMs: 100_000 });
  const tick = (atMs: number): void => {
    play.nowMs = atMs;
    play.step([{ kind: 'tick' }]);
  };
  tick(1_000);
  tick(94_000);
  assert.equal(count(play.served(4), 'soon'), 2);
  tick(96_000);
  assert.equal(count(play.served(4), 'soon'), 4);
});

test('a dead lane holds no other up', () => {
  const play = new Play({ concurrency: 8 });
  play.lane('dead\nmodel', 8);
  for (let index = 0; index < 600; index++) play.batch(`dead ${index}`, { spans: 10, lane: 'dead\nmodel' });
  for (let round = 0; round < 10; round++) {
    for (const { attempt } of play.inFlight.splice(0)) play.step([{ kind: 'ended', attempt, result: refused }]);
    play.nowMs += 2_000;
    play.step([{ kind: 'tick' }]);
  }
  const [, dead] = play.scheduler.stats();
  assert.deepEqual([dead.sick, dead.window], [true, 1]);
  play.inFlight = [];
  play.batch('alive', { spans: 20 });
  assert.equal(play.inFlight.length, 4);
  assert.ok(play.served(1_900).length >= 1_900);
  assert.ok(play.scheduler.held().spans <= SPANS_HELD_MAX);
});

test('S8: claims follow demand: of 10 batches of 100,000 about a window is held, and never two claims are out for one', () => {
  const play = new Play({ concurrency: 128 });
  play.perSpan = 1_000;
  for (let index = 0; index < 10; index++) play.batch(`batch ${index}`, { spans: 100 });
  play.served(3_000);
  assert.ok(play.scheduler.held().spans <= 20, `${play.scheduler.held().spans} spans`);
  const fresh = new Scheduler({ chance: () => 0 });
  const settings = { concurrency: 64, requestsPerMinute: null, tokensPerMinute: null };
  const commands = fresh.step([{ kind: 'lane', lane: LANE, settings }, ...play.news('a', { spans: 9 })], 0);
  assert.deepEqual(commands, [{ kind: 'claim', batchId: 'a', lane: LANE, spans: 1 }]);
  assert.deepEqual(fresh.step([...play.news('a', { spans: 8 }), { kind: 'tick' }], 0), []);
});

test('S8: a claim that brought nothing is repeated at the next tick and not before', () => {
  const play = new Play();
  const { scheduler } = play;
  scheduler.step(play.news('a', { spans: 3 }), 0);
  const answer: Input[] = [
    { kind: 'claimed', batchId: 'a', lane: LANE },
    { kind: 'unclaimed', batchId: 'a', lane: LANE, spans: 3 },
  ];
  for (let round = 0; round < 3; round++) {
    assert.deepEqual(scheduler.step(answer, 0), []);
    assert.deepEqual(scheduler.step([], 0), []);
    assert.equal(scheduler.step([{ kind: 'tick' }], 0).length, 1);
  }
});

test('spans held are bounded, shared by workspaces, and a newcomer still finds room', () => {
  const play = new Play({ concurrency: 4 });
  for (let index = 0; index < 700; index++) play.batch(`batch ${index}`, { spans: 10 });
  assert.equal(play.scheduler.held().spans, SPANS_HELD_MAX / 2);
  for (let index = 0; index < 700; index++) play.batch(`other ${index}`, { workspaceId: 'other', spans: 10 });
  assert.ok(play.scheduler.held().spans <= SPANS_HELD_MAX);
  play.served(20);
  play.batch('third', { workspaceId: 'third', spans: 1 });
  assert.equal(play.served(1)[0], 'third');
});

test('S9: a hundred thousand batches leave nothing behind', () => {
  const play = new Play({ concurrency: 64 });
  play.perSpan = 1;
  for (let index = 0; index < 100_000; index++) {
    const workspaceId = `workspace ${index % 1_000}`;
    play.batch(`batch ${index}`, { workspaceId, spans: 1 });
    if (index % 7 === 0) play.step([{ kind: 'cancel', batchId: `batch ${index}`, graceMs: 1 }]);
    if (play.inFlight.length > 8) play.end(index % 50 === 0 ? refused : final);
    play.unclaimed.clear();
    play.batchOf.clear();
    play.nowMs += 1;
  }
  for (let round = 0; play.scheduler.held().spans > 0; round++) {
    assert.ok(round < 100_000);
    while (play.inFlight.length > 0) play.end(final);
    play.nowMs += 1_000;
    play.step([{ kind: 'tick' }]);
  }
  play.step([{ kind: 'batch', batchId: 'gone', workspaceId: 'a', weight: 1, deadlineMs: DAY_MS, remaining: 0 }]);
  for (let tick = 0; tick < 2; tick++) play.step([{ kind: 'tick' }]);
  assert.deepEqual(play.scheduler.held(), { batches: 0, spans: 0, attempts: 0, claims: 0 });
  assert.equal(play.scheduler.nextDueMs(), null);
});

test('headroom of zero pauses the lane until it resets', () => {
  const play = new Play({ concurrency: 4 });
  play.batch('a', { spans: 1 });
  play.step([{ kind: 'headroom', lane: LANE, requestsLeft: 5, tokensLeft: null, resetMs: 9_000 }]);
  assert.ok(sends(play.end(final)).length > 0);
  play.step([{ kind: 'headroom', lane: LANE, requestsLeft: null, tokensLeft: 0, resetMs: 5_000 }]);
  assert.deepEqual(play.end(final), []);
  assert.equal(play.scheduler.nextDueMs(), 5_000);
  play.nowMs = 5_000;
  assert.ok(sends(play.step([])).length > 0);
});
