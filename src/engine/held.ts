/** What one node holds in memory of batches and spans: a cache of the catalog that can be thrown away at any time. */
import type { SegmentIndex } from '../bytes/segment-index.ts';
import type { Batch } from '../domain/batch.ts';
import { setBit, testBit, type Lease, type Segment } from '../domain/segment.ts';
import type { OutcomeKind } from '../domain/outcome.ts';
import type { Billing, Usage, UsageRow } from '../domain/tally.ts';
import type { LaneId, SpanId } from '../scheduler/messages.ts';
import type { Bodies } from './bodies.ts';

export type BatchRun = {
  batch: Batch;
  readonly spans: Set<HeldSpan>;
  /** Spans nobody is known to hold, by model. */
  readonly unclaimed: Map<string, number>;
  /** Claims under way: a batch is not over while one is. */
  claiming: number;
  /** Set once nothing new is sent: its lines are then made from the index, in larger chunks. */
  closing: 'canceled' | 'expired' | null;
  /** Attempts that may have been paid and gave no result, by the text of their usage key: the next seal takes them along. */
  readonly wasted: Map<string, UsageRow>;
};

export type HeldSpan = {
  readonly id: SpanId;
  readonly run: BatchRun;
  readonly lane: LaneId;
  /** Replaced when this node claims again what it holds. */
  lease: Lease;
  readonly segment: Segment;
  readonly index: SegmentIndex;
  readonly bodies: Bodies;
  /** Items with an outcome, sealed or not. */
  readonly done: Uint8Array;
  /** Items without one. */
  open: number;
  /** Items whose outcome is not sealed yet. */
  unsealed: number;
  lost: boolean;
};

export type Outcome = {
  readonly span: HeldSpan;
  readonly item: number;
  readonly kind: OutcomeKind;
  readonly line: Uint8Array;
  readonly usage: Usage | null;
  readonly model: string;
  readonly upstream: string;
  readonly billing: Billing;
  readonly tier: string;
  /** The journal file that holds it; -1 for lines made from the index, which no crash can lose. */
  file: number;
};

export function createRun(batch: Batch): BatchRun {
  return { batch, spans: new Set(), unclaimed: new Map(), claiming: 0, closing: null, wasted: new Map() };
}

/** Whether this node has nothing more to do for the batch than to seal what it has. */
export function isExhausted(run: BatchRun): boolean {
  if (run.claiming > 0) return false;
  for (const count of run.unclaimed.values()) if (count > 0) return false;
  for (const span of run.spans) if (span.open > 0) return false;
  return true;
}

/** False when the item already has an outcome: the second one is dropped, whoever brings it. */
export function markDone(span: HeldSpan, item: number): boolean {
  if (testBit(span.done, item)) return false;
  setBit(span.done, item);
  span.open -= 1;
  span.unsealed += 1;
  return true;
}
