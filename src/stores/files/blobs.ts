/**
 * Blobs as files: root/blobs/<workspace>/<batch>/<name>, each behind a blob header.
 *
 * A put writes root/tmp/put-<uuid>.tmp, links it to its name (a link never overwrites) and syncs bytes and folders together. A killed
 * process leaves a whole blob or none; a power loss in the middle may leave a name with less behind it, which nobody was told of (B1).
 * What is left in tmp is removed at open.
 */
import { closeSync, existsSync, fdatasync, linkSync, openSync, renameSync, rmSync } from 'node:fs';
import { open, readdir, rmdir, unlink, type FileHandle } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { blobHeader, storedRange } from '../../bytes/blob-header.ts';
import { BLOB_DELETES_MAX, BLOB_FOLDERS_MAX, BLOB_HANDLES_MAX, FILE_SCAN_BYTES } from '../../domain/limits.ts';
import type { BlobListing, BlobRange, Blobs } from '../../ports/blobs.ts';
import { parseKey } from './blob-key.ts';
import { listBlobs, type ListQuery } from './blob-listing.ts';
import { codeOf, FILE_MODE, folderSync, makeFolder, orFull, targetOf, writeAll } from './durable.ts';
import type { FileReports, SyncFolder } from './durable.ts';
import { OpenFiles, type OpenFile } from './open-files.ts';

export type FileBlobsOptions = FileReports & {
  readonly root: string;
  /** Handles kept open for reading. */
  readonly handlesMax?: number;
};

/** Names are given and taken at once: a hop through the thread pool costs a turn of a busy loop, ten times the call itself. */
const syncData = promisify(fdatasync);

const tempPattern = /^put-[0-9a-f-]{36}\.tmp$/;
/** A delete may remove the emptied folder under a put of the same batch; the put then makes it again. */
const PLACE_TRIES = 3;

export async function openFileBlobs(options: FileBlobsOptions): Promise<Blobs> {
  const syncFolder = folderSync(options.onNoFolderSync);
  const temps = join(options.root, 'tmp');
  await makeFolder(options.root, syncFolder);
  await makeFolder(temps, syncFolder);
  await makeFolder(join(options.root, 'blobs'), syncFolder);
  await removeLeftovers(temps, options.onForeignFile);
  return new FileBlobs(options, syncFolder);
}

async function removeLeftovers(temps: string, onForeignFile: FileReports['onForeignFile']): Promise<void> {
  for (const entry of await readdir(temps, { withFileTypes: true })) {
    const path = join(temps, entry.name);
    if (entry.isFile() && tempPattern.test(entry.name)) await unlink(path);
    else onForeignFile?.(path);
  }
}

class FileBlobs implements Blobs {
  readonly #root: string;
  readonly #temps: string;
  readonly #syncFolder: SyncFolder;
  readonly #files: OpenFiles;
  /** Folders of workspaces and batches made (or being made) durable by this process. */
  readonly #folders = new Map<string, Promise<void>>();
  readonly #work = new Set<Promise<unknown>>();
  #closed = false;

  constructor(options: FileBlobsOptions, syncFolder: SyncFolder) {
    this.#root = join(options.root, 'blobs');
    this.#temps = join(options.root, 'tmp');
    this.#syncFolder = syncFolder;
    this.#files = new OpenFiles(options.handlesMax ?? BLOB_HANDLES_MAX, (key) => this.#pathOf(key));
  }

