/** Opens whatever a run reads from: chooses by what was said, then by the name's ending, and for standard input by its first bytes. */
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import type { Source } from '../contract.ts';
import { isDatabaseFile, sqlRows } from './databases.ts';
import { duckdbScan, queryDuckdb } from './duckdb.ts';
import { FolderSource } from './folder-source.ts';
import { identityOfFile } from './identity.ts';
import { InputError } from './input-error.ts';
import { openParquet } from './parquet-source.ts';
import { decompressed, openSpool, spoolBytes, spoolRows, type Spooled, SpooledSource } from './spool.ts';
import { openTextFile, type TextFormat } from './text-file.ts';

export const inputFormats = ['csv', 'tsv', 'jsonl', 'json', 'txt', 'parquet', 'dir'] as const;
export type InputFormat = (typeof inputFormats)[number];

export type InputRequest = {
  /** A path, a glob, a URL, or `-` for standard input; null where `sql` says it all, or where a spool holds the rows. */
  readonly input: string | null;
  readonly format: InputFormat | null;
  readonly sql: string | null;
  /** `postgres://…`, a SQLite or DuckDB file; null: DuckDB in memory. */
  readonly db: string | null;
  /** An SQL condition on the rows of `input`; DuckDB evaluates it. */
  readonly where: string | null;
  /** False: the first line of CSV is a row, and columns are column1, column2, … */
  readonly header: boolean;
  readonly delimiter: string | null;
  /** A folder of this run: rows that cannot be read twice are kept here. Made when needed. */
  readonly spool: string;
  readonly stdin: Readable;
};

const byEnding: Readonly<Record<string, InputFormat>> = {
  csv: 'csv',
  tsv: 'tsv',
  tab: 'tsv',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  json: 'json',
  txt: 'txt',
  text: 'txt',
  md: 'txt',
  parquet: 'parquet',
  pq: 'parquet',
};

export async function openSource(request: InputRequest): Promise<Source> {
  const { input, sql } = request;
  const spooled = await openSpool(request.spool);
  if (sql !== null || request.where !== null || (input !== null && needsDuckdb(input))) {
    return fromSpool(request, spooled ?? (await spoolQuery(request)), queryOrigin(request));
  }
  if (input === null || input === '-') {
    if (spooled !== null) return fromSpool(request, spooled, null);
    if (input === null) throw new InputError('no input: name a file, -, or a query with --sql');
    return fromSpool(request, await spoolBytes(request.stdin, { ...request, origin: 'stdin' }), null);
  }
  if (spooled !== null && (await kindOfPath(input)) === 'absent') return fromSpool(request, spooled, null);
  if (compression(input) !== null) {
    const { digest: origin } = await identityOfInput(input);
    const made =
      spooled ??
      (await spoolBytes(decompressed(input, compression(input)!), { ...request, origin, format: formatOf(request) }));
    return fromSpool(request, made, origin);
  }
  const kind = await kindOfPath(input);
  if (kind === 'absent') throw new InputError(`there is no ${input}`);
  if (kind === 'folder') return FolderSource.open(input);
  return openPath(input, formatOf(request), request);
}

function openPath(path: string, format: InputFormat, request: InputRequest): Promise<Source> {
  if (format === 'parquet') return openParquet(path);
  if (format === 'dir') throw new InputError(`${path} is a file, and --format dir wants a folder`);
  return openTextFile(path, {
    format: format satisfies TextFormat,
    header: request.header,
    delimiter: request.delimiter,
  });
}

async function fromSpool(request: InputRequest, spooled: Spooled, origin: string | null): Promise<Source> {
  const format = spooled.rows ? 'jsonl' : (request.format ?? spooled.format);
  const source = await openPath(spooled.path, format as InputFormat, request);
  return new SpooledSource(source, { ...spooled, format, origin: origin ?? spooled.origin });
}

/** The rows of a query, kept once: asked again tomorrow it may give others. */
async function spoolQuery(request: InputRequest): Promise<Spooled> {
  const { input, where } = request;
  const database =
    request.db ??
    (input !== null && request.sql !== null && (isDatabaseFile(input) || isPostgres(input)) ? input : null);
  if (where !== null && request.sql !== null)
    throw new InputError('--where is for files: put the condition into the query of --sql');
  if (request.sql === null && input === '-')
    throw new InputError('--where does not go with standard input: write it to a file first');
  if (request.sql !== null && database !== null) {
    return spoolRows(sqlRows({ sql: request.sql, database }), { folder: request.spool, origin: queryOrigin(request) });
  }
  const sql =
    request.sql ?? `select * from ${duckdbScan(input!, request.format)}${where === null ? '' : ` where (${where})`}`;
  return spoolRows(queryDuckdb({ sql, database: null }), { folder: request.spool, origin: queryOrigin(request) });
}

/** What the rows of a query were asked for by; a password is not part of it. */
function queryOrigin(request: InputRequest): string {
  const database = (request.db ?? '').replace(/:\/\/([^:@/]*):[^@/]*@/, '://$1@');
  return JSON.stringify([request.sql, database, request.input, request.where]);
}

function formatOf(request: InputRequest): InputFormat {
  if (request.format !== null) return request.format;
  const name = basename(request.input!).toLowerCase();
  const plain = compression(name) === null ? name : name.slice(0, name.lastIndexOf('.'));
  const format = byEnding[plain.slice(plain.lastIndexOf('.') + 1)];
  if (format !== undefined) return format;
  if (isDatabaseFile(name))
    throw new InputError(`${request.input} is a database: say which rows with --sql "select …"`);
  throw new InputError(
    `${request.input}: its name does not say what it is: add --format ${inputFormats.slice(0, -1).join('|')}`,
  );
}

function compression(path: string): 'gzip' | 'zstd' | null {
  if (/\.gz$/i.test(path)) return 'gzip';
  return /\.(zst|zstd)$/i.test(path) ? 'zstd' : null;
}

function needsDuckdb(input: string): boolean {
  return (
    /^(https?|s3|gs|gcs|r2|az|abfss?|hf):\/\//i.test(input) ||
    /\.xlsx$/i.test(input) ||
    (/[*?[]/.test(input) && input !== '-')
  );
}

function isPostgres(input: string): boolean {
  return /^postgres(ql)?:\/\//i.test(input);
}

async function identityOfInput(path: string): Promise<{ readonly digest: string }> {
  if ((await kindOfPath(path)) !== 'file') throw new InputError(`there is no file ${path}`);
  return identityOfFile(resolve(path), 'file');
}

async function kindOfPath(path: string): Promise<'file' | 'folder' | 'absent'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'absent';
    throw new InputError(`${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}
