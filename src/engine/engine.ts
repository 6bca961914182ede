/**
 * The engine: one loop between the pure scheduler and everything that awaits. Callbacks only enqueue; a turn writes the journal,
 * steps the scheduler and carries out its commands.
 *
 *   attempts ── outcome ──► journal (write) ── ended ──► scheduler ── send, claim, finish ──► attempts, spans, sealer
 *                              └─ synced ──► sealer ── chunk, one transaction ──► results
 */
import type { Dialect } from '../dialects/dialect.ts';
import type { Batch } from '../domain/batch.ts';
import { DISK_RETRY_MS, MODEL_LENGTH_MAX, SWEEP_MS, UNSEALED_BYTES_PAUSE } from '../domain/limits.ts';
import type { OutcomeKind, RequestError } from '../domain/outcome.ts';
import type { Usage } from '../domain/tally.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Log } from '../ports/log.ts';
import type { World } from '../ports/world.ts';
import type { Command, Input } from '../scheduler/messages.ts';
import { Scheduler } from '../scheduler/scheduler.ts';
import type { Upstream } from '../upstreams/upstream.ts';
import { attemptResult, Attempts, type Flight, type FlightEnd } from './attempts.ts';
import { markDone, type BatchRun, type HeldSpan, type Outcome } from './held.ts';
import { Journal } from './journal.ts';
import { replay } from './replay.ts';
import { Sealer } from './sealer.ts';
import { Spans } from './spans.ts';
import type { EngineStats } from './stats.ts';
import { SyncCalls } from './sync-calls.ts';
import { LaneTrouble } from './trouble.ts';
import { noteWasted } from './wasted.ts';

export type EngineDeps = {
  readonly node: string;
  readonly catalog: Catalog;
  readonly blobs: Blobs;
  readonly log: Log;
  readonly world: World;
  readonly dialect: Dialect;
  readonly upstreamFor: (model: string) => Upstream;
  readonly weightOf: (workspaceId: string) => number;
  readonly graceMs: number;
  readonly messagesConcurrency?: number | undefined;
  /** Something that cannot be: the process should end, restart and recover. */
  readonly onFatal: (error: unknown) => void;
};

export class Engine {
  readonly #deps: EngineDeps;
  readonly #scheduler: Scheduler;
  readonly #journal: Journal;
  readonly #sealer: Sealer;
  readonly #spans: Spans;
  readonly #attempts: Attempts;
  readonly #trouble: LaneTrouble;
  /** Synchronous calls under way. */
  readonly calls: SyncCalls;
  #inputs: Input[] = [];
  /** Ends whose outcome is not written yet: their slots are freed by the write. */
  readonly #ended: Input[] = [];
  #turnPending = false;
  #pausedBy = new Set<string>();
  #timer: { readonly atMs: number; readonly cancel: () => void } | null = null;
  #stopSweep: (() => void) | null = null;
  #stopped = false;

