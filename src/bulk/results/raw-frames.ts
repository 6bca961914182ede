/** Frames of many raw files, unpacked once while they are wanted: rows in the order of the input jump between the batches they went with. */
import { open, type FileHandle } from 'node:fs/promises';
import { RAW_CACHE_BYTES, RAW_FILES_OPEN_MAX } from '../limits.ts';
import { readRawFrame } from './raw.ts';

export class RawFrames {
  readonly #pathOf: (batchId: string) => string;
  /** Least recently used first, as a Map keeps them. */
  readonly #frames = new Map<string, Promise<Buffer>>();
  readonly #sizes = new Map<string, number>();
  readonly #files = new Map<string, Promise<FileHandle>>();
  #bytes = 0;

  readonly #bytesMax: number;

  constructor(pathOf: (batchId: string) => string, bytesMax: number = RAW_CACHE_BYTES) {
    this.#pathOf = pathOf;
    this.#bytesMax = bytesMax;
  }

  /** Unpacked and kept now. */
  get bytes(): number {
    return this.#bytes;
  }

  frame(batchId: string, offset: number): Promise<Buffer> {
    const name = `${batchId} ${offset}`;
    const known = this.#frames.get(name);
    if (known !== undefined) {
      this.#frames.delete(name);
      this.#frames.set(name, known);
      return known;
    }
    const reading = this.#read(batchId, offset).then(
      (plain) => this.#keep(name, plain),
      (error: unknown) => {
        this.#frames.delete(name);
        throw error;
      },
    );
    reading.catch(() => {});
    this.#frames.set(name, reading);
    return reading;
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#frames.values());
    this.#frames.clear();
    const files = [...this.#files.values()];
    this.#files.clear();
    for (const file of files) await (await file.catch(() => null))?.close();
  }

  #keep(name: string, plain: Buffer): Buffer {
    this.#sizes.set(name, plain.length);
    this.#bytes += plain.length;
    for (const oldest of this.#frames.keys()) {
      if (this.#bytes <= this.#bytesMax || oldest === name) break;
      const size = this.#sizes.get(oldest);
      if (size === undefined) continue;
      this.#bytes -= size;
      this.#sizes.delete(oldest);
      this.#frames.delete(oldest);
    }
    return plain;
  }

  async #read(batchId: string, offset: number): Promise<Buffer> {
    if (this.#files.size >= RAW_FILES_OPEN_MAX && !this.#files.has(batchId)) return this.#readAlone(batchId, offset);
    let file = this.#files.get(batchId);
    if (file === undefined) this.#files.set(batchId, (file = open(this.#pathOf(batchId), 'r')));
    return readRawFrame(await file, offset);
  }

  async #readAlone(batchId: string, offset: number): Promise<Buffer> {
    const file = await open(this.#pathOf(batchId), 'r');
    try {
      return await readRawFrame(file, offset);
    } finally {
      await file.close();
    }
  }
}
