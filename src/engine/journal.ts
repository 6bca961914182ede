/**
 * The journal: outcomes become durable here. Written once a turn of the loop (they then survive kill -9), synced in groups behind it
 * (they then survive a power loss). Only synced outcomes are counted, sealed or shown.
 */
import { StorageFullError } from '../domain/errors.ts';
import {
  JOURNAL_FILE_BYTES,
  JOURNAL_FILES_MAX,
  SYNC_AT_ONCE_LINES,
  SYNC_REST_MS,
  UNSYNCED_BYTES_MAX,
  UNSYNCED_LINES_MAX,
} from '../domain/limits.ts';
import { noUsage } from '../domain/tally.ts';
import type { Log } from '../ports/log.ts';
import type { World } from '../ports/world.ts';
import type { Outcome } from './held.ts';
import { RecordWriter } from './record.ts';
import type { EngineStats } from './stats.ts';

export type JournalDeps = {
  readonly log: Log;
  readonly world: World;
  /** Called with outcomes in the order they were added. */
  readonly onSynced: (outcomes: readonly Outcome[]) => void;
  readonly onFatal: (error: unknown) => void;
};

const nothing = { lines: 0, bytes: 0 };

export class Journal {
  readonly #log: Log;
  readonly #world: World;
  readonly #onSynced: JournalDeps['onSynced'];
  readonly #onFatal: JournalDeps['onFatal'];
  readonly #writer = new RecordWriter();
  /** Unsealed outcomes in each file; a file without any is removed. */
  readonly #pins = new Map<number, number>();
  #added: Outcome[] = [];
  #unsynced: Outcome[] = [];
  /** Since the last sync began; those it covers are unsynced, too, until it ends. */
  #unsyncedBytes = 0;
  #inSync: { readonly lines: number; readonly bytes: number } = nothing;
  /** Files being removed: seals end side by side, and a file cannot go twice. */
  readonly #leaving = new Set<number>();
  #syncing: Promise<void> | null = null;

  constructor(deps: JournalDeps) {
    this.#log = deps.log;
    this.#world = deps.world;
    this.#onSynced = deps.onSynced;
    this.#onFatal = deps.onFatal;
  }

  /** Gathers an outcome for this turn's write. */
  add(outcome: Outcome): void {
    const { lease } = outcome.span;
    this.#writer.add({
      batchId: lease.batchId,
      segment: lease.segment,
      item: outcome.item,
      epoch: lease.epoch,
      outcome: outcome.kind,
      usage: outcome.usage ?? noUsage,
      model: outcome.model,
      upstream: outcome.upstream,
      line: outcome.line,
    });
    this.#added.push(outcome);
  }

  /** Writes what was gathered; false when there is no room: it is kept, and the next flush tries again. */
  flush(): boolean {
    if (this.#added.length === 0) return true;
    let file: number;
    try {
      file = this.#log.append(this.#writer.frames());
    } catch (error) {
      if (error instanceof StorageFullError) return false;
      throw error;
    }
    for (const outcome of this.#added) {
      outcome.file = file;
      this.#unsynced.push(outcome);
    }
    this.#pins.set(file, (this.#pins.get(file) ?? 0) + this.#added.length);
    this.#unsyncedBytes += this.#writer.bytes;
    this.#added = [];
    this.#writer.clear();
    this.#syncing ??= this.#sync();
    return true;
  }

  /** Sending waits while this is so. */
  isFull(): boolean {
    const { unsyncedLines, unsyncedBytes } = this.stats();
    return unsyncedLines >= UNSYNCED_LINES_MAX || unsyncedBytes >= UNSYNCED_BYTES_MAX;
  }

  stats(): Pick<EngineStats, 'unsyncedLines' | 'unsyncedBytes'> {
    const { lines, bytes } = this.#inSync;
    return { unsyncedLines: this.#unsynced.length + lines, unsyncedBytes: this.#unsyncedBytes + bytes };
  }

  /** Outcomes found in the log at the start: they pin their files until they are sealed. */
  replayed(outcomes: readonly Outcome[]): void {
    for (const { file } of outcomes) this.#pins.set(file, (this.#pins.get(file) ?? 0) + 1);
  }

  sealed(outcomes: readonly Outcome[]): void {
    for (const { file } of outcomes) if (file >= 0) this.#pins.set(file, (this.#pins.get(file) ?? 0) - 1);
    void this.removeFinished();
  }

  /** The oldest file, when there are so many that whatever pins it should be sealed early. */
  crowdedFile(): number | null {
    const files = this.#log.files();
    return files.length > JOURNAL_FILES_MAX ? (files[0] ?? null) : null;
  }

  /** Removes files, but for the current one, that no unsealed outcome pins. */
  async removeFinished(): Promise<void> {
    const files = this.#log.files();
    const current = files.at(-1);
    for (const file of files) {
      if (file === current || (this.#pins.get(file) ?? 0) > 0 || this.#leaving.has(file)) continue;
      this.#pins.delete(file);
      this.#leaving.add(file);
      await this.#log.remove(file).catch(this.#onFatal);
      this.#leaving.delete(file);
    }
  }

  async drained(): Promise<void> {
    while (this.#syncing) await this.#syncing;
  }

  /** Syncs one behind the other would keep the disk and a core busy for a few lines each; the first one never waits. */
  #rest(): Promise<void> {
    return new Promise((resolve) => this.#world.timers.after(SYNC_REST_MS, resolve));
  }

  /** A full disk leaves the file as it is, larger than wanted; the next sync tries again. */
  async #rotate(): Promise<void> {
    try {
      await this.#log.rotate();
    } catch (error) {
      if (!(error instanceof StorageFullError)) throw error;
    }
  }

  async #sync(): Promise<void> {
    try {
      while (this.#unsynced.length > 0) {
        const outcomes = this.#unsynced;
        const bytes = this.#unsyncedBytes;
        this.#unsynced = [];
        this.#unsyncedBytes = 0;
        this.#inSync = { lines: outcomes.length, bytes };
        const startedMs = this.#world.clock.monotonicMs();
        await this.#log.sync();
        this.#inSync = nothing;
        const durationMs = this.#world.clock.monotonicMs() - startedMs;
        this.#world.emit({ kind: 'journal_synced', lines: outcomes.length, bytes, durationMs });
        this.#onSynced(outcomes);
        if (this.#unsynced.length < SYNC_AT_ONCE_LINES) await this.#rest();
        if (this.#log.size() >= JOURNAL_FILE_BYTES) await this.#rotate();
      }
    } catch (error) {
      this.#onFatal(error);
    } finally {
      this.#syncing = null;
    }
  }
}
