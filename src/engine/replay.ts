/** Replay: what the journal holds that no seal has taken. A record counts where this node still holds its request. */
import type { Log } from '../ports/log.ts';
import type { Upstream } from '../upstreams/upstream.ts';
import { markDone, type HeldSpan, type Outcome } from './held.ts';
import { readRecord } from './record.ts';

export type ReplayDeps = {
  readonly log: Log;
  readonly spans: readonly HeldSpan[];
  readonly upstreamFor: (model: string) => Upstream;
};

export async function replay(deps: ReplayDeps): Promise<Outcome[]> {
  const held = new Map<string, HeldSpan[]>();
  for (const span of deps.spans) {
    const key = segmentKey(span.lease.batchId, span.lease.segment);
    held.set(key, [...(held.get(key) ?? []), span]);
  }
  const outcomes: Outcome[] = [];
  await deps.log.scan((file, payload) => {
    const record = readRecord(payload);
    if (!record) return;
    const spans = held.get(segmentKey(record.batchId, record.segment)) ?? [];
    // An older epoch is as good while the item is ours and open: the answer was bought by this node.
    const span = spans.find(({ lease }) => record.item >= lease.from && record.item < lease.to);
    // Sealed already, or the lease has passed on: the line is another's now.
    if (!span || !markDone(span, record.item)) return;
    const { item, outcome: kind, usage, model, upstream } = record;
    const { tier, billing } = deps.upstreamFor(span.segment.model);
    // Only an answer has usage; a record has zeros where there was none.
    const paid = kind === 'succeeded' ? usage : null;
    const line = new Uint8Array(record.line);
    outcomes.push({ span, item, kind, line, usage: paid, model, upstream, billing, tier, file });
  });
  // After a kill -9 the tail is in the kernel's hands only: nothing is sealed before it is on the disk.
  await deps.log.sync();
  return outcomes;
}

function segmentKey(batchId: string, segment: number): string {
  return `${batchId}/${segment}`;
}
