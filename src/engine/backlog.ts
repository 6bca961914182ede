/** What waits: how much, for how long already, and how much of it is near its deadline. */
import { EXPIRING_SOON_MS } from '../domain/limits.ts';
import { countsTotal } from '../domain/outcome.ts';
import type { BatchRun } from './held.ts';

export type Backlog = {
  /** Requests accepted, of batches this node knows, that have no sealed outcome. */
  readonly pending: number;
  /** Those of batches whose deadline is near. */
  readonly expiringSoon: number;
  /** Since the oldest batch of them was created; 0 where nothing waits. */
  readonly oldestMs: number;
};

export function backlogOf(runs: Iterable<BatchRun>, wallMs: number): Backlog {
  let [pending, expiringSoon, oldestAtMs] = [0, 0, wallMs];
  for (const { batch } of runs) {
    const left = batch.requests - countsTotal(batch.counts);
    if (left === 0) continue;
    pending += left;
    if (batch.expiresAt / 1_000 - wallMs < EXPIRING_SOON_MS) expiringSoon += left;
    oldestAtMs = Math.min(oldestAtMs, batch.createdAt / 1_000);
  }
  return { pending, expiringSoon, oldestMs: wallMs - oldestAtMs };
}
