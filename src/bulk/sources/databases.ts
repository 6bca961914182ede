/** The rows of a query in a database that somebody already has: PostgreSQL, a SQLite file, a DuckDB file. */
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Row } from '../contract.ts';
import { INPUT_GROUP_ROWS } from '../limits.ts';
import { queryDuckdb } from './duckdb.ts';
import { InputError } from './input-error.ts';
import { optionalPackage } from './optional-package.ts';
import { plainValue } from './plain-value.ts';

type Query = { readonly sql: string; readonly database: string };

export function isDatabaseFile(name: string): boolean {
  return /\.(sqlite3?|db|db3|duckdb|ddb)$/i.test(name);
}

export function sqlRows(query: Query): AsyncIterable<readonly Row[]> {
  if (/^postgres(ql)?:\/\//i.test(query.database)) return postgresRows(query);
  if (/\.(duckdb|ddb)$/i.test(query.database)) return queryDuckdb(query);
  if (/^[a-z][a-z0-9+]*:\/\//i.test(query.database)) {
    throw new InputError('--db is postgres://…, or the path of a SQLite or DuckDB file');
  }
  return sqliteRows(query);
}

async function* postgresRows(query: Query): AsyncGenerator<readonly Row[]> {
  const { default: postgres } = await optionalPackage(() => import('postgres'), {
    name: 'postgres',
    use: 'PostgreSQL',
  });
  const asText = { to: 25, serialize: String, parse: (value: string) => value };
  const sql = postgres(query.database, {
    max: 1,
    onnotice: () => {},
    types: {
      // Dates stay as the server writes them: their text is exact, and a template prints it.
      dates: { ...asText, from: [1082, 1083, 1114, 1184, 1266] },
      bigint: { to: 20, from: [20], serialize: String, parse: (value: string) => plainValue(BigInt(value)) },
    },
  });
  try {
    for await (const rows of sql.unsafe(query.sql).cursor(INPUT_GROUP_ROWS)) {
      yield rows.map((row) =>
        Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plainValue(value)])),
      );
    }
  } catch (error) {
    throw new InputError(`the query failed: ${(error as Error).message}`, { cause: error });
  } finally {
    await sql.end({ timeout: 5 });
  }
}

async function* sqliteRows(query: Query): AsyncGenerator<readonly Row[]> {
  if (!existsSync(query.database)) throw new InputError(`there is no ${query.database}`);
  const database = new DatabaseSync(query.database, { readOnly: true });
  try {
    const statement = database.prepare(query.sql);
    statement.setReadBigInts(true);
    let group: Row[] = [];
    for (const row of statement.iterate()) {
      group.push(plainValue(row) as Row);
      if (group.length < INPUT_GROUP_ROWS) continue;
      yield group;
      group = [];
    }
    if (group.length > 0) yield group;
  } catch (error) {
    throw new InputError(`the query failed: ${(error as Error).message}`, { cause: error });
  } finally {
    database.close();
  }
}
