/**
 * The janitor: expiry, retention, garbage and the merging of small chunks, on its own slow beat.
 *
 *  J1  A wall clock that jumped expires and deletes nothing for CLOCK_DISTRUST_MS.
 *  J2  Only blobs of a batch the catalog does not know, old enough that no upload can still own them, are garbage.
 *  J3  Result bytes go only after the catalog has said `archivedAt`, so that no reader is promised what is gone.
 */
import { transitionsFrom, type Batch } from '../domain/batch.ts';
import {
  CHUNK_BYTES_MAX,
  CLOCK_DISTRUST_MS,
  CLOCK_JUMP_MS,
  JANITOR_MS,
  ORPHAN_BLOB_MS,
  RETIRED_BLOB_MS,
  SWEEP_MS,
} from '../domain/limits.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { World } from '../ports/world.ts';
import type { Engine } from './engine.ts';
import { mergeChunks } from './merge.ts';

export type JanitorDeps = {
  readonly catalog: Catalog;
  readonly blobs: Blobs;
  readonly world: World;
  readonly engine: Engine;
};

const dueLimit = 100;
const listLimit = 1_000;

export class Janitor {
  readonly #deps: JanitorDeps;
  /** Batches whose upload is under way here: their blobs have no row yet. */
  readonly #uploads = new Set<string>();
  #wallAheadMs: number;
  #distrustUntilMs = -Infinity;
  #nextCleanMs = -Infinity;
  /** Blobs of merged chunks, kept a while for downloads under way. What a crash forgets here goes when the batch is erased. */
  #retired: { readonly keys: readonly string[]; readonly atMs: number }[] = [];
  #cancel: (() => void) | null = null;
  #working: Promise<void> = Promise.resolve();
  #stopped = false;
  /** Beats never overlap: a slow one only makes the next come later. */
  #busy = false;

  constructor(deps: JanitorDeps) {
    this.#deps = deps;
    this.#wallAheadMs = this.#wallAhead();
  }

  start(): void {
    if (this.#stopped) return;
    this.#working = this.#beat();
    this.#cancel = this.#deps.world.timers.after(SWEEP_MS, () => this.start());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#working;
  }

  /** Under way. */
  get uploads(): number {
    return this.#uploads.size;
  }

  uploadStarted(batchId: string): void {
    this.#uploads.add(batchId);
  }

  uploadEnded(batchId: string): void {
    this.#uploads.delete(batchId);
  }

  /** Removes every blob of a batch whose row is gone, or whose results are archived. */
  async erase(batch: Batch): Promise<void> {
    const prefix = `${batch.workspaceId}/${batch.id}/`;
    for (;;) {
      const found = await this.#deps.blobs.list({ prefix, after: null, limit: listLimit });
      if (found.length === 0) return;
      await this.#deps.blobs.delete(found.map(({ key }) => key));
    }
  }

  async #beat(): Promise<void> {
    if (this.#busy) return this.#working;
    this.#busy = true;
    try {
      const nowMs = this.#deps.world.clock.monotonicMs();
      this.#watchClock(nowMs);
      if (nowMs < this.#distrustUntilMs) return;
      await this.#expire();
      if (nowMs < this.#nextCleanMs) return;
      this.#nextCleanMs = nowMs + JANITOR_MS;
      await this.#archive();
      await this.#merge(nowMs);
      await this.#collect();
    } catch (error) {
      // Nothing here is urgent: it is told, and the next beat tries again.
      this.#deps.world.emit({ kind: 'failure', where: 'janitor', error, requestId: null });
    } finally {
      this.#busy = false;
    }
  }

  async #expire(): Promise<void> {
    const { catalog, engine, world } = this.#deps;
    for (const batch of await catalog.due({ kind: 'expire', limit: dueLimit })) {
      if (engine.close(batch, 'expired')) world.emit({ kind: 'batch_expiring', batchId: batch.id });
    }
  }

  async #archive(): Promise<void> {
    const { catalog, world } = this.#deps;
    for (const batch of await catalog.due({ kind: 'archive', limit: dueLimit })) {
      const archived = await catalog.transition({
        batchId: batch.id,
        transition: 'archive',
        from: transitionsFrom.archive,
      });
      if (!archived) continue;
      world.emit({ kind: 'batch_archived', batchId: batch.id });
      // What cannot be erased now is found as garbage later.
      await this.#guard(`erasing ${batch.id}`, () => this.erase(archived));
    }
  }

  async #merge(nowMs: number): Promise<void> {
    for (const batch of await this.#deps.catalog.due({ kind: 'merge', limit: dueLimit })) {
      if (this.#stopped) return;
      await this.#guard(`merge of ${batch.id}`, async () => {
        const keys = await mergeChunks({ ...this.#deps, batch, bytesMax: CHUNK_BYTES_MAX });
        if (keys.length > 0) this.#retired.push({ keys, atMs: nowMs + RETIRED_BLOB_MS });
      });
    }
    const ripe = this.#retired.filter(({ atMs }) => atMs <= nowMs);
    this.#retired = this.#retired.filter(({ atMs }) => atMs > nowMs);
    await this.#deps.blobs.delete(ripe.flatMap(({ keys }) => keys));
  }

  /** One batch that cannot be tended to must not keep the others waiting. */
  async #guard(where: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#deps.world.emit({ kind: 'failure', where, error, requestId: null });
    }
  }

  async #collect(): Promise<void> {
    const { catalog, blobs, world } = this.#deps;
    const oldestMs = world.clock.wallMs() - ORPHAN_BLOB_MS;
    let after: string | null = null;
    for (;;) {
      const page = await blobs.list({ prefix: '', after, limit: listLimit });
      const old = page.filter(({ modifiedMs }) => modifiedMs < oldestMs);
      const owners = new Set(old.map(({ key }) => batchIdOf(key)).filter((id) => !this.#uploads.has(id)));
      const known = owners.size === 0 ? owners : await catalog.known([...owners]);
      const garbage = old
        .filter(({ key }) => owners.has(batchIdOf(key)) && !known.has(batchIdOf(key)))
        .map(({ key }) => key);
      if (garbage.length > 0) {
        await blobs.delete(garbage);
        world.emit({ kind: 'garbage_removed', blobs: garbage.length });
      }
      const last = page.at(-1);
      if (!last || page.length < listLimit || this.#stopped) return;
      after = last.key;
    }
  }

  #watchClock(nowMs: number): void {
    const ahead = this.#wallAhead();
    const byMs = ahead - this.#wallAheadMs;
    this.#wallAheadMs = ahead;
    if (Math.abs(byMs) < CLOCK_JUMP_MS) return;
    this.#distrustUntilMs = nowMs + CLOCK_DISTRUST_MS;
    this.#deps.world.emit({ kind: 'clock_jumped', byMs, distrustMs: CLOCK_DISTRUST_MS });
  }

  #wallAhead(): number {
    const { clock } = this.#deps.world;
    return clock.wallMs() - clock.monotonicMs();
  }
}

function batchIdOf(key: string): string {
  return key.split('/')[1] ?? '';
}
