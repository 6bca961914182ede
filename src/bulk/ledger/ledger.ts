/**
 * What others may ask of a run's ledger: plain, synchronous reads. The one process that owns the run also writes (ledger/writer.ts);
 * any number may read at the same time, and each answer is of one moment.
 */
import type { Item, ItemState, RawPlace, RemoteBatch } from '../contract.ts';
import type { Dated } from '../../money/cost.ts';

export type StateCounts = Readonly<Record<ItemState, number>>;

export type ItemQuery = {
  /** From this row on (inclusive); 0 when absent. */
  readonly from?: number;
  readonly states?: readonly ItemState[];
  readonly limit: number;
};

/** One time a row was sent and came to an end; the last one is in the item too. */
export type AttemptRecord = {
  readonly attempt: number;
  readonly state: ItemState;
  readonly raw: RawPlace | null;
  readonly error: { readonly type: string; readonly message: string } | null;
};

/**
 * running: made, not ended · ended: to be downloaded · kept: its raw file is whole · done: every line applied ·
 * strange: it holds lines that are not ours, kept and left alone · lost: the API no longer knows it.
 */
export type BatchState = 'running' | 'ended' | 'kept' | 'done' | 'strange' | 'lost';

export type BatchRecord = {
  /** Counts from 1 in order of submission; sync calls have batches of their own, named `sync-…`. */
  readonly number: number;
  readonly id: string;
  readonly chunk: number;
  readonly nonce: string;
  readonly requests: number;
  readonly state: BatchState;
  /** False while only time and count say that it is ours. */
  readonly proved: boolean;
  readonly remote: RemoteBatch;
  /** Lines applied to rows so far. */
  readonly ingestedLines: number;
};

export type IntentCounts = { readonly unclear: number; readonly sending: number };

/** Errors of one kind, as `errors` prints them. */
export type ErrorGroup = {
  readonly type: string;
  readonly message: string;
  readonly state: ItemState;
  readonly rows: number;
  readonly sampleSeq: number;
};

export type OwnerRecord = {
  readonly pid: number;
  readonly host: string;
  readonly heartbeatAtMs: number;
  readonly epoch: number;
};

export interface LedgerReader {
  /** Rows in all, every state taken together. */
  rows(): number;
  counts(): StateCounts;
  /** Requests after equal ones were folded together, without rejected and skipped rows. */
  requests(): number;
  item(seq: number): Item | null;
  /** Every row with this key, in order: ids need not be unique. */
  itemsByKey(key: string): readonly Item[];
  /** In order of seq; ask on from the last one's seq + 1. */
  items(query: ItemQuery): readonly Item[];
  /** Rows whose last line lies in this batch, by their place in its raw file: arrival order. */
  itemsOfBatch(batchId: string, query: { readonly fromOffset?: RawPlace; readonly limit: number }): readonly Item[];
  attemptsOf(seq: number): readonly AttemptRecord[];
  batches(): readonly BatchRecord[];
  usage(): readonly Dated[];
  usageByBatch(): readonly { readonly batchId: string; readonly usage: readonly Dated[] }[];
  errorGroups(): readonly ErrorGroup[];
  intents(): IntentCounts;
  owner(): OwnerRecord | null;
  /** Small facts of the run: `plannedAtMs`, `cutRows`, … */
  fact(name: string): string | null;
  close(): void;
}
