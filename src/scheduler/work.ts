/**
 * The work that is held, as the scheduler sees it: lane → workspace → queue → span → request.
 *
 * A queue is what one batch has in one lane. It waits in its workspace's shares exactly while it has a request that may go now (a
 * stopped batch has none); a workspace waits in its lane's shares exactly while one of its queues waits.
 */
import { BATCH_RATE_SPAN_MS, LANES_IDLE_MAX } from '../domain/limits.ts';
import type { Claimant } from './claims.ts';
import { Fifo } from './fifo.ts';
import { Heap } from './heap.ts';
import type { HeapEntry } from './heap.ts';
import type { Lane } from './lane.ts';
import type { AttemptId, LaneId } from './messages.ts';
import { newShare, Shares } from './share.ts';
import type { Share } from './share.ts';
import type { HeldSpan } from './span.ts';

export type Attempt = {
  readonly id: AttemptId;
  readonly queue: Queue;
  readonly span: HeldSpan<Attempt>;
  /** Of the request in its span. */
  readonly index: number;
  readonly probe: boolean;
  place: number;
};

/** A request that failed and is tried again. */
export type Retry = HeapEntry & {
  readonly dueMs: number;
  readonly queue: Queue;
  readonly span: HeldSpan<Attempt>;
  readonly index: number;
};

export type Queue = Share & {
  readonly batch: Batch;
  readonly workspace: WorkspaceInLane;
  readonly spans: Set<HeldSpan<Attempt>>;
  /** Spans with requests never taken, in order of arrival. */
  readonly fresh: Fifo<HeldSpan<Attempt>>;
  /** Retries whose backoff is over. */
  readonly due: Fifo<Retry>;
  /** Requests that may go now: those never taken and those due. */
  ready: number;
  delayed: number;
  /** Spans nobody holds, by the engine's last word. */
  unclaimed: number;
  /** Spans asked for by the claim on its way; 0 where there is none. */
  claiming: number;
  /** A span has come since the last claim. */
  claimBrought: boolean;
  /** The last claim brought nothing: the next one waits for a tick. */
  claimRests: boolean;
  /** The line it stands in for a claim. */
  claimWaits: 'running' | 'stopped' | null;
};

export type WorkspaceInLane = Share & {
  readonly id: string;
  readonly lane: LaneWork;
  readonly shares: Shares<Queue>;
  readonly claimant: Claimant<Queue>;
  weight: number;
  queues: number;
};

export type LaneWork = {
  readonly id: LaneId;
  readonly lane: Lane;
  readonly shares: Shares<WorkspaceInLane>;
  readonly workspaces: Map<string, WorkspaceInLane>;
  readonly retries: Heap<Retry>;
  /** Queues of running batches: among them the window is divided when spans are claimed. */
  running: number;
  queues: number;
  ready: number;
  delayed: number;
};

export type Batch = HeapEntry & {
  readonly id: string;
  readonly workspaceId: string;
  readonly queues: Map<LaneId, Queue>;
  weight: number;
  deadlineMs: number;
  remaining: number;
  stopped: 'canceled' | 'expired' | null;
  graceEndMs: number;
  /** It had nothing at the last tick. */
  idle: boolean;
  urgent: boolean;
  readonly knownSinceMs: number;
  /** Since the last tick. */
  completed: number;
  firstCompletedMs: number | null;
  ratePerMs: number;
};

export function newLaneWork(id: LaneId, lane: Lane): LaneWork {
  return {
    id,
    lane,
    shares: new Shares(),
    workspaces: new Map(),
    retries: new Heap((left, right) => left.dueMs < right.dueMs),
    running: 0,
    queues: 0,
    ready: 0,
    delayed: 0,
  };
}

/** Models are named by callers: without an end to them, a hundred thousand names would be as many lanes for ever. */
export function idleLanes(lanes: ReadonlyMap<LaneId, LaneWork>, nowMs: number): readonly LaneWork[] {
  if (lanes.size <= LANES_IDLE_MAX) return [];
  const isIdle = ({ queues, lane }: LaneWork): boolean =>
    queues === 0 && lane.inFlight === 0 && lane.pausedUntilMs() <= nowMs;
  return [...lanes.values()].filter(isIdle);
}

export function newBatch(
  input: { batchId: string; workspaceId: string; weight: number; deadlineMs: number; remaining: number },
  nowMs: number,
): Batch {
  return {
    heapIndex: -1,
    id: input.batchId,
    workspaceId: input.workspaceId,
    queues: new Map(),
    weight: input.weight,
    deadlineMs: input.deadlineMs,
    remaining: input.remaining,
    stopped: null,
    graceEndMs: Infinity,
    idle: false,
    urgent: false,
    knownSinceMs: nowMs,
    completed: 0,
    firstCompletedMs: null,
    ratePerMs: 0,
  };
}

export function openQueue(batch: Batch, lane: LaneWork): Queue {
  const known = batch.queues.get(lane.id);
  if (known !== undefined) return known;
  const workspace = openWorkspace(batch, lane);
  const queue: Queue = {
    ...newShare(),
    batch,
    workspace,
    spans: new Set(),
    fresh: new Fifo(),
    due: new Fifo(),
    ready: 0,
    delayed: 0,
    unclaimed: 0,
    claiming: 0,
    claimBrought: false,
    claimRests: false,
    claimWaits: null,
    urgent: batch.urgent,
    deadlineMs: batch.deadlineMs,
  };
  batch.queues.set(lane.id, queue);
  workspace.queues += 1;
  lane.queues += 1;
  if (batch.stopped === null) lane.running += 1;
  return queue;
}

