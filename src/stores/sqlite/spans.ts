/** Spans: found free, leased, prolonged and given back. A lease is a row's node and epoch; the epoch of an item only grows. */
import type { Batch } from '../../domain/batch.ts';
import { must } from '../../domain/errors.ts';
import type { Lease } from '../../domain/segment.ts';
import type { Catalog, ClaimQuery, HeldSpan, Live, Runnable } from '../../ports/catalog.ts';
import { findBatch } from './batches.ts';
import { bitsFill } from './bits.ts';
import type { CatalogClock } from './clock.ts';
import type { Database } from './database.ts';
import { batchColumns, heldSpanColumns, toBatch, toHeldSpan, type BatchRow, type HeldSpanRow } from './rows.ts';

/** The limit counts batches, so that a page never cuts one between its models. */
export function runnable(
  database: Database,
  clock: CatalogClock,
  query: Parameters<Catalog['runnable']>[0],
): Runnable[] {
  const now = clock.now();
  const rows = database.all<BatchRow>(
    `select ${batchColumns} from batches
     where state in ('running', 'canceling')
       and created_at > coalesce((select created_at from batches where id = :after), 0)
       and exists (select 1 from spans where batch_id = batches.id and lease_until <= :now)
     order by created_at limit :limit`,
    { after: query.after, now, limit: query.limit },
  );
  return rows
    .map(toBatch)
    .flatMap((batch) =>
      database
        .all<{ model: string; spans: number }>(
          `select model, count(*) as spans from spans where batch_id = :batchId and lease_until <= :now group by model`,
          { batchId: batch.id, now },
        )
        .map(({ model, spans }) => ({ batch, model, spans })),
    );
}

export function claim(database: Database, clock: CatalogClock, query: ClaimQuery): HeldSpan[] {
  const { batchId, model, node, limit } = query;
  const free = database.all<HeldSpanRow>(
    `select ${heldSpanColumns} from spans as s join segments as g on g.batch_id = s.batch_id and g.number = s.segment
     where s.batch_id = :batchId and s.lease_until <= :now ${model === null ? '' : 'and s.model = :model'}
     order by s.segment, s.from_item limit :limit`,
    { batchId, now: clock.now(), limit, ...(model !== null && { model }) },
  );
  if (free.length === 0) return [];
  const leaseUntil = clock.advance() + query.leaseMs * 1_000;
  for (const row of free) {
    database.run(
      `update spans set epoch = epoch + 1, node = :node, lease_until = :leaseUntil
       where batch_id = :batchId and segment = :segment and from_item = :from`,
      { node, leaseUntil, batchId, segment: row.segment, from: row.from_item },
    );
  }
  return toHeldSpans(
    database,
    free.map((row) => ({ ...row, epoch: row.epoch + 1 })),
  );
}

export function held(database: Database, node: string): HeldSpan[] {
  const rows = database.all<HeldSpanRow>(
    `select ${heldSpanColumns} from spans as s join segments as g on g.batch_id = s.batch_id and g.number = s.segment
     where s.node = :node order by s.batch_id, s.segment, s.from_item`,
    { node },
  );
  return toHeldSpans(database, rows);
}

/** Spans of one batch share its row. */
function toHeldSpans(database: Database, rows: readonly HeldSpanRow[]): HeldSpan[] {
  const batches = new Map<string, Batch>();
  return rows.map((row) => {
    const batch = batches.get(row.batch_id) ?? must(findBatch(database, row.batch_id), 'a span has a batch');
    batches.set(row.batch_id, batch);
    return toHeldSpan(batch, row);
  });
}

export function renew(
  database: Database,
  clock: CatalogClock,
  query: { node: string; leaseMs: number },
): readonly Live[] {
  const { node, leaseMs } = query;
  const live = database.all<Live>(
    `select id as batchId, state, expires_at as expiresAt from batches
     where id in (select batch_id from spans where node = :node) order by created_at`,
    { node },
  );
  if (live.length === 0) return [];
  const leaseUntil = clock.advance() + leaseMs * 1_000;
  database.run('update spans set lease_until = :leaseUntil where node = :node', { node, leaseUntil });
  return live.map((row) => ({ ...row }));
}

type SpanRow = { readonly from_item: number; readonly to_item: number; readonly model: string };

/** Nothing is freed that the lease does not name: a tail already given back, or taken over, is no longer found. */
export function release(database: Database, query: { node: string; leases: readonly Lease[] }): void {
  for (const lease of query.leases) {
    const { batchId, segment, from, to, epoch } = lease;
    const span = database.get<SpanRow>(
      `select from_item, to_item, model from spans
       where batch_id = :batchId and segment = :segment and to_item = :to and from_item <= :from and :from < to_item
         and node = :node and epoch = :epoch`,
      { batchId, segment, from, to, epoch, node: query.node },
    );
    if (span === null) continue;
    if (span.from_item === from) freeWhole(database, lease);
    else splitTail(database, lease, span);
  }
}

function freeWhole(database: Database, { batchId, segment, from }: Lease): void {
  database.run(
    `update spans set node = null, lease_until = 0 where batch_id = :batchId and segment = :segment and from_item = :from`,
    { batchId, segment, from },
  );
}

/** The tail keeps the epoch, which its next claim raises; so the old lease covers none of its items. */
function splitTail(database: Database, lease: Lease, span: SpanRow): void {
  const { batchId, segment, from, to, epoch } = lease;
  database.run(
    `update spans set to_item = :from where batch_id = :batchId and segment = :segment and from_item = :begin`,
    { batchId, segment, from, begin: span.from_item },
  );
  database.run(
    `insert into spans (batch_id, segment, from_item, to_item, model, epoch, node, lease_until)
     values (:batchId, :segment, :from, :to, :model, :epoch, null, 0)`,
    { batchId, segment, from, to, model: span.model, epoch },
  );
  const row = database.get<{ done: Uint8Array }>(
    'select done from segments where batch_id = :batchId and number = :segment',
    { batchId, segment },
  );
  if (row !== null) deleteFinishedSpans(database, { batchId, segment, done: row.done });
}

/** A span without work left must not be claimed again. */
export function deleteFinishedSpans(
  database: Database,
  { batchId, segment, done }: { batchId: string; segment: number; done: Uint8Array },
): void {
  const spans = database.all<{ from: number; to: number }>(
    `select from_item as "from", to_item as "to" from spans where batch_id = :batchId and segment = :segment`,
    { batchId, segment },
  );
  for (const span of spans) {
    if (!bitsFill(done, span)) continue;
    database.run('delete from spans where batch_id = :batchId and segment = :segment and from_item = :from', {
      batchId,
      segment,
      from: span.from,
    });
  }
}
