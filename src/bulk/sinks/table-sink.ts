/**
 * Outputs that are tables. Where a table must know its columns and their types before its first row (Parquet, databases, and any
 * table of rows that each have their own columns), rows wait in a file beside it, are measured while they do, and are written at the
 * end: one pass more, bounded memory, and a database sees one short transaction.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { OutputRow, Row, Sink } from '../contract.ts';
import { openTextFile } from '../sources/text-file.ts';
import { type Destination, fileDestination } from './destination.ts';
import { type ColumnType, type Layout, type Shape, tableLayout } from './layout.ts';

export interface TableWriter {
  write(rows: readonly (readonly unknown[])[]): Promise<void>;
  finish(): Promise<void>;
  abandon(): Promise<void>;
}

export type TableColumn = { readonly name: string; readonly type: ColumnType };
export type Table = { readonly columns: readonly TableColumn[]; readonly key: string };

/** Straight through: for tables of text whose columns are known. */
export function directSink(layout: Layout, writer: TableWriter): Sink {
  return {
    write: (rows) => writer.write(rows.map((row) => layout.cells(row))),
    finish: () => writer.finish(),
    abandon: () => writer.abandon(),
  };
}

export class WaitingSink implements Sink {
  readonly #shape: Shape;
  readonly #idName: string;
  readonly #path: string;
  readonly #waiting: Destination;
  readonly #openWriter: (table: Table) => Promise<TableWriter>;
  /** In the order in which columns were first seen. */
  readonly #types = new Map<string, ColumnType | null>();
  readonly #outputTypes = new Map<string, ColumnType | null>();

  private constructor(from: {
    readonly shape: Shape;
    readonly idName: string;
    readonly path: string;
    readonly waiting: Destination;
    readonly openWriter: (table: Table) => Promise<TableWriter>;
  }) {
    this.#shape = from.shape;
    this.#idName = from.idName;
    this.#path = from.path;
    this.#waiting = from.waiting;
    this.#openWriter = from.openWriter;
    for (const name of from.shape.columns ?? []) this.#types.set(name, null);
  }

  static async open(options: {
    readonly shape: Shape;
    readonly idName: string;
    /** Where rows wait; made when needed. */
    readonly folder: string;
    readonly name: string;
    readonly openWriter: (table: Table) => Promise<TableWriter>;
  }): Promise<WaitingSink> {
    await mkdir(options.folder, { recursive: true });
    const path = join(options.folder, `${options.name}.rows`);
    return new WaitingSink({ ...options, path, waiting: await fileDestination(path) });
  }

  async write(rows: readonly OutputRow[]): Promise<void> {
    let text = '';
    for (const row of rows) {
      if (this.#shape.join && row.row !== null) this.#measure(this.#types, row.row, this.#shape.columns);
      if (this.#shape.outputs !== null && typeof row.output === 'object' && row.output !== null) {
        this.#measure(this.#outputTypes, row.output as Row, this.#shape.outputs);
      }
      text += `${JSON.stringify({ ...row, line: null, row: this.#shape.join ? row.row : null })}\n`;
    }
    if (text !== '') await this.#waiting.write(text);
  }

  async finish(): Promise<void> {
    await this.#waiting.finish();
    const layout = tableLayout({ ...this.#shape, columns: [...this.#types.keys()] }, this.#idName);
    const writer = await this.#openWriter({ columns: this.#typed(layout), key: layout.key });
    try {
      const rows = await openTextFile(this.#path, { format: 'jsonl', header: false, delimiter: null });
      try {
        for await (const group of rows.rows()) {
          await writer.write(group.map(({ row, fault }) => layout.cells(waited(row, fault))));
        }
      } finally {
        await rows.close();
      }
      await writer.finish();
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    await rm(this.#path, { force: true });
  }

  async abandon(): Promise<void> {
    await this.#waiting.abandon().catch(() => {});
    await rm(this.#path, { force: true });
  }

  #measure(types: Map<string, ColumnType | null>, row: Row, known: readonly string[] | null): void {
    for (const name of known ?? Object.keys(row)) {
      const before = types.get(name);
      if (before === 'text') continue;
      types.set(name, merged(before ?? null, typeOf(row[name])));
    }
  }

  #typed(layout: Layout): readonly TableColumn[] {
    const outputs = new Map([...this.#outputTypes].map(([name, type]) => [`output.${name}`, type]));
    const inputs = new Set(this.#shape.join ? this.#types.keys() : []);
    return layout.columns.map(({ name, type }) => {
      const measured = inputs.has(name) ? this.#types.get(name) : outputs.get(name.replace(/^(result_)+/, ''));
      return { name, type: type ?? measured ?? 'text' };
    });
  }
}

function waited(row: Row | null, fault: string | null): OutputRow {
  if (row === null) throw new Error(`a row that waited to be written cannot be read again: ${fault}`);
  return row as unknown as OutputRow;
}

function typeOf(value: unknown): ColumnType | null {
  switch (typeof value) {
    case 'string':
      return 'text';
    case 'boolean':
      return 'boolean';
    case 'number':
      return Number.isSafeInteger(value) ? 'integer' : 'number';
    default:
      return value === null || value === undefined ? null : 'json';
  }
}

/** Values of two kinds make a column of text. */
function merged(left: ColumnType | null, right: ColumnType | null): ColumnType | null {
  if (left === null || left === right) return right ?? left;
  if (right === null) return left;
  const numeric = (left === 'integer' || left === 'number') && (right === 'integer' || right === 'number');
  return numeric ? 'number' : 'text';
}
