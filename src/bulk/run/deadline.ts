/** Times counted from the first thing sent. */
import type { RunParts } from './parts.ts';

export function isPastDeadline(parts: RunParts): boolean {
  return hasPassed(parts, parts.spec.policy.deadlineMs);
}

/** Never, where there is no such time. */
export function hasPassed({ ledger, world }: Pick<RunParts, 'ledger' | 'world'>, ms: number | null): boolean {
  const firstSentAtMs = ledger.read.fact('firstSentAtMs');
  return ms !== null && firstSentAtMs !== null && world.nowMs() - Number(firstSentAtMs) >= ms;
}
