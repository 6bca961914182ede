/** The SQLite stores under the suites of every adapter: in process, and in their worker thread. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { FakeClock, type CatalogStore, type EventRow } from '../../../test/conformance/catalog-fixtures.ts';
import { catalogSuite } from '../../../test/conformance/catalog.ts';
import { directorySuite, type DirectoryStore } from '../../../test/conformance/directory.ts';
import { usagesSuite } from '../../../test/conformance/usages.ts';
import type { UsageRow } from '../../domain/tally.ts';
import { openSqliteStores, type SqliteOptions, type SqliteStores } from './stores.ts';
import { openWorkerStores } from './worker-stores.ts';

type Open = (options: SqliteOptions) => Promise<SqliteStores>;

const openers: Readonly<Record<string, Open>> = {
  'sqlite in process': async (options) => openSqliteStores(options),
  'sqlite in a worker': (options) => openWorkerStores({ ...options, onDeath: (error) => process.emitWarning(error) }),
};

for (const [name, open] of Object.entries(openers)) {
  catalogSuite({ name, create: () => createStore(open) });
  directorySuite({ name, create: () => createStore(open) });
  usagesSuite({ name, create: (clock) => createUsages(open, clock) });
}

const someIds = { organizationId: 'organization', defaultWorkspaceId: 'wrkspc_default' };

async function createStore(
  open: Open,
): Promise<Omit<CatalogStore, 'open'> & { open: CatalogStore['open'] & DirectoryStore['open'] }> {
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-sqlite-'));
  const path = join(folder, 'catalog.db');
  const opened: SqliteStores[] = [];
  return {
    open: (async (what: FakeClock | typeof someIds) => {
      const isClock = what instanceof FakeClock;
      const stores = await open({
        path,
        clock: isClock ? what : new FakeClock(),
        firstStart: isClock ? someIds : what,
      });
      opened.push(stores);
      return isClock ? stores.catalog : stores.directory;
    }) as CatalogStore['open'] & DirectoryStore['open'],
    events: async (batchId) => look<EventRow>(path, { sql: eventSql, batchId }),
    usage: async (batchId) =>
      look<UsageRow>(path, { sql: usageSql, batchId }).map((row) => ({ ...row, wasted: Boolean(row.wasted) })),
    inlineBytes: async () => look<{ bytes: number }>(path, { sql: inlineSql })[0]!.bytes,
    destroy: async () => {
      await Promise.all(opened.map((stores) => stores.close()));
      await rm(folder, { recursive: true });
    },
  };
}

async function createUsages(open: Open, clock: FakeClock) {
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-sqlite-'));
  const { catalog, usage, close } = await open({ path: join(folder, 'catalog.db'), clock, firstStart: someIds });
  const destroy = async () => {
    await close();
    await rm(folder, { recursive: true });
  };
  return { catalog, usage, destroy };
}

const eventSql = 'select sequence, kind, at from events where batch_id = ? order by position';

const inlineSql = 'select coalesce(sum(length(inline)), 0) as bytes from segments';

const usageSql = `
  select model, upstream, billing, tier, band, wasted, requests, input_tokens as inputTokens, output_tokens as outputTokens,
    cache_creation_input_tokens as cacheCreationInputTokens, cache_read_input_tokens as cacheReadInputTokens,
    cache_creation_1h_input_tokens as cacheCreation1hInputTokens
  from usage where batch_id = ?`;

function look<Row extends object>(path: string, { sql, batchId }: { sql: string; batchId?: string }): Row[] {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return (database.prepare(sql).all(...(batchId === undefined ? [] : [batchId])) as Row[]).map((row) => ({ ...row }));
  } finally {
    database.close();
  }
}
