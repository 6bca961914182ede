/** Parquet: a row group at a time, whole numbers as INT64, others as DOUBLE, nested values as JSON text, all else as text. */
import { rm } from 'node:fs/promises';
import { type ColumnSource, fileWriter, ParquetWriter, schemaFromColumnData } from 'hyparquet-writer';
import { PARQUET_GROUP_BYTES, PARQUET_GROUP_ROWS } from '../limits.ts';
import { partOf, settle, withName } from './destination.ts';
import type { ColumnType } from './layout.ts';
import { cellText } from './line-sink.ts';
import type { Table, TableColumn, TableWriter } from './table-sink.ts';

const parquetTypes = {
  text: 'STRING',
  json: 'STRING',
  integer: 'INT64',
  number: 'DOUBLE',
  boolean: 'BOOLEAN',
} as const;

export async function parquetWriter(path: string, table: Table): Promise<TableWriter> {
  const file = await withName(path, async () => fileWriter(partOf(path)));
  const parquet = new ParquetWriter({
    writer: file,
    schema: schemaFromColumnData({ columnData: table.columns.map((column) => ({ ...sourceOf(column), data: [] })) }),
  });
  let columns: unknown[][] = table.columns.map(() => []);
  let bytes = 0;
  const flush = (): Promise<void> =>
    withName(path, async () => {
      const rows = columns[0]!.length;
      if (rows === 0) return;
      const columnData = table.columns.map((column, index) => ({ ...sourceOf(column), data: columns[index]! }));
      await parquet.write({ columnData, rowGroupSize: rows });
      columns = table.columns.map(() => []);
      bytes = 0;
    });
  return {
    async write(rows) {
      for (const cells of rows) {
        for (const [index, { type }] of table.columns.entries()) {
          const value = parquetValue(cells[index], type);
          if (typeof value === 'string') bytes += value.length;
          columns[index]!.push(value);
        }
        if (columns[0]!.length >= PARQUET_GROUP_ROWS || bytes >= PARQUET_GROUP_BYTES) await flush();
      }
    },
    async finish() {
      await flush();
      await withName(path, async () => parquet.finish());
      await settle(path);
    },
    abandon: () => rm(partOf(path), { force: true }),
  };
}

function sourceOf({ name, type }: TableColumn): Omit<ColumnSource, 'data'> {
  return { name, type: parquetTypes[type], nullable: true };
}

function parquetValue(value: unknown, type: ColumnType): unknown {
  if (value === null || value === undefined) return null;
  if (type === 'integer') return BigInt(value as number);
  return type === 'number' || type === 'boolean' ? value : cellText(value);
}
