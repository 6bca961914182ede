/**
 * The sealer: durable outcomes become chunks of a batch's results. Each chunk is a blob and one transaction, which checks every lease,
 * sets the done bits, counts and, with the last request, ends the batch.
 */
import { encodeChunkIndex } from '../bytes/chunk-index.ts';
import { AssertionError, StorageFullError } from '../domain/errors.ts';
import {
  CHUNK_BYTES_MAX,
  CHUNK_LINES_MAX,
  DISK_RETRY_MS,
  SEALS_MAX,
  UNSEALED_BYTES_MAX,
  WATCHED_SEAL_MS,
} from '../domain/limits.ts';
import { bitmap, setBit, type Lease } from '../domain/segment.ts';
import type { Tally } from '../domain/tally.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { Catalog, Sealed } from '../ports/catalog.ts';
import type { World } from '../ports/world.ts';
import { isExhausted, type BatchRun, type HeldSpan, type Outcome } from './held.ts';
import { tallyOf } from './outcome-tally.ts';
import type { EngineStats } from './stats.ts';
import { noteWasted, takeWasted } from './wasted.ts';

export type SealerDeps = {
  readonly node: string;
  readonly catalog: Catalog;
  readonly blobs: Blobs;
  readonly world: World;
  readonly onSealed: (run: BatchRun, outcomes: readonly Outcome[], sealed: Sealed & { kind: 'sealed' }) => void;
  readonly onStale: (spans: readonly HeldSpan[], dropped: readonly Outcome[]) => void;
  readonly onStorage: (full: boolean) => void;
  readonly onFatal: (error: unknown) => void;
};

type Pending = { outcomes: Outcome[]; bytes: number; sealing: boolean; forced: boolean };

export class Sealer {
  readonly #deps: SealerDeps;
  readonly #pending = new Map<BatchRun, Pending>();
  readonly #waiters: (() => void)[] = [];
  /** When a watcher last made a chunk of it. */
  readonly #watchedMs = new WeakMap<BatchRun, number>();
  #running = 0;
  #bytes = 0;
  #lastSealMs: number | null = null;

  constructor(deps: SealerDeps) {
    this.#deps = deps;
  }

