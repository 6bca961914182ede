/** Rows to be sent again, gathered across batches and cut into chunks of their own, so that stragglers of many batches cost one small one. */
import type { StoredChange } from '../ledger/writes.ts';
import { MERGE_WAIT_MS } from '../limits.ts';
import { tooLarge } from '../plan/chunks.ts';
import { bytesInBody, type CutRow, cutRows } from './body.ts';
import { hasPassed } from './deadline.ts';
import type { Lanes } from './parts.ts';
import { chunkLimits } from './plan.ts';
import { renderRows } from './rows.ts';

/** Cuts what waits, if it is time; how long until it is, null: not before something changes. */
export async function cutAgain(lanes: Lanes): Promise<number | null> {
  const { parts, fault } = lanes;
  const { ledger, spec, world } = parts;
  const { seqs, sinceMs } = ledger.read.again();
  if (sinceMs === null || lanes.halted() !== null) return null;
  const limits = chunkLimits(spec.batching, { length: 0, bytes: 0 });
  const requests = Math.min(limits.requests, Number(ledger.read.fact('againRequests') ?? Infinity));
  const waitMs = sinceMs + MERGE_WAIT_MS - world.nowMs();
  const isAlone = ledger.chunks('waiting').length === 0 && ledger.chunks('open').length === 0;
  if (!isAlone && seqs.length < requests && waitMs > 0) return waitMs;
  const kind = isSyncDue(lanes) ? 'sync' : 'again';
  const rows: CutRow[] = [];
  const rejected: { seq: number; fault: string }[] = [];
  const changes: { seq: number; change: StoredChange }[] = [];
  for await (const { seq, key, params, reason, change } of renderRows(parts, seqs)) {
    if (change !== null) changes.push({ seq, change });
    const bytes = params === null ? 0 : bytesInBody({ seq, key, params: params.length });
    const complaint = params === null ? reason : tooLarge(bytes);
    if (complaint !== null) rejected.push({ seq, fault: complaint });
    else rows.push({ seq, bytes, params: params!.length });
  }
  fault('cut-again');
  // While the rows were rendered, the run may have been canceled.
  if (lanes.halted() !== null || lanes.signal.aborted) return null;
  const salt = Math.floor(world.random() * 1_000_000);
  ledger.cutAgain({ chunks: cutRows(rows, { limits: { ...limits, requests }, salt, kind }), rejected, changes });
  lanes.bell.ring();
  return null;
}

/** The last stragglers by the Messages API, where that was asked for; all rows, where no batches are wanted. */
export function isSyncDue({ parts }: Pick<Lanes, 'parts'>): boolean {
  return parts.spec.batching.sync || hasPassed(parts, parts.spec.policy.fallbackSyncAfterMs);
}
