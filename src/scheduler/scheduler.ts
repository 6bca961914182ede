/**
 * What is sent when: the one place of all policy. Inputs in, commands out; no promise, timer, clock or chance of its own.
 *
 *              span                    send                        ended: final
 *   (unclaimed) ──────► held ─────────────────────► in flight ──────────────────────────► done
 *                        │ ▲                            │ │ ended: perhaps_paid, 3rd time ──► finish errored
 *                        │ └── backoff ── waiting ◄─────┘ └ ended, not final, after cancel/expire ──► finish
 *                        └── fault, cancel, expire ──► finish
 *
 * S1  Every request of every span gets exactly one of: a final end, a finish; unless its span is lost: then neither, from there on.
 * S2  A request has at most one attempt in flight.
 * S3  A lane sends only under its window (see lane.ts); while probing, one request at a time.
 * S4  Nothing is sent for a batch after its cancel or expiry, to anyone while paused, nor ever again after a drain.
 * S5  The first of cancel and expire decides the outcome; what is in flight then is aborted once, when the grace is over.
 * S6  Surely unpaid failures are retried, never before their backoff; perhaps paid ones make three attempts at most; final ones none.
 * S7  Workspaces that wait in a lane are served in proportion to their weights, their batches equally; a newcomer is next (see share.ts).
 * S8  At most one claim is out for a batch and lane; one that brought nothing is repeated at a tick, not before.
 * S9  A batch without spans, without any to claim and without a claim on its way is forgotten, and its cancel with it.
 * S10 Synchronous calls go before all of this, by rules of their own (see sync.ts).
 * S11 A step costs nothing per batch or span it does not concern; only a tick and a changed weight look at all batches.
 */
import { assert, must } from '../domain/errors.ts';
import { PERHAPS_PAID_ATTEMPTS_MAX, RETRY_BASE_MS, RETRY_MAX_MS, SYNC_CONCURRENCY_DEFAULT } from '../domain/limits.ts';
import type { RequestError } from '../domain/outcome.ts';
import { Claims } from './claims.ts';
import { Heap } from './heap.ts';
import { Lane } from './lane.ts';
import type { AttemptId, AttemptResult, Command, Input, LaneId, LaneSettings, LaneStats, SpanId } from './messages.ts';
import { HeldSpan } from './span.ts';
import { SyncCalls } from './sync.ts';
import { addDelayed, addReady, closeIfEmpty, endDelays, idleLanes, newBatch, newLaneWork, openQueue } from './work.ts';
import { setUrgency, takeRequest, updateUrgency, withdrawSpan } from './work.ts';
import type { Attempt, Batch, LaneWork, Queue } from './work.ts';

type Held = { readonly span: HeldSpan<Attempt>; readonly queue: Queue };
type FinishOf = Omit<Extract<Command, { kind: 'finish' }>, 'kind' | 'span'>;
type InputOf<K extends Input['kind']> = Extract<Input, { kind: K }>;

export class Scheduler {
  readonly #chance: () => number;
  readonly #lanes = new Map<LaneId, LaneWork>();
  /** Lanes with queues; the only ones a step looks at. */
  readonly #working = new Set<LaneWork>();
  readonly #batches = new Map<string, Batch>();
  readonly #spans = new Map<SpanId, Held>();
  readonly #attempts = new Map<AttemptId, Attempt>();
  readonly #graces = new Heap<Batch>((left, right) => left.graceEndMs < right.graceEndMs);
  readonly #claims = new Claims<Queue>();
  readonly #sync: SyncCalls;
  readonly #pauses = new Set<string>();
  #drained = false;
  #lastAttempt: AttemptId = 0;
  #lastTickMs: number | null = null;
  #nowMs = 0;
  #commands: Command[] = [];

  constructor(options: { chance: () => number; syncConcurrency?: number | undefined }) {
    this.#chance = options.chance;
    this.#sync = new SyncCalls({ concurrency: options.syncConcurrency ?? SYNC_CONCURRENCY_DEFAULT });
  }