  put(key: string, parts: readonly Uint8Array[]): Promise<void> {
    return this.#track(async () => {
      try {
        await this.#write(key, parts);
      } catch (error) {
        throw orFull(`blob ${key}`, error);
      }
    });
  }

  get(key: string, range: BlobRange): Promise<Uint8Array> {
    return this.#track(async () => {
      parseKey(key);
      if (!isRange(range)) throw new RangeError(`blob ${key} has no range ${range.start} to ${range.end}`);
      return this.#files.with(key, (file) => readRange(key, file, range));
    });
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.#track(async () => {
      const paths = new Map(keys.map((key) => [key, this.#pathOf(key)]));
      for (let from = 0; from < keys.length; from += BLOB_DELETES_MAX) {
        await Promise.all(keys.slice(from, from + BLOB_DELETES_MAX).map((key) => unlinkIfThere(this.#pathOf(key))));
      }
      await Promise.all(keys.map((key) => this.#files.drop(key)));
      for (const folder of new Set([...paths.values()].map((path) => dirname(path)))) {
        this.#folders.delete(folder);
        await removeEmpty(folder);
      }
    });
  }

  list(query: ListQuery): Promise<readonly BlobListing[]> {
    return this.#track(() => listBlobs(this.#root, query));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#work);
    await this.#files.close();
  }

  async #write(key: string, parts: readonly Uint8Array[]): Promise<void> {
    const path = this.#pathOf(key);
    const temp = join(this.#temps, `put-${randomUUID()}.tmp`);
    const fd = openSync(temp, 'wx', FILE_MODE);
    try {
      const folder = this.#folder(dirname(path));
      // Met below; it must not count as unhandled while the bytes are written.
      folder.catch(() => undefined);
      await writeAll(targetOf(fd), [blobHeader(), ...parts]);
      const isNew = await this.#place(key, temp, path);
      await this.#sync(fd, { path, isNew });
    } finally {
      closeSync(fd);
      removeTemp(temp);
    }
  }

  /** Gives a written temp file its name; false when the very same blob has it already. */
  async #place(key: string, temp: string, path: string): Promise<boolean> {
    const folder = dirname(path);
    for (let tries = 1; ; tries++) {
      try {
        linkOnce(temp, path);
        return true;
      } catch (error) {
        if (codeOf(error) === 'EEXIST') {
          if (await sameFile(temp, path)) return false;
          throw new Error(`blob ${key} is stored already, with other bytes`, { cause: error });
        }
        if (codeOf(error) !== 'ENOENT' || tries === PLACE_TRIES) throw error;
        // It is just being made, or another's delete has removed it: then it is made again.
        await this.#folder(folder);
        if (tries > 1) this.#folders.delete(folder);
      }
    }
  }

  /** The bytes, their name and the folder's own name become durable at once: the disk's journal takes the three in one go. */
  async #sync(fd: number, { path, isNew }: { path: string; isNew: boolean }): Promise<void> {
    const folder = dirname(path);
    try {
      await Promise.all([syncData(fd), this.#folder(folder), this.#syncFolder(folder)]);
    } catch (error) {
      if (isNew) await unlinkIfThere(path).catch(() => undefined);
      throw error;
    }
  }

  /** A batch's folder, in its workspace's, which is durable already but for the first batch. */
  #folder(folder: string): Promise<void> {
    const workspace = dirname(folder);
    return this.#durableFolder(folder, () => this.#durableFolder(workspace, () => Promise.resolve()));
  }

  #durableFolder(folder: string, above: () => Promise<void>): Promise<void> {
    const known = this.#folders.get(folder);
    if (known !== undefined) return known;
    const made = above().then(() => makeFolder(folder, this.#syncFolder));
    this.#folders.set(folder, made);
    made.catch(() => this.#folders.delete(folder));
    for (const oldest of this.#folders.keys()) {
      if (this.#folders.size <= BLOB_FOLDERS_MAX) break;
      this.#folders.delete(oldest);
    }
    return made;
  }

  #pathOf(key: string): string {
    const { workspace, batch, name } = parseKey(key);
    return join(this.#root, workspace, batch, name);
  }

  async #track<T>(act: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new Error('the blobs are closed');
    const work = act();
    this.#work.add(work);
    try {
      return await work;
    } finally {
      this.#work.delete(work);
    }
  }
}

/** What cannot be removed now is removed at the next open. */
function removeTemp(temp: string): void {
  try {
    rmSync(temp, { force: true });
  } catch {
    // The put has succeeded or failed already; a file left behind changes neither.
  }
}

/** Fails with EEXIST where the name is taken. Without hard links a look and a rename, in one turn, serve: the folder's lock keeps other processes out. */
function linkOnce(temp: string, path: string): void {
  try {
    linkSync(temp, path);
  } catch (error) {
    if (!noHardLinks.has(codeOf(error))) throw error;
    if (existsSync(path)) throw Object.assign(new Error(`${path} exists`), { code: 'EEXIST' });
    renameSync(temp, path);
  }
}

const noHardLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

async function readRange(key: string, file: OpenFile, range: BlobRange): Promise<Uint8Array> {
  const stored = storedRange(file.layout, range);
  const bytes = Buffer.allocUnsafe(stored.end - stored.start);
  const length = await readFully(file.handle, bytes, stored.start);
  if (length < bytes.length) {
    throw new Error(`blob ${key} is shorter than the ${range.end} bytes asked for`);
  }
  return bytes;
}

/** Reads until the buffer is full or the file ends; returns how many bytes there were. */
async function readFully(handle: FileHandle, into: Buffer, position: number): Promise<number> {
  let length = 0;
  while (length < into.length) {
    const { bytesRead } = await handle.read(into, length, into.length - length, position + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length;
}

async function sameFile(one: string, other: string): Promise<boolean> {
  const first = await open(one, 'r');
  try {
    const second = await open(other, 'r');
    try {
      return await sameBytes(first, second);
    } finally {
      await second.close();
    }
  } finally {
    await first.close();
  }
}

async function sameBytes(first: FileHandle, second: FileHandle): Promise<boolean> {
  const a = Buffer.allocUnsafe(FILE_SCAN_BYTES);
  const b = Buffer.allocUnsafe(FILE_SCAN_BYTES);
  for (let position = 0; ; position += FILE_SCAN_BYTES) {
    const length = await readFully(first, a, position);
    if (length !== (await readFully(second, b, position))) return false;
    if (!a.subarray(0, length).equals(b.subarray(0, length))) return false;
    if (length < FILE_SCAN_BYTES) return true;
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error;
  }
}

async function removeEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    if (!stillUsed.has(codeOf(error))) throw error;
  }
}

const stillUsed = new Set(['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR']);

function isRange({ start, end }: BlobRange): boolean {
  return Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end >= start;
}
