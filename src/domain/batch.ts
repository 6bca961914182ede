/**
 * A batch: the requests of one create call, and the states it goes through.
 *
 *   running ──────────────► ended ──► (archivedAt set: result bytes gone) ──► row deleted on request
 *      └──► canceling ──────► ended
 *
 * `validating` and `failed` exist for dialects whose batches begin with a file; the Messages dialect never enters them.
 */
import type { Counts } from './outcome.ts';

export type BatchState = 'validating' | 'running' | 'canceling' | 'ended' | 'failed';

/** Microseconds since 1970 by the catalog's clock. Safe integers until the year 2255. */
export type Micros = number;

export type DialectName = 'anthropic' | 'openai';

export type Batch = {
  readonly id: string;
  readonly workspaceId: string;
  readonly keyId: string;
  readonly dialect: DialectName;
  /** The API version and betas of the create call: every request is judged and sent under them. */
  readonly version: string;
  readonly betas: readonly string[];
  readonly state: BatchState;
  readonly createdAt: Micros;
  readonly expiresAt: Micros;
  /** When the result bytes are deleted, if the batch has ended by then. */
  readonly archivesAt: Micros;
  readonly cancelAt: Micros | null;
  readonly endedAt: Micros | null;
  readonly archivedAt: Micros | null;
  readonly requests: number;
  /** What is sealed so far; these change only in a seal and sum to `requests` exactly when the batch may end. */
  readonly counts: Counts;
  readonly resultBytes: number;
};

/** What may happen to a batch's row, and the states it may happen from. The catalog only compares and sets. */
export type Transition = 'cancel' | 'archive' | 'delete';

export const transitionsFrom: Readonly<Record<Transition, readonly BatchState[]>> = {
  cancel: ['running', 'validating'],
  archive: ['ended', 'failed'],
  delete: ['ended', 'failed'],
};

export function isFinal(state: BatchState): boolean {
  return state === 'ended' || state === 'failed';
}
