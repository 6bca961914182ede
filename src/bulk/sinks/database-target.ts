/** Where rows go in a database: `postgres://…?table=labels&key=id` or `sqlite:labels.db?table=labels`, as a user writes it. */
import { OutputError } from './output-error.ts';

export type DatabaseTarget = {
  readonly kind: 'postgres' | 'sqlite';
  /** The URL without our own parameters, or the file's path. */
  readonly address: string;
  readonly table: string;
  /** The column rows are known by; null: the key column of the output. */
  readonly key: string | null;
  /** A column for the run's name, which then is part of the key: two runs keep their rows side by side. */
  readonly run: string | null;
};

export const TABLE_DEFAULT = 'results';

export function databaseTarget(target: string): DatabaseTarget | null {
  if (/^postgres(ql)?:\/\//i.test(target)) {
    const url = new URL(target);
    const [table, key, run] = ['table', 'key', 'run'].map((name) => url.searchParams.get(name));
    for (const name of ['table', 'key', 'run']) url.searchParams.delete(name);
    if (!table) throw new OutputError('say which table: postgres://…?table=NAME&key=COLUMN');
    return { kind: 'postgres', address: url.href, table, key: key || null, run: run || null };
  }
  const named = /^sqlite:(?:\/\/)?([^?]+)(?:\?(.*))?$/i.exec(target);
  const path = named?.[1] ?? (/\.(sqlite3?|db|db3)$/i.test(target) ? target : null);
  if (path === null) return null;
  const query = new URLSearchParams(named?.[2] ?? '');
  return {
    kind: 'sqlite',
    address: path,
    table: query.get('table') || TABLE_DEFAULT,
    key: query.get('key') || null,
    run: query.get('run') || null,
  };
}

export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The columns of a table with the run's own in front, where it is wanted. */
export function withRun<T>(
  target: DatabaseTarget,
  list: { readonly run: T; readonly rest: readonly T[] },
): readonly T[] {
  return target.run === null ? list.rest : [list.run, ...list.rest];
}
