/** A list of another workspace proves nothing: its batches are not ours, and ours are not in it. */
import { RunError } from './errors.ts';
import type { RunParts } from './parts.ts';

const FACT = 'identity';

/** Kept with the first batch that was made. */
export function keepIdentity({ ledger, api }: RunParts): void {
  const identity = api.identity?.() ?? null;
  if (identity === null || ledger.read.fact(FACT) !== null) return;
  ledger.setFact(FACT, JSON.stringify(identity));
}

/** Before anything is made of what an API does or does not list. */
export function checkIdentity({ ledger, api }: RunParts): void {
  const kept = ledger.read.fact(FACT);
  const now = api.identity?.() ?? null;
  if (kept === null || now === null) return;
  const before = JSON.parse(kept) as typeof now;
  for (const name of ['organizationId', 'workspaceId'] as const) {
    if (before[name] === null || now[name] === null || before[name] === now[name]) continue;
    const what = name === 'organizationId' ? 'organization' : 'workspace';
    throw new RunError(
      'authentication',
      `the key is of ${what} ${now[name]}, and the batches of this run were made in ${before[name]}`,
    );
  }
}
