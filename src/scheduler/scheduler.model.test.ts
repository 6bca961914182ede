/** Random inputs, results and times against a model that keeps account of every request: S1 to S6, S8 and S9. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PERHAPS_PAID_ATTEMPTS_MAX, RETRY_BASE_MS, RETRY_MAX_MS } from '../domain/limits.ts';
import type { AttemptResult, Command, Input } from './messages.ts';
import { Scheduler } from './scheduler.ts';

const error = { type: 'api_error', message: 'so it goes' };
const results: readonly AttemptResult[] = [
  { kind: 'final' },
  { kind: 'final' },
  { kind: 'unpaid', throttled: false, retryAfterMs: null, error },
  { kind: 'unpaid', throttled: true, retryAfterMs: null, error },
  { kind: 'unpaid', throttled: true, retryAfterMs: 1_500, error },
  { kind: 'perhaps_paid', timeout: true, error },
  { kind: 'perhaps_paid', timeout: false, error },
  { kind: 'aborted' },
];
const lanes = ['slow\nmodel', 'fast\nmodel'] as const;
const settings = [
  { concurrency: 3, requestsPerMinute: 600, tokensPerMinute: null },
  { concurrency: 16, requestsPerMinute: null, tokensPerMinute: 60_000 },
];

type Request = {
  readonly span: number;
  readonly item: number;
  readonly fault: boolean;
  state: 'held' | 'in_flight' | 'done';
  perhapsPaid: number;
  failures: number;
  notBeforeMs: number;
};
type ModelBatch = {
  readonly id: string;
  readonly workspaceId: string;
  readonly weight: number;
  readonly unclaimed: { readonly items: readonly number[]; readonly faults: number }[][];
  readonly claims: number[];
  readonly total: number;
  outcomes: number;
  stopped: 'cancel' | 'expire' | null;
  graceEndMs: number;
};
type ModelSpan = { readonly batch: ModelBatch; readonly lane: number; readonly requests: Map<number, Request> };

class Model {
  readonly scheduler: Scheduler;
  readonly batches: ModelBatch[] = [];
  readonly spans = new Map<number, ModelSpan>();
  readonly attempts = new Map<number, { span: number; request: Request }>();
  readonly aborted = new Set<number>();
  readonly pauses = new Set<string>();
  readonly chance: number;
  drained = false;
  nowMs = 1_000;
  lastSpan = 0;
  lastAttempt = 0;

  constructor(chance: number) {
    this.chance = chance;
    this.scheduler = new Scheduler({ chance: () => chance });
    this.step(lanes.map((lane, index) => ({ kind: 'lane', lane, settings: settings[index] })));
    for (let workspace = 0; workspace < 3; workspace++) {
      this.create({ workspace, weight: 1, spans: 6, items: 8, faults: workspace % 2 });
    }
  }

  step(inputs: readonly Input[]): void {
    const before = this.scheduler.stats();
    const commands = this.scheduler.step(inputs, this.nowMs);
    for (const command of commands) this.check(command);
    this.checkLanes(commands, before);
    this.checkGraces();
    const dueMs = this.scheduler.nextDueMs();
    assert.ok(dueMs === null || dueMs > this.nowMs, 'a timer set by nextDueMs never spins');
  }

  check(command: Command): void {
    switch (command.kind) {
      case 'send':
        return this.checkSend(command);
      case 'abort':
        assert.ok(!this.aborted.has(command.attempt), 'S5: aborted twice');
        this.aborted.add(command.attempt);
        return;
      case 'finish':
        return this.checkFinish(command);
      case 'claim': {
        const batch = this.batches.find(({ id }) => id === command.batchId);
        assert.ok(batch !== undefined && !this.drained);
        const lane = lanes.indexOf(command.lane as (typeof lanes)[number]);
        assert.equal(batch.claims[lane], 0, 'S8: two claims out');
        batch.claims[lane] = command.spans;
        return;
      }
      default:
        assert.fail('no synchronous call is asked for here');
    }
  }

  checkSend(command: Extract<Command, { kind: 'send' }>): void {
    const span = this.spans.get(command.span);
    assert.ok(span !== undefined, 'sent from a span that is not held');
    const request = span.requests.get(command.item);
    assert.ok(request !== undefined);
    assert.equal(command.lane, lanes[span.lane]);
    assert.equal(request.state, 'held', 'S1, S2: sent while in flight or done');
    assert.ok(!request.fault, 'S1: a fault is never sent');
    assert.ok(!this.drained && this.pauses.size === 0, 'S4: sent while paused or drained');
    assert.equal(span.batch.stopped, null, 'S4: sent after cancel or expiry');
    assert.ok(this.nowMs >= request.notBeforeMs, 'S6: sent before its backoff');
    assert.ok(request.perhapsPaid < PERHAPS_PAID_ATTEMPTS_MAX, 'S6: too many perhaps paid attempts');
    assert.ok(command.attempt > this.lastAttempt, 'attempt numbers are used once');
    this.lastAttempt = command.attempt;
    request.state = 'in_flight';
    this.attempts.set(command.attempt, { span: command.span, request });
  }

  checkFinish(command: Extract<Command, { kind: 'finish' }>): void {
    const span = this.spans.get(command.span);
    assert.ok(span !== undefined);
    for (const item of command.items) {
      const request = span.requests.get(item);
      assert.ok(request !== undefined);
      assert.equal(request.state, 'held', 'S1: finished while in flight or done');
      if (command.outcome !== 'errored') {
        assert.equal(command.outcome, span.batch.stopped === 'cancel' ? 'canceled' : 'expired', 'S5');
      } else {
        assert.ok(request.fault || request.perhapsPaid === PERHAPS_PAID_ATTEMPTS_MAX, 'S6');
        assert.deepEqual(command.error, request.fault ? null : error);
      }
      this.done(span, request);
    }
  }

  done(span: ModelSpan, request: Request): void {
    request.state = 'done';
    span.batch.outcomes += 1;
    span.requests.delete(request.item);
    if (span.requests.size === 0) this.spans.delete(request.span);
  }

  checkLanes(commands: readonly Command[], before: ReturnType<Scheduler['stats']>): void {
    this.scheduler.stats().forEach((after, index) => {
      const ofLane = [...this.attempts.values()].filter(({ span }) => this.spans.get(span)?.lane === index);
      assert.equal(after.inFlight, ofLane.length);
      const sent = commands.filter((command) => command.kind === 'send' && command.lane === after.lane).length;
      if (sent === 0) return;
      const cap = settings[index].concurrency;
      assert.ok(after.window >= 1 && after.window <= cap && after.inFlight <= cap, 'W1, S3');
      assert.ok(after.inFlight <= after.window || (sent === 1 && after.window === 1), 'S3: over the window');
      assert.ok((before[index].pausedUntilMs ?? 0) <= this.nowMs || after.pausedUntilMs === null, 'L1');
    });
  }

  checkGraces(): void {
    for (const batch of this.batches) {
      if (batch.stopped === null || batch.graceEndMs > this.nowMs) continue;
      for (const [id, { span }] of this.attempts) {
        if (this.spans.get(span)?.batch === batch) assert.ok(this.aborted.has(id), 'S5: not aborted after the grace');
      }
    }
    for (const id of this.aborted) {
      const attempt = this.attempts.get(id);
      if (attempt === undefined) continue;
      const batch = this.spans.get(attempt.span)?.batch;
      assert.ok(
        batch !== undefined && batch.stopped !== null && batch.graceEndMs <= this.nowMs,
        'S5: aborted too early',
      );
    }
  }

  create(options: { workspace: number; weight: number; spans: number; items: number; faults: number }): void {
    const { workspace, weight, spans, items, faults } = options;
    const span = { items: Array.from({ length: items }, (_, index) => index * 2), faults };
    const unclaimed = lanes.map((_, lane) => Array.from({ length: (spans + lane) >> 1 }, () => span));
    const total = unclaimed.flat().length * items;
    const batch: ModelBatch = {
      id: `batch${this.batches.length}`,
      workspaceId: `workspace${workspace}`,
      weight,
      unclaimed,
      claims: [0, 0],
      total,
      outcomes: 0,
      stopped: null,
      graceEndMs: Infinity,
    };
    this.batches.push(batch);
    this.step(this.newsOf(batch));
  }

  newsOf(batch: ModelBatch): Input[] {
    const { id: batchId, workspaceId, weight } = batch;
    const remaining = batch.total - batch.outcomes;
    const news: Input[] = [{ kind: 'batch', batchId, workspaceId, weight, deadlineMs: 100_000, remaining }];
    lanes.forEach((lane, index) =>
      news.push({ kind: 'unclaimed', batchId: batch.id, lane, spans: batch.unclaimed[index].length }),
    );
    // A forgotten batch has forgotten its cancel too, so it is told with all news.
    if (batch.stopped !== null) news.push({ kind: batch.stopped, batchId: batch.id, graceMs: 0 });
    return news;
  }

  end(pick: number, result: AttemptResult): void {
    const ids = [...this.attempts.keys()];
    if (ids.length === 0) return;
    const id = ids[pick % ids.length];
    const { span, request } = this.attempts.get(id) ?? assert.fail();
    const held = this.spans.get(span) ?? assert.fail();
    this.attempts.delete(id);
    request.state = 'held';
    if (result.kind === 'final') {
      this.done(held, request);
    } else {
      const throttled = result.kind === 'unpaid' && result.throttled;
      if (!throttled) request.failures += 1;
      if (result.kind === 'perhaps_paid') request.perhapsPaid += 1;
      const exponent = throttled ? 0 : request.failures - 1;
      request.notBeforeMs = this.nowMs + Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** exponent) * this.chance;
    }
    this.step([{ kind: 'ended', attempt: id, result }]);
    if (result.kind !== 'final' && held.batch.stopped !== null) assert.equal(request.state, 'done', 'S5');
    if (request.perhapsPaid === PERHAPS_PAID_ATTEMPTS_MAX) assert.equal(request.state, 'done', 'S6');
  }

  /** Answers a claim with at most so many of the spans asked for. */
  answer(pick: number, most: number): void {
    const open = this.batches.flatMap((batch) => lanes.map((_, lane) => ({ batch, lane })));
    const asked = open.filter(({ batch, lane }) => batch.claims[lane] > 0);
    if (asked.length === 0) return;
    const { batch, lane } = asked[pick % asked.length];
    const inputs: Input[] = [];
    for (const { items, faults } of batch.unclaimed[lane].splice(0, Math.min(most, batch.claims[lane]))) {
      const span = ++this.lastSpan;
      const faulty = items.map((_, index) => (index < faults ? 1 : 0));
      const requests = items.map((item, index): Request => {
        const fault = faulty[index] === 1;
        return { span, item, fault, state: 'held', perhapsPaid: 0, failures: 0, notBeforeMs: 0 };
      });
      const bytes = { items: Uint32Array.from(items), tokens: new Uint32Array(items.length).fill(20) };
      this.spans.set(span, { batch, lane, requests: new Map(requests.map((request) => [request.item, request])) });
      inputs.push({
        kind: 'span',
        span,
        batchId: batch.id,
        lane: lanes[lane],
        ...bytes,
        faults: Uint8Array.from(faulty),
      });
    }
    batch.claims[lane] = 0;
    const rest = batch.unclaimed[lane].length;
    inputs.push({ kind: 'claimed', batchId: batch.id, lane: lanes[lane] });
    this.step([...inputs, { kind: 'unclaimed', batchId: batch.id, lane: lanes[lane], spans: rest }]);
  }

  stop(pick: number, kind: 'cancel' | 'expire'): void {
    if (this.batches.length === 0) return;
    const batch = this.batches[pick % this.batches.length];
    if (batch.stopped === null) {
      batch.stopped = kind;
      batch.graceEndMs = this.nowMs + 3_000;
    }
    this.step([...this.newsOf(batch).slice(0, 3), { kind, batchId: batch.id, graceMs: 3_000 }]);
    for (const span of this.spans.values()) {
      if (span.batch !== batch) continue;
      for (const { state } of span.requests.values())
        assert.equal(state, 'in_flight', 'S5: all that is held is finished at once');
    }
  }

  /** Loses a span; what it had left can be claimed again. */
  lose(pick: number): void {
    const ids = [...this.spans.keys()];
    if (ids.length === 0) return;
    const id = ids[pick % ids.length];
    const { batch, lane, requests } = this.spans.get(id) ?? assert.fail();
    const inFlight = [...this.attempts].filter(([, { span }]) => span === id).map(([attempt]) => attempt);
    for (const attempt of inFlight) this.attempts.delete(attempt);
    this.spans.delete(id);
    const left = [...requests.values()];
    batch.unclaimed[lane].push({
      items: left.map(({ item }) => item),
      faults: left.filter(({ fault }) => fault).length,
    });
    for (const attempt of inFlight) this.aborted.delete(attempt);
    this.step([{ kind: 'lost', span: id }]);
    for (const attempt of inFlight) assert.ok(this.aborted.has(attempt), 'its attempts are aborted');
    this.step(inFlight.map((attempt) => ({ kind: 'ended', attempt, result: { kind: 'aborted' } })));
    this.step(this.newsOf(batch));
  }

  pause(reason: string): void {
    if (this.pauses.delete(reason)) return this.step([{ kind: 'resume', reason }]);
    this.pauses.add(reason);
    this.step([{ kind: 'pause', reason }]);
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.step([{ kind: 'tick' }]);
  }

  /** Everything succeeds from here on: all must end, and nothing may be left. */
  settle(): void {
    for (const reason of ['disk', 'journal']) if (this.pauses.has(reason)) this.pause(reason);
    for (let round = 0; ; round++) {
      assert.ok(round < 5_000, 'it does not come to an end');
      this.answer(round, 3);
      this.end(round, { kind: 'final' });
      const left = this.batches.filter(({ outcomes, total }) => outcomes < total);
      if (left.length === 0) break;
      const dueMs = this.scheduler.nextDueMs();
      if (dueMs === null || round % 20 === 0) this.pass(100);
      else this.step([]);
      if (dueMs !== null) this.nowMs = Math.max(this.nowMs, dueMs);
    }
    for (let round = 0; round < 50; round++) this.answer(0, 3);
    this.pass(70_000);
    this.pass(1_000);
    this.pass(1_000);
    assert.deepEqual(this.scheduler.held(), { batches: 0, spans: 0, attempts: 0, claims: 0 }, 'S9');
    for (const lane of this.scheduler.stats()) assert.deepEqual([lane.inFlight, lane.ready, lane.delayed], [0, 0, 0]);
    for (const { outcomes, total } of this.batches) assert.equal(outcomes, total, 'S1');
    assert.equal(this.scheduler.nextDueMs(), null);
  }
}

