/**
 * The log as numbered files in one folder; see log-file.ts for their form and log-scan.ts for what is torn and what is damaged.
 *
 *  1. Bytes counted in `#appended` are written; those in `#durable` are synced. Both only grow, over all files.
 *  2. A file is synced before the one after it: after a power loss the two newest files with records may be torn, the older of them
 *     only while little is in the newer one. Nothing waits for the disk at the switch, least of all the loop.
 *  3. A write that failed leaves nothing behind the last good byte before the next write begins.
 *  4. A sync that failed is never repeated: the kernel may have dropped the pages and would report success. The log is then broken.
 */
import { closeSync, fdatasync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { open, stat, unlink, type FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { assert, must, StartError, StorageFullError } from '../../domain/errors.ts';
import { UNSYNCED_BYTES_MAX } from '../../domain/limits.ts';
import type { Log } from '../../ports/log.ts';
import { folderSync, isFull, makeFolder, writeAll, type FileReports, type SyncFolder } from './durable.ts';
import { checkLogHeader, createLogFile, isUnfinishedHeader, listLogFiles } from './log-file.ts';
import { LOG_HEADER_BYTES, logFilePath, logHeader } from './log-file.ts';
import { hasFrameAfter, scanFrames } from './log-scan.ts';

export type TornTail = { readonly path: string; readonly offset: number; readonly bytesCut: number };

/** The calls whose failures tests must be able to cause. */
export type LogIo = {
  writeSync(fd: number, bytes: Uint8Array, position: number): number;
  fdatasync(fd: number): Promise<void>;
};

export type FileLogOptions = FileReports & {
  readonly folder: string;
  readonly onTornTail?: (torn: TornTail) => void;
  readonly io?: LogIo;
};

/** Every later append and sync throws this: the process must end, restart and recover from what is on the disk. */
export class LogBrokenError extends Error {
  constructor(path: string, cause: unknown) {
    super(`the journal ${path} cannot be trusted any more; restart to recover from what is on the disk`, { cause });
    this.name = 'LogBrokenError';
  }
}

type Current = { readonly number: number; readonly path: string; readonly fd: number; bytes: number };
type Visit = (file: number, payload: Uint8Array) => void;

/** More than this in a file proves that the one before it was synced: so much is never unsynced. */
const SWITCH_BYTES_MAX = LOG_HEADER_BYTES + 2 * UNSYNCED_BYTES_MAX;
const fdatasyncAsync = promisify(fdatasync);

const systemIo: LogIo = {
  writeSync: (fd, bytes, position) => writeSync(fd, bytes, 0, bytes.length, position),
  fdatasync: (fd) => fdatasyncAsync(fd),
};

export async function openFileLog(options: FileLogOptions): Promise<Log> {
  const syncFolder = folderSync(options.onNoFolderSync);
  await makeFolder(options.folder, syncFolder);
  return new FileLog(options, await listLogFiles(options.folder, options.onForeignFile), syncFolder);
}

class FileLog implements Log {
  readonly #options: FileLogOptions;
  readonly #io: LogIo;
  readonly #syncFolder: SyncFolder;
  #numbers: number[];
  #current: Current | null = null;
  /** The file before the current one, until it is wholly synced. */
  #previous: Current | null = null;
  /** The file made last; a rotation that failed behind its making goes on from there. */
  #made = 0;
  #scanned = false;
  #appended = 0;
  #durable = 0;
  #flight: Promise<void> | null = null;
  #rotation: Promise<number> | null = null;
  /** A failed write may have left bytes behind the last good one that could not be cut off yet. */
  #dirtyTail = false;
  #broken: LogBrokenError | null = null;

  constructor(options: FileLogOptions, numbers: number[], syncFolder: SyncFolder) {
    this.#options = options;
    this.#io = options.io ?? systemIo;
    this.#numbers = numbers;
    this.#syncFolder = syncFolder;
  }

  async scan(visit: Visit): Promise<void> {
    assert(!this.#scanned, 'the log is scanned once');
    this.#scanned = true;
    const { folder, onTornTail } = this.#options;
    const sizes = await Promise.all(
      this.#numbers.map(async (number) => (await stat(logFilePath(folder, number))).size),
    );
    const newest = sizes.findLastIndex((size) => size > LOG_HEADER_BYTES);
    const tornFrom = (sizes[newest] ?? 0) <= SWITCH_BYTES_MAX ? newest - 1 : newest;
    for (const [index, number] of this.#numbers.entries()) {
      const path = logFilePath(folder, number);
      await scanFile({ path, number, mayBeTorn: index >= tornFrom, onTornTail }, (payload) => visit(number, payload));
    }
    if (this.#numbers.length === 0) {
      await createLogFile(folder, 1, this.#syncFolder);
      this.#numbers = [1];
    }
    this.#current = await openCurrent(folder, must(this.#numbers.at(-1), 'a log has a file'));
  }

  append(frames: Uint8Array): number {
    const file = this.#writable();
    if (this.#dirtyTail) this.#cutTail(file);
    let written = 0;
    try {
      while (written < frames.length) {
        const count = this.#io.writeSync(file.fd, frames.subarray(written), file.bytes + written);
        if (count === 0) throw Object.assign(new Error('the filesystem accepts no more bytes'), { code: 'ENOSPC' });
        written += count;
      }
    } catch (error) {
      this.#dirtyTail = true;
      if (!isFull(error)) throw this.#break(file, error);
      this.#cutTail(file);
      throw new StorageFullError(`journal ${file.path}`, error);
    }
    file.bytes += frames.length;
    this.#appended += frames.length;
    return file.number;
  }

  /** Callers share one sync under way only when it began after their append; else they share the next. */
  async sync(): Promise<void> {
    this.#writable();
    const target = this.#appended;
    while (this.#durable < target) {
      this.#flight ??= this.#flush(this.#writable());
      await this.#flight;
    }
  }

  size(): number {
    return this.#writable().bytes;
  }

  rotate(): Promise<number> {
    this.#rotation ??= this.#rotate().finally(() => (this.#rotation = null));
    return this.#rotation;
  }

  files(): readonly number[] {
    return [...this.#numbers];
  }

  /** Not synced: a file that comes back after a power loss holds only what is sealed already. */
  async remove(file: number): Promise<void> {
    assert(file !== this.#current?.number, `journal file ${file} is the current one`);
    if (!this.#numbers.includes(file)) return;
    await unlink(logFilePath(this.#options.folder, file));
    this.#numbers = this.#numbers.filter((number) => number !== file);
  }

  async close(): Promise<void> {
    await this.#rotation?.catch(() => undefined);
    const file = this.#current;
    if (file === null) return;
    try {
      if (this.#broken === null) await this.sync();
    } finally {
      await this.#flight?.catch(() => undefined);
      this.#current = null;
      closeSync(file.fd);
    }
  }

  async #rotate(): Promise<number> {
    const closed = this.#writable();
    await this.sync();
    const number = closed.number + 1;
    if (this.#made !== number) await createLogFile(this.#options.folder, number, this.#syncFolder);
    this.#made = number;
    const next = await openCurrent(this.#options.folder, number);
    // In one turn, so that the last of the files is always the current one: whatever is not current may be removed.
    this.#previous = closed;
    this.#current = next;
    this.#numbers = [...this.#numbers, number];
    await this.#syncPrevious();
    return closed.number;
  }

  /** Also when nothing was appended meanwhile: the file is closed here. */
  async #syncPrevious(): Promise<void> {
    while (this.#previous !== null) {
      this.#flight ??= this.#flush(this.#writable());
      await this.#flight;
    }
  }

  async #flush(file: Current): Promise<void> {
    const covers = this.#appended;
    const previous = this.#previous;
    try {
      if (previous !== null) {
        await this.#io.fdatasync(previous.fd);
        this.#previous = null;
        closeSync(previous.fd);
      }
      await this.#io.fdatasync(file.fd);
      this.#durable = Math.max(this.#durable, covers);
    } catch (error) {
      throw this.#break(file, error);
    } finally {
      this.#flight = null;
    }
  }

  #writable(): Current {
    if (this.#broken !== null) throw this.#broken;
    return must(this.#current, 'the log is scanned before its first use, and not used after its close');
  }

  #break(file: Current, cause: unknown): LogBrokenError {
    this.#broken ??= new LogBrokenError(file.path, cause);
    return this.#broken;
  }

  /** While the tail cannot be cut, nothing is written: remains of the failed write behind a new record would look like damage. */
  #cutTail(file: Current): void {
    try {
      ftruncateSync(file.fd, file.bytes);
      this.#dirtyTail = false;
    } catch (error) {
      throw isFull(error) ? new StorageFullError(`journal ${file.path}`, error) : this.#break(file, error);
    }
  }
}

async function openCurrent(folder: string, number: number): Promise<Current> {
  const path = logFilePath(folder, number);
  const { size } = await stat(path);
  return { number, path, fd: openSync(path, 'r+'), bytes: size };
}

type FileToScan = {
  readonly path: string;
  readonly number: number;
  readonly mayBeTorn: boolean;
  readonly onTornTail: FileLogOptions['onTornTail'];
};

async function scanFile(file: FileToScan, visit: (payload: Uint8Array) => void): Promise<void> {
  const handle = await open(file.path, 'r+');
  try {
    const { size } = await handle.stat();
    if (!(await hasHeader(handle, file, size))) return;
    const end = await scanFrames({ handle, start: LOG_HEADER_BYTES, size }, visit);
    if (end < size) await cutTornTail(handle, file, { end, size });
    // What was visited counts as durable from here on, though a killed process may not have synced it.
    if (file.mayBeTorn) await handle.sync();
  } finally {
    await handle.close();
  }
}

/** False when a crash interrupted the making of the file, which then is finished here and holds nothing. */
async function hasHeader(handle: FileHandle, file: FileToScan, size: number): Promise<boolean> {
  const bytes = Buffer.alloc(Math.min(size, LOG_HEADER_BYTES));
  await handle.read(bytes, 0, bytes.length, 0);
  if (file.mayBeTorn && size <= LOG_HEADER_BYTES && isUnfinishedHeader(bytes, file.number)) {
    await handle.truncate(0);
    await writeAll(handle, [logHeader(file.number)]);
    await handle.sync();
    file.onTornTail?.({ path: file.path, offset: 0, bytesCut: size });
    return false;
  }
  checkLogHeader(file.path, bytes, file.number);
  return true;
}

async function cutTornTail(handle: FileHandle, file: FileToScan, at: { end: number; size: number }): Promise<void> {
  if (!file.mayBeTorn || (await hasFrameAfter(handle, at.end, at.size))) {
    throw new StartError(`${file.path} is damaged at offset ${at.end} of ${at.size}`, {
      hint:
        `Restore the file. Or cut it there with "truncate -s ${at.end} ${file.path}", or move it out of the folder: ` +
        `the outcomes behind the cut, or of the whole file, that were not sealed yet are then lost, and their requests run again.`,
    });
  }
  await handle.truncate(at.end);
  await handle.sync();
  file.onTornTail?.({ path: file.path, offset: at.end, bytesCut: at.size - at.end });
}
