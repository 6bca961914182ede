/**
 * Synchronous calls, which somebody waits for: they take the next free slot of their lane before any batch work.
 *
 * Y1 Each is granted or refused exactly once, unless it ends (its caller leaves) before.
 * Y2 A grant respects all that a send does (window, pauses, probes, budgets; see lane.ts) and the calls' own limit in a lane. It does not
 *    care for what stops only batches: such a call leaves nothing in the journal.
 * Y3 Workspaces that wait are served by weight, the calls of one in order. No more wait than the bounds allow, and none for a lane that is
 *    known to be paused for longer than a call may wait.
 * Y4 While they were used in the last minute, one slot in eight of the window is kept for them, unless the window is one.
 */
import { must } from '../domain/errors.ts';
import {
  SYNC_RESERVE_MS,
  SYNC_RESERVE_PART,
  SYNC_WAIT_MS_MAX,
  SYNC_WAITING_LANE_MAX,
  SYNC_WAITING_WORKSPACE_MAX,
} from '../domain/limits.ts';
import { Fifo } from './fifo.ts';
import type { SentAttempt } from './lane.ts';
import type { AttemptId, AttemptResult, Command, Input, LaneId, SyncId, SyncRefusal } from './messages.ts';
import { newShare, Shares, type Share } from './share.ts';
import type { LaneWork } from './work.ts';

type Call = {
  readonly id: SyncId;
  readonly tokens: number;
  readonly lane: SyncLane;
  readonly line: Line;
  /** Null while it waits. */
  attempt: SentAttempt | null;
};

/** The calls of one workspace that wait in a lane. */
type Line = Share & { readonly workspaceId: string; readonly calls: Fifo<Call>; weight: number };

type SyncLane = {
  readonly work: LaneWork;
  readonly lines: Map<string, Line>;
  readonly shares: Shares<Line>;
  waiting: number;
  inFlight: number;
  usedMs: number;
};

export class SyncCalls {
  readonly #concurrency: number;
  readonly #lanes = new Map<LaneId, SyncLane>();
  /** Lanes where a call waits; the only ones a step looks at. */
  readonly #waiting = new Set<SyncLane>();
  readonly #calls = new Map<SyncId, Call>();
  #refusals: Command[] = [];
  #drained = false;

  constructor({ concurrency }: { concurrency: number }) {
    this.#concurrency = concurrency;
  }

