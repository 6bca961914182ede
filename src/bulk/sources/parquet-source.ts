/** Parquet, a row group at a time. A place is a row's number; the last group stays decoded for rows read again. */
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  type SchemaElement,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { Place, Row, Source, SourceIdentity, SourceRow } from '../contract.ts';
import { INPUT_GROUP_ROWS } from '../limits.ts';
import { identityOfFile } from './identity.ts';
import { InputError } from './input-error.ts';
import { plainValue } from './plain-value.ts';

type Group = { readonly start: number; readonly end: number };
type Decoded = Group & { readonly rows: readonly Row[] };

export async function openParquet(path: string): Promise<Source> {
  const handle = await open(path, 'r').catch((error: Error) => {
    throw new InputError(`${path} cannot be read: ${error.message}`, { cause: error });
  });
  try {
    const file = await fileBuffer(handle);
    return new ParquetSource({ path, handle, file, metadata: await parquetMetadataAsync(file) });
  } catch (error) {
    await handle.close();
    throw new InputError(`${basename(path)} is not a Parquet file that can be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

class ParquetSource implements Source {
  readonly columns: readonly string[];
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #file: AsyncBuffer;
  readonly #metadata: FileMetaData;
  readonly #groups: readonly Group[];
  readonly #decimals: ReadonlyMap<string, number>;
  #last: Decoded | null = null;

  constructor(from: {
    readonly path: string;
    readonly handle: FileHandle;
    readonly file: AsyncBuffer;
    readonly metadata: FileMetaData;
  }) {
    this.#path = from.path;
    this.#handle = from.handle;
    this.#file = from.file;
    this.#metadata = from.metadata;
    this.#groups = groupsOf(from.metadata);
    const top = topLevel(from.metadata.schema);
    this.columns = top.map((element) => element.name);
    this.#decimals = new Map(
      top
        .filter((element) => element.converted_type === 'DECIMAL')
        .map((element) => [element.name, element.scale ?? 0]),
    );
  }

  identity(): Promise<SourceIdentity> {
    return identityOfFile(this.#path, 'parquet');
  }

  async *rows(): AsyncGenerator<readonly SourceRow[]> {
    for (const group of this.#groups) {
      const { rows, start } = await this.#decode(group);
      for (let from = 0; from < rows.length; from += INPUT_GROUP_ROWS) {
        yield rows.slice(from, from + INPUT_GROUP_ROWS).map((row, index) => {
          const seq = start + from + index;
          return { seq, place: { offset: seq, line: null }, row, fault: null };
        });
      }
    }
  }

  async *read(points: readonly { readonly seq: number; readonly place: Place }[]): AsyncGenerator<SourceRow> {
    for (const { seq, place } of points) {
      const group = this.#groups.find(({ start, end }) => place.offset >= start && place.offset < end);
      if (group === undefined) throw new InputError(`${basename(this.#path)} has changed: no row ${place.offset + 1}`);
      const { rows, start } = await this.#decode(group);
      yield { seq, place, row: rows[place.offset - start]!, fault: null };
    }
  }

  async close(): Promise<void> {
    this.#last = null;
    await this.#handle.close();
  }

  async #decode({ start, end }: Group): Promise<Decoded> {
    if (this.#last?.start === start) return this.#last;
    this.#last = null;
    const objects = await parquetReadObjects({
      file: this.#file,
      metadata: this.#metadata,
      rowStart: start,
      rowEnd: end,
      compressors,
      utf8: false,
      parsers: { dateFromDays, timestampFromMilliseconds, timestampFromMicroseconds, timestampFromNanoseconds },
    });
    for (const row of objects) this.#makePlain(row);
    this.#last = { start, end, rows: objects };
    return this.#last;
  }

  #makePlain(row: Record<string, unknown>): void {
    for (const name of this.columns) {
      const value = row[name];
      if (typeof value === 'string' || typeof value === 'boolean') continue;
      const scale = typeof value === 'number' ? this.#decimals.get(name) : undefined;
      row[name] = scale === undefined ? plainValue(value) : Number((value as number).toFixed(scale));
    }
  }
}

function groupsOf(metadata: FileMetaData): readonly Group[] {
  let start = 0;
  return metadata.row_groups.map((group) => {
    const one = { start, end: start + Number(group.num_rows) };
    start = one.end;
    return one;
  });
}

/** The schema is a list in depth-first order; a column's own parts follow it. */
function topLevel(schema: readonly SchemaElement[]): readonly SchemaElement[] {
  const found: SchemaElement[] = [];
  let at = 1;
  const skip = (): void => {
    const parts = schema[at]?.num_children ?? 0;
    at += 1;
    for (let index = 0; index < parts; index += 1) skip();
  };
  while (at < schema.length) {
    found.push(schema[at]!);
    skip();
  }
  return found;
}

async function fileBuffer(handle: FileHandle): Promise<AsyncBuffer> {
  const { size } = await handle.stat();
  return {
    byteLength: size,
    async slice(start, end = size) {
      const buffer = new ArrayBuffer(Math.max(0, end - start));
      const view = new Uint8Array(buffer);
      for (let filled = 0; filled < view.length;) {
        const { bytesRead } = await handle.read(view, filled, view.length - filled, start + filled);
        if (bytesRead === 0) throw new InputError('the file has become shorter while it was read');
        filled += bytesRead;
      }
      return buffer;
    },
  };
}

// Dates as people write them; a template prints them as they stand here.
function dateFromDays(days: number): string {
  return new Date(days * 86_400_000).toISOString().slice(0, 10);
}

function timestampFromMilliseconds(millis: bigint): string {
  return new Date(Number(millis)).toISOString();
}

function timestampFromMicroseconds(micros: bigint): string {
  return timestamp(micros, 1_000n, 3);
}

function timestampFromNanoseconds(nanos: bigint): string {
  return timestamp(nanos, 1_000_000n, 6);
}

/** `parts` of a millisecond in `digits` digits, which are told only where there are any. */
function timestamp(value: bigint, parts: bigint, digits: number): string {
  const rest = ((value % parts) + parts) % parts;
  const iso = new Date(Number((value - rest) / parts)).toISOString();
  return rest === 0n ? iso : `${iso.slice(0, -1)}${String(rest).padStart(digits, '0')}Z`;
}
