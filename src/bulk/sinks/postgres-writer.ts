/**
 * A table of PostgreSQL. Rows are sent to a temporary table as JSON, which the server turns into the columns' own types; `finish`
 * upserts them all and commits, so that the table is seen before or after and never between. A table that is missing is made; a
 * column that is missing is added. NUL, which PostgreSQL's text cannot hold, becomes U+FFFD.
 */
import type { ReservedSql, Sql } from 'postgres';
import { POSTGRES_STATEMENT_BYTES } from '../limits.ts';
import { optionalPackage } from '../sources/optional-package.ts';
import { type DatabaseTarget, quotedName, withRun } from './database-target.ts';
import type { ColumnType } from './layout.ts';
import { cellText } from './line-sink.ts';
import { OutputError } from './output-error.ts';
import type { Table, TableColumn, TableWriter } from './table-sink.ts';

const postgresTypes: Readonly<Record<ColumnType, string>> = {
  text: 'text',
  json: 'jsonb',
  integer: 'bigint',
  number: 'double precision',
  boolean: 'boolean',
};

export async function postgresWriter(target: DatabaseTarget, table: Table, run: string): Promise<TableWriter> {
  const { default: postgres } = await optionalPackage(() => import('postgres'), {
    name: 'postgres',
    use: 'PostgreSQL',
  });
  const pool = postgres(target.address, { max: 1, onnotice: () => {} });
  try {
    return await PostgresWriter.open(pool, { target, table, run });
  } catch (error) {
    await pool.end({ timeout: 0 });
    throw named(error, target);
  }
}

class PostgresWriter implements TableWriter {
  readonly #pool: Sql;
  readonly #sql: ReservedSql;
  readonly #target: DatabaseTarget;
  readonly #columns: readonly TableColumn[];
  readonly #keys: readonly string[];
  readonly #run: string;

  private constructor(
    pool: Sql,
    sql: ReservedSql,
    to: { readonly target: DatabaseTarget; readonly table: Table; readonly run: string },
  ) {
    const { target, table } = to;
    this.#pool = pool;
    this.#sql = sql;
    this.#target = target;
    this.#columns = withRun<TableColumn>(target, {
      run: { name: target.run ?? '', type: 'text' },
      rest: table.columns,
    });
    this.#keys = withRun(target, { run: target.run ?? '', rest: [target.key ?? table.key] });
    this.#run = to.run;
  }

  static async open(
    pool: Sql,
    to: { readonly target: DatabaseTarget; readonly table: Table; readonly run: string },
  ): Promise<PostgresWriter> {
    const writer = new PostgresWriter(pool, await pool.reserve(), to);
    await writer.#prepare();
    return writer;
  }

  async write(rows: readonly (readonly unknown[])[]): Promise<void> {
    let batch: string[] = [];
    let bytes = 0;
    for (const cells of rows) {
      const text = JSON.stringify(this.#objectOf(cells), (_, value: unknown) =>
        typeof value === 'string' ? storable(value) : value,
      );
      batch.push(text);
      bytes += text.length;
      if (bytes < POSTGRES_STATEMENT_BYTES) continue;
      await this.#send(batch);
      batch = [];
      bytes = 0;
    }
    if (batch.length > 0) await this.#send(batch);
  }

  async finish(): Promise<void> {
    const keys = this.#keys.map(quotedName).join(', ');
    const names = this.#columns.map(({ name }) => quotedName(name));
    const updates = names.map((name) => `${name} = excluded.${name}`).join(', ');
    await this.#act(async () => {
      const [twice] = await this.#sql.unsafe(
        `select ${keys} from nightshift_stage group by ${keys} having count(*) > 1 limit 1`,
      );
      if (twice !== undefined) {
        throw new OutputError(`two rows have the key ${Object.values(twice).join(', ')}: a table can hold one of them`);
      }
      await this.#sql.unsafe(
        `insert into ${tableName(this.#target)} (${names.join(', ')})
         select ${names.join(', ')} from nightshift_stage on conflict (${keys}) do update set ${updates}`,
      );
      await this.#sql.unsafe('commit');
    });
    this.#sql.release();
    await this.#pool.end({ timeout: 5 });
  }

  /** What was not committed is gone with the connection. */
  async abandon(): Promise<void> {
    await this.#pool.end({ timeout: 0 });
  }

  async #prepare(): Promise<void> {
    const definitions = this.#columns.map(({ name, type }) => `${quotedName(name)} ${postgresTypes[type]}`);
    const keys = this.#keys.map(quotedName).join(', ');
    const table = tableName(this.#target);
    await this.#sql.unsafe('begin');
    const [found] = await this.#sql.unsafe('select to_regclass($1) as found', [table]);
    if (found?.found == null)
      await this.#sql.unsafe(`create table ${table} (${definitions.join(', ')}, primary key (${keys}))`);
    const present = await this.#sql.unsafe(
      'select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped',
      [table],
    );
    const names = new Set(present.map((one) => String(one.attname)));
    for (const [index, { name }] of this.#columns.entries()) {
      if (!names.has(name)) await this.#sql.unsafe(`alter table ${table} add column ${definitions[index]}`);
    }
    const columns = this.#columns.map(({ name }) => quotedName(name)).join(', ');
    await this.#sql.unsafe(
      `create temp table nightshift_stage on commit drop as select ${columns} from ${table} with no data`,
    );
  }

  /** Sent as text and cast by the server: the driver would write a string that is JSON already as JSON once more. */
  async #send(rows: readonly string[]): Promise<void> {
    await this.#act(async () => {
      await this.#sql.unsafe(
        'insert into nightshift_stage select * from json_populate_recordset(null::nightshift_stage, $1::text::json)',
        [`[${rows.join(',')}]`],
      );
    });
  }

  #objectOf(cells: readonly unknown[]): Record<string, unknown> {
    const values = withRun<unknown>(this.#target, { run: this.#run, rest: cells });
    return Object.fromEntries(
      this.#columns.map(({ name, type }, index) => {
        const value = values[index] ?? null;
        return [name, type === 'text' && value !== null ? cellText(value) : value];
      }),
    );
  }

  async #act(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      throw named(error, this.#target);
    }
  }
}

/** `labels` or `schema.labels`. */
function tableName(target: DatabaseTarget): string {
  return target.table.split('.').map(quotedName).join('.');
}

function storable(text: string): string {
  return text.replaceAll('\0', '\ufffd').toWellFormed();
}

function named(error: unknown, target: DatabaseTarget): Error {
  if (error instanceof OutputError || (error as Error).name === 'InputError') return error as Error;
  const { code, message } = error as NodeJS.ErrnoException;
  const why =
    code === '42P10'
      ? 'it must have a primary key or unique index on the key: add one, or name another with &key='
      : message;
  return new OutputError(`table ${target.table} cannot be written: ${why}`, { cause: error });
}