  add(work: LaneWork, input: Extract<Input, { kind: 'sync' }>, nowMs: number): void {
    const { sync: id, workspaceId, weight, tokens } = input;
    const lane = this.#open(work);
    lane.usedMs = nowMs;
    const line = lane.lines.get(workspaceId) ?? { ...newShare(), workspaceId, calls: new Fifo<Call>(), weight };
    if (this.#drained) return this.#refuse(id, 'draining', null);
    if (line.calls.size >= SYNC_WAITING_WORKSPACE_MAX) return this.#refuse(id, 'workspace', null);
    if (lane.waiting >= SYNC_WAITING_LANE_MAX) return this.#refuse(id, 'lane', null);
    const call: Call = { id, tokens, lane, line, attempt: null };
    this.#calls.set(id, call);
    line.weight = weight;
    line.calls.add(call);
    lane.waiting += 1;
    lane.lines.set(workspaceId, line);
    if (line.heapIndex < 0) lane.shares.join(line);
    this.#waiting.add(lane);
  }

  ended(id: SyncId, result: AttemptResult, nowMs: number): void {
    const call = this.#calls.get(id);
    // It was refused, or has ended before.
    if (call === undefined) return;
    const { lane, line, attempt } = call;
    this.#calls.delete(id);
    lane.usedMs = nowMs;
    if (attempt === null) {
      line.calls.keep((other) => other !== call);
      this.#left(lane, line);
    } else {
      lane.inFlight -= 1;
      lane.work.lane.ended(attempt, result, nowMs);
      // Nobody waits and no batch looks: demand lacks.
      if (lane.waiting === 0 && lane.work.queues === 0) lane.work.lane.observe(nowMs);
    }
  }

  /** Grants what may go, after all inputs of a step and before its sends; and tells of all refusals since the last step. */
  grant(nowMs: number, nextAttempt: () => AttemptId): Command[] {
    const granted: Command[] = [];
    for (const lane of this.#waiting) {
      const { work, shares } = lane;
      while (shares.size > 0 && lane.inFlight < this.#concurrency && work.lane.maySend(nowMs)) {
        const { id } = this.#grantNext(lane, nextAttempt());
        lane.usedMs = nowMs;
        granted.push({ kind: 'grant', sync: id });
      }
      // A lane with batches is observed after their sends.
      if (work.queues === 0) work.lane.observe(nowMs);
      this.#refuseHopeless(lane, nowMs);
    }
    const refused = this.#refusals;
    this.#refusals = [];
    return granted.length === 0 ? refused : granted.concat(refused);
  }

  /** Slots of the lane that batch work must leave free now. */
  reserved(work: LaneWork, nowMs: number): number {
    const lane = this.#lanes.get(work.id);
    const { window } = work.lane;
    if (lane === undefined || window <= 1 || !isUsed(lane, nowMs)) return 0;
    return Math.max(0, Math.max(1, Math.floor(window * SYNC_RESERVE_PART)) - lane.inFlight);
  }

  /** When time alone will let a waiting call go. */
  dueMs(): number {
    let dueMs = Infinity;
    for (const { work, inFlight } of this.#waiting) {
      if (inFlight < this.#concurrency) dueMs = Math.min(dueMs, work.lane.maySendAtMs() ?? Infinity);
    }
    return dueMs;
  }

  drain(): void {
    this.#drained = true;
    for (const lane of this.#waiting) this.#refuseAll(lane, 'draining', null);
  }

  /** Forgets lanes that no call has used for a while, but no pause that was asked for. */
  forgetIdle(nowMs: number): void {
    for (const [id, lane] of this.#lanes) {
      if (!isUsed(lane, nowMs) && lane.work.lane.pausedUntilMs() <= nowMs) this.#lanes.delete(id);
    }
  }

  uses(id: LaneId): boolean {
    return this.#lanes.has(id);
  }

  #open(work: LaneWork): SyncLane {
    const known = this.#lanes.get(work.id);
    if (known !== undefined) return known;
    const lane: SyncLane = { work, lines: new Map(), shares: new Shares(), waiting: 0, inFlight: 0, usedMs: 0 };
    this.#lanes.set(work.id, lane);
    return lane;
  }

  #grantNext(lane: SyncLane, id: AttemptId): Call {
    const line = must(lane.shares.next(), 'no line waits');
    const call = must(line.calls.take(), 'a line waits without a call');
    call.attempt = { id, probe: lane.work.lane.sent(id, call.tokens) };
    lane.inFlight += 1;
    lane.shares.serve(line, 1 / line.weight);
    this.#left(lane, line);
    return call;
  }

  /** One call of the line waits no more. */
  #left(lane: SyncLane, line: Line): void {
    lane.waiting -= 1;
    if (line.calls.size === 0) {
      lane.shares.leave(line);
      lane.lines.delete(line.workspaceId);
    }
    if (lane.waiting === 0) this.#waiting.delete(lane);
  }

  #refuseHopeless(lane: SyncLane, nowMs: number): void {
    const waitMs = lane.work.lane.pausedUntilMs() - nowMs;
    if (waitMs > SYNC_WAIT_MS_MAX) this.#refuseAll(lane, 'paused', waitMs);
  }

  #refuseAll(lane: SyncLane, reason: SyncRefusal, retryAfterMs: number | null): void {
    for (const line of lane.lines.values()) {
      for (let call = line.calls.take(); call !== null; call = line.calls.take()) {
        this.#calls.delete(call.id);
        this.#refuse(call.id, reason, retryAfterMs);
      }
      lane.shares.leave(line);
    }
    lane.lines.clear();
    lane.waiting = 0;
    this.#waiting.delete(lane);
  }

  #refuse(id: SyncId, reason: SyncRefusal, retryAfterMs: number | null): void {
    this.#refusals.push({ kind: 'refuse', sync: id, reason, retryAfterMs });
  }
}

function isUsed({ waiting, inFlight, usedMs }: SyncLane, nowMs: number): boolean {
  return waiting > 0 || inFlight > 0 || nowMs - usedMs <= SYNC_RESERVE_MS;
}
