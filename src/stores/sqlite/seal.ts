/**
 * The seal, the one transaction that makes outcomes final: done bits, chunk, counts, usage and perhaps the end (C3, C4, C5).
 *
 * Everything is checked before anything is written, so that a stale lease changes nothing.
 */
import { isFinal, type Batch } from '../../domain/batch.ts';
import { assert, must } from '../../domain/errors.ts';
import { countsTotal } from '../../domain/outcome.ts';
import type { Lease } from '../../domain/segment.ts';
import type { Seal, Sealed } from '../../ports/catalog.ts';
import { findBatch, insertEvent } from './batches.ts';
import { bitsOverlap, bitsUnion, bitsWithin, countBits } from './bits.ts';
import { insertChunk } from './chunks.ts';
import type { CatalogClock } from './clock.ts';
import type { Database } from './database.ts';
import { deleteFinishedSpans } from './spans.ts';
import { addUsage } from './usage.ts';

export function seal(database: Database, clock: CatalogClock, seal: Seal): Sealed {
  const { batchId, tally } = seal;
  const batch = findBatch(database, batchId);
  if (batch === null || isFinal(batch.state)) return { kind: 'stale', leases: seal.leases.map(({ lease }) => lease) };
  const { done, stale, items } = check(database, seal);
  if (stale.length > 0) return { kind: 'stale', leases: stale };
  assert(countsTotal(tally.counts) === items, 'a seal counts exactly the requests whose bits it sets');
  for (const [segment, bits] of done) setDone(database, { batchId, segment, done: bits });
  const sequence = addChunk(database, batch, seal);
  const now = clock.advance();
  addUsage(database, batch, { rows: tally.usage, now });
  const after = addCounts(database, seal);
  return {
    kind: 'sealed',
    batch: countsTotal(after.counts) === after.requests ? end(database, after, now) : after,
    sequence,
  };
}

type Checked = {
  /** By segment, the bits it has after the seal. */
  readonly done: ReadonlyMap<number, Uint8Array>;
  readonly stale: readonly Lease[];
  readonly items: number;
};

function check(database: Database, { batchId, node, leases }: Seal): Checked {
  const done = new Map<number, Uint8Array>();
  const stale: Lease[] = [];
  let items = 0;
  for (const { lease, done: bits } of leases) {
    const before = done.get(lease.segment) ?? findDone(database, batchId, lease.segment);
    const covered = lease.batchId === batchId && covers(database, { lease, node, bits });
    if (before === null || !covered || bitsOverlap(before, bits)) {
      stale.push(lease);
      continue;
    }
    items += countBits(bits);
    done.set(lease.segment, bitsUnion(before, bits));
  }
  return { done, stale, items };
}

function findDone(database: Database, batchId: string, segment: number): Uint8Array | null {
  const sql = 'select done from segments where batch_id = :batchId and number = :segment';
  return database.get<{ done: Uint8Array }>(sql, { batchId, segment })?.done ?? null;
}

/** The row that holds the lease's first item says who may seal; it may have become shorter than the lease. */
function covers(database: Database, { lease, node, bits }: { lease: Lease; node: string; bits: Uint8Array }): boolean {
  const span = database.get<{ from: number; to: number }>(
    `select from_item as "from", to_item as "to" from spans
     where batch_id = :batchId and segment = :segment and from_item <= :from and to_item > :from
       and node = :node and epoch = :epoch`,
    { batchId: lease.batchId, segment: lease.segment, from: lease.from, epoch: lease.epoch, node },
  );
  return span !== null && bitsWithin(bits, span);
}

function setDone(database: Database, change: { batchId: string; segment: number; done: Uint8Array }): void {
  database.run('update segments set done = :done where batch_id = :batchId and number = :segment', change);
  deleteFinishedSpans(database, change);
}

function addChunk(database: Database, batch: Batch, { chunk }: Seal): number {
  const { sequence } = must(
    database.get<{ sequence: number }>(
      `update batches set result_bytes = result_bytes + :bytes, chunk_count = chunk_count + 1, next_sequence = next_sequence + 1
       where id = :batchId returning next_sequence - 1 as sequence`,
      { batchId: batch.id, bytes: chunk.bytes },
    ),
    'the batch was just read',
  );
  insertChunk(database, batch.id, { ...chunk, sequence, offset: batch.resultBytes });
  return sequence;
}

function addCounts(database: Database, { batchId, tally }: Seal): Batch {
  database.run(
    `update batches set succeeded = succeeded + :succeeded, errored = errored + :errored,
       canceled = canceled + :canceled, expired = expired + :expired where id = :batchId`,
    { batchId, ...tally.counts },
  );
  return must(findBatch(database, batchId), 'the batch was just updated');
}

function end(database: Database, batch: Batch, now: number): Batch {
  database.run(`update batches set state = 'ended', ended_at = :now where id = :batchId`, { batchId: batch.id, now });
  database.run('delete from spans where batch_id = :batchId', { batchId: batch.id });
  insertEvent(database, { batchId: batch.id, kind: 'ended', at: now });
  return { ...batch, state: 'ended', endedAt: now };
}