  constructor(deps: EngineDeps) {
    this.#deps = deps;
    const { world, node, catalog, blobs, log } = deps;
    const onFatal = (error: unknown) => this.#fatal(error);
    this.#scheduler = new Scheduler({ chance: () => world.chance.next(), syncConcurrency: deps.messagesConcurrency });
    this.#journal = new Journal({ log, world, onFatal, onSynced: (outcomes) => this.#synced(outcomes) });
    this.#sealer = new Sealer({
      node,
      catalog,
      blobs,
      world,
      onFatal,
      onSealed: (run, outcomes, sealed) => this.#sealed(run, outcomes, sealed.batch),
      onStale: (spans, dropped) => this.#stale(spans, dropped),
      onStorage: (full) => this.#storage('chunks', full),
    });
    this.#spans = new Spans({
      ...deps,
      onFatal,
      post: (input) => this.#post(input),
      onClaimed: (run) => this.#sealer.consider(run),
    });
    this.#attempts = new Attempts({
      world,
      onEnd: (flight, result) => this.#attemptEnded(flight, result),
      onUnreadable: (flight, error) => this.#unreadable(flight, error),
    });
    this.#trouble = new LaneTrouble(world);
    this.calls = new SyncCalls({
      ...deps,
      post: (input) => this.#post(input),
      onTrouble: (upstream, model, reason) => this.#trouble.note(upstream.name, model, reason),
    });
  }

  /** Replays the journal, seals what it held, then begins to work. Resolves when the node may take calls. */
  async start(): Promise<void> {
    const { log, world } = this.#deps;
    const startedMs = world.clock.monotonicMs();
    const held = await this.#spans.adopt();
    const outcomes = await replay({ log, spans: held, upstreamFor: this.#deps.upstreamFor });
    this.#journal.replayed(outcomes);
    this.#sealer.add(outcomes);
    this.#sealer.force(() => true);
    await this.#sealer.drained();
    await this.#journal.removeFinished();
    world.emit({
      kind: 'recovered',
      spans: held.length,
      lines: outcomes.length,
      durationMs: world.clock.monotonicMs() - startedMs,
    });
    this.#spans.announce(held);
    await this.#spans.discover();
    this.#sweep();
  }

  /** A batch this node has just accepted: no need to look for it. */
  accepted(batch: Batch, spans: ReadonlyMap<string, number>): void {
    this.#spans.learn(batch, spans);
  }

  /** The batch's row says so; whatever has no outcome yet gets this one. False when it is closing already. */
  close(batch: Batch, outcome: 'canceled' | 'expired'): boolean {
    return this.#spans.close(batch, outcome);
  }

  setWeight({ workspaceId, weight }: { readonly workspaceId: string; readonly weight: number }): void {
    this.#post({ kind: 'weight', workspaceId, weight });
  }

  /** Somebody looks at it: what is durable of it need not wait for a whole chunk. */
  watched(batchId: string): void {
    this.#sealer.watched(batchId);
  }

  stats(): EngineStats {
    return {
      lanes: this.#scheduler.stats(),
      inFlight: this.#attempts.size,
      messagesWaiting: this.calls.waiting,
      pausedBy: [...this.#pausedBy],
      ...this.#spans.backlog(),
      ...this.#journal.stats(),
      ...this.#sealer.stats(),
    };
  }

  /** Lets what is in flight finish for a while, seals all there is and gives the spans back. */
  async stop({ drainMs }: { drainMs: number }): Promise<void> {
    if (this.#stopped) return;
    this.#post({ kind: 'drain' });
    const endMs = this.#deps.world.clock.monotonicMs() + drainMs;
    const busy = () => this.#attempts.size + this.calls.size > 0;
    while (busy() && this.#deps.world.clock.monotonicMs() < endMs) await this.#pause(20);
    this.#attempts.abortAll();
    this.calls.close();
    while (this.#attempts.size > 0) await this.#pause(5);
    this.#stopped = true;
    this.#stopSweep?.();
    this.#timer?.cancel();
    if (!this.#journal.flush()) return;
    await this.#journal.drained();
    this.#sealer.force(() => true);
    await Promise.race([this.#sealer.drained(), this.#pause(drainMs + DISK_RETRY_MS)]);
    await this.#spans.releaseAll();
  }

  #post(input: Input): void {
    this.#inputs.push(input);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#turnPending || this.#stopped) return;
    this.#turnPending = true;
    this.#deps.world.timers.turn(() => {
      this.#turnPending = false;
      try {
        this.#turn();
      } catch (error) {
        this.#fatal(error);
      }
    });
  }

  #turn(): void {
    if (this.#stopped) return;
    const written = this.#journal.flush();
    this.#storage('journal', !written);
    if (written) this.#inputs.push(...this.#ended.splice(0));
    const nowMs = this.#deps.world.clock.monotonicMs();
    // Looked at in every turn, not once a second: after a freeze of the process the first turn must not send.
    this.#hold('lease', !this.#spans.leasesHold(nowMs));
    this.#hold('unsynced', this.#journal.isFull());
    this.#hold('unsealed', this.#sealer.unsealedBytes() > UNSEALED_BYTES_PAUSE);
    const inputs = this.#inputs;
    this.#inputs = [];
    for (const command of this.#scheduler.step(inputs, nowMs)) this.#carryOut(command);
    this.#setTimer(nowMs);
  }

  #carryOut(command: Command): void {
    switch (command.kind) {
      case 'send': {
        const span = this.#spans.get(command.span);
        const upstream = this.#deps.upstreamFor(span.segment.model);
        return this.#attempts.start({ attempt: command.attempt, span, item: command.item, upstream });
      }
      case 'grant':
        return this.calls.granted(command.sync);
      case 'refuse':
        return this.calls.refused(command);
      case 'abort':
        return this.#attempts.abort(command.attempt);
      case 'claim':
        return this.#spans.claim(command);
      case 'finish':
        return this.#finish(this.#spans.get(command.span), command);
    }
  }

  #attemptEnded(flight: Flight, { end, headroom }: FlightEnd): void {
    const { attempt, span, item, upstream } = flight;
    if (headroom) {
      const resetMs = this.#deps.world.clock.monotonicMs() + headroom.resetMs;
      this.#post({ kind: 'headroom', lane: span.lane, ...headroom, resetMs });
    }
    if (end.kind === 'message') {
      const line = this.#deps.dialect.succeededLine(span.index.customId(item), end.message);
      this.#outcome({
        span,
        item,
        kind: 'succeeded',
        line,
        usage: end.usage,
        model: modelNamed(end.model) ?? span.segment.model,
        upstream,
      });
    } else if (end.kind === 'refused') {
      const line = this.#deps.dialect.failedLine(span.index.customId(item), 'errored', end.error);
      this.#outcome({ span, item, kind: 'errored', line, usage: null, model: span.segment.model, upstream });
    } else {
      if (end.kind === 'perhaps_paid') this.#wasted({ span, model: span.segment.model, usage: null, upstream });
      if (end.kind !== 'aborted') this.#trouble.note(upstream.name, span.segment.model, end.error.message);
      return this.#post({ kind: 'ended', attempt, result: attemptResult(end) });
    }
    this.#ended.push({ kind: 'ended', attempt, result: { kind: 'final' } });
    this.#schedule();
  }

  #outcome(made: {
    span: HeldSpan;
    item: number;
    kind: OutcomeKind;
    line: Uint8Array;
    usage: Usage | null;
    model: string;
    upstream: Upstream;
  }): void {
    const { span, item, upstream, ...rest } = made;
    if (span.lost || !markDone(span, item)) return made.usage ? this.#wasted(made) : undefined;
    const { name, billing, tier } = upstream;
    this.#journal.add({ ...rest, span, item, upstream: name, billing, tier, file: -1 });
  }

  /** What may have been paid and gave no result. */
  #wasted(made: { span: HeldSpan; model: string; usage: Usage | null; upstream: Upstream }): void {
    const { name, billing, tier } = made.upstream;
    const atMs = this.#deps.world.clock.wallMs();
    noteWasted(made.span.run, { model: made.model, usage: made.usage, upstream: name, billing, tier, atMs });
  }

  /** Outcomes that need no upstream. Those the index alone tells are not journaled: a crash loses nothing that cannot be told again. */
  #finish(span: HeldSpan, command: Extract<Command, { kind: 'finish' }>): void {
    const upstream = this.#deps.upstreamFor(span.segment.model);
    const derived: Outcome[] = [];
    for (const item of command.items) {
      const error = command.outcome === 'errored' ? (command.error ?? span.index.fault(item)) : null;
      const line = this.#deps.dialect.failedLine(span.index.customId(item), command.outcome, error);
      const made = { span, item, kind: command.outcome, line, usage: null, model: span.segment.model };
      if (command.error) this.#outcome({ ...made, upstream });
      else if (!span.lost && markDone(span, item))
        derived.push({ ...made, upstream: upstream.name, billing: upstream.billing, tier: upstream.tier, file: -1 });
    }
    if (derived.length > 0) this.#sealer.add(derived);
    if (command.error) this.#schedule();
  }

  #unreadable(flight: Flight, error: unknown): void {
    const { span, item, attempt } = flight;
    if (span.lost) return;
    this.#deps.world.emit({
      kind: 'failure',
      where: `reading request ${item} of segment ${span.segment.number} of ${span.lease.batchId}`,
      error,
      requestId: null,
    });
    const failure: RequestError = { type: 'api_error', message: 'Internal server error' };
    this.#post({ kind: 'ended', attempt, result: { kind: 'perhaps_paid', timeout: false, error: failure } });
  }

  #synced(outcomes: readonly Outcome[]): void {
    this.#sealer.add(outcomes);
    const crowded = this.#journal.crowdedFile();
    if (crowded !== null) this.#sealer.force((outcome) => outcome.file === crowded);
    if (this.#pausedBy.has('unsynced')) this.#schedule();
  }

  #sealed(run: BatchRun, outcomes: readonly Outcome[], batch: Batch): void {
    this.#journal.sealed(outcomes);
    this.#spans.sealed(run, outcomes, batch);
    if (this.#pausedBy.has('unsealed')) this.#schedule();
    const counts = new Map<OutcomeKind, number>();
    for (const { kind } of outcomes) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    for (const [outcome, count] of counts) this.#deps.world.emit({ kind: 'outcomes', outcome, count });
  }

  #stale(spans: readonly HeldSpan[], dropped: readonly Outcome[]): void {
    this.#journal.sealed(dropped);
    for (const span of spans) this.#spans.lose(span);
    const batchId = spans[0]?.lease.batchId ?? '';
    this.#deps.world.emit({ kind: 'seal_stale', batchId, lines: dropped.length });
  }

  #storage(what: string, full: boolean): void {
    if (full === this.#pausedBy.has(what)) return;
    this.#deps.world.emit({ kind: full ? 'storage_full' : 'storage_resumed', what });
    this.#hold(what, full);
    if (full && what === 'journal') this.#deps.world.timers.after(DISK_RETRY_MS, () => this.#retryJournal());
  }

  #retryJournal(): void {
    this.#schedule();
    if (this.#pausedBy.has('journal') && !this.#stopped)
      this.#deps.world.timers.after(DISK_RETRY_MS, () => this.#retryJournal());
  }

  #hold(reason: string, held: boolean): void {
    if (held === this.#pausedBy.has(reason)) return;
    if (held) this.#pausedBy.add(reason);
    else this.#pausedBy.delete(reason);
    this.#post({ kind: held ? 'pause' : 'resume', reason });
  }

  #sweep(): void {
    if (this.#stopped) return;
    const nowMs = this.#deps.world.clock.monotonicMs();
    this.#attempts.sweep(nowMs);
    this.calls.sweep(nowMs);
    this.#trouble.tell();
    this.#spans.sweep(nowMs);
    this.#tellLanes();
    this.#post({ kind: 'tick' });
    this.#stopSweep = this.#deps.world.timers.after(SWEEP_MS, () => this.#sweep());
  }

  #tellLanes(): void {
    for (const { lane, window, inFlight, ready } of this.#scheduler.stats()) {
      const [upstream = '', model = ''] = lane.split('\n');
      this.#deps.world.emit({ kind: 'lane_window', upstream, model, window, inFlight, ready });
    }
  }

  /** One timer, for the earliest end of a backoff or pause. */
  #setTimer(nowMs: number): void {
    const dueMs = this.#scheduler.nextDueMs();
    if (this.#timer && (dueMs === null || dueMs < this.#timer.atMs)) {
      this.#timer.cancel();
      this.#timer = null;
    }
    if (dueMs === null || this.#timer) return;
    const cancel = this.#deps.world.timers.after(Math.max(0, dueMs - nowMs), () => {
      this.#timer = null;
      this.#schedule();
    });
    this.#timer = { atMs: dueMs, cancel };
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#deps.world.timers.after(ms, resolve));
  }

  #fatal(error: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#deps.onFatal(error);
  }
}

/** Usage is counted under the model that answered, if it names itself sensibly: journal and catalog hold no novels. */
function modelNamed(model: string): string | null {
  return model.length > 0 && model.length <= MODEL_LENGTH_MAX ? model : null;
}
