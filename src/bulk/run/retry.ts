/** Final rows that a person wants sent again. */
import type { Item } from '../contract.ts';
import type { Ledger } from '../ledger/writer.ts';
import { LEDGER_GROUP_ROWS } from '../limits.ts';
import type { RetryRequest } from './spec.ts';

export function chooseAgain(ledger: Ledger, { states, error, change }: RetryRequest): number {
  let chosen = 0;
  for (let from = 0; ;) {
    const items = ledger.read.items({ from, states, limit: LEDGER_GROUP_ROWS });
    const rows = items.filter(
      (item) => item.sameAs === null && (error === null || error.test(messageOf(ledger, item))),
    );
    ledger.sendAgain(rows.map(({ seq }) => ({ seq, change: Object.keys(change).length === 0 ? null : change })));
    chosen += rows.length;
    const last = items.at(-1);
    if (last === undefined) return chosen;
    from = last.seq + 1;
  }
}

function messageOf(ledger: Ledger, { seq, fault }: Item): string {
  const last = ledger.read.attemptsOf(seq).at(-1)?.error ?? null;
  return fault ?? (last === null ? '' : `${last.type}: ${last.message}`);
}