function openWorkspace(batch: Batch, lane: LaneWork): WorkspaceInLane {
  const known = lane.workspaces.get(batch.workspaceId);
  if (known !== undefined) return known;
  const workspace: WorkspaceInLane = {
    ...newShare(),
    id: batch.workspaceId,
    lane,
    shares: new Shares(),
    claimant: { heapIndex: -1, held: 0, waiting: new Fifo() },
    weight: batch.weight,
    queues: 0,
  };
  lane.workspaces.set(workspace.id, workspace);
  return workspace;
}

/** A queue with no span, none to claim and no claim on its way is forgotten, and its workspace with the last queue. */
export function closeIfEmpty(queue: Queue): boolean {
  if (queue.spans.size > 0 || queue.unclaimed > 0 || queue.claiming > 0) return false;
  const { batch, workspace } = queue;
  const { lane } = workspace;
  if (!batch.queues.delete(lane.id)) return false;
  workspace.queues -= 1;
  if (workspace.queues === 0) lane.workspaces.delete(workspace.id);
  lane.queues -= 1;
  if (batch.stopped === null) lane.running -= 1;
  return true;
}

/** Requests became ready (or, negative, were taken away): the queue joins or leaves its workspace's line, and that its lane's. */
export function addReady(queue: Queue, count: number): void {
  const { workspace } = queue;
  const { lane } = workspace;
  queue.ready += count;
  lane.ready += count;
  const waits = queue.ready > 0;
  const waited = queue.heapIndex >= 0;
  if (waits === waited) return;
  if (waits) workspace.shares.join(queue);
  else workspace.shares.leave(queue);
  const workspaceWaits = workspace.shares.size > 0;
  const workspaceWaited = workspace.heapIndex >= 0;
  if (workspaceWaits === workspaceWaited) return;
  if (workspaceWaits) lane.shares.join(workspace);
  else lane.shares.leave(workspace);
}

/** Requests went to their backoff (or, negative, came back from it, or were taken away). */
export function addDelayed(queue: Queue, count: number): void {
  queue.delayed += count;
  queue.workspace.lane.delayed += count;
}

/** Ends the backoffs that are over; entries of requests that are finished or lost meanwhile are dropped here. */
export function endDelays(work: LaneWork, nowMs: number): void {
  for (let retry = work.retries.first(); retry !== null && retry.dueMs <= nowMs; retry = work.retries.first()) {
    work.retries.remove(retry);
    if (!retry.span.endDelay(retry.index)) continue;
    addDelayed(retry.queue, -1);
    retry.queue.due.add(retry);
    addReady(retry.queue, 1);
  }
}

/** Takes away what a span has that is not in flight. */
export function withdrawSpan(queue: Queue, span: HeldSpan<Attempt>): number[] {
  const held = span.countHeld();
  addDelayed(queue, -held.delayed);
  addReady(queue, -held.ready);
  queue.fresh.keep((other) => other !== span);
  queue.due.keep((retry) => retry.span !== span);
  return span.finishHeld();
}

/** Takes the next request of a queue: a due retry, or the first of its oldest span. */
export function takeRequest(queue: Queue): { readonly span: HeldSpan<Attempt>; readonly index: number } | null {
  const retry = queue.due.take();
  if (retry !== null) return retry;
  const span = queue.fresh.first();
  if (span === null) return null;
  const index = span.take();
  if (span.pending === 0) queue.fresh.take();
  return { span, index };
}

/**
 * Whether a batch would miss its deadline at its present rate, looked at on every tick. Until it has completed requests for a
 * whole rate span it has no rate worth the name; then it is urgent in the last twentieth of the time it had.
 */
export function updateUrgency(batch: Batch, options: { nowMs: number; elapsedMs: number }): void {
  const { nowMs, elapsedMs } = options;
  if (batch.stopped !== null || elapsedMs <= 0) return;
  updateRate(batch, options);
  const leftMs = batch.deadlineMs - nowMs;
  const rated = batch.firstCompletedMs !== null && nowMs - batch.firstCompletedMs >= BATCH_RATE_SPAN_MS;
  const late = rated ? batch.remaining > batch.ratePerMs * leftMs : leftMs * 20 < batch.deadlineMs - batch.knownSinceMs;
  setUrgency(batch, late);
}

/** A plain mean at first, then one that forgets what is older than the rate span. */
function updateRate(batch: Batch, options: { nowMs: number; elapsedMs: number }): void {
  const { nowMs, elapsedMs } = options;
  if (batch.completed > 0) batch.firstCompletedMs ??= nowMs - elapsedMs;
  if (batch.firstCompletedMs === null) return;
  const rate = batch.completed / elapsedMs;
  const overMs = Math.max(elapsedMs, Math.min(nowMs - batch.firstCompletedMs, BATCH_RATE_SPAN_MS));
  batch.ratePerMs += (rate - batch.ratePerMs) * (elapsedMs / overMs);
  batch.completed = 0;
}

export function setUrgency(batch: Batch, urgent: boolean): void {
  batch.urgent = urgent;
  for (const queue of batch.queues.values()) {
    if (queue.urgent === urgent && queue.deadlineMs === batch.deadlineMs) continue;
    queue.workspace.shares.setUrgency(queue, { urgent, deadlineMs: batch.deadlineMs });
  }
}