  add(outcomes: readonly Outcome[]): void {
    const touched = new Set<BatchRun>();
    for (const outcome of outcomes) {
      const { run } = outcome.span;
      let pending = this.#pending.get(run);
      if (!pending) this.#pending.set(run, (pending = { outcomes: [], bytes: 0, sealing: false, forced: false }));
      pending.outcomes.push(outcome);
      pending.bytes += outcome.line.length;
      this.#bytes += outcome.line.length;
      touched.add(run);
    }
    if (this.#bytes > UNSEALED_BYTES_MAX) this.#forceLargest();
    for (const run of touched) this.consider(run);
  }

  /** Seals what the batch has if it is enough for a chunk, or if nothing more will come. */
  consider(run: BatchRun): void {
    const pending = this.#pending.get(run);
    if (!pending || pending.sealing || pending.outcomes.length === 0 || this.#running >= SEALS_MAX) return;
    // Lines made from the index are short and come all at once: they are cut by size alone.
    const enough = pending.bytes >= CHUNK_BYTES_MAX || (!run.closing && pending.outcomes.length >= CHUNK_LINES_MAX);
    if (enough || pending.forced || isExhausted(run)) void this.#seal(run, pending);
  }

  /** Seals whatever the batches have that match: a crowded journal, a shutdown. */
  force(matches: (outcome: Outcome) => boolean): void {
    for (const [run, pending] of this.#pending) {
      if (pending.outcomes.some(matches)) {
        pending.forced = true;
        this.consider(run);
      }
    }
  }

  /** Seals what this batch has, at most so often: many watchers must not make many small chunks. */
  watched(batchId: string): void {
    const nowMs = this.#deps.world.clock.monotonicMs();
    for (const [run, pending] of this.#pending) {
      if (run.batch.id !== batchId || nowMs - (this.#watchedMs.get(run) ?? -Infinity) < WATCHED_SEAL_MS) continue;
      this.#watchedMs.set(run, nowMs);
      pending.forced = true;
      this.consider(run);
    }
  }

  unsealedBytes(): number {
    return this.#bytes;
  }

  stats(): Pick<EngineStats, 'unsealedBytes' | 'lastSealMs'> {
    return { unsealedBytes: this.#bytes, lastSealMs: this.#lastSealMs };
  }

  /** Resolves when nothing is pending. */
  drained(): Promise<void> {
    return this.#pending.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiters.push(resolve));
  }

  #forceLargest(): void {
    let largest: Pending | null = null;
    let owner: BatchRun | null = null;
    for (const [run, pending] of this.#pending) {
      if (!pending.sealing && (!largest || pending.bytes > largest.bytes)) [owner, largest] = [run, pending];
    }
    if (!owner || !largest) return;
    largest.forced = true;
    this.consider(owner);
  }

  async #seal(run: BatchRun, pending: Pending): Promise<void> {
    pending.sealing = true;
    this.#running += 1;
    const { forced } = pending;
    const outcomes = this.#take(run, pending);
    try {
      const sealed = await this.#sealUntilRoom(run, outcomes);
      if (sealed.kind === 'sealed') this.#deps.onSealed(run, outcomes, sealed);
      else {
        this.#drop(outcomes, sealed.leases);
        pending.forced ||= forced;
      }
    } catch (error) {
      this.#deps.onFatal(error);
    } finally {
      this.#running -= 1;
      pending.sealing = false;
      if (pending.outcomes.length === 0) this.#pending.delete(run);
      this.consider(run);
      if (this.#bytes > UNSEALED_BYTES_MAX) this.#forceLargest();
      if (this.#running < SEALS_MAX) for (const other of this.#pending.keys()) this.consider(other);
      if (this.#pending.size === 0) this.#waiters.splice(0).forEach((resolve) => resolve());
    }
  }

  #take(run: BatchRun, pending: Pending): Outcome[] {
    const linesMax = run.closing ? Infinity : CHUNK_LINES_MAX;
    let count = 0;
    let bytes = 0;
    while (count < pending.outcomes.length && count < linesMax && (count === 0 || bytes < CHUNK_BYTES_MAX)) {
      bytes += pending.outcomes[count]!.line.length;
      count += 1;
    }
    const taken = pending.outcomes.slice(0, count);
    pending.outcomes = pending.outcomes.slice(count);
    pending.bytes -= bytes;
    this.#bytes -= bytes;
    if (pending.outcomes.length === 0) pending.forced = false;
    return taken;
  }

  /**
   * A full disk, or a catalog that cannot be reached, stops the seal, not the work already done: it is tried again until it goes.
   * If an attempt that failed had been committed all the same, the next one is stale: nothing is sealed twice.
   */
  async #sealUntilRoom(run: BatchRun, outcomes: readonly Outcome[]): Promise<Sealed> {
    const { world, onStorage } = this.#deps;
    // One name for all attempts: another blob each time would fill a full disk further.
    const blob = `${run.batch.workspaceId}/${run.batch.id}/r-${Buffer.from(world.chance.bytes(9)).toString('hex')}`;
    const { counts, usage } = tallyOf(outcomes, { atMs: world.clock.wallMs() });
    const tally = { counts, usage: [...usage, ...takeWasted(run)] };
    let wasFull = false;
    let hasFailed = false;
    for (;;) {
      try {
        const sealed = await this.#sealOnce(run, outcomes, { blob, tally });
        if (wasFull) onStorage(false);
        // After a failure, what is stale may be what that attempt committed: then its answers were not for nothing.
        if (sealed.kind === 'stale' && !hasFailed) noteStale(run, outcomes, { ...sealed, atMs: world.clock.wallMs() });
        return sealed;
      } catch (error) {
        if (error instanceof AssertionError) throw error;
        hasFailed = true;
        const isFull = error instanceof StorageFullError;
        if (!isFull) world.emit({ kind: 'failure', where: `seal of ${run.batch.id}`, error, requestId: null });
        if (isFull && !wasFull) onStorage(true);
        wasFull ||= isFull;
        await new Promise<void>((resolve) => world.timers.after(DISK_RETRY_MS, resolve));
      }
    }
  }

  async #sealOnce(run: BatchRun, outcomes: readonly Outcome[], made: { blob: string; tally: Tally }): Promise<Sealed> {
    const { catalog, blobs, world, node } = this.#deps;
    const { blob, tally } = made;
    const startedMs = world.clock.monotonicMs();
    const batchId = run.batch.id;
    const bytes = outcomes.reduce((sum, outcome) => sum + outcome.line.length, 0);
    const lines = outcomes.map((outcome) => outcome.line);
    const index = encodeChunkIndex(
      outcomes.map(({ span, item, kind, line }) => ({ bytes: line.length, ordinal: span.index.ordinal(item), kind })),
    );
    await blobs.put(blob, [Buffer.concat(lines), index]);
    const chunk = { blob, bytes, lines: outcomes.length, blobOffset: 0, indexOffset: bytes, indexBytes: index.length };
    const sealed = await catalog.seal({ node, batchId, chunk, leases: leasesOf(outcomes), tally });
    // The blob of a stale seal is left: it goes when the batch is erased.
    if (sealed.kind === 'stale') return sealed;
    const durationMs = world.clock.monotonicMs() - startedMs;
    this.#lastSealMs = world.clock.wallMs();
    world.emit({ kind: 'sealed', batchId, lines: outcomes.length, bytes, durationMs });
    for (const row of tally.usage) world.emit({ kind: 'used', batchId, ...row });
    return sealed;
  }

  /** The outcomes of leases that have passed on belong to another node now; the others are sealed again without them. */
  #drop(outcomes: readonly Outcome[], leases: readonly Lease[]): void {
    const stale = new Set(leases.map(leaseText));
    const dropped = outcomes.filter(({ span }) => stale.has(leaseText(span.lease)));
    this.#deps.onStale([...new Set(dropped.map(({ span }) => span))], dropped);
    const [first] = outcomes;
    const pending = first && this.#pending.get(first.span.run);
    // They were enough for a seal, or told to be one; nothing else may come that would seal them.
    if (pending) pending.forced = true;
    this.add(outcomes.filter(({ span }) => !stale.has(leaseText(span.lease))));
  }
}

/** Answers of leases that have passed on were paid, and another node pays them again. */
function noteStale(
  run: BatchRun,
  outcomes: readonly Outcome[],
  { leases, atMs }: { leases: readonly Lease[]; atMs: number },
): void {
  const stale = new Set(leases.map(leaseText));
  for (const { span, model, upstream, billing, tier, usage } of outcomes)
    if (usage && stale.has(leaseText(span.lease))) noteWasted(run, { model, upstream, billing, tier, usage, atMs });
}

function leaseText(lease: Lease): string {
  return `${lease.batchId}/${lease.segment}/${lease.from}/${lease.epoch}`;
}

function leasesOf(outcomes: readonly Outcome[]): { lease: Lease; done: Uint8Array }[] {
  const bits = new Map<HeldSpan, Uint8Array>();
  for (const { span, item } of outcomes) {
    let done = bits.get(span);
    if (!done) bits.set(span, (done = bitmap(span.segment.requests)));
    setBit(done, item);
  }
  return [...bits].map(([span, done]) => ({ lease: span.lease, done }));
}
