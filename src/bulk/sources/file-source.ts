/** Rows of a file of text in any of the record formats: all of them in order, or some again from their places. */
import type { FileHandle } from 'node:fs/promises';
import { INPUT_REREAD_BYTES, INPUT_ROW_BYTES_MAX, INPUT_WINDOW_BYTES } from '../limits.ts';
import type { Place, Source, SourceIdentity, SourceRow } from '../contract.ts';
import { identityOfFile } from './identity.ts';
import { InputError } from './input-error.ts';
import { type Cursor, type RecordFormat, type Window, windowOf } from './record-format.ts';

export type OpenFile = {
  readonly name: string;
  readonly path: string;
  readonly handle: FileHandle;
  readonly size: number;
};

export class FileSource implements Source {
  readonly columns: readonly string[] | null;
  readonly #file: OpenFile;
  readonly #format: RecordFormat;
  readonly #first: Place;

  /** `first`: where rows begin, behind a byte order mark and a header. */
  constructor(file: OpenFile, options: { readonly format: RecordFormat; readonly first: Place }) {
    this.columns = options.format.columns;
    this.#file = file;
    this.#format = options.format;
    this.#first = options.first;
  }

  identity(): Promise<SourceIdentity> {
    return identityOfFile(this.#file.path, this.#format.kind);
  }

  async *rows(): AsyncGenerator<readonly SourceRow[]> {
    const cursor: Cursor = { at: 0, line: this.#first.line ?? 1, row: null, fault: null };
    let offset = this.#first.offset;
    let bytes = INPUT_WINDOW_BYTES;
    let seq = 0;
    for (;;) {
      const window = await readWindow(this.#file, { offset, bytes });
      const group = this.#group(window, cursor, seq);
      seq += group.length;
      if (group.length > 0) yield group;
      if (window.final) return;
      bytes = cursor.at === 0 ? this.#grown(bytes, cursor.line) : INPUT_WINDOW_BYTES;
      offset += cursor.at;
    }
  }

  async *read(points: readonly { readonly seq: number; readonly place: Place }[]): AsyncGenerator<SourceRow> {
    const cursor: Cursor = { at: 0, line: 1, row: null, fault: null };
    let window: Window | null = null;
    for (const { seq, place } of points) {
      let bytes = INPUT_REREAD_BYTES;
      for (;;) {
        if (window === null || place.offset < window.offset || place.offset >= window.offset + window.bytes.length) {
          window = await readWindow(this.#file, { offset: place.offset, bytes });
        }
        cursor.at = place.offset - window.offset;
        cursor.line = place.line ?? 1;
        const step = this.#next(window, cursor);
        if (step === 'record') break;
        if (step !== 'more') throw new InputError(`${this.#file.name} has changed: no row at byte ${place.offset}`);
        if (window.offset === place.offset) bytes = this.#grown(window.bytes.length, cursor.line);
        window = null;
      }
      yield rowAt(cursor, { seq, place });
    }
  }

  async close(): Promise<void> {
    await this.#file.handle.close();
  }

  /** All records that are whole in the window; the cursor then stands behind the last. */
  #group(window: Window, cursor: Cursor, firstSeq: number): readonly SourceRow[] {
    const group: SourceRow[] = [];
    cursor.at = 0;
    for (;;) {
      const { at, line } = cursor;
      const step = this.#next(window, cursor);
      if (step === 'record') {
        group.push(rowAt(cursor, { seq: firstSeq + group.length, place: { offset: window.offset + at, line } }));
      } else if (step !== 'blank') {
        cursor.at = at;
        cursor.line = line;
        return group;
      }
    }
  }

  #next(window: Window, cursor: Cursor): ReturnType<RecordFormat['next']> {
    try {
      return this.#format.next(window, cursor);
    } catch (error) {
      throw error instanceof InputError
        ? new InputError(`${this.#file.name}, ${error.message}`, { cause: error })
        : error;
    }
  }

  #grown(bytes: number, line: number): number {
    if (bytes < INPUT_ROW_BYTES_MAX) return bytes * 2;
    const most = INPUT_ROW_BYTES_MAX / 1_048_576;
    throw new InputError(
      `${this.#file.name}, line ${line}: a row of more than ${most} MiB (is a quote or a line end missing?)`,
    );
  }
}

export async function readWindow(
  file: OpenFile,
  at: { readonly offset: number; readonly bytes: number },
): Promise<Window> {
  const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(at.bytes, file.size - at.offset)));
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await file.handle.read(buffer, filled, buffer.length - filled, at.offset + filled);
    if (bytesRead === 0) throw new InputError(`${file.name} has become shorter while it was read`);
    filled += bytesRead;
  }
  return windowOf(buffer, { offset: at.offset, final: at.offset + buffer.length >= file.size });
}

function rowAt(cursor: Cursor, at: { readonly seq: number; readonly place: Place }): SourceRow {
  const { row, fault } = cursor;
  return row === null ? { ...at, row, fault: fault ?? 'not readable' } : { ...at, row, fault: null };
}
