/** Whose row a custom_id of a batch is that another run made: by number and key where we made it, else by the key alone. */
import { customIdOf, parseCustomId } from '../../submit-once/custom-id.ts';
import type { Ledger } from '../ledger/writer.ts';

/** By custom_id, among all rows; null for a stranger's. */
export function rowOf(ledger: Ledger, customId: string): number | null {
  const parsed = parseCustomId(customId);
  if (parsed !== null) {
    const item = ledger.read.item(parsed.seq);
    // The number alone could be that of another input's row.
    if (item !== null && customIdOf({ nonce: parsed.nonce, seq: item.seq, key: item.key }) === customId)
      return item.sameAs ?? item.seq;
  }
  const [found, second] = ledger.read.itemsByKey(customId);
  return found === undefined || second !== undefined ? null : (found.sameAs ?? found.seq);
}

/** The same, for ids that were found to be of these rows before. */
export function adoptedSeqs(ledger: Ledger, rows: ReadonlySet<number>): (customId: string) => number | null {
  let byKey: Map<string, number> | null = null;
  return (customId) => {
    const parsed = parseCustomId(customId);
    if (parsed !== null && rows.has(parsed.seq)) {
      const { seq } = parsed;
      if (customIdOf({ nonce: parsed.nonce, seq, key: ledger.read.item(seq)!.key }) === customId) return seq;
    }
    byKey ??= new Map([...rows].map((seq) => [ledger.read.item(seq)!.key, seq]));
    return byKey.get(customId) ?? null;
  };
}
