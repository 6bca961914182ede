/** Catalog and directory of one file, in this process, on one connection: for commands, simulations and tests. */
import type { Catalog } from '../../ports/catalog.ts';
import type { Directory } from '../../ports/directory.ts';
import { SqliteCatalog } from './catalog.ts';
import type { WallClock } from './clock.ts';
import { Database } from './database.ts';
import { SqliteDirectory, type FirstStart } from './directory.ts';

export type SqliteStores = { readonly catalog: Catalog; readonly directory: Directory; close(): Promise<void> };

export type SqliteOptions = { readonly path: string; readonly clock: WallClock; readonly firstStart: FirstStart };

/** Throws StartError when the file is not a catalog this program can use. */
export function openSqliteStores({ path, clock, firstStart }: SqliteOptions): SqliteStores {
  const database = new Database(path);
  const catalog = new SqliteCatalog(database, clock);
  return { catalog, directory: new SqliteDirectory(database, firstStart), close: () => catalog.close() };
}
