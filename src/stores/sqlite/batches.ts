/** The batches' own rows: found, listed, due, and moved from state to state, each transition with its event (C6). */
import type { Batch, Micros, Transition } from '../../domain/batch.ts';
import { MERGE_CHUNK_BYTES_MIN, MERGE_CHUNKS_MIN } from '../../domain/limits.ts';
import type { Catalog, Page, PageQuery } from '../../ports/catalog.ts';
import type { CatalogClock } from './clock.ts';
import type { Database } from './database.ts';
import { batchColumns, toBatch, type BatchRow } from './rows.ts';

export function findBatch(database: Database, batchId: string): Batch | null {
  const row = database.get<BatchRow>(`select ${batchColumns} from batches where id = :batchId`, { batchId });
  return row === null ? null : toBatch(row);
}

export function findBatchOf(database: Database, query: { workspaceId: string; batchId: string }): Batch | null {
  const batch = findBatch(database, query.batchId);
  return batch !== null && batch.workspaceId === query.workspaceId ? batch : null;
}

export type EventKind = 'created' | 'canceling' | 'ended' | 'archived' | 'deleted';

export function insertEvent(database: Database, event: { batchId: string; kind: EventKind; at: Micros }): void {
  database.run(
    `insert into events (batch_id, sequence, kind, at)
     select :batchId, coalesce(max(sequence), 0) + 1, :kind, :at from events where batch_id = :batchId`,
    event,
  );
}

/** One row more than asked for says whether there are more. */
export function page(database: Database, query: PageQuery): Page | null {
  const cursor = query.after ?? query.before;
  const newer = query.after === null && query.before !== null;
  let createdAt = Number.MAX_SAFE_INTEGER;
  if (cursor !== null) {
    const batch = findBatchOf(database, { workspaceId: query.workspaceId, batchId: cursor });
    if (batch === null) return null;
    createdAt = batch.createdAt;
  }
  const rows = database.all<BatchRow>(
    `select ${batchColumns} from batches where workspace_id = :workspaceId and created_at ${newer ? '>' : '<'} :createdAt
     order by created_at ${newer ? 'asc' : 'desc'} limit :limit`,
    { workspaceId: query.workspaceId, createdAt, limit: query.limit + 1 },
  );
  const batches = rows.slice(0, query.limit).map(toBatch);
  return { batches: newer ? batches.toReversed() : batches, hasMore: rows.length > query.limit };
}

type TransitionChange = Parameters<Catalog['transition']>[0];

const transitions: Readonly<Record<Transition, { readonly sql: string; readonly event: EventKind }>> = {
  cancel: { sql: `update batches set state = 'canceling', cancel_at = :at where id = :batchId`, event: 'canceling' },
  archive: { sql: 'update batches set archived_at = :at where id = :batchId', event: 'archived' },
  // Segments, spans and chunks go with it; usage and events stay.
  delete: { sql: 'delete from batches where id = :batchId and :at is not null', event: 'deleted' },
};

export function transition(database: Database, clock: CatalogClock, change: TransitionChange): Batch | null {
  const { batchId, transition: name } = change;
  const before = findBatch(database, batchId);
  if (before === null || !change.from.includes(before.state)) return null;
  if (name === 'archive' && before.archivedAt !== null) return null;
  const at = clock.advance();
  database.run(transitions[name].sql, { batchId, at });
  if (name === 'archive') eraseInline(database, batchId);
  insertEvent(database, { batchId, kind: transitions[name].event, at });
  return name === 'delete' ? before : findBatch(database, batchId);
}

/** What the janitor does for blobs: an archived batch keeps its row, not its prompts. */
function eraseInline(database: Database, batchId: string): void {
  database.run('update segments set inline = null where batch_id = :batchId and inline is not null', { batchId });
}

/** The conditions repeat those of the partial indexes word for word, so that each query reads only what is due. */
const dueConditions = {
  expire: `state = 'running' and expires_at <= :now order by expires_at`,
  archive: `archived_at is null and state in ('ended', 'failed') and archives_at <= :now order by archives_at`,
  merge: `archived_at is null and state = 'ended' and chunk_count > ${MERGE_CHUNKS_MIN} and ended_at <= :now
    and result_bytes < chunk_count * ${MERGE_CHUNK_BYTES_MIN} order by ended_at`,
} as const;

export function due(database: Database, clock: CatalogClock, query: Parameters<Catalog['due']>[0]): readonly Batch[] {
  const sql = `select ${batchColumns} from batches where ${dueConditions[query.kind]} limit :limit`;
  return database.all<BatchRow>(sql, { now: clock.now(), limit: query.limit }).map(toBatch);
}

/** An archived batch owns no blobs any more: what a crash left of them is garbage too. */
export function known(database: Database, batchIds: readonly string[]): ReadonlySet<string> {
  const rows = database.all<{ id: string }>(
    'select b.id from json_each(:ids) as wanted join batches as b on b.id = wanted.value where b.archived_at is null',
    { ids: JSON.stringify(batchIds) },
  );
  return new Set(rows.map((row) => row.id));
}