type Action = (model: Model) => void;
const pick = fc.nat(1_000);
const batchShape = fc.record({
  workspace: fc.nat(2),
  weight: fc.constantFrom(1, 2, 5),
  spans: fc.nat(5),
  items: fc.integer({ min: 1, max: 9 }),
  faults: fc.nat(2),
});
function on<T>(
  weight: number,
  values: fc.Arbitrary<T>,
  act: (model: Model, value: T) => void,
): fc.WeightedArbitrary<Action> {
  return { weight, arbitrary: values.map((value) => (model) => act(model, value)) };
}
const stops = fc.constantFrom('cancel' as const, 'expire' as const);
const action = fc.oneof(
  on(2, batchShape, (model, shape) => model.create(shape)),
  on(6, fc.tuple(pick, fc.constantFrom(0, 1, 1, 2, 64)), (model, [at, most]) => model.answer(at, most)),
  on(24, fc.tuple(pick, fc.constantFrom(...results)), (model, [at, result]) => model.end(at, result)),
  on(5, fc.constantFrom(1, 40, 900, 5_000), (model, ms) => model.pass(ms)),
  on(1, fc.tuple(pick, stops), (model, [at, kind]) => model.stop(at, kind)),
  on(1, pick, (model, at) => model.lose(at)),
  on(1, fc.constantFrom('disk', 'journal'), (model, reason) => model.pause(reason)),
  on(1, fc.constantFrom(...lanes), (model, lane) =>
    model.step([{ kind: 'headroom', lane, requestsLeft: 0, tokensLeft: null, resetMs: model.nowMs + 700 }]),
  ),
);
const runs = 300;

test('whatever happens, every request comes to exactly one end and nothing is left', () => {
  fc.assert(
    fc.property(
      fc.array(action, { minLength: 50, maxLength: 250, size: 'max' }),
      fc.constantFrom(0, 0.3, 0.999),
      (actions, chance) => {
        const model = new Model(chance);
        for (const act of actions) act(model);
        model.settle();
      },
    ),
    { numRuns: runs },
  );
});

test('after a drain nothing is sent or claimed any more, and what is in flight still ends', () => {
  fc.assert(
    fc.property(
      fc.array(action, { minLength: 20, maxLength: 80, size: 'max' }),
      fc.array(action, { minLength: 20, maxLength: 40, size: 'max' }),
      (before, after) => {
        const model = new Model(0.5);
        for (const act of before) act(model);
        model.step([{ kind: 'drain' }]);
        model.drained = true;
        for (const act of after) act(model);
        while (model.attempts.size > 0) model.end(0, { kind: 'final' });
        assert.equal(model.scheduler.held().attempts, 0);
        assert.equal(
          model.scheduler.nextDueMs() === null || model.batches.some(({ stopped }) => stopped !== null),
          true,
        );
      },
    ),
    { numRuns: Math.ceil(runs / 3) },
  );
});
