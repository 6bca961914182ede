/** A table of a SQLite file: rows replace those of the same key, all in one transaction that `finish` commits. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { type DatabaseTarget, quotedName, withRun } from './database-target.ts';
import { withName } from './destination.ts';
import type { ColumnType } from './layout.ts';
import { cellText } from './line-sink.ts';
import { OutputError } from './output-error.ts';
import type { Table, TableColumn, TableWriter } from './table-sink.ts';

const sqliteTypes: Readonly<Record<ColumnType, string>> = {
  text: 'text',
  json: 'text',
  integer: 'integer',
  number: 'real',
  boolean: 'integer',
};

export async function sqliteWriter(target: DatabaseTarget, table: Table, run: string): Promise<TableWriter> {
  const isNew = !existsSync(target.address);
  const database = await withName(target.address, async () => new DatabaseSync(target.address));
  try {
    const columns = withRun<TableColumn>(target, {
      run: { name: target.run ?? '', type: 'text' },
      rest: table.columns,
    });
    const keys = withRun(target, { run: target.run ?? '', rest: [target.key ?? table.key] });
    database.exec('pragma busy_timeout = 5000; begin immediate');
    prepareTable(database, { table: target.table, columns, keys });
    const insert = prepareInsert(database, { target, columns, keys });
    database.exec('create temp table nightshift_seen (key primary key) without rowid');
    const see = database.prepare('insert or ignore into nightshift_seen (key) values (?)');
    const keyAt = table.columns.findIndex(({ name }) => name === (target.key ?? table.key));
    return {
      async write(rows) {
        for (const cells of rows) {
          const key = sqliteValue(cells[keyAt]);
          if (see.run(key).changes === 0)
            throw new OutputError(`two rows have the key ${key}: a table can hold one of them`);
          const values = cells.map(sqliteValue);
          insert.run(...(target.run === null ? values : [run, ...values]));
        }
      },
      async finish() {
        await withName(target.address, async () => database.exec('commit'));
        database.close();
      },
      async abandon() {
        if (database.isOpen) database.close();
        if (isNew) await rm(target.address, { force: true });
      },
    };
  } catch (error) {
    database.close();
    if (isNew) await rm(target.address, { force: true });
    throw error instanceof OutputError
      ? error
      : new OutputError(`${target.address} cannot be written: ${(error as Error).message}`, { cause: error });
  }
}

function prepareTable(
  database: DatabaseSync,
  want: { readonly table: string; readonly columns: readonly TableColumn[]; readonly keys: readonly string[] },
): void {
  const definitions = want.columns.map(({ name, type }) => `${quotedName(name)} ${sqliteTypes[type]}`);
  const primary = want.keys.map(quotedName).join(', ');
  database.exec(
    `create table if not exists ${quotedName(want.table)} (${definitions.join(', ')}, primary key (${primary}))`,
  );
  const present = database.prepare('select lower(name) as name from pragma_table_info(?)').all(want.table);
  const names = new Set(present.map(({ name }) => name));
  for (const { name, type } of want.columns) {
    if (names.has(name.toLowerCase())) continue;
    database.exec(`alter table ${quotedName(want.table)} add column ${quotedName(name)} ${sqliteTypes[type]}`);
  }
}

function prepareInsert(
  database: DatabaseSync,
  to: { readonly target: DatabaseTarget; readonly columns: readonly TableColumn[]; readonly keys: readonly string[] },
): StatementSync {
  const names = to.columns.map(({ name }) => quotedName(name));
  const updates = names.map((name) => `${name} = excluded.${name}`).join(', ');
  const keys = to.keys.map(quotedName).join(', ');
  const sql = `insert into ${quotedName(to.target.table)} (${names.join(', ')})
    values (${names.map(() => '?').join(', ')}) on conflict (${keys}) do update set ${updates}`;
  try {
    return database.prepare(sql);
  } catch (error) {
    if (!(error as Error).message.includes('ON CONFLICT')) throw error;
    throw new OutputError(`table ${to.target.table} must have a primary key or unique index on (${keys})`, {
      cause: error,
    });
  }
}

function sqliteValue(value: unknown): string | number | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'number' ? value : cellText(value);
}
