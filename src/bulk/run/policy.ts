/** What becomes of a row after an attempt: final, or once more and with what change. Pure; the one place where that is decided. */
import type { ItemState, Verdict } from '../contract.ts';
import type { StoredChange } from '../ledger/writes.ts';
import { isBlocking } from '../results/verdict.ts';
import type { PolicySpec } from './spec.ts';

export type Fate = {
  readonly again: boolean;
  readonly change: StoredChange | null;
  /** The error says that nobody's request would be served now: nothing more is sent. */
  readonly blocks: boolean;
};

export type Question = {
  readonly verdict: Pick<Verdict, 'state' | 'error'>;
  /** The attempt that ended, and how the earlier ones had. */
  readonly attempt: number;
  readonly before: readonly ItemState[];
  readonly policy: PolicySpec;
  readonly isPastDeadline: boolean;
};

const final: Fate = { again: false, change: null, blocks: false };
const again: Fate = { again: true, change: null, blocks: false };

export function fateOf({ verdict, attempt, before, policy, isPastDeadline }: Question): Fate {
  const isFirst = !before.includes(verdict.state);
  switch (verdict.state) {
    case 'truncated':
      return policy.onTruncated === 'grow' && isFirst ? { ...again, change: { grow: true } } : final;
    case 'invalid':
      return policy.onInvalid === 'reask' && isFirst ? { ...again, change: { reaskOfAttempt: attempt } } : final;
    case 'rejected':
      return policy.onTooLong.length > 0 && isFirst && isTooLong(verdict.error?.message ?? '')
        ? { ...again, change: { truncate: policy.onTooLong } }
        : final;
    case 'errored': {
      if (isBlocking(verdict.error?.type ?? '')) return { ...again, blocks: true };
      const failures = before.filter((state) => state === 'errored').length;
      return failures < policy.retries ? again : final;
    }
    case 'expired':
      return isPastDeadline ? final : again;
    default:
      return final;
  }
}

export function isTooLong(message: string): boolean {
  return /too long|too large|exceeds? .*(context|token)|maximum context/i.test(message);
}
