/** The tally of the outcomes of one seal: counts by kind, and the usage of those that bought a result. */
import { noCounts, type OutcomeKind } from '../domain/outcome.ts';
import { addUsage, noUsage, usageKeyText, type Tally, type UsageKey, type UsageRow } from '../domain/tally.ts';
import { bandOf } from '../money/prices.ts';
import type { Outcome } from './held.ts';

export function tallyOf(outcomes: readonly Outcome[], { atMs }: { atMs: number }): Tally {
  const counts: Record<OutcomeKind, number> = { ...noCounts };
  const rows = new Map<string, UsageRow>();
  // Neighbours nearly always share a key: its text is made once for each run of them.
  let last: { readonly key: UsageKey; readonly text: string } | null = null;
  for (const outcome of outcomes) {
    counts[outcome.kind] += 1;
    // Only a result is billed: whatever another outcome might claim to have used is not its business.
    if (!outcome.usage || outcome.kind !== 'succeeded') continue;
    const { model, upstream, billing, tier, usage } = outcome;
    const key = { model, upstream, billing, tier, band: bandOf({ model, usage, atMs }), wasted: false };
    if (!last || !sameKey(last.key, key)) last = { key, text: usageKeyText(key) };
    const before = rows.get(last.text);
    rows.set(last.text, { ...key, ...addUsage(before ?? noUsage, usage), requests: (before?.requests ?? 0) + 1 });
  }
  return { counts, usage: [...rows.values()] };
}

function sameKey(left: UsageKey, right: UsageKey): boolean {
  return (
    left.model === right.model &&
    left.upstream === right.upstream &&
    left.billing === right.billing &&
    left.tier === right.tier &&
    left.band === right.band
  );
}