  step(inputs: readonly Input[], nowMs: number): Command[] {
    this.#nowMs = nowMs;
    this.#commands = [];
    for (const input of inputs) this.#apply(input);
    this.#endGraces();
    this.#commands.push(...this.#sync.grant(nowMs, () => ++this.#lastAttempt));
    for (const work of this.#working) this.#send(work);
    if (!this.#drained) {
      for (let claim = this.#claims.next(); claim !== null; claim = this.#claims.next()) {
        this.#commands.push({ kind: 'claim', ...claim });
      }
    }
    return this.#commands;
  }

  /** The earliest time at which a step without inputs would do something; null if only an input can. */
  nextDueMs(): number | null {
    let dueMs = Math.min(this.#graces.first()?.graceEndMs ?? Infinity, this.#sync.dueMs());
    if (!this.#drained && this.#pauses.size === 0) {
      for (const work of this.#working) {
        dueMs = Math.min(dueMs, work.retries.first()?.dueMs ?? Infinity);
        if (work.shares.size === 0) continue;
        dueMs = Math.min(dueMs, work.lane.maySendAtMs(this.#sync.reserved(work, this.#nowMs)) ?? Infinity);
      }
    }
    return dueMs === Infinity ? null : dueMs;
  }

  stats(): LaneStats[] {
    return [...this.#lanes.values()].map(({ id, lane, ready, delayed }) => ({
      lane: id,
      window: lane.window,
      inFlight: lane.inFlight,
      ready,
      delayed,
      pausedUntilMs: lane.pausedUntilMs() > this.#nowMs ? lane.pausedUntilMs() : null,
      sick: lane.sick,
    }));
  }

  /** How much is held, for tests of leaks and for gauges. */
  held(): { readonly batches: number; readonly spans: number; readonly attempts: number; readonly claims: number } {
    const spans = this.#spans.size;
    return { batches: this.#batches.size, spans, attempts: this.#attempts.size, claims: this.#claims.held - spans };
  }

  /** Requests of the batch that are not final; 0 of one that is not known (any more). */
  remaining(batchId: string): number {
    return Math.max(0, this.#batches.get(batchId)?.remaining ?? 0);
  }

  #apply(input: Input): void {
    switch (input.kind) {
      case 'ended':
        return this.#ended(input);
      case 'lane':
        this.#lane(input.lane, input.settings);
        return;
      case 'batch':
        return this.#batch(input);
      case 'weight':
        return this.#weight(input);
      case 'unclaimed':
        return this.#unclaimed(input);
      case 'span':
        return this.#span(input);
      case 'claimed':
        return this.#claimed(input);
      case 'lost':
        return this.#lost(input.span);
      case 'cancel':
        return this.#stop('canceled', input);
      case 'expire':
        return this.#stop('expired', input);
      case 'sync':
        return this.#sync.add(this.#lane(input.lane, input.settings), input, this.#nowMs);
      case 'syncEnded':
        return this.#sync.ended(input.sync, input.result, this.#nowMs);
      case 'headroom':
        return this.#headroom(input);
      case 'pause':
        this.#pauses.add(input.reason);
        return;
      case 'resume':
        this.#pauses.delete(input.reason);
        return;
      case 'drain':
        this.#drained = true;
        return this.#sync.drain();
      case 'tick':
        return this.#tick();
    }
  }

  // What may run.

  #lane(id: LaneId, settings: LaneSettings): LaneWork {
    const known = this.#lanes.get(id);
    known?.lane.setSettings(settings, this.#nowMs);
    const work = known ?? newLaneWork(id, new Lane(settings, { nowMs: this.#nowMs, chance: this.#chance }));
    this.#lanes.set(id, work);
    return work;
  }

  #batch(input: InputOf<'batch'>): void {
    const batch = this.#batches.get(input.batchId);
    if (batch === undefined) {
      this.#batches.set(input.batchId, newBatch(input, this.#nowMs));
      return;
    }
    batch.weight = input.weight;
    batch.deadlineMs = input.deadlineMs;
    batch.remaining = input.remaining;
    for (const queue of batch.queues.values()) queue.workspace.weight = input.weight;
    setUrgency(batch, batch.urgent);
  }

  #weight({ workspaceId, weight }: InputOf<'weight'>): void {
    for (const batch of this.#batches.values()) if (batch.workspaceId === workspaceId) batch.weight = weight;
    for (const { workspaces, shares } of this.#lanes.values()) {
      const workspace = workspaces.get(workspaceId);
      if (workspace === undefined) continue;
      shares.reweigh(workspace, workspace.weight / weight);
      workspace.weight = weight;
    }
  }

  #unclaimed(input: InputOf<'unclaimed'>): void {
    const batch = this.#batches.get(input.batchId);
    // A batch that was forgotten is made known by a 'batch' before its spans are told.
    if (batch === undefined || (input.spans === 0 && !batch.queues.has(input.lane))) return;
    const queue = this.#open(batch, input.lane);
    queue.unclaimed = input.spans;
    this.#claims.consider(queue);
    this.#forgetIfEmpty(queue);
  }

  #span(input: InputOf<'span'>): void {
    const batch = must(this.#batches.get(input.batchId), 'a span came before its batch');
    assert(!this.#spans.has(input.span), 'a span came twice');
    const queue = this.#open(batch, input.lane);
    const span = new HeldSpan<Attempt>(input);
    queue.spans.add(span);
    queue.claimBrought = true;
    this.#spans.set(span.id, { span, queue });
    this.#claims.count(queue, 1);
    this.#finish(queue, span, { items: span.finishFaults(input.faults), outcome: 'errored', error: null });
    if (batch.stopped !== null) {
      this.#finish(queue, span, { items: span.finishHeld(), outcome: batch.stopped, error: null });
    } else if (span.pending > 0) {
      queue.fresh.add(span);
      addReady(queue, span.pending);
    }
    this.#closeIfDone(queue, span);
  }

  #claimed(input: InputOf<'claimed'>): void {
    const queue = this.#batches.get(input.batchId)?.queues.get(input.lane);
    if (queue === undefined) return;
    this.#claims.answered(queue);
    this.#claims.consider(queue);
    this.#forgetIfEmpty(queue);
  }

  #lost(id: SpanId): void {
    const held = this.#spans.get(id);
    if (held === undefined) return;
    const { span, queue } = held;
    for (const attempt of span.inFlight) {
      this.#attempts.delete(attempt.id);
      queue.workspace.lane.lane.freed(attempt);
      this.#commands.push({ kind: 'abort', attempt: attempt.id });
    }
    withdrawSpan(queue, span);
    this.#close(queue, span);
  }

  /** The batch, its queue and all above it, made where missing. */
  #open(batch: Batch, lane: LaneId): Queue {
    const work = must(this.#lanes.get(lane), 'work came before its lane');
    this.#working.add(work);
    batch.idle = false;
    return openQueue(batch, work);
  }

  #closeIfDone(queue: Queue, span: HeldSpan<Attempt>): void {
    if (span.left === 0) this.#close(queue, span);
  }

  #close(queue: Queue, span: HeldSpan<Attempt>): void {
    this.#spans.delete(span.id);
    queue.spans.delete(span);
    this.#claims.count(queue, -1);
    this.#claims.consider(queue);
    this.#forgetIfEmpty(queue);
  }

  #forgetIfEmpty(queue: Queue): void {
    if (!closeIfEmpty(queue)) return;
    const work = queue.workspace.lane;
    if (work.queues === 0) this.#working.delete(work);
    if (queue.batch.queues.size === 0) this.#forget(queue.batch);
  }

