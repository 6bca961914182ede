/** Walks through the list of batches, newest first, as far back as needed: the evidence that `reconcile` asks for. */
import type { Listing } from '../../submit-once/reconcile.ts';
import type { BatchApi, RemoteBatch } from '../contract.ts';
import { LIST_PAGE_BATCHES, LIST_PAGES_MAX } from '../limits.ts';
import { failed } from './connection.ts';

export type Walk = Listing & { readonly batches: readonly RemoteBatch[] };

/** Back to batches made before `backToMs` (the server's time), or to the end of the list. */
export async function walkList(
  api: Pick<BatchApi, 'list' | 'clockAheadMs'>,
  query: { readonly backToMs: number; readonly nowMs: () => number; readonly signal: AbortSignal },
): Promise<Walk> {
  const { backToMs, nowMs, signal } = query;
  const begunLocallyMs = nowMs();
  const batches = new Map<string, RemoteBatch>();
  let afterId: string | null = null;
  let begunAtMs: number | null = null;
  for (let pages = 0; pages < LIST_PAGES_MAX; pages++) {
    const page = await api.list({ afterId, limit: LIST_PAGE_BATCHES, signal });
    // Known from the first answer on, also where the local clock jumped since the last one.
    begunAtMs ??= begunLocallyMs + api.clockAheadMs();
    for (const batch of page.batches) {
      batches.set(batch.id, batch);
    }
    const oldest = page.batches.at(-1);
    if (!page.hasMore || oldest === undefined) {
      return { batches: [...batches.values()], begunAtMs, reachesMs: -Infinity };
    }
    if (oldest.createdAtMs < backToMs) {
      return { batches: [...batches.values()], begunAtMs, reachesMs: backToMs };
    }
    afterId = oldest.id;
  }
  throw failed('unreadable_answer', 'the list of batches has no end');
}
