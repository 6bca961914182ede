/** One request ahead of the others fills the prompt cache of the batches: only there, for it is not the one of the Messages API. */
import { cutRows, rowsOfChunk } from './body.ts';
import type { Lanes } from './parts.ts';

export function cutWarm({ parts }: Pick<Lanes, 'parts'>): void {
  const { ledger, spec } = parts;
  const first = ledger.chunks('waiting').find(({ kind }) => kind === 'plan');
  if (spec.batching.warmCache === 'off' || spec.batching.sync || first === undefined || first.requests < 2) return;
  if (ledger.read.fact('warmed') !== null) return;
  const rows = rowsOfChunk(parts, ledger.rowsOf(first.id));
  const limits = { requests: Infinity, bytes: Infinity };
  ledger.splitChunk(first.id, [
    ...cutRows(rows.slice(0, 1), { limits, salt: 0, kind: 'warm' }),
    ...cutRows(rows.slice(1), { limits, salt: 0, kind: 'plan' }),
  ]);
  ledger.setFact('warmed', 'yes');
}
