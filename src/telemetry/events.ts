/** Everything Nightshift tells the outside, as one union: logs and metrics subscribe, nobody else prints. No event holds a prompt, an answer or a key. */
import type { OutcomeKind } from '../domain/outcome.ts';
import type { UsageRow } from '../domain/tally.ts';

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
      /** Its address, or what a trusted proxy says it is. */
      readonly client: string | null;
      /** Of the error catalogue; null where no error was told. */
      readonly code: string | null;
    }
  /** A key that exists and is no longer good; at most once a minute a key. */
  | {
      readonly kind: 'key_refused';
      readonly reason: 'expired' | 'revoked';
      readonly keyId: string;
      readonly workspaceId: string;
      readonly requestId: string;
    }
  /** The first key, as the start found it, opens nothing any more. */
  | { readonly kind: 'first_key_useless'; readonly reason: 'revoked' }
  | { readonly kind: 'weight_changed'; readonly workspaceId: string; readonly weight: number }
  | {
      readonly kind: 'batch_created';
      readonly batchId: string;
      readonly workspaceId: string;
      readonly requests: number;
      readonly bytes: number;
      readonly durationMs: number;
      readonly repeated: boolean;
      /** The caller's own trace (W3C), where it told one. */
      readonly traceparent?: string | null;
    }
  | { readonly kind: 'batch_canceling'; readonly batchId: string }
  | { readonly kind: 'batch_expiring'; readonly batchId: string }
  | { readonly kind: 'batch_ended'; readonly batchId: string; readonly requests: number; readonly durationMs: number }
  | { readonly kind: 'batch_archived'; readonly batchId: string }
  | { readonly kind: 'batch_deleted'; readonly batchId: string }
  | {
      readonly kind: 'attempt';
      readonly batchId: string;
      readonly upstream: string;
      readonly model: string;
      readonly end: AttemptEnd;
      readonly status: number | null;
      readonly durationMs: number;
    }
  /** A synchronous call has ended. `status` is what its caller was told, 499 one that left; tokens are known of whole answers only. */
  | {
      readonly kind: 'message';
      readonly upstream: string;
      readonly model: string;
      readonly workspaceId: string;
      readonly status: number;
      /** Of the duration, the wait for a slot. */
      readonly waitedMs: number;
      readonly durationMs: number;
      readonly inputTokens: number | null;
      readonly outputTokens: number | null;
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
  /** What the outcomes of a seal used, in groups. */
  | (UsageRow & { readonly kind: 'used'; readonly batchId: string })
  | { readonly kind: 'seal_stale'; readonly batchId: string; readonly lines: number }
  | { readonly kind: 'recovered'; readonly spans: number; readonly lines: number; readonly durationMs: number }
  | { readonly kind: 'storage_full'; readonly what: string }
  | { readonly kind: 'storage_resumed'; readonly what: string }
  | { readonly kind: 'clock_jumped'; readonly byMs: number; readonly distrustMs: number }
  | { readonly kind: 'catalog_call'; readonly method: string; readonly durationMs: number; readonly failed: boolean }
  /** Spans that no collector will see; at most once a minute. */
  | { readonly kind: 'spans_dropped'; readonly reason: string; readonly count: number }
  | { readonly kind: 'garbage_removed'; readonly blobs: number }
  /** The end of a journal file that a crash left half written was cut off: nothing in it had been synced. */
  | { readonly kind: 'torn_tail'; readonly path: string; readonly offset: number; readonly bytesCut: number }
  | { readonly kind: 'foreign_file'; readonly path: string }
  | { readonly kind: 'failure'; readonly where: string; readonly error: unknown; readonly requestId: string | null };
