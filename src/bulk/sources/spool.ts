/**
 * Rows that cannot be read twice (standard input, compressed files, queries) are kept in the run's own folder as they were read, so
 * that a resume sees the same rows and needs neither the pipe nor the database again. `origin.json` is written last: where it is,
 * the spool is whole.
 */
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Place, Row, Source, SourceIdentity, SourceRow } from '../contract.ts';
import { INPUT_HEAD_BYTES } from '../limits.ts';
import { identityOfTexts } from './identity.ts';
import { InputError } from './input-error.ts';

type Kept = {
  readonly file: string;
  readonly format: string;
  /** Rows of a query, written by us; else the input's own bytes. */
  readonly rows: boolean;
  readonly columns: readonly string[] | null;
  /** Where the rows came from: a changed one is a changed input. */
  readonly origin: string;
};
export type Spooled = Kept & { readonly path: string };

export async function openSpool(folder: string): Promise<Spooled | null> {
  try {
    const kept = JSON.parse(await readFile(join(folder, 'origin.json'), 'utf8')) as Kept;
    return { ...kept, path: join(folder, kept.file) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

export async function spoolBytes(
  bytes: Readable,
  options: { readonly spool: string; readonly origin: string; readonly format: string | null },
): Promise<Spooled> {
  const file = 'input';
  await writeWhole(join(options.spool, file), bytes);
  const format = options.format ?? (await sniff(join(options.spool, file)));
  return keep(options.spool, { file, format, rows: false, columns: null, origin: options.origin });
}

export async function spoolRows(
  groups: AsyncIterable<readonly Row[]>,
  options: { readonly folder: string; readonly origin: string },
): Promise<Spooled> {
  const file = 'rows.jsonl';
  const columns = new Set<string>();
  await writeWhole(join(options.folder, file), Readable.from(lines(groups, columns)));
  return keep(options.folder, { file, format: 'jsonl', rows: true, columns: [...columns], origin: options.origin });
}

export function decompressed(path: string, how: 'gzip' | 'zstd'): Readable {
  const unpack = how === 'gzip' ? createGunzip() : createZstdDecompress();
  const from = createReadStream(path);
  from.on('error', (error) => unpack.destroy(error));
  unpack.on('error', (error: Error) => {
    from.destroy();
    error.message = `${basename(path)}: cannot be unpacked: ${error.message}`;
  });
  return from.pipe(unpack);
}

/** Rows from the spool, known by where they came from as well as by what they are. */
export class SpooledSource implements Source {
  readonly columns: readonly string[] | null;
  readonly #source: Source;
  readonly #kept: Kept;

  constructor(source: Source, kept: Kept) {
    this.columns = kept.rows ? kept.columns : source.columns;
    this.#source = source;
    this.#kept = kept;
  }

  async identity(): Promise<SourceIdentity> {
    const { kind, bytes, digest } = await this.#source.identity();
    return identityOfTexts([this.#kept.origin, digest], { kind: `spooled ${kind}`, bytes });
  }

  rows(): AsyncIterable<readonly SourceRow[]> {
    return this.#source.rows();
  }

  read(points: readonly { readonly seq: number; readonly place: Place }[]): AsyncIterable<SourceRow> {
    return this.#source.read(points);
  }

  close(): Promise<void> {
    return this.#source.close();
  }
}

async function* lines(groups: AsyncIterable<readonly Row[]>, columns: Set<string>): AsyncGenerator<string> {
  for await (const rows of groups) {
    for (const row of rows) for (const name of Object.keys(row)) columns.add(name);
    yield rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  }
}

async function keep(folder: string, kept: Kept): Promise<Spooled> {
  await writeWhole(join(folder, 'origin.json'), Readable.from([JSON.stringify(kept)]));
  return { ...kept, path: join(folder, kept.file) };
}

async function writeWhole(path: string, bytes: Readable): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  const part = await open(`${path}.part`, 'w');
  try {
    // Not a stream of the handle: with autoClose off it keeps its hold on it, and close() would wait for ever.
    await pipeline(bytes, async (pieces: AsyncIterable<string | Uint8Array>) => {
      for await (const piece of pieces) await part.appendFile(piece);
    });
    await part.sync();
  } catch (error) {
    throw asInputError(error);
  } finally {
    await part.close();
  }
  await rename(`${path}.part`, path);
}

function asInputError(error: unknown): unknown {
  const unpacking = error instanceof Error && error.message.includes('cannot be unpacked');
  return unpacking ? new InputError(error.message, { cause: error }) : error;
}

/** Standard input has no name: its first bytes say what it is, or the user has to. */
async function sniff(path: string): Promise<string> {
  const handle = await open(path, 'r');
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(INPUT_HEAD_BYTES), 0, INPUT_HEAD_BYTES, 0);
    const head = buffer.toString('utf8', 0, bytesRead).replace(/^\ufeff/, '');
    if (head.startsWith('PAR1')) return 'parquet';
    const line = head.split('\n', 1)[0]!;
    if (/^\s*\{/.test(head)) return isJson(line) || line.length === head.length ? 'jsonl' : 'json';
    if (/^\s*\[/.test(head)) return 'json';
    if (line.includes('\t')) return 'tsv';
    if (line.includes(',')) return 'csv';
    throw new InputError('standard input: its first line does not say what it is: add --format csv|tsv|jsonl|json|txt');
  } finally {
    await handle.close();
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
