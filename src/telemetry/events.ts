/** Everything Nightshift tells the outside, as one union: logs and metrics subscribe, nobody else prints. No event holds a prompt, an answer or a key. */
import type { OutcomeKind } from '../domain/outcome.ts';

export type AttemptEnd = 'succeeded' | 'errored' | 'throttled' | 'unpaid' | 'perhaps_paid' | 'aborted';

export type NightshiftEvent =
  | { readonly kind: 'started'; readonly url: string; readonly version: string; readonly recoverMs: number }
  | { readonly kind: 'stopping'; readonly reason: string }
  | { readonly kind: 'stopped' }
  | {
      readonly kind: 'http';
      readonly method: string;
      readonly route: string;
      readonly status: number;
      readonly durationMs: number;
      readonly requestId: string;
      readonly workspaceId: string | null;
    }
  | {
      readonly kind: 'batch_created';
      readonly batchId: string;
      readonly workspaceId: string;
      readonly requests: number;
      readonly bytes: number;
      readonly durationMs: number;
      readonly repeated: boolean;
    }
  | { readonly kind: 'batch_canceling'; readonly batchId: string }
  | { readonly kind: 'batch_expiring'; readonly batchId: string }
  | { readonly kind: 'batch_ended'; readonly batchId: string; readonly requests: number; readonly durationMs: number }
  | { readonly kind: 'batch_archived'; readonly batchId: string }
  | { readonly kind: 'batch_deleted'; readonly batchId: string }
  | {
      readonly kind: 'attempt';
      readonly upstream: string;
      readonly model: string;
      readonly end: AttemptEnd;
      readonly status: number | null;
      readonly durationMs: number;
    }
  /** Failures of one lane are told in this form, at most once a second a lane: a storm must not drown the log. */
  | {
      readonly kind: 'lane_trouble';
      readonly upstream: string;
      readonly model: string;
      readonly reason: string;
      readonly count: number;
      readonly pausedMs: number;
    }
  | {
      readonly kind: 'lane_window';
      readonly upstream: string;
      readonly model: string;
      readonly window: number;
      readonly inFlight: number;
      readonly ready: number;
    }
  | { readonly kind: 'outcomes'; readonly outcome: OutcomeKind; readonly count: number }
  | { readonly kind: 'journal_synced'; readonly lines: number; readonly bytes: number; readonly durationMs: number }
  | {
      readonly kind: 'sealed';
      readonly batchId: string;
      readonly lines: number;
      readonly bytes: number;
      readonly durationMs: number;
    }
  | { readonly kind: 'seal_stale'; readonly batchId: string; readonly lines: number }
  | { readonly kind: 'recovered'; readonly spans: number; readonly lines: number; readonly durationMs: number }
  | { readonly kind: 'storage_full'; readonly what: string }
  | { readonly kind: 'storage_resumed'; readonly what: string }
  | { readonly kind: 'clock_jumped'; readonly byMs: number; readonly distrustMs: number }
  | { readonly kind: 'garbage_removed'; readonly blobs: number }
  /** The end of a journal file that a crash left half written was cut off: nothing in it had been synced. */
  | { readonly kind: 'torn_tail'; readonly path: string; readonly offset: number; readonly bytesCut: number }
  | { readonly kind: 'foreign_file'; readonly path: string }
  | { readonly kind: 'failure'; readonly where: string; readonly error: unknown; readonly requestId: string | null };
