/**
 * The catalog: batches, their segments and spans, and their seals. It is the truth; memory is a cache.
 *
 * It holds no rule: the domain decides, the catalog compares and sets, each method one transaction.
 *  C1  Time is the catalog's: never below the highest value it ever stored, and `createdAt` strictly increases.
 *  C2  A batch appears whole (row, segments with their inline bytes, spans, event) in `accept`, or not at all.
 *  C3  A request's done bit is set at most once, only in `seal`, only under the current epoch of the lease that covers it.
 *  C4  Counts, usage, chunks and result bytes of a batch change only in `seal`.
 *  C5  A batch ends in the seal that brings its counts to the number of its requests, and nowhere else.
 *  C6  Every transition of a batch inserts one row into `events` (batch, sequence, kind, at) in its own transaction:
 *      'created', 'canceling', 'ended', 'archived', 'deleted'.
 *  C7  Reads by a workspace never show another workspace's batch.
 *  C8  Inline bytes of segments are gone with the transition that archives or deletes their batch.
 */
import type { Batch, BatchState, DialectName, Micros, Transition } from '../domain/batch.ts';
import type { Lease, Segment } from '../domain/segment.ts';
import type { Tally } from '../domain/tally.ts';

export type Acceptance = {
  readonly id: string;
  readonly workspaceId: string;
  readonly keyId: string;
  readonly dialect: DialectName;
  readonly version: string;
  readonly betas: readonly string[];
  readonly requests: number;
  readonly windowMs: number;
  readonly retentionMs: number;
  readonly segments: readonly Omit<Segment, 'batchId'>[];
  /** Says whether two creates are the same: a hash of key, decoded body, version and betas. */
  readonly fingerprint: string;
  /** The client says this is a re-send (an SDK's retry): it may be matched to an unanswered first one, not older than this. */
  readonly resend: { readonly withinMs: number } | null;
  readonly idempotencyKey: { readonly key: string; readonly withinMs: number } | null;
};

export type Accepted =
  | { readonly kind: 'accepted'; readonly batch: Batch }
  /** An earlier create was the same one: its batch; the new blobs are garbage for the caller to delete. */
  | { readonly kind: 'repeated'; readonly batch: Batch }
  /** The idempotency key was used for another body. */
  | { readonly kind: 'conflict' };

export type Page = { readonly batches: readonly Batch[]; readonly hasMore: boolean };

export type PageQuery = {
  readonly workspaceId: string;
  readonly limit: number;
  /** At most one of both; `after` means older, `before` newer. The page is newest first and holds those closest to the cursor. */
  readonly after: string | null;
  readonly before: string | null;
};

/** Work nobody holds: spans of one batch and one model that can be claimed. */
export type Runnable = { readonly batch: Batch; readonly model: string; readonly spans: number };

export type ClaimQuery = {
  readonly node: string;
  readonly batchId: string;
  /** Only segments of this model; null for any. */
  readonly model: string | null;
  readonly limit: number;
  readonly leaseMs: number;
};

export type HeldSpan = {
  readonly batch: Batch;
  readonly lease: Lease;
  readonly segment: Segment;
  /** The segment's done bits, one a request. */
  readonly done: Uint8Array;
};

export type ChunkRow = {
  readonly sequence: number;
  /** Where its lines begin in the batch's results: the sum of the chunks before. */
  readonly offset: number;
  readonly bytes: number;
  readonly lines: number;
  readonly blob: string;
  /** Where the lines begin in the blob, and its index: plaintext offsets. */
  readonly blobOffset: number;
  readonly indexOffset: number;
  readonly indexBytes: number;
};

export type Seal = {
  readonly node: string;
  readonly batchId: string;
  readonly chunk: Omit<ChunkRow, 'sequence' | 'offset'>;
  /** Every lease a line was written under, with the bits to set: a bitmap of the whole segment. */
  readonly leases: readonly { readonly lease: Lease; readonly done: Uint8Array }[];
  readonly tally: Tally;
};

export type Sealed =
  | { readonly kind: 'sealed'; readonly batch: Batch; readonly sequence: number }
  /** Nothing was changed: these leases have passed on (or a bit was set already). */
  | { readonly kind: 'stale'; readonly leases: readonly Lease[] };

export type Live = { readonly batchId: string; readonly state: BatchState; readonly expiresAt: Micros };

export interface Catalog {
  /** The catalog's clock (C1). */
  time(): Promise<Micros>;
  accept(acceptance: Acceptance): Promise<Accepted>;
  /** The first answer to the create of this batch was written completely: later re-sends of it are new batches. */
  answered(batchId: string): Promise<void>;
  batch(workspaceId: string, batchId: string): Promise<Batch | null>;
  /** Null when the cursor names no batch of the workspace. */
  page(query: PageQuery): Promise<Page | null>;
  /** Compares the state with `from`, makes the transition, returns the batch after it; null when it was in another state or is unknown. */
  transition(change: { batchId: string; transition: Transition; from: readonly BatchState[] }): Promise<Batch | null>;
  /** Batches (running or canceling) with spans that are unleased or whose lease has run out; oldest first, after a batch id. */
  runnable(query: { after: string | null; limit: number }): Promise<readonly Runnable[]>;
  /** Leases spans, lowest segment first, each under a new epoch. */
  claim(query: ClaimQuery): Promise<readonly HeldSpan[]>;
  /** What this node holds by the catalog, under unchanged epochs, whether run out or not (for a restart). */
  held(node: string): Promise<readonly HeldSpan[]>;
  /** Prolongs every lease of the node that has not been taken over; returns the live columns of their batches. */
  renew(query: { node: string; leaseMs: number }): Promise<readonly Live[]>;
  /** Gives spans back, whole or from an item on (`from` of the lease passed is where the tail begins); unknown leases are ignored. */
  release(query: { node: string; leases: readonly Lease[] }): Promise<void>;
  seal(seal: Seal): Promise<Sealed>;
  chunks(query: { batchId: string; after: number; limit: number }): Promise<readonly ChunkRow[]>;
  /** Replaces neighbouring chunks of an ended batch by one of the same bytes; false when they are no longer there. */
  merge(change: {
    batchId: string;
    from: number;
    to: number;
    chunk: Omit<ChunkRow, 'sequence' | 'offset'>;
  }): Promise<boolean>;
  /** Batches that are due: running past `expiresAt`, or ended and not archived past `archivesAt`; and which ended ones have many chunks. */
  due(query: { kind: 'expire' | 'archive' | 'merge'; limit: number }): Promise<readonly Batch[]>;
  /** Of these batch ids, the ones the catalog knows: what is left is garbage when old enough. */
  known(batchIds: readonly string[]): Promise<ReadonlySet<string>>;
  close(): Promise<void>;
}
