/** Accepting a batch: the earlier create it repeats, or its rows, segments, spans and event, whole or not at all (C2). */
import type { Batch } from '../../domain/batch.ts';
import { assert, must } from '../../domain/errors.ts';
import { bitmap } from '../../domain/segment.ts';
import type { Acceptance, Accepted } from '../../ports/catalog.ts';
import { findBatch, insertEvent } from './batches.ts';
import type { CatalogClock } from './clock.ts';
import type { Database } from './database.ts';
import { batchColumns, toBatch, type BatchRow } from './rows.ts';

export function accept(database: Database, clock: CatalogClock, acceptance: Acceptance): Accepted {
  const now = clock.now();
  const keyed = findKeyed(database, acceptance, now);
  if (keyed !== null) {
    return keyed.fingerprint === acceptance.fingerprint
      ? { kind: 'repeated', batch: toBatch(keyed) }
      : { kind: 'conflict' };
  }
  const unanswered = findUnanswered(database, acceptance, now);
  if (unanswered !== null) return { kind: 'repeated', batch: unanswered };
  return { kind: 'accepted', batch: insertAll(database, clock, acceptance) };
}

function findKeyed(
  database: Database,
  acceptance: Acceptance,
  now: number,
): (BatchRow & { fingerprint: string }) | null {
  const { workspaceId, idempotencyKey } = acceptance;
  if (idempotencyKey === null) return null;
  return database.get<BatchRow & { fingerprint: string }>(
    `select ${batchColumns}, fingerprint from batches
     where workspace_id = :workspaceId and idempotency_key = :key and created_at >= :since
     order by created_at desc limit 1`,
    { workspaceId, key: idempotencyKey.key, since: now - idempotencyKey.withinMs * 1_000 },
  );
}

/** A re-send carries the idempotency key of what it repeats, or none if that had none: another key means another create. */
function findUnanswered(database: Database, acceptance: Acceptance, now: number): Batch | null {
  const { workspaceId, fingerprint, resend, idempotencyKey } = acceptance;
  if (resend === null) return null;
  const row = database.get<BatchRow>(
    `select ${batchColumns} from batches
     where fingerprint = :fingerprint and answered = 0 and created_at >= :since
       and workspace_id = :workspaceId and idempotency_key is :key
     order by created_at desc limit 1`,
    { fingerprint, workspaceId, key: idempotencyKey?.key ?? null, since: now - resend.withinMs * 1_000 },
  );
  return row === null ? null : toBatch(row);
}

function insertAll(database: Database, clock: CatalogClock, acceptance: Acceptance): Batch {
  const requests = acceptance.segments.reduce((sum, segment) => sum + segment.requests, 0);
  assert(requests === acceptance.requests, 'a batch has as many requests as its segments together');
  const createdAt = clock.advanceStrictly();
  insertBatch(database, acceptance, createdAt);
  for (const segment of acceptance.segments) insertSegment(database, acceptance.id, segment);
  insertEvent(database, { batchId: acceptance.id, kind: 'created', at: createdAt });
  return must(findBatch(database, acceptance.id), 'the batch was just inserted');
}

function insertBatch(database: Database, acceptance: Acceptance, createdAt: number): void {
  database.run(
    `insert into batches (created_at, id, workspace_id, key_id, dialect, version, betas, state, expires_at, archives_at,
       requests, fingerprint, idempotency_key)
     values (:createdAt, :id, :workspaceId, :keyId, :dialect, :version, :betas, 'running', :expiresAt, :archivesAt,
       :requests, :fingerprint, :idempotencyKey)`,
    {
      createdAt,
      id: acceptance.id,
      workspaceId: acceptance.workspaceId,
      keyId: acceptance.keyId,
      dialect: acceptance.dialect,
      version: acceptance.version,
      betas: JSON.stringify(acceptance.betas),
      expiresAt: createdAt + acceptance.windowMs * 1_000,
      archivesAt: createdAt + acceptance.retentionMs * 1_000,
      requests: acceptance.requests,
      fingerprint: acceptance.fingerprint,
      idempotencyKey: acceptance.idempotencyKey?.key ?? null,
    },
  );
}

function insertSegment(database: Database, batchId: string, segment: Acceptance['segments'][number]): void {
  const { number, model, requests, source } = segment;
  database.run(
    `insert into segments (batch_id, number, blob, blob_offset, bytes, index_offset, index_bytes, model, family, requests, done,
       inline)
     values (:batchId, :number, :blob, :offset, :bytes, :indexOffset, :indexBytes, :model, :family, :requests, :done,
       :inline)`,
    {
      batchId,
      number,
      blob: source.kind === 'blob' ? source.key : '',
      offset: segment.offset,
      bytes: segment.bytes,
      indexOffset: segment.indexOffset,
      indexBytes: segment.indexBytes,
      model,
      family: segment.family,
      requests,
      done: bitmap(requests),
      inline: source.kind === 'inline' ? source.bytes : null,
    },
  );
  database.run(
    `insert into spans (batch_id, segment, from_item, to_item, model, epoch, node, lease_until)
     values (:batchId, :number, 0, :requests, :model, 0, null, 0)`,
    { batchId, number, requests, model },
  );
}
