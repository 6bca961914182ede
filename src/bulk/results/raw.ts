/**
 * Results as they were downloaded, byte for byte, before anything is made of them: a file of independent zstd frames of about 1 MB, each a
 * whole number of lines. Before each stands a skippable frame with its sizes, so that a line is one seek, and zstd's own tool or DuckDB read
 * the file as it is (Node's one-shot functions stop after a file's first frame).
 *
 *     file  = (head frame)*            head = magic · 8 · packed bytes · plain bytes   (four little-endian numbers)
 *
 * A file being written is `NAME.part`; it gets its name when all is on the disk. What a cut download left in it is kept up to the last
 * whole line of the last whole frame; the rest is asked for again.
 */
import { open, rename, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress, type ZstdOptions } from 'node:zlib';
import { LINE_FEED } from '../../bytes/ascii.ts';
import { validateText } from '../../bytes/json.ts';
import type { RawPlace } from '../contract.ts';
import { RAW_FRAME_BYTES, RAW_LINE_BYTES_MAX } from '../limits.ts';

export type RawFile = { readonly path: string; readonly batchId: string };

/** A line without its end; the bytes are a view of its frame. */
export type RawLine = { readonly bytes: Buffer; readonly place: RawPlace };

const HEAD_MAGIC = 0x184d2a5e;
const HEAD_BYTES = 16;
/** The head's own payload: the two sizes. */
const HEAD_PAYLOAD_BYTES = 8;
/** No frame is larger: one longest line, and what had gathered before it ended. */
const FRAME_BYTES_MAX = 2 * RAW_LINE_BYTES_MAX;
const LEVEL = 3;
/** The least that zlib takes for a piece of its output. */
const CHUNK_BYTES_MIN = 1_024;

const compress: (bytes: Uint8Array, options: ZstdOptions) => Promise<Buffer> = promisify(zstdCompress);
const decompress: (bytes: Uint8Array, options: ZstdOptions) => Promise<Buffer> = promisify(zstdDecompress);

export class RawWriter {
  readonly #file: FileHandle;
  readonly #path: string;
  /** What has come and is in no frame yet; the first `#whole` bytes of it are whole lines. */
  #chunks: Uint8Array[] = [];
  #held = 0;
  #whole = 0;
  #offset: number;
  #kept: number;
  #writing: Promise<void> = Promise.resolve();

  /** Goes on where an earlier download of the same results was cut, if there was one. */
  static async open({ path }: Pick<RawFile, 'path'>): Promise<RawWriter> {
    const file = await openPart(partOf(path));
    const sound = await soundPart(file);
    await file.truncate(sound.end);
    return new RawWriter({ file, path, ...sound });
  }

  private constructor({ file, path, end, plain }: { file: FileHandle; path: string; end: number; plain: number }) {
    this.#file = file;
    this.#path = path;
    this.#offset = end;
    this.#kept = plain;
  }

  /** Bytes of the download that are kept, all of them whole lines: the download goes on from here. */
  get from(): number {
    return this.#kept;
  }

  /** Begins again from the first byte, for a server that does not send the rest. */
  async restart(): Promise<void> {
    await this.#writing;
    this.#forget();
    await this.#file.truncate(0);
    this.#offset = 0;
    this.#kept = 0;
  }

