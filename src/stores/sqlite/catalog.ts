/** The catalog on SQLite, in this process: each method one transaction, done before its promise is returned. */
import type { Batch, Micros } from '../../domain/batch.ts';
import type { Lease } from '../../domain/segment.ts';
import type * as port from '../../ports/catalog.ts';
import { accept } from './accept.ts';
import { due, findBatchOf, known, page, transition } from './batches.ts';
import { chunks, merge } from './chunks.ts';
import { CatalogClock, type WallClock } from './clock.ts';
import { Database } from './database.ts';
import { seal } from './seal.ts';
import { claim, held, release, renew, runnable } from './spans.ts';

/** Throws StartError when the file is not a catalog this program can use. */
export function openSqliteCatalog(options: { readonly path: string; readonly clock: WallClock }): port.Catalog {
  return new SqliteCatalog(new Database(options.path), options.clock);
}

export class SqliteCatalog implements port.Catalog {
  readonly #database: Database;
  readonly #clock: CatalogClock;

  constructor(database: Database, wall: WallClock) {
    this.#database = database;
    this.#clock = new CatalogClock(database, wall);
  }

  async time(): Promise<Micros> {
    return this.#database.read(() => this.#clock.now());
  }

  async accept(acceptance: port.Acceptance): Promise<port.Accepted> {
    return this.#database.write(() => accept(this.#database, this.#clock, acceptance));
  }

  /** If a power loss undoes it, a re-send finds its first batch: the safe side. */
  async answered(batchId: string): Promise<void> {
    const sql = 'update batches set answered = 1 where id = :batchId';
    this.#database.writeUnsynced(() => this.#database.run(sql, { batchId }));
  }

  async batch(workspaceId: string, batchId: string): Promise<Batch | null> {
    return this.#database.read(() => findBatchOf(this.#database, { workspaceId, batchId }));
  }

  async page(query: port.PageQuery): Promise<port.Page | null> {
    return this.#database.read(() => page(this.#database, query));
  }

  async transition(change: Parameters<port.Catalog['transition']>[0]): Promise<Batch | null> {
    return this.#database.write(() => transition(this.#database, this.#clock, change));
  }

  async runnable(query: { after: string | null; limit: number }): Promise<readonly port.Runnable[]> {
    return this.#database.read(() => runnable(this.#database, this.#clock, query));
  }

  async claim(query: port.ClaimQuery): Promise<readonly port.HeldSpan[]> {
    return this.#database.write(() => claim(this.#database, this.#clock, query));
  }

  async held(node: string): Promise<readonly port.HeldSpan[]> {
    return this.#database.read(() => held(this.#database, node));
  }

  async renew(query: { node: string; leaseMs: number }): Promise<readonly port.Live[]> {
    return this.#database.write(() => renew(this.#database, this.#clock, query));
  }

  async release(query: { node: string; leases: readonly Lease[] }): Promise<void> {
    this.#database.write(() => release(this.#database, query));
  }

  async seal(request: port.Seal): Promise<port.Sealed> {
    return this.#database.write(() => seal(this.#database, this.#clock, request));
  }

  async chunks(query: Parameters<port.Catalog['chunks']>[0]): Promise<readonly port.ChunkRow[]> {
    return this.#database.read(() => chunks(this.#database, query));
  }

  async merge(change: Parameters<port.Catalog['merge']>[0]): Promise<boolean> {
    return this.#database.write(() => merge(this.#database, change));
  }

  async due(query: Parameters<port.Catalog['due']>[0]): Promise<readonly Batch[]> {
    return this.#database.read(() => due(this.#database, this.#clock, query));
  }

  async known(batchIds: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#database.read(() => known(this.#database, batchIds));
  }

  async close(): Promise<void> {
    this.#database.close();
  }
}
