/**
 * The spans this node holds, and the batches it knows: claims and discovery. Only indexes are in memory, and small batches whole.
 */
import { SegmentIndex } from '../bytes/segment-index.ts';
import { isFinal, type Batch } from '../domain/batch.ts';
import { BATCHES_KNOWN_MAX, DISCOVER_MS, LEASE_MS, SPANS_STOPPED_CLAIM } from '../domain/limits.ts';
import { countsTotal } from '../domain/outcome.ts';
import { testBit } from '../domain/segment.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { Catalog, HeldSpan as HeldRow, Live } from '../ports/catalog.ts';
import type { World } from '../ports/world.ts';
import type { Command, Input, LaneId, SpanId } from '../scheduler/messages.ts';
import type { Upstream } from '../upstreams/upstream.ts';
import { backlogOf, type Backlog } from './backlog.ts';
import { Bodies, BodyBudget } from './bodies.ts';
import { createRun, type BatchRun, type HeldSpan, type Outcome } from './held.ts';
import { Leases, placeOf } from './leases.ts';
import { readSegment } from './read-segment.ts';

export type SpansDeps = {
  readonly node: string;
  readonly catalog: Catalog;
  readonly blobs: Blobs;
  readonly world: World;
  readonly upstreamFor: (model: string) => Upstream;
  readonly weightOf: (workspaceId: string) => number;
  readonly graceMs: number;
  readonly post: (input: Input) => void;
  /** A claim has been answered: there may be nothing left to claim. */
  readonly onClaimed: (run: BatchRun) => void;
  readonly onFatal: (error: unknown) => void;
};

const discoverPage = 500;

export class Spans {
  readonly #deps: SpansDeps;
  readonly #runs = new Map<string, BatchRun>();
  readonly #held = new Map<SpanId, HeldSpan>();
  readonly #budget = new BodyBudget();
  readonly #leases: Leases;
  #lastSpanId = 0;
  #discovering = false;
  /** The catalog may say that a span is ours which is not held here: a claim failed half way, or a seal was stale. */
  #mayHaveStrays = false;
  #discoverAtMs = 0;

