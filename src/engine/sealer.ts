/**
 * The sealer: durable outcomes become chunks of a batch's results. Each chunk is a blob and one transaction, which checks every lease,
 * sets the done bits, counts and, with the last request, ends the batch.
 */
import { encodeChunkIndex } from '../bytes/chunk-index.ts';
import { AssertionError, StorageFullError } from '../domain/errors.ts';
import { CHUNK_BYTES_MAX, CHUNK_LINES_MAX, DISK_RETRY_MS, SEALS_MAX, UNSEALED_BYTES_MAX } from '../domain/limits.ts';
import { noCounts, type OutcomeKind } from '../domain/outcome.ts';
import { bitmap, setBit, type Lease } from '../domain/segment.ts';
import { addUsage, noUsage, usageKeyText, type Tally, type UsageKey, type UsageRow } from '../domain/tally.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { Catalog, Sealed } from '../ports/catalog.ts';
import type { World } from '../ports/world.ts';
import { isExhausted, type BatchRun, type HeldSpan, type Outcome } from './held.ts';

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
  #running = 0;
  #bytes = 0;

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

  unsealedBytes(): number {
    return this.#bytes;
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
    let wasFull = false;
    for (;;) {
      try {
        const sealed = await this.#sealOnce(run, outcomes, blob);
        if (wasFull) onStorage(false);
        return sealed;
      } catch (error) {
        if (error instanceof AssertionError) throw error;
        const isFull = error instanceof StorageFullError;
        if (!isFull) world.emit({ kind: 'failure', where: `seal of ${run.batch.id}`, error, requestId: null });
        if (isFull && !wasFull) onStorage(true);
        wasFull ||= isFull;
        await new Promise<void>((resolve) => world.timers.after(DISK_RETRY_MS, resolve));
      }
    }
  }

  async #sealOnce(run: BatchRun, outcomes: readonly Outcome[], blob: string): Promise<Sealed> {
    const { catalog, blobs, world, node } = this.#deps;
    const startedMs = world.clock.monotonicMs();
    const batchId = run.batch.id;
    const bytes = outcomes.reduce((sum, outcome) => sum + outcome.line.length, 0);
    const lines = outcomes.map((outcome) => outcome.line);
    const index = encodeChunkIndex(
      outcomes.map(({ span, item, kind, line }) => ({ bytes: line.length, ordinal: span.index.ordinal(item), kind })),
    );
    await blobs.put(blob, [Buffer.concat(lines), index]);
    const chunk = { blob, bytes, lines: outcomes.length, blobOffset: 0, indexOffset: bytes, indexBytes: index.length };
    const sealed = await catalog.seal({ node, batchId, chunk, leases: leasesOf(outcomes), tally: tallyOf(outcomes) });
    // The blob of a stale seal is left: it goes when the batch is erased.
    if (sealed.kind === 'sealed')
      world.emit({
        kind: 'sealed',
        batchId,
        lines: outcomes.length,
        bytes,
        durationMs: world.clock.monotonicMs() - startedMs,
      });
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

function tallyOf(outcomes: readonly Outcome[]): Tally {
  const counts: Record<OutcomeKind, number> = { ...noCounts };
  const rows = new Map<string, UsageRow>();
  // Neighbours nearly always share a key: its text is made once for each run of them.
  let last: { readonly outcome: Outcome; readonly text: string; readonly key: UsageKey } | null = null;
  for (const outcome of outcomes) {
    counts[outcome.kind] += 1;
    if (!outcome.usage) continue;
    if (
      !last ||
      last.outcome.model !== outcome.model ||
      last.outcome.upstream !== outcome.upstream ||
      last.outcome.tier !== outcome.tier
    ) {
      const key = { model: outcome.model, upstream: outcome.upstream, tier: outcome.tier, band: 0, wasted: false };
      last = { outcome, key, text: usageKeyText(key) };
    }
    const before = rows.get(last.text);
    rows.set(last.text, {
      ...last.key,
      ...addUsage(before ?? noUsage, outcome.usage),
      requests: (before?.requests ?? 0) + 1,
    });
  }
  return { counts, usage: [...rows.values()] };
}
