/** The items a program gives, kept with the run so that another process can go on; files are read where they lie. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { join, resolve } from 'node:path';
import type { OutputRow, Row, Source } from './contract.ts';
import { RunError } from './run/errors.ts';
import type { RunFolder } from './run/folder.ts';
import { type InputFormat, openSource } from './sources/open-source.ts';
import { openSpool, spoolRows } from './sources/spool.ts';

/** A file of rows, with the places of its lines: made by `csv`, `jsonl` and `parquet`. */
export class FileInput {
  readonly path: string;
  readonly format: InputFormat;

  constructor(path: string, format: InputFormat) {
    this.path = resolve(path);
    this.format = format;
  }
}

export const csv = (path: string): FileInput => new FileInput(path, 'csv');
export const jsonl = (path: string): FileInput => new FileInput(path, 'jsonl');
export const parquet = (path: string): FileInput => new FileInput(path, 'parquet');

export type Items<Item> = {
  readonly source: Source;
  readonly location: string;
  itemIn(row: Row): Item;
  itemOf(row: OutputRow): Item;
};

type Given<Item> = Iterable<Item> | AsyncIterable<Item> | FileInput | null;

/** How items lie in the spool: one may be a string, or have columns of any name. */
const MEMORY = 'memory';
const GROUP_ITEMS = 1_000;

export async function openItems<Item>(
  given: Given<Item>,
  { folder, kept }: { readonly folder: RunFolder; readonly kept: string | null },
): Promise<Items<Item>> {
  if (given instanceof FileInput || (given === null && kept !== MEMORY)) {
    const file = given instanceof FileInput ? given : null;
    const location = file?.path ?? kept ?? '';
    const source = await open(folder, { input: location, format: file?.format ?? null });
    return { source, location, itemIn: (row) => row as Item, itemOf: ({ row }) => row as Item };
  }
  const spool = join(folder.path, 'spool');
  const spooled = await openSpool(spool);
  const list = Array.isArray(given) ? (given as readonly Item[]) : null;
  const origin = list === null ? 'items' : digestOf(list);
  if (spooled === null) await spoolRows(groupsOf(given ?? []), { folder: spool, origin });
  else if (list !== null && spooled.origin !== origin)
    throw new RunError('changed', 'the items are not those the run began with');
  const source = await open(folder, { input: null, format: 'jsonl' });
  const itemIn = (row: Row): Item => row.item as Item;
  // The very object that was given, where there is one.
  return {
    source,
    location: MEMORY,
    itemIn,
    itemOf: ({ seq, row }) => (list === null ? itemIn(row ?? {}) : list[seq]!),
  };
}

async function open(
  folder: RunFolder,
  { input, format }: { readonly input: string | null; readonly format: InputFormat | null },
): Promise<Source> {
  const spool = join(folder.path, 'spool');
  return await openSource({
    input,
    format,
    sql: null,
    db: null,
    where: null,
    header: true,
    delimiter: null,
    spool,
    stdin: Readable.from([]),
  });
}

async function* groupsOf<Item>(items: Iterable<Item> | AsyncIterable<Item>): AsyncGenerator<readonly Row[]> {
  let group: Row[] = [];
  for await (const item of items) {
    group.push({ item });
    if (group.length < GROUP_ITEMS) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

function digestOf(items: readonly unknown[]): string {
  const hash = createHash('sha256');
  for (const item of items) hash.update(`${JSON.stringify(item) ?? 'null'}\n`);
  return hash.digest('hex');
}