  /** Takes the next bytes of the download; the writer keeps them until they are written, so they must not change. */
  async push(chunk: Uint8Array): Promise<void> {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    const lineEnd = chunk.lastIndexOf(LINE_FEED);
    if (lineEnd >= 0) this.#whole = this.#held - chunk.length + lineEnd + 1;
    if (this.#held - this.#whole > RAW_LINE_BYTES_MAX) throw new Error('a line of the results does not end');
    if (this.#whole >= RAW_FRAME_BYTES) await this.#flush();
  }

  /** Keeps a download that was cut as far as it came; the last line goes if it had no end. */
  async detach(): Promise<void> {
    try {
      await this.#flush();
      await this.#writing;
      await this.#file.sync();
    } finally {
      await this.#file.close();
    }
  }

  /** The download is complete: all is on the disk, under its name. False when its last line is only a part of one; then it is kept as by `detach`. */
  async finish(): Promise<boolean> {
    const rest = Buffer.concat(this.#chunks).subarray(this.#whole);
    // A part of an object is never an object: a last line that is one only lacks its line end.
    const isWhole = rest.length === 0 || isJson(rest);
    if (isWhole) this.#whole = this.#held;
    await this.detach();
    if (!isWhole) return false;
    await rename(partOf(this.#path), this.#path);
    await syncFolder(dirname(this.#path));
    return true;
  }

  async #flush(): Promise<void> {
    if (this.#whole === 0) return;
    const all = Buffer.concat(this.#chunks, this.#held);
    const plain = all.subarray(0, this.#whole);
    const rest = Buffer.from(all.subarray(this.#whole));
    this.#forget();
    if (rest.length > 0) this.#chunks.push(rest);
    this.#held = rest.length;
    // The frame is packed on another thread while more is received; only one waits, so memory stays that of two frames.
    const packed = compress(plain, {
      chunkSize: Math.max(CHUNK_BYTES_MIN, plain.length),
      params: { [constants.ZSTD_c_compressionLevel]: LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
    });
    packed.catch(() => {});
    await this.#writing;
    this.#writing = packed.then((bytes) => this.#write(bytes, plain.length));
    this.#writing.catch(() => {});
  }

  #forget(): void {
    this.#chunks = [];
    this.#held = 0;
    this.#whole = 0;
  }

  async #write(packed: Buffer, plainBytes: number): Promise<void> {
    const head = Buffer.allocUnsafe(HEAD_BYTES);
    head.writeUInt32LE(HEAD_MAGIC, 0);
    head.writeUInt32LE(HEAD_PAYLOAD_BYTES, 4);
    head.writeUInt32LE(packed.length, 8);
    head.writeUInt32LE(plainBytes, 12);
    await writeAll(this.#file, Buffer.concat([head, packed]), this.#offset);
    this.#offset += HEAD_BYTES + packed.length;
    this.#kept += plainBytes;
  }
}

/** All lines of a finished file, a frame at a time, from a frame on; the next frame is unpacked while one is looked at. */
export async function* readRaw({
  path,
  batchId,
  fromFrame = 0,
}: RawFile & { readonly fromFrame?: number }): AsyncGenerator<readonly RawLine[]> {
  const file = await open(path, 'r');
  try {
    let next: Promise<Frame | null> = readFrame(file, fromFrame);
    for (;;) {
      const frame = await next;
      if (frame === null) return;
      next = readFrame(file, frame.end);
      next.catch(() => {});
      yield linesOf(frame, batchId);
    }
  } finally {
    await file.close();
  }
}

/** One line by its place. */
export async function readRawLine({
  path,
  place,
}: {
  readonly path: string;
  readonly place: RawPlace;
}): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    return lineAt(await readRawFrame(file, place.frameOffset), place);
  } finally {
    await file.close();
  }
}

/** The plain bytes of the frame at an offset. */
export async function readRawFrame(file: FileHandle, offset: number): Promise<Buffer> {
  const frame = await readFrame(file, offset);
  if (frame === null) throw new Error(`raw results end before byte ${offset}`);
  return frame.plain;
}

export function lineAt(plain: Buffer, { offset, bytes }: RawPlace): Buffer {
  if (offset + bytes > plain.length) throw new Error(`a frame of raw results ends before byte ${offset + bytes}`);
  return plain.subarray(offset, offset + bytes);
}

type Frame = { readonly offset: number; readonly end: number; readonly plain: Buffer };

/** Null at the end of the file; throws when what is there is no whole frame. */
async function readFrame(file: FileHandle, offset: number): Promise<Frame | null> {
  const head = await readAll(file, { offset, bytes: HEAD_BYTES });
  if (head.length === 0) return null;
  const sizes = sizesOf(head);
  const packed = sizes === null ? null : await readAll(file, { offset: offset + HEAD_BYTES, bytes: sizes.packed });
  if (sizes === null || packed === null || packed.length < sizes.packed)
    throw new Error(`damaged raw results at byte ${offset}`);
  // In one piece: the pieces of the default size would each be a turn of the loop, and then be copied together.
  const plain = await decompress(packed, {
    chunkSize: Math.max(CHUNK_BYTES_MIN, sizes.plain),
    maxOutputLength: sizes.plain,
  });
  if (plain.length !== sizes.plain) throw new Error(`damaged raw results at byte ${offset}`);
  return { offset, end: offset + HEAD_BYTES + sizes.packed, plain };
}

function sizesOf(head: Buffer): { packed: number; plain: number } | null {
  if (head.length < HEAD_BYTES || head.readUInt32LE(0) !== HEAD_MAGIC || head.readUInt32LE(4) !== HEAD_PAYLOAD_BYTES)
    return null;
  const packed = head.readUInt32LE(8);
  const plain = head.readUInt32LE(12);
  return packed > 0 && packed <= FRAME_BYTES_MAX && plain > 0 && plain <= FRAME_BYTES_MAX ? { packed, plain } : null;
}

function linesOf({ offset: frameOffset, plain }: Frame, batchId: string): RawLine[] {
  const lines: RawLine[] = [];
  for (let at = 0; at < plain.length;) {
    const found = plain.indexOf(LINE_FEED, at);
    const end = found < 0 ? plain.length : found;
    if (end > at)
      lines.push({ bytes: plain.subarray(at, end), place: { batchId, frameOffset, offset: at, bytes: end - at } });
    at = end + 1;
  }
  return lines;
}

/** How far a file begun earlier can be trusted; after a loss of power any part of it may be missing, so every frame is unpacked. */
async function soundPart(file: FileHandle): Promise<{ end: number; plain: number }> {
  let end = 0;
  let plain = 0;
  for (;;) {
    const frame = await readFrame(file, end).catch(() => null);
    if (frame === null) return { end, plain };
    end = frame.end;
    plain += frame.plain.length;
  }
}

function isJson(bytes: Buffer): boolean {
  try {
    validateText(bytes, 0, bytes.length);
    return true;
  } catch {
    return bytes.every((byte) => byte <= 0x20);
  }
}

function partOf(path: string): string {
  return `${path}.part`;
}

async function openPart(path: string): Promise<FileHandle> {
  const exists = await stat(path).then(
    () => true,
    () => false,
  );
  return open(path, exists ? 'r+' : 'w+', 0o600);
}

async function readAll(file: FileHandle, { offset, bytes }: { offset: number; bytes: number }): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  let length = 0;
  while (length < bytes) {
    const { bytesRead } = await file.read(buffer, length, bytes - length, offset + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

async function writeAll(file: FileHandle, bytes: Buffer, offset: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, offset + written);
    written += bytesWritten;
  }
}

/** Makes the new name durable; some platforms cannot, and lose nothing but a download by it. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => null);
  await handle?.sync().catch(() => {});
  await handle?.close();
}
