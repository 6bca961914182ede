/**
 * Disks that tear, forget and fill up.
 *  - A put or an append that was acknowledged survives what its port says it survives, and nothing else is promised.
 *  - A power loss cuts unsynced bytes of a log at any byte, brings removed files back and forgets puts that had not resolved.
 */
import { readFrames } from '../src/bytes/frame.ts';
import { StartError, StorageFullError } from '../src/domain/errors.ts';
import { BlobMissingError, type BlobListing, type BlobRange, type Blobs } from '../src/ports/blobs.ts';
import type { Log } from '../src/ports/log.ts';
import type { Faults } from './faults.ts';
import type { JournalRecord, Ledger } from './ledger.ts';
import type { Random } from './random.ts';
import { operate, type Life, type SimWorld } from './world.ts';

type Parts = { readonly world: SimWorld; readonly faults: Faults; readonly random: Random };

function diskMs({ world, faults, random }: Parts, meanMs: number): number {
  return random.latency(faults.active('slow disk', world.nowMs) ? meanMs * 200 : meanMs);
}

type StoredBlob = { readonly bytes: Buffer; readonly modifiedMs: number };

/** The bytes every node sees; `blobsOf` is one life's way to them. */
export class BlobDisk {
  readonly stored = new Map<string, StoredBlob>();
  /** Written but not acknowledged: a power loss may take them back. */
  readonly unsettled = new Map<string, Life>();
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  powerLoss(life: Life): void {
    for (const [key, writer] of this.unsettled) {
      if (writer !== life) continue;
      if (this.#parts.random.chance(0.5)) this.stored.delete(key);
      this.unsettled.delete(key);
    }
  }

  blobsOf(life: Life): Blobs {
    const { world } = this.#parts;
    const timed = <T>(meanMs: number, effect: () => T): Promise<T> =>
      operate({
        world,
        life,
        effectMs: diskMs(this.#parts, meanMs),
        returnMs: diskMs(this.#parts, meanMs / 2),
        effect,
      });
    return {
      put: (key, parts) => timed(4, () => this.#put(key, { parts, life })).then(() => void this.unsettled.delete(key)),
      get: (key, range) => timed(0.5, () => this.#get(key, range)),
      delete: (keys) => timed(1, () => keys.forEach((key) => this.stored.delete(key))),
      list: (query) => timed(1, () => this.#list(query)),
      close: () => Promise.resolve(),
    };
  }

  #put(key: string, { parts, life }: { parts: readonly Uint8Array[]; life: Life }): void {
    const { world, faults } = this.#parts;
    if (faults.active('blobs full', world.nowMs)) throw new StorageFullError(`blob ${key}`);
    const bytes = Buffer.concat(parts);
    const before = this.stored.get(key);
    if (before && !before.bytes.equals(bytes)) throw new Error(`blob ${key} is written twice`);
    this.stored.set(key, { bytes, modifiedMs: world.wallMs() });
    this.unsettled.set(key, life);
    world.note(`${life.node} puts ${key}`);
  }

  #get(key: string, { start, end }: BlobRange): Uint8Array {
    const blob = this.stored.get(key);
    if (!blob) throw new BlobMissingError(key);
    if (end > blob.bytes.length) throw new Error(`blob ${key} is shorter than ${end}`);
    return new Uint8Array(blob.bytes.subarray(start, end));
  }

  #list({ prefix, after, limit }: { prefix: string; after: string | null; limit: number }): BlobListing[] {
    const keys = [...this.stored.keys()]
      .filter((key) => key.startsWith(prefix) && (after === null || key > after))
      .toSorted();
    return keys.slice(0, limit).map((key) => {
      const { bytes, modifiedMs } = this.stored.get(key)!;
      return { key, bytes: bytes.length, modifiedMs };
    });
  }
}

type LogFile = {
  bytes: Buffer;
  length: number;
  synced: number;
  readonly records: { readonly end: number; readonly record: JournalRecord }[];
};

/** One node's journal files; `logOf` is one life's way to them. */
export class LogDisk {
  readonly #parts: Parts & { readonly ledger: Ledger };
  readonly #files = new Map<number, LogFile>();
  /** Removed since the last power loss: the folder's change may not have reached the disk. */
  #removed: [number, LogFile][] = [];
  /** Small journals rotate too: their size is told larger than it is. */
  readonly #sizeScale: number;

  constructor(parts: Parts & { ledger: Ledger; sizeScale: number }) {
    this.#parts = parts;
    this.#sizeScale = parts.sizeScale;
  }

  powerLoss(): void {
    const { random } = this.#parts;
    for (const file of this.#files.values()) {
      // Often everything is lost, sometimes nothing, else any suffix.
      const kept = random.pick([file.synced, file.length, random.integer(file.synced, file.length)]);
      for (const { end, record } of file.records) if (end > kept) record.state = 'lost';
      file.records.splice(0, file.records.length, ...file.records.filter(({ end }) => end <= kept));
      file.length = kept;
    }
    for (const [number, file] of this.#removed) if (random.chance(0.3)) this.#files.set(number, file);
    this.#removed = [];
  }

  logOf(life: Life): Log {
    const { world, random } = this.#parts;
    const timed = <T>(meanMs: number, effect: () => T): Promise<T> =>
      operate({ world, life, effectMs: diskMs(this.#parts, meanMs), returnMs: random.latency(0.1), effect });
    const numbers = () => [...this.#files.keys()].toSorted((left, right) => left - right);
    const current = () => this.#files.get(numbers().at(-1)!)!;
    const mark = () => [...this.#files.values()].map((file) => ({ file, length: file.length }));
    const sync = () => {
      const marks = mark();
      return timed(3, () => marks.forEach(settle));
    };
    return {
      scan: (visit) => timed(1, () => this.#scan(visit)),
      append: (frames) => {
        if (this.#parts.faults.active('log full', world.nowMs)) throw new StorageFullError('the journal');
        this.#append(current(), { frames, life });
        return numbers().at(-1)!;
      },
      sync,
      size: () => current().length * this.#sizeScale,
      rotate: async () => {
        const closed = numbers().at(-1)!;
        await timed(3, () => {
          settle({ file: current(), length: current().length });
          this.#files.set(closed + 1, newFile());
        });
        return closed;
      },
      files: numbers,
      remove: (number) => timed(1, () => this.#remove(number)),
      close: () => Promise.resolve(),
    };
  }

  #append(file: LogFile, { frames, life }: { frames: Uint8Array; life: Life }): void {
    const end = file.length + frames.length;
    if (end > file.bytes.length) {
      const larger = Buffer.alloc(end * 2);
      file.bytes.copy(larger, 0, 0, file.length);
      file.bytes = larger;
    }
    file.bytes.set(frames, file.length);
    readFrames(file.bytes.subarray(0, end), file.length, (payloadStart, payloadEnd) => {
      const record = this.#parts.ledger.written(new Uint8Array(file.bytes.subarray(payloadStart, payloadEnd)), life);
      file.records.push({ end: payloadEnd, record });
    });
    file.length = end;
    this.#parts.world.note(`${life.node} appends ${frames.length} bytes`);
  }

  #scan(visit: (file: number, payload: Uint8Array) => void): void {
    if (this.#files.size === 0) this.#files.set(1, newFile());
    const newest = Math.max(...[...this.#files].filter(([, file]) => file.length > 0).map(([number]) => number), 0);
    for (const [number, file] of [...this.#files].toSorted(([left], [right]) => left - right)) {
      const bytes = file.bytes.subarray(0, file.length);
      const read = readFrames(bytes, 0, (start, end) => visit(number, bytes.subarray(start, end)));
      if (read.kind === 'torn' && number < newest)
        throw new StartError(`journal ${number} is damaged`, { hint: 'none' });
      file.length = read.end;
    }
  }

  #remove(number: number): void {
    const file = this.#files.get(number);
    if (!file) return;
    this.#files.delete(number);
    this.#removed.push([number, file]);
  }
}

function newFile(): LogFile {
  return { bytes: Buffer.alloc(4_096), length: 0, synced: 0, records: [] };
}

function settle({ file, length }: { file: LogFile; length: number }): void {
  file.synced = Math.max(file.synced, Math.min(length, file.length));
  for (const { end, record } of file.records)
    if (end <= file.synced && record.state === 'written') record.state = 'synced';
}
