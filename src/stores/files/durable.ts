/** What makes files durable, shared by blobs, log and data folder: whole writes, synced folders, and errors that mean "full". */
import { closeSync, existsSync, fsync, mkdirSync, openSync, writev, writevSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { StorageFullError } from '../../domain/errors.ts';
import { WRITE_AT_ONCE_BYTES } from '../../domain/limits.ts';

export const FOLDER_MODE = 0o700;
export const FILE_MODE = 0o600;

/** Tells the outside what files alone cannot; every callback may be left out. */
export type FileReports = {
  /** A file that is not ours lies in one of our folders; it is left alone. */
  readonly onForeignFile?: (path: string) => void;
  /** This filesystem cannot sync a folder, so a power loss may undo the last renames; told once. */
  readonly onNoFolderSync?: (folder: string) => void;
};

export type SyncFolder = (folder: string) => Promise<void>;

const syncFile = promisify(fsync);

/** Some filesystems (Windows, FUSE, network shares) cannot open or sync a folder: said once, never a crash. */
export function folderSync(onNoFolderSync: FileReports['onNoFolderSync']): SyncFolder {
  let told = false;
  return async (folder) => {
    try {
      const fd = openSync(folder, 'r');
      try {
        await syncFile(fd);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      if (!cannotSyncFolders.has(codeOf(error))) throw error;
      if (!told) onNoFolderSync?.(folder);
      told = true;
    }
  };
}

const cannotSyncFolders = new Set(['EINVAL', 'EPERM', 'EACCES', 'EISDIR', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EBADF']);

/**
 * Makes a folder, and those above it that are missing; each is durable in its parent, also when it was there already, because a
 * killed process may not have come to that. Not Node's recursive mkdir: it goes round for ever where a filesystem answers ENOENT
 * under a folder that exists, as /proc does.
 */
export async function makeFolder(folder: string, syncFolder: SyncFolder): Promise<void> {
  try {
    mkdirSync(folder, { mode: FOLDER_MODE });
  } catch (error) {
    if (codeOf(error) === 'ENOENT' && !existsSync(dirname(folder))) {
      await makeFolder(dirname(folder), syncFolder);
      mkdirSync(folder, { mode: FOLDER_MODE });
    } else if (codeOf(error) !== 'EEXIST') throw error;
  }
  await syncFolder(dirname(folder));
}

/** What can be written to: a file handle, or a bare descriptor wrapped. */
export type Target = { writev(parts: readonly Uint8Array[]): Promise<{ readonly bytesWritten: number }> };

/** What is small is written at once: to the page cache that takes less than a hop to the thread pool and back. */
export function targetOf(fd: number): Target {
  return {
    writev: async (parts) => {
      const bytes = parts.reduce((sum, part) => sum + part.length, 0);
      return { bytesWritten: bytes <= WRITE_AT_ONCE_BYTES ? writevSync(fd, parts) : await writeParts(fd, parts) };
    },
  };
}

function writeParts(fd: number, parts: readonly Uint8Array[]): Promise<number> {
  return new Promise((resolve, reject) =>
    writev(fd, parts, null, (error, count) => (error ? reject(error) : resolve(count))),
  );
}

/** Writes every byte at the target's position, however short the single writes are. */
export async function writeAll(handle: Target, parts: readonly Uint8Array[]): Promise<void> {
  let rest: readonly Uint8Array[] = parts.filter((part) => part.length > 0);
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest);
    if (bytesWritten === 0) throw new Error('the filesystem accepts no more bytes');
    rest = after(rest, bytesWritten);
  }
}

function after(parts: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let skip = bytes;
  let first = 0;
  while (first < parts.length && skip >= parts[first].length) skip -= parts[first++].length;
  if (first === parts.length) return [];
  return [parts[first].subarray(skip), ...parts.slice(first + 1)];
}

/** Writes a small file whole or not at all, replacing what was there. */
export async function writeSmallFile(path: string, text: string, syncFolder: SyncFolder): Promise<void> {
  const temp = `${path}.tmp`;
  const handle = await open(temp, 'w', FILE_MODE);
  try {
    await writeAll(handle, [Buffer.from(text, 'utf8')]);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temp, path);
  await syncFolder(dirname(path));
}

export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}

/** The disk, a quota or the largest possible file is full: the same to us, for all of them work pauses. */
export function isFull(error: unknown): boolean {
  return fullCodes.has(codeOf(error));
}

const fullCodes = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** A full disk becomes StorageFullError, everything else stays as it is. */
export function orFull(what: string, error: unknown): unknown {
  return isFull(error) ? new StorageFullError(what, error) : error;
}
