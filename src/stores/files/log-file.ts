/**
 * One file of the log: its name, journal-000000000001.log, and the 16 bytes it begins with.
 *
 *   0 magic "nsjrnl\r\n" · 8 version (u16 LE) · 10 the file's number (u48 LE)
 *
 * A file is made whole, header and folder synced, before the first record goes into it.
 */
import { open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { StartError } from '../../domain/errors.ts';
import { FILE_MODE, orFull, writeAll, type SyncFolder } from './durable.ts';

export const LOG_HEADER_BYTES = 16;

const MAGIC = Buffer.from('nsjrnl\r\n', 'latin1');
const VERSION = 1;
const namePattern = /^journal-(\d{12})\.log$/;

export function logFilePath(folder: string, number: number): string {
  return join(folder, `journal-${String(number).padStart(12, '0')}.log`);
}

/** The numbers of the log's files, ascending; gaps are legal because files are removed in any order. */
export async function listLogFiles(folder: string, onForeignFile?: (path: string) => void): Promise<number[]> {
  const numbers: number[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const match = namePattern.exec(entry.name);
    if (entry.isFile() && match !== null) numbers.push(Number(match[1]));
    else onForeignFile?.(join(folder, entry.name));
  }
  return numbers.sort((a, b) => a - b);
}

export async function createLogFile(folder: string, number: number, syncFolder: SyncFolder): Promise<void> {
  const path = logFilePath(folder, number);
  const handle = await open(path, 'wx', FILE_MODE);
  try {
    await writeAll(handle, [logHeader(number)]);
    await handle.sync();
    await syncFolder(folder);
  } catch (error) {
    await unlink(path).catch(() => undefined); // What stays is an empty newest file, which a start accepts.
    throw orFull(path, error);
  } finally {
    await handle.close();
  }
}

export function logHeader(number: number): Buffer {
  const header = Buffer.alloc(LOG_HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt16LE(VERSION, 8);
  header.writeUIntLE(number, 10, 6);
  return header;
}

/** Whether the bytes are what a crash leaves of a file that was just being made: part of its header, and zeros. */
export function isUnfinishedHeader(bytes: Buffer, number: number): boolean {
  const expected = logHeader(number);
  return !bytes.equals(expected) && bytes.every((byte, index) => byte === 0 || byte === expected[index]);
}

/** Refuses a file this version did not write. */
export function checkLogHeader(path: string, bytes: Buffer, number: number): void {
  const away = `Restore the file, or move it out of the folder: its outcomes that were not sealed yet are then lost and run again.`;
  if (bytes.length < LOG_HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new StartError(`${path} is damaged at offset 0: it does not begin like a journal file`, { hint: away });
  }
  const version = bytes.readUInt16LE(8);
  if (version !== VERSION) {
    throw new StartError(`${path} has format version ${version}; this Nightshift reads version ${VERSION}`, {
      hint: 'Start the Nightshift that wrote it, or a newer one.',
    });
  }
  const stored = bytes.readUIntLE(10, 6);
  if (stored !== number) {
    throw new StartError(`${path} is damaged at offset 10: inside it is file number ${stored}, so it was renamed`, {
      hint: `Give it its name back (${logFilePath('', stored)}), or move it out of the folder.`,
    });
  }
}
