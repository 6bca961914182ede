/**
 * Attempts that may have been paid for and gave no result. They are kept in memory and counted by the next seal of their batch: what a
 * crash loses of them is lost, so these figures say "at least".
 */
import {
  addUsage,
  noUsage,
  usageKeyText,
  type Billing,
  type Usage,
  type UsageKey,
  type UsageRow,
} from '../domain/tally.ts';
import { bandOf } from '../money/prices.ts';
import type { BatchRun } from './held.ts';

export type Wasted = {
  readonly model: string;
  readonly upstream: string;
  readonly billing: Billing;
  readonly tier: string;
  /** Null where the upstream reported none: the tokens are unknown, the attempt counts all the same. */
  readonly usage: Usage | null;
  readonly atMs: number;
};

export function noteWasted(run: BatchRun, { usage, atMs, ...made }: Wasted): void {
  const { model, upstream, billing, tier } = made;
  const band = usage === null ? 0 : bandOf({ model, usage, atMs });
  const key: UsageKey = { model, upstream, billing, tier, band, wasted: true };
  const text = usageKeyText(key);
  const before = run.wasted.get(text);
  run.wasted.set(text, {
    ...key,
    ...addUsage(before ?? noUsage, usage ?? noUsage),
    requests: (before?.requests ?? 0) + 1,
  });
}

/** Taken for one seal; if that comes to nothing they are forgotten, because it may have been committed all the same. */
export function takeWasted(run: BatchRun): readonly UsageRow[] {
  const rows = [...run.wasted.values()];
  run.wasted.clear();
  return rows;
}
