/** Whatever DuckDB reads (queries over files, URLs, Excel, globs) as rows. DuckDB is an optional package of 70 MB. */
import { existsSync } from 'node:fs';
import type { Row } from '../contract.ts';
import { InputError } from './input-error.ts';
import { optionalPackage } from './optional-package.ts';
import { plainValue } from './plain-value.ts';

export async function* queryDuckdb(query: {
  readonly sql: string;
  readonly database: string | null;
}): AsyncGenerator<readonly Row[]> {
  const duckdb = await optionalPackage(() => import('@duckdb/node-api'), {
    name: '@duckdb/node-api',
    use: 'reading this input',
  });
  if (query.database !== null && !existsSync(query.database)) throw new InputError(`there is no ${query.database}`);
  const instance = await duckdb.DuckDBInstance.create(
    query.database ?? ':memory:',
    query.database === null ? {} : { access_mode: 'READ_ONLY' },
  );
  const connection = await instance.connect();
  try {
    const result = await connection.stream(query.sql);
    const unique = new Set(result.columnNames());
    if (unique.size < result.columnCount)
      throw new InputError('the query gives two columns one name: name one with "as"');
    // Big integers are kept exact and then made plain by our own rule; all else as DuckDB writes JSON.
    const rows = result.yieldConvertedRowObjects<unknown>((value, type, converter) =>
      typeof value === 'bigint' ? plainValue(value) : duckdb.JsonDuckDBValueConverter(value, type, converter as never),
    );
    for await (const group of rows) yield group;
  } catch (error) {
    throw error instanceof InputError
      ? error
      : new InputError(`the query failed: ${(error as Error).message}`, { cause: error });
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** A file as DuckDB reads it; CSV stays text, so that an id like 007 is what it was. */
export function duckdbScan(input: string, format: string | null): string {
  const name = `'${input.replaceAll("'", "''")}'`;
  const plain = input
    .toLowerCase()
    .replace(/[?#].*$/, '')
    .replace(/\.(gz|zst|zstd)$/, '');
  const ending = format ?? plain.slice(plain.lastIndexOf('.') + 1);
  switch (ending) {
    case 'csv':
    case 'tsv':
      return `read_csv(${name}, all_varchar = true, header = true)`;
    case 'jsonl':
    case 'ndjson':
    case 'json':
      return `read_json_auto(${name})`;
    case 'parquet':
    case 'pq':
      return `read_parquet(${name})`;
    case 'xlsx':
      return `read_xlsx(${name}, all_varchar = true)`;
    case 'txt':
      return `(select unnest(string_split(content, chr(10))) as text from read_text(${name}))`;
    default:
      throw new InputError(`${input}: its name does not say what it is: add --format csv|jsonl|parquet`);
  }
}
