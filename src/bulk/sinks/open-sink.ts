/** Opens whatever a run writes to: chooses by the format that was said, then by the target's name; standard output is JSON lines. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { Writable } from 'node:stream';
import type { Sink } from '../contract.ts';
import { databaseTarget, type DatabaseTarget } from './database-target.ts';
import { type Destination, fileDestination, streamDestination } from './destination.ts';
import { type Shape, tableLayout } from './layout.ts';
import { csvWriter, jsonLinesSink, rawSink } from './line-sink.ts';
import { OutputError } from './output-error.ts';
import { parquetWriter } from './parquet-writer.ts';
import { postgresWriter } from './postgres-writer.ts';
import { sqliteWriter } from './sqlite-writer.ts';
import { directSink, type Table, type TableWriter, WaitingSink } from './table-sink.ts';

export const outputFormats = ['jsonl', 'csv', 'tsv', 'parquet', 'sqlite', 'postgres', 'raw'] as const;
export type OutputFormat = (typeof outputFormats)[number];

export type OutputRequest = Shape & {
  /** A path, `-` for standard output, `postgres://…?table=…&key=…`, or `sqlite:FILE?table=…`. */
  readonly target: string;
  readonly format: OutputFormat | null;
  /** The run's name, for tables that keep several runs. */
  readonly run: string;
  /** A folder of this run, where rows of a table wait until its columns are known. */
  readonly spill: string;
  readonly stdout: Writable;
};

const byEnding: Readonly<Record<string, OutputFormat>> = {
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  csv: 'csv',
  tsv: 'tsv',
  tab: 'tsv',
  parquet: 'parquet',
  pq: 'parquet',
};

export async function openSink(request: OutputRequest): Promise<Sink> {
  const format = outputFormatOf(request);
  if (format === 'sqlite' || format === 'postgres') return openDatabase(request, format);
  if (format === 'parquet') {
    if (request.target === '-')
      throw new OutputError('Parquet goes to a file, not to standard output: -o NAME.parquet');
    return waiting(request, (table) => parquetWriter(request.target, table));
  }
  if (format === 'jsonl') return jsonLinesSink(await destinationOf(request), request);
  if (format === 'raw') return rawSink(await destinationOf(request));
  const delimiter = format === 'tsv' ? '\t' : ',';
  const writerFor = async (names: readonly string[]): Promise<TableWriter> =>
    csvWriter(await destinationOf(request), { names, delimiter });
  if (request.join && request.columns === null) {
    return waiting(request, ({ columns }) => writerFor(columns.map(({ name }) => name)));
  }
  const layout = tableLayout(request);
  return directSink(layout, await writerFor(layout.columns.map(({ name }) => name)));
}

/** Told beforehand, so that a run does not find out at its end that it cannot write. */
export function outputFormatOf(request: Pick<OutputRequest, 'target' | 'format'>): OutputFormat {
  const database = databaseTarget(request.target);
  if (database !== null) return database.kind;
  if (request.format !== null) return request.format;
  if (request.target === '-') return 'jsonl';
  const name = basename(request.target).toLowerCase();
  const format = byEnding[name.slice(name.lastIndexOf('.') + 1)];
  if (format !== undefined) return format;
  throw new OutputError(
    `${request.target}: its name does not say what to write: add --format jsonl|csv|tsv|parquet|raw`,
  );
}

async function openDatabase(request: OutputRequest, format: 'sqlite' | 'postgres'): Promise<Sink> {
  const target = databaseTarget(request.target) ?? databaseTarget(`${format}:${request.target}`);
  if (target === null) throw new OutputError('say where: -o postgres://…?table=NAME&key=COLUMN');
  const write = target.kind === 'sqlite' ? sqliteWriter : postgresWriter;
  return waiting(request, (table) => write(target, withKey(table, target), request.run), target.key ?? undefined);
}

function withKey(table: Table, target: DatabaseTarget): Table {
  const key = target.key ?? table.key;
  if (table.columns.some(({ name }) => name === key)) return table;
  throw new OutputError(`the output has no column ${key} for the key of table ${target.table}`);
}

function waiting(
  request: OutputRequest,
  openWriter: (table: Table) => Promise<TableWriter>,
  idName?: string,
): Promise<Sink> {
  // Not the target itself: it may hold a password.
  const name = createHash('sha256').update(request.target).digest('hex').slice(0, 16);
  return WaitingSink.open({ shape: request, idName: idName ?? 'id', folder: request.spill, name, openWriter });
}

function destinationOf(request: OutputRequest): Promise<Destination> | Destination {
  return request.target === '-' ? streamDestination(request.stdout) : fileDestination(request.target);
}
