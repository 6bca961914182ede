/** The blobs open for reading: the latest used stay open, because opening costs more than a small read. */
import { open, type FileHandle } from 'node:fs/promises';
import { BLOB_HEADER_BYTES, readBlobHeader, type BlobLayout } from '../../bytes/blob-header.ts';
import { BlobMissingError } from '../../ports/blobs.ts';
import { codeOf } from './durable.ts';

export type OpenFile = { readonly handle: FileHandle; readonly layout: BlobLayout };

type Entry = { readonly file: Promise<OpenFile>; uses: number; dropped: boolean };

export class OpenFiles {
  readonly #max: number;
  readonly #pathOf: (key: string) => string;
  /** In the order of last use: a Map keeps the order of insertion. */
  readonly #entries = new Map<string, Entry>();

  constructor(max: number, pathOf: (key: string) => string) {
    this.#max = max;
    this.#pathOf = pathOf;
  }

  /** Lends the open file to `use`; it is not closed before that is done. */
  async with<T>(key: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
    const entry = this.#take(key);
    try {
      return await use(await entry.file);
    } catch (error) {
      await this.drop(key, entry);
      throw error;
    } finally {
      entry.uses -= 1;
      if (entry.dropped && entry.uses === 0) await closeEntry(entry);
      await this.#shrink();
    }
  }

  /** Forgets a file; its handle is closed when nobody uses it any more. */
  drop(key: string, only?: Entry): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry === undefined || (only !== undefined && only !== entry)) return Promise.resolve();
    this.#entries.delete(key);
    entry.dropped = true;
    return entry.uses === 0 ? closeEntry(entry) : Promise.resolve();
  }

  /** Drops everything; files in use close when they are given back. */
  async close(): Promise<void> {
    await Promise.all([...this.#entries.keys()].map((key) => this.drop(key)));
  }

  get size(): number {
    return this.#entries.size;
  }

  #take(key: string): Entry {
    const known = this.#entries.get(key);
    const entry = known ?? { file: openBlob(key, this.#pathOf(key)), uses: 0, dropped: false };
    entry.uses += 1;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  async #shrink(): Promise<void> {
    if (this.#entries.size <= this.#max) return;
    for (const [key, entry] of this.#entries) {
      if (entry.uses > 0) continue;
      await this.drop(key);
      if (this.#entries.size <= this.#max) return;
    }
  }
}

async function openBlob(key: string, path: string): Promise<OpenFile> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR' ? new BlobMissingError(key, error) : error;
  });
  try {
    const header = Buffer.alloc(BLOB_HEADER_BYTES);
    const { bytesRead } = await handle.read(header, 0, BLOB_HEADER_BYTES, 0);
    return { handle, layout: readBlobHeader(key, header.subarray(0, bytesRead)) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** A file that could not be opened has told its readers so; there is nothing to close. */
async function closeEntry(entry: Entry): Promise<void> {
  const file = await entry.file.catch(() => null);
  await file?.handle.close();
}
