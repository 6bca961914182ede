/** Where an output's bytes go: a file that gets its name only when it is whole, or standard output. */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Writable } from 'node:stream';
import { OutputClosedError, OutputError } from './output-error.ts';

export interface Destination {
  write(bytes: string | Uint8Array): Promise<void>;
  finish(): Promise<void>;
  abandon(): Promise<void>;
}

export function partOf(path: string): string {
  return `${path}.part`;
}

export async function fileDestination(path: string): Promise<Destination> {
  return new FileDestination(path, await openPart(path));
}

/** Gives a whole part its name; a power cut later finds either the old file or the new one. */
export async function settle(path: string): Promise<void> {
  await withName(path, async () => {
    await synced(partOf(path), 'r+');
    await rename(partOf(path), path);
    await synced(dirname(path), 'r');
  });
}

/** Errors of the file system, with the name of the output. */
export async function withName<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof OutputError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT' ? `there is no folder ${dirname(path)}` : code === 'ENOSPC' ? 'the disk is full' : message;
    throw new OutputError(`${path} cannot be written: ${why}`, { cause: error });
  }
}

class FileDestination implements Destination {
  readonly #path: string;
  readonly #part: FileHandle;

  constructor(path: string, part: FileHandle) {
    this.#path = path;
    this.#part = part;
  }

  write(bytes: string | Uint8Array): Promise<void> {
    return withName(this.#path, () => this.#part.appendFile(bytes));
  }

  async finish(): Promise<void> {
    await this.#part.close();
    await settle(this.#path);
  }

  async abandon(): Promise<void> {
    await this.#part.close();
    await rm(partOf(this.#path), { force: true });
  }
}

/** Waits for each write, so that a slow reader slows us and not our memory. */
export function streamDestination(stream: Writable): Destination {
  let failure: Error | null = null;
  const onError = (error: Error): void => {
    failure = error;
  };
  stream.on('error', onError);
  return {
    async write(bytes) {
      if (failure !== null) throw asClosed(failure);
      await new Promise<void>((resolve, reject) => {
        stream.write(bytes, (error) => (error == null ? resolve() : reject(asClosed(error))));
      });
    },
    async finish() {
      stream.off('error', onError);
    },
    // The listener stays: a pipe that broke may say so once more.
    async abandon() {},
  };
}

function asClosed(error: Error): Error {
  const { code } = error as NodeJS.ErrnoException;
  const closed =
    code === 'EPIPE' ||
    code === 'ECONNRESET' ||
    code === 'ERR_STREAM_DESTROYED' ||
    code === 'ERR_STREAM_WRITE_AFTER_END';
  return closed ? new OutputClosedError({ cause: error }) : new OutputError(error.message, { cause: error });
}

function openPart(path: string): Promise<FileHandle> {
  return withName(path, () => open(partOf(path), 'w'));
}

async function synced(path: string, flags: string): Promise<void> {
  const handle = await open(path, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
