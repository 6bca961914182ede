/**
 * The data folder: ours alone, readable by its owner only, locked while a process uses it, known by its node id.
 *
 *   lock.sqlite  held by `begin exclusive`: refused while another process has it, free right after a kill -9
 *   format       the version of the folder's layout
 *   node-id      who this node is to the catalog, so that after a restart it takes its own spans back
 */
import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { access, chmod, open, readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StartError } from '../../domain/errors.ts';
import { newId } from '../../domain/id.ts';
import {
  codeOf,
  FILE_MODE,
  FOLDER_MODE,
  folderSync,
  makeFolder,
  writeSmallFile,
  type FileReports,
  type SyncFolder,
} from './durable.ts';
import { listLogFiles, LOG_HEADER_BYTES, logFilePath } from './log-file.ts';

export type DataFolder = {
  readonly root: string;
  readonly nodeId: string;
  /** Where the log lives in it. */
  readonly journal: string;
  /** Frees the lock. */
  close(): void;
};

export type DataFolderReports = FileReports & {
  /** Others could read the folder (its mode was `mode`); it was closed to them. */
  readonly onPermissionsFixed?: (path: string, mode: number) => void;
};

const FORMAT_VERSION = 1;
const formatPattern = /^nightshift-data (\d+)\n?$/;
const nodeIdPattern = /^node_[a-zA-Z0-9]{1,64}\n?$/;
const OTHERS = 0o077;
const SQLITE_BUSY = 5;

export async function openDataFolder(path: string, reports: DataFolderReports = {}): Promise<DataFolder> {
  const root = resolve(path);
  const syncFolder = folderSync(reports.onNoFolderSync);
  await makeRoot(root, syncFolder);
  await closeToOthers(root, reports.onPermissionsFixed);
  const lock = await takeLock(root);
  try {
    await checkFormat(root, syncFolder);
    const journal = join(root, 'journal');
    const nodeId = await readOrMakeNodeId(root, { journal, syncFolder });
    return { root, nodeId, journal, close: () => closeLock(lock) };
  } catch (error) {
    closeLock(lock);
    throw error;
  }
}

async function makeRoot(root: string, syncFolder: SyncFolder): Promise<void> {
  try {
    await makeFolder(root, syncFolder);
    if (!(await stat(root)).isDirectory()) throw Object.assign(new Error('it is not a folder'), { code: 'ENOTDIR' });
    await access(root, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const isFile = codeOf(error) === 'EEXIST' || codeOf(error) === 'ENOTDIR';
    throw new StartError(`the data folder ${root} ${isFile ? 'is a file, or lies in one' : 'cannot be used'}`, {
      hint: isFile
        ? 'Name a folder with --data.'
        : 'Make it readable and writable for this user, or name another with --data.',
      cause: error,
    });
  }
}

/** Prompts and answers lie here. Only a folder that is empty or ours is changed: `--data /tmp` must not close /tmp to everybody. */
async function closeToOthers(root: string, onPermissionsFixed: DataFolderReports['onPermissionsFixed']): Promise<void> {
  const { mode } = await stat(root);
  if ((mode & OTHERS) === 0) return;
  const names = await readdir(root);
  if (names.length > 0 && !names.includes('format')) {
    throw new StartError(`${root} holds other files and is open to other users, so it cannot be the data folder`, {
      hint: 'Name a folder of its own with --data.',
    });
  }
  const closed = await chmod(root, FOLDER_MODE).then(
    async () => ((await stat(root)).mode & OTHERS) === 0,
    () => false,
  );
  if (!closed) {
    throw new StartError(`the data folder ${root} is open to other users (mode ${(mode & 0o777).toString(8)})`, {
      hint: `Close it as its owner with "chmod 700 ${root}", or name another with --data.`,
    });
  }
  onPermissionsFixed?.(root, mode & 0o777);
}

/** The file is never opened but by SQLite: closing any other descriptor of it would drop this process's lock. */
async function takeLock(root: string): Promise<DatabaseSync> {
  const path = join(root, 'lock.sqlite');
  let lock: DatabaseSync | null = null;
  try {
    await makePrivate(path);
    lock = new DatabaseSync(path, { timeout: 0 });
    lock.exec('begin exclusive');
    return lock;
  } catch (error) {
    lock?.close();
    if (isBusy(error)) {
      throw new StartError(`the data folder ${root} is in use by another nightshift`, {
        hint: 'Stop the other process, or name another folder with --data.',
        cause: error,
      });
    }
    throw new StartError(`the lock ${path} cannot be taken`, {
      hint: 'Make the folder writable for this user; the lock file itself holds nothing and may be deleted while no nightshift runs.',
      cause: error,
    });
  }
}

async function makePrivate(path: string): Promise<void> {
  try {
    const handle = await open(path, 'wx', FILE_MODE);
    await handle.close();
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
}

function closeLock(lock: DatabaseSync): void {
  if (lock.isOpen) lock.close();
}

async function checkFormat(root: string, syncFolder: SyncFolder): Promise<void> {
  const path = join(root, 'format');
  const text = await readIfThere(path);
  if (text === null) return writeSmallFile(path, `nightshift-data ${FORMAT_VERSION}\n`, syncFolder);
  const match = formatPattern.exec(text);
  if (match === null) {
    throw new StartError(`${path} does not say which version the data folder has`, {
      hint: `Restore the file; for a folder of this version its one line is "nightshift-data ${FORMAT_VERSION}".`,
    });
  }
  if (Number(match[1]) !== FORMAT_VERSION) {
    throw new StartError(`${path} says version ${match[1]}; this Nightshift uses version ${FORMAT_VERSION}`, {
      hint: 'Start the Nightshift that wrote it, or a newer one.',
    });
  }
}

/** Without its id a node could not seal what its journal holds: then somebody lost the file, and a new id would lose the outcomes. */
async function readOrMakeNodeId(
  root: string,
  { journal, syncFolder }: { journal: string; syncFolder: SyncFolder },
): Promise<string> {
  const path = join(root, 'node-id');
  const text = await readIfThere(path);
  if (text === null) {
    const full = await journalWithRecords(journal);
    if (full !== null) {
      throw new StartError(`${path} is missing, but ${full} holds outcomes of the node it named`, {
        hint: `Restore node-id; or move ${journal} away, which loses its outcomes that were not sealed yet, so that their requests run again.`,
      });
    }
    const nodeId = newId('node', randomBytes);
    await writeSmallFile(path, `${nodeId}\n`, syncFolder);
    return nodeId;
  }
  if (!nodeIdPattern.test(text)) {
    throw new StartError(`${path} holds no node id`, {
      hint: 'Restore the file; it is one line that begins with "node_".',
    });
  }
  return text.trim();
}

async function journalWithRecords(journal: string): Promise<string | null> {
  if ((await statIfThere(journal)) === null) return null;
  for (const number of await listLogFiles(journal)) {
    const path = logFilePath(journal, number);
    if ((await stat(path)).size > LOG_HEADER_BYTES) return path;
  }
  return null;
}

function readIfThere(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(nullIfMissing);
}

function statIfThere(path: string): Promise<Stats | null> {
  return stat(path).catch(nullIfMissing);
}

function nullIfMissing(error: unknown): null {
  if (codeOf(error) === 'ENOENT') return null;
  throw error;
}
