/** Rows of the catalog and the domain's words for them. */
import type { Batch, BatchState, DialectName } from '../../domain/batch.ts';
import { assert } from '../../domain/errors.ts';
import type { SegmentSource } from '../../domain/segment.ts';
import type { HeldSpan } from '../../ports/catalog.ts';

export const batchColumns = `
  created_at, id, workspace_id, key_id, dialect, version, betas, state, expires_at, archives_at, cancel_at, ended_at,
  archived_at, requests, succeeded, errored, canceled, expired, result_bytes`;

export type BatchRow = {
  readonly created_at: number;
  readonly id: string;
  readonly workspace_id: string;
  readonly key_id: string;
  readonly dialect: DialectName;
  readonly version: string;
  readonly betas: string;
  readonly state: BatchState;
  readonly expires_at: number;
  readonly archives_at: number;
  readonly cancel_at: number | null;
  readonly ended_at: number | null;
  readonly archived_at: number | null;
  readonly requests: number;
  readonly succeeded: number;
  readonly errored: number;
  readonly canceled: number;
  readonly expired: number;
  readonly result_bytes: number;
};

export function toBatch(row: BatchRow): Batch {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    keyId: row.key_id,
    dialect: row.dialect,
    version: row.version,
    betas: JSON.parse(row.betas) as string[],
    state: row.state,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    archivesAt: row.archives_at,
    cancelAt: row.cancel_at,
    endedAt: row.ended_at,
    archivedAt: row.archived_at,
    requests: row.requests,
    counts: { succeeded: row.succeeded, errored: row.errored, canceled: row.canceled, expired: row.expired },
    resultBytes: row.result_bytes,
  };
}

/** A span joined with its segment, aliased `s` and `g`. */
export const heldSpanColumns = `
  s.batch_id, s.segment, s.from_item, s.to_item, s.epoch, g.blob, g.blob_offset, g.bytes, g.index_offset, g.index_bytes,
  g.model, g.family, g.requests, g.done, g.inline`;

export type HeldSpanRow = {
  readonly batch_id: string;
  readonly segment: number;
  readonly from_item: number;
  readonly to_item: number;
  readonly epoch: number;
  readonly blob: string;
  readonly blob_offset: number;
  readonly bytes: number;
  readonly index_offset: number;
  readonly index_bytes: number;
  readonly model: string;
  readonly family: string | null;
  readonly requests: number;
  readonly done: Uint8Array;
  readonly inline: Uint8Array | null;
};

export function toHeldSpan(batch: Batch, row: HeldSpanRow): HeldSpan {
  return {
    batch,
    lease: { batchId: row.batch_id, segment: row.segment, from: row.from_item, to: row.to_item, epoch: row.epoch },
    segment: {
      batchId: row.batch_id,
      number: row.segment,
      source: toSource(row),
      offset: row.blob_offset,
      bytes: row.bytes,
      indexOffset: row.index_offset,
      indexBytes: row.index_bytes,
      model: row.model,
      family: row.family,
      requests: row.requests,
    },
    done: row.done,
  };
}

function toSource({ blob, inline }: HeldSpanRow): SegmentSource {
  if (inline !== null) return { kind: 'inline', bytes: inline };
  assert(blob !== '', 'a segment keeps its bytes as long as it has spans');
  return { kind: 'blob', key: blob };
}
