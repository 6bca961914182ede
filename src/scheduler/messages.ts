/** What the scheduler is told and what it decides. Plain data; items are places in a segment, times are monotonic milliseconds. */
import type { OutcomeKind, RequestError } from '../domain/outcome.ts';

/** A number the engine gives to a held span; never used again in this process. */
export type SpanId = number;
/** A number the scheduler gives to an attempt; never used again in this process. */
export type AttemptId = number;
/** A number the engine gives to a synchronous call; never used again in this process. */
export type SyncId = number;
/** One upstream and model: `upstream\nmodel`. */
export type LaneId = string;

export type LaneSettings = {
  readonly concurrency: number;
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
};

export type Input =
  | { readonly kind: 'lane'; readonly lane: LaneId; readonly settings: LaneSettings }
  /** A batch that may run, or news of one: how many requests are not final, and how many spans of each lane nobody holds. */
  | {
      readonly kind: 'batch';
      readonly batchId: string;
      readonly workspaceId: string;
      readonly weight: number;
      readonly deadlineMs: number;
      readonly remaining: number;
    }
  /** The share of a workspace has changed. */
  | { readonly kind: 'weight'; readonly workspaceId: string; readonly weight: number }
  | { readonly kind: 'unclaimed'; readonly batchId: string; readonly lane: LaneId; readonly spans: number }
  /** A span is held. `items` are its requests without an outcome, ascending; `faults[i]` is 1 where items[i] can never be sent. */
  | {
      readonly kind: 'span';
      readonly span: SpanId;
      readonly batchId: string;
      readonly lane: LaneId;
      readonly items: Uint32Array;
      readonly tokens: Uint32Array;
      readonly faults: Uint8Array;
    }
  /** An earlier claim has been answered: its spans, if any, came before this. */
  | { readonly kind: 'claimed'; readonly batchId: string; readonly lane: LaneId }
  /** The lease was lost: forget the span; its attempts in flight are aborted and end in nothing. */
  | { readonly kind: 'lost'; readonly span: SpanId }
  | { readonly kind: 'cancel'; readonly batchId: string; readonly graceMs: number }
  /** The deadline has passed (by the catalog's clock): like a cancel, with the outcome `expired`; what is in flight gets the same grace. */
  | { readonly kind: 'expire'; readonly batchId: string; readonly graceMs: number }
  | { readonly kind: 'ended'; readonly attempt: AttemptId; readonly result: AttemptResult }
  /** A synchronous call: granted a slot before any batch work, or refused (see sync.ts). */
  | {
      readonly kind: 'sync';
      readonly sync: SyncId;
      readonly lane: LaneId;
      readonly settings: LaneSettings;
      readonly workspaceId: string;
      readonly weight: number;
      readonly tokens: number;
    }
  /** It has ended, or was given up while it waited (`aborted`). */
  | { readonly kind: 'syncEnded'; readonly sync: SyncId; readonly result: AttemptResult }
  /** What an answer's headers said of the limits left; nulls where they said nothing. */
  | {
      readonly kind: 'headroom';
      readonly lane: LaneId;
      readonly requestsLeft: number | null;
      readonly tokensLeft: number | null;
      readonly resetMs: number;
    }
  /** Sending waits (unsynced lines, a full disk) until resumed. */
  | { readonly kind: 'pause'; readonly reason: string }
  | { readonly kind: 'resume'; readonly reason: string }
  /** No more sends for good: the node is draining. */
  | { readonly kind: 'drain' }
  | { readonly kind: 'tick' };

export type AttemptResult =
  /** An outcome exists: succeeded, or errored by the request's own fault. */
  | { readonly kind: 'final' }
  /** Surely not paid: retried until the deadline. `throttled` for 429 and 529. */
  | {
      readonly kind: 'unpaid';
      readonly throttled: boolean;
      readonly retryAfterMs: number | null;
      readonly error: RequestError;
    }
  /** Perhaps paid: timeout, cut after the last byte, a 200 with garbage. Three attempts in all. */
  | { readonly kind: 'perhaps_paid'; readonly timeout: boolean; readonly error: RequestError }
  /** It was aborted by the scheduler's own command. */
  | { readonly kind: 'aborted' };

export type Command =
  | {
      readonly kind: 'send';
      readonly attempt: AttemptId;
      readonly span: SpanId;
      readonly item: number;
      readonly lane: LaneId;
    }
  | { readonly kind: 'abort'; readonly attempt: AttemptId }
  /** These requests get their outcome without (another) attempt. `error` is set for errored ones that have no fault in the index. */
  | {
      readonly kind: 'finish';
      readonly span: SpanId;
      readonly items: readonly number[];
      readonly outcome: Exclude<OutcomeKind, 'succeeded'>;
      readonly error: RequestError | null;
    }
  /** The synchronous call may go. */
  | { readonly kind: 'grant'; readonly sync: SyncId }
  /** It may not: too many of its workspace or lane wait, the lane is paused for too long, or the node is draining. */
  | {
      readonly kind: 'refuse';
      readonly sync: SyncId;
      readonly reason: SyncRefusal;
      /** How long the lane is known to be paused. */
      readonly retryAfterMs: number | null;
    }
  /** Claim spans of this batch and lane; answered by `span` inputs and then `claimed`. */
  | { readonly kind: 'claim'; readonly batchId: string; readonly lane: LaneId; readonly spans: number };

export type SyncRefusal = 'workspace' | 'lane' | 'paused' | 'draining';

export type LaneStats = {
  readonly lane: LaneId;
  readonly window: number;
  readonly inFlight: number;
  /** Requests held that may go now. */
  readonly ready: number;
  /** Requests that wait for the end of their backoff. */
  readonly delayed: number;
  readonly pausedUntilMs: number | null;
  readonly sick: boolean;
};
