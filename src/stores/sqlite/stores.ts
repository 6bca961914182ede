/** Catalog, directory and usage of one file, in this process, on one connection: for commands, simulations and tests. */
import type { Catalog } from '../../ports/catalog.ts';
import type { Directory } from '../../ports/directory.ts';
import type { Usages } from '../../ports/usage.ts';
import { SqliteCatalog } from './catalog.ts';
import type { WallClock } from './clock.ts';
import { Database } from './database.ts';
import { SqliteDirectory, type FirstStart } from './directory.ts';
import { SqliteUsages } from './usage.ts';

export type SqliteStores = {
  readonly catalog: Catalog;
  readonly directory: Directory;
  readonly usage: Usages;
  close(): Promise<void>;
};

/** On one connection calls can share a sync of the disk. */
export type LocalStores = SqliteStores & {
  /** What the calls made in here do holds when this returns; each is whole or not at all. */
  group<T>(calls: () => T): T;
};

export type SqliteOptions = { readonly path: string; readonly clock: WallClock; readonly firstStart: FirstStart };

/** Throws StartError when the file is not a catalog this program can use. */
export function openSqliteStores({ path, clock, firstStart }: SqliteOptions): LocalStores {
  const database = new Database(path);
  const catalog = new SqliteCatalog(database, clock);
  const directory = new SqliteDirectory(database, { firstStart, clock });
  return {
    catalog,
    directory,
    usage: new SqliteUsages(database, clock),
    group: (calls) => database.group(calls),
    close: () => catalog.close(),
  };
}