  #forget(batch: Batch): void {
    this.#batches.delete(batch.id);
    if (batch.heapIndex >= 0) this.#graces.remove(batch);
  }

  // What is sent, and what comes of it.

  #send(work: LaneWork): void {
    endDelays(work, this.#nowMs);
    const reserved = this.#sync.reserved(work, this.#nowMs);
    if (!this.#drained && this.#pauses.size === 0) {
      while (work.shares.size > 0 && work.lane.maySend(this.#nowMs, reserved)) this.#sendNext(work);
    }
    work.lane.observe(this.#nowMs, reserved);
  }

  #sendNext(work: LaneWork): void {
    const workspace = must(work.shares.next(), 'no workspace waits');
    const queue = must(workspace.shares.next(), 'a workspace waits without a queue');
    const { span, index } = must(takeRequest(queue), 'a queue waits without a request');
    const id = ++this.#lastAttempt;
    const probe = work.lane.sent(id, span.tokens[index]);
    const attempt: Attempt = { id, queue, span, index, probe, place: 0 };
    span.sent(index, attempt);
    this.#attempts.set(id, attempt);
    this.#commands.push({ kind: 'send', attempt: id, span: span.id, item: span.items[index], lane: work.id });
    work.shares.serve(workspace, 1 / workspace.weight);
    workspace.shares.serve(queue, 1);
    addReady(queue, -1);
    this.#claims.consider(queue);
  }

  #ended({ attempt: id, result }: InputOf<'ended'>): void {
    const attempt = this.#attempts.get(id);
    // Its span was lost, so its end means nothing any more.
    if (attempt === undefined) return;
    const { queue, span, index } = attempt;
    this.#attempts.delete(id);
    span.ended(attempt);
    queue.workspace.lane.lane.ended(attempt, result, this.#nowMs);
    const { stopped } = queue.batch;
    if (result.kind === 'final') {
      queue.batch.completed += 1;
      queue.batch.remaining -= 1;
      span.finish(index);
    } else if (stopped !== null) {
      this.#finishOne(attempt, stopped, null);
    } else if (result.kind === 'perhaps_paid' && span.perhapsPaid(index) >= PERHAPS_PAID_ATTEMPTS_MAX) {
      this.#finishOne(attempt, 'errored', result.error);
    } else {
      this.#retry(attempt, result);
    }
    this.#closeIfDone(queue, span);
  }

  /** Full jitter. A throttled request keeps its short backoff: its lane is paused, which is what the upstream asked for. */
  #retry(attempt: Attempt, result: AttemptResult): void {
    const { queue, span, index } = attempt;
    const failures = result.kind === 'unpaid' && result.throttled ? 1 : span.failed(index);
    const backoffMs = Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** (failures - 1)) * this.#chance();
    span.delay(index);
    addDelayed(queue, 1);
    queue.workspace.lane.retries.add({ heapIndex: -1, dueMs: this.#nowMs + backoffMs, queue, span, index });
  }

  #finishOne(attempt: Attempt, outcome: FinishOf['outcome'], error: RequestError | null): void {
    const { queue, span, index } = attempt;
    span.finish(index);
    this.#finish(queue, span, { items: [span.items[index]], outcome, error });
  }

  /** Tells of requests that the span has finished. */
  #finish(queue: Queue, span: HeldSpan<Attempt>, finish: FinishOf): void {
    if (finish.items.length === 0) return;
    queue.batch.remaining -= finish.items.length;
    this.#commands.push({ kind: 'finish', span: span.id, ...finish });
  }

  // What ends, and what time brings.

  #stop(outcome: 'canceled' | 'expired', input: InputOf<'cancel' | 'expire'>): void {
    const batch = this.#batches.get(input.batchId);
    if (batch === undefined || batch.stopped !== null) return;
    batch.stopped = outcome;
    batch.graceEndMs = this.#nowMs + input.graceMs;
    this.#graces.add(batch);
    for (const queue of batch.queues.values()) {
      queue.workspace.lane.running -= 1;
      for (const span of queue.spans) {
        this.#finish(queue, span, { items: withdrawSpan(queue, span), outcome, error: null });
        this.#closeIfDone(queue, span);
      }
      this.#claims.consider(queue);
    }
  }

  #endGraces(): void {
    for (
      let batch = this.#graces.first();
      batch !== null && batch.graceEndMs <= this.#nowMs;
      batch = this.#graces.first()
    ) {
      this.#graces.remove(batch);
      for (const queue of batch.queues.values()) {
        for (const span of queue.spans) {
          for (const { id } of span.inFlight) this.#commands.push({ kind: 'abort', attempt: id });
        }
      }
    }
  }

  #headroom(input: InputOf<'headroom'>): void {
    if (input.requestsLeft !== 0 && input.tokensLeft !== 0) return;
    this.#lanes.get(input.lane)?.lane.pauseUntil(input.resetMs, this.#nowMs);
  }

  #tick(): void {
    const elapsedMs = this.#lastTickMs === null ? 0 : this.#nowMs - this.#lastTickMs;
    this.#lastTickMs = this.#nowMs;
    for (const batch of this.#batches.values()) {
      updateUrgency(batch, { nowMs: this.#nowMs, elapsedMs });
      if (batch.queues.size > 0) continue;
      // Two ticks without anything: its spans are held elsewhere, or it is over.
      if (batch.idle) this.#forget(batch);
      batch.idle = true;
    }
    this.#claims.tick();
    this.#sync.forgetIdle(this.#nowMs);
    for (const { id } of idleLanes(this.#lanes, this.#nowMs)) if (!this.#sync.uses(id)) this.#lanes.delete(id);
  }
}
