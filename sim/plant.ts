/** Where a bug can be planted: around any port, between the checks and the store, or around what clients call. Empty in honest runs. */
import type { Dialect } from '../src/dialects/dialect.ts';
import type { Service } from '../src/engine/contract.ts';
import type { Blobs } from '../src/ports/blobs.ts';
import type { Catalog } from '../src/ports/catalog.ts';
import type { Log } from '../src/ports/log.ts';
import type { Send } from '../src/ports/world.ts';
import type { Database } from '../src/stores/sqlite/database.ts';
import type { Upstream } from '../src/upstreams/upstream.ts';

export type Plant = {
  /** As the engine sees it: above the checks. */
  readonly catalog?: (catalog: Catalog) => Catalog;
  /** The store itself: below the checks. */
  readonly innerCatalog?: (catalog: Catalog, database: Database) => Catalog;
  readonly blobs?: (blobs: Blobs) => Blobs;
  readonly log?: (log: Log) => Log;
  readonly send?: (send: Send) => Send;
  readonly upstream?: (upstream: Upstream) => Upstream;
  readonly dialect?: (dialect: Dialect) => Dialect;
  readonly service?: (service: Service) => Service;
};

export const nothingPlanted: Plant = {};