  constructor(deps: SpansDeps) {
    this.#deps = deps;
    this.#leases = new Leases({
      ...deps,
      held: () => [...this.#held.values()],
      onLost: (span) => this.lose(span),
      onLive: (live) => this.#noticeCancel(live),
    });
  }

  get(id: SpanId): HeldSpan {
    const span = this.#held.get(id);
    if (!span) throw new Error(`the scheduler names span ${id}, which is not held`);
    return span;
  }

  backlog(): Backlog {
    return backlogOf(this.#runs.values(), this.#deps.world.clock.wallMs());
  }

  /** Spans the catalog says are ours, from before a restart; nothing is told to the scheduler yet. */
  async adopt(): Promise<readonly HeldSpan[]> {
    const { catalog, node } = this.#deps;
    // Until they are prolonged they may have run out; once they are, nobody can take over what is then read.
    await this.#leases.renew();
    const rows = await catalog.held(node);
    const batches = new Map<string, Batch>();
    const adopted: HeldSpan[] = [];
    for (const row of rows) {
      const { batchId } = row.lease;
      const batch = batches.get(batchId) ?? row.batch;
      batches.set(batchId, batch);
      const run = this.#runs.get(batchId) ?? createRun(batch);
      this.#runs.set(batchId, run);
      adopted.push(await this.#open(run, row));
    }
    return adopted;
  }

  /** Tells the scheduler of adopted spans and their batches. */
  announce(spans: readonly HeldSpan[]): void {
    for (const span of spans) {
      if (!this.#held.has(span.id)) continue;
      if (span.run.batch.state === 'canceling') span.run.closing = 'canceled';
      this.#announceSpan(span);
    }
  }

  /** Batches with work nobody holds, oldest first. */
  async discover(): Promise<void> {
    if (this.#discovering) return;
    this.#discovering = true;
    this.#forgetIdle();
    try {
      // After a jump of the catalog's clock our own leases may have run out: what we hold is not to be found as free.
      if (this.#held.size > 0) await this.#leases.renew();
      if (this.#mayHaveStrays) await this.#releaseStrays();
      let after: string | null = null;
      while (this.#runs.size < BATCHES_KNOWN_MAX) {
        const page = await this.#deps.catalog.runnable({ after, limit: discoverPage });
        const batches = new Map<string, { batch: Batch; spans: Map<string, number> }>();
        for (const { batch, model, spans } of page) {
          const known = batches.get(batch.id) ?? { batch, spans: new Map<string, number>() };
          batches.set(batch.id, known);
          known.spans.set(model, spans);
        }
        for (const { batch, spans } of batches.values()) this.learn(batch, spans);
        const last = page.at(-1);
        if (!last || batches.size < discoverPage) break;
        after = last.batch.id;
      }
    } finally {
      this.#discovering = false;
    }
  }

  learn(batch: Batch, spans: ReadonlyMap<string, number>): void {
    const run = this.#runs.get(batch.id) ?? this.#begin(batch);
    if (run.closing) return void this.#claimRest(run);
    // A claim under way knows better than what was read before it.
    if (run.claiming > 0) return;
    this.#announceRun(run);
    for (const [model, count] of spans) {
      run.unclaimed.set(model, count);
      this.#postUnclaimed(run, model);
    }
    if (batch.state === 'canceling') this.close(batch, 'canceled');
  }

  /** Nothing new is sent; what has no outcome gets this one. False when that is under way already. */
  close(batch: Batch, outcome: 'canceled' | 'expired'): boolean {
    const run = this.#runs.get(batch.id) ?? this.#begin(batch);
    if (run.closing) return false;
    run.batch = batch;
    run.closing = outcome;
    for (const model of run.unclaimed.keys()) {
      run.unclaimed.set(model, 0);
      this.#postUnclaimed(run, model);
    }
    this.#announceRun(run);
    void this.#claimRest(run);
    return true;
  }

  claim(command: Extract<Command, { kind: 'claim' }>): void {
    const run = this.#runs.get(command.batchId);
    const model = modelOf(command.lane);
    if (!run || run.closing) return this.#deps.post({ kind: 'claimed', batchId: command.batchId, lane: command.lane });
    void this.#claim(run, model, command);
  }

  sealed(run: BatchRun, outcomes: readonly Outcome[], batch: Batch): void {
    run.batch = batch;
    for (const { span } of outcomes) {
      span.unsealed -= 1;
      if (span.open === 0 && span.unsealed === 0) this.#forget(span);
    }
    if (!isFinal(batch.state)) return;
    this.#runs.delete(batch.id);
    const durationMs = ((batch.endedAt ?? batch.createdAt) - batch.createdAt) / 1_000;
    this.#deps.world.emit({ kind: 'batch_ended', batchId: batch.id, requests: batch.requests, durationMs });
  }

  /** The lease has passed on: its outcomes are another node's to make. */
  lose(span: HeldSpan): void {
    if (span.lost) return;
    span.lost = true;
    this.#mayHaveStrays = true;
    this.#deps.post({ kind: 'lost', span: span.id });
    this.#forget(span);
  }

  /** False when a lease may have run out: nothing is sent then. */
  leasesHold(nowMs: number): boolean {
    return this.#held.size === 0 || this.#leases.hold(nowMs);
  }

  sweep(nowMs: number): void {
    if (this.#held.size > 0 && this.#leases.isDue(nowMs)) void this.#leases.renew();
    if (nowMs < this.#discoverAtMs) return;
    this.#discoverAtMs = nowMs + DISCOVER_MS;
    // A catalog that cannot be read now is asked again; what is held goes on.
    void this.discover().catch((error: unknown) =>
      this.#deps.world.emit({ kind: 'failure', where: 'discover', error, requestId: null }),
    );
  }

  async releaseAll(): Promise<void> {
    const leases = [...this.#held.values()].filter((span) => span.unsealed === 0).map((span) => span.lease);
    if (leases.length === 0) return;
    try {
      await this.#deps.catalog.release({ node: this.#deps.node, leases });
    } catch (error) {
      // Leases run out by themselves: giving them back only spares others the wait.
      this.#deps.world.emit({ kind: 'failure', where: 'release leases', error, requestId: null });
    }
  }

  async #claim(run: BatchRun, model: string, command: Extract<Command, { kind: 'claim' }>): Promise<void> {
    const rows = await this.#lease(run, { model, limit: command.spans });
    const left = run.closing || rows < command.spans ? 0 : Math.max(0, (run.unclaimed.get(model) ?? 0) - rows);
    run.unclaimed.set(model, left);
    this.#postUnclaimed(run, model);
    this.#deps.post({ kind: 'claimed', batchId: command.batchId, lane: command.lane });
    this.#deps.onClaimed(run);
    // It may have begun to close while this claim was under way.
    if (run.closing) void this.#claimRest(run);
  }

  /** What nobody holds of a closing batch, of any model: the scheduler finishes it as it arrives. */
  async #claimRest(run: BatchRun): Promise<void> {
    if (run.claiming > 0) return;
    while ((await this.#lease(run, { model: null, limit: SPANS_STOPPED_CLAIM })) === SPANS_STOPPED_CLAIM);
    this.#deps.onClaimed(run);
  }

  async #lease(run: BatchRun, what: { model: string | null; limit: number }): Promise<number> {
    const { catalog, node, world } = this.#deps;
    run.claiming += 1;
    try {
      const askedMs = world.clock.monotonicMs();
      const rows = await catalog.claim({ node, batchId: run.batch.id, ...what, leaseMs: LEASE_MS });
      this.#leases.claimed(askedMs, this.#held.size === 0);
      const fresh = rows.filter((row) => !leaseAgain(run, row));
      const opened = await Promise.allSettled(fresh.map((row) => this.#open(run, row)));
      for (const one of opened) if (one.status === 'fulfilled') this.#announceSpan(one.value);
      const failed = opened.find((one) => one.status === 'rejected');
      if (failed) throw failed.reason;
      return rows.length;
    } catch (error) {
      this.#mayHaveStrays = true;
      world.emit({ kind: 'failure', where: `claim of ${run.batch.id}`, error, requestId: null });
      return 0;
    } finally {
      run.claiming -= 1;
    }
  }

  /** Another process may have written the cancel into the batch's row. */
  #noticeCancel({ batchId, state }: Live): void {
    const run = this.#runs.get(batchId);
    if (run && state === 'canceling') this.close({ ...run.batch, state }, 'canceled');
  }

  /** Renewals prolong every lease of this node: what it does not hold would be kept from everyone for ever. */
  async #releaseStrays(): Promise<void> {
    const { catalog, node } = this.#deps;
    const rows = await catalog.held(node);
    // What a claim under way has leased is not held yet, either: the next discovery looks again.
    if ([...this.#runs.values()].some(({ claiming }) => claiming > 0)) return;
    this.#mayHaveStrays = false;
    const held = new Set([...this.#held.values()].map(({ lease }) => placeOf(lease)));
    const leases = rows.map(({ lease }) => lease).filter((lease) => !held.has(placeOf(lease)));
    if (leases.length > 0) await catalog.release({ node, leases });
  }

  #begin(batch: Batch): BatchRun {
    const run = createRun(batch);
    this.#runs.set(batch.id, run);
    return run;
  }

  async #open(run: BatchRun, row: HeldRow): Promise<HeldSpan> {
    const { segment, lease, done } = row;
    const { blobs } = this.#deps;
    const { indexOffset: start, indexBytes } = segment;
    const index = new SegmentIndex(await readSegment(blobs, segment, { start, end: start + indexBytes }));
    const bodies = new Bodies({ blobs, segment, index, budget: this.#budget });
    let open = 0;
    for (let item = lease.from; item < lease.to; item++) if (!testBit(done, item)) open += 1;
    this.#lastSpanId += 1;
    const span: HeldSpan = {
      id: this.#lastSpanId,
      run,
      lane: laneOf(this.#deps.upstreamFor(segment.model), segment.model),
      lease,
      segment,
      index,
      bodies,
      done: new Uint8Array(done),
      open,
      unsealed: 0,
      lost: false,
    };
    run.spans.add(span);
    this.#held.set(span.id, span);
    return span;
  }

  #announceSpan(span: HeldSpan): void {
    // The scheduler forgets a batch it has nothing of, and its end with it; a span of faults alone is over at once.
    this.#announceRun(span.run);
    const { from, to } = span.lease;
    const items = new Uint32Array(span.open);
    const tokens = new Uint32Array(span.open);
    const faults = new Uint8Array(span.open);
    let at = 0;
    for (let item = from; item < to; item++) {
      if (testBit(span.done, item)) continue;
      items[at] = item;
      tokens[at] = span.index.tokenEstimate(item);
      faults[at] = span.index.hasFault(item) ? 1 : 0;
      at += 1;
    }
    this.#deps.post({
      kind: 'span',
      span: span.id,
      batchId: span.lease.batchId,
      lane: this.#tellLane(span.segment.model),
      items,
      tokens,
      faults,
    });
  }

  #announceRun({ batch, closing }: BatchRun): void {
    const { world, post, weightOf, graceMs } = this.#deps;
    const deadlineMs = world.clock.monotonicMs() + (batch.expiresAt / 1_000 - world.clock.wallMs());
    const remaining = batch.requests - countsTotal(batch.counts);
    post({
      kind: 'batch',
      batchId: batch.id,
      workspaceId: batch.workspaceId,
      weight: weightOf(batch.workspaceId),
      deadlineMs,
      remaining,
    });
    if (closing) post({ kind: closing === 'canceled' ? 'cancel' : 'expire', batchId: batch.id, graceMs });
  }

  #postUnclaimed(run: BatchRun, model: string): void {
    this.#deps.post({
      kind: 'unclaimed',
      batchId: run.batch.id,
      lane: this.#tellLane(model),
      spans: run.unclaimed.get(model) ?? 0,
    });
  }

  /** Right before its work is told, because the scheduler may have forgotten it meanwhile. */
  #tellLane(model: string): LaneId {
    const upstream = this.#deps.upstreamFor(model);
    const lane = laneOf(upstream, model);
    const { concurrency, requestsPerMinute, tokensPerMinute } = upstream;
    this.#deps.post({ kind: 'lane', lane, settings: { concurrency, requestsPerMinute, tokensPerMinute } });
    return lane;
  }

  #forget(span: HeldSpan): void {
    span.bodies.close();
    span.run.spans.delete(span);
    this.#held.delete(span.id);
  }

  /** Batches whose spans are all held elsewhere, or that have ended there: they are found again if there is more to do. */
  #forgetIdle(): void {
    for (const [batchId, run] of this.#runs) {
      const unclaimed = [...run.unclaimed.values()].some((count) => count > 0);
      if (run.spans.size === 0 && run.claiming === 0 && !unclaimed) this.#runs.delete(batchId);
    }
  }
}

/** When the catalog's clock jumps, our own lease may look run out and be claimed again: the span goes on under the new epoch. */
function leaseAgain(run: BatchRun, { lease }: HeldRow): boolean {
  for (const span of run.spans) {
    if (span.lost || span.lease.segment !== lease.segment || span.lease.from !== lease.from) continue;
    span.lease = lease;
    return true;
  }
  return false;
}

function laneOf({ name }: { readonly name: string }, model: string): LaneId {
  return `${name}\n${model}`;
}

function modelOf(lane: LaneId): string {
  return lane.slice(lane.indexOf('\n') + 1);
}
