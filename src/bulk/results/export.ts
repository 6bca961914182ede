/** Writes joined rows to where they are wanted: the output, which holds every row, and a copy of the failed ones. */
import type { ItemState, OutputRow, Sink } from '../contract.ts';

export type ExportTarget = {
  readonly sink: Sink;
  /** Rows in these states only; null for all. */
  readonly states: readonly ItemState[] | null;
};

export const failedStates: readonly ItemState[] = [
  'truncated',
  'refused',
  'incomplete',
  'invalid',
  'rejected',
  'errored',
  'expired',
  'canceled',
  'missing',
];

export type Exported = { readonly rows: number; readonly byState: Readonly<Partial<Record<ItemState, number>>> };

/** All targets are finished, or none: what fails before that leaves nothing under a final name. */
export async function exportRows(
  groups: AsyncIterable<readonly OutputRow[]>,
  targets: readonly ExportTarget[],
): Promise<Exported> {
  const byState: Partial<Record<ItemState, number>> = {};
  let rows = 0;
  try {
    for await (const group of groups) {
      rows += group.length;
      for (const { state } of group) byState[state] = (byState[state] ?? 0) + 1;
      for (const { sink, states } of targets) {
        const wanted = states === null ? group : group.filter(({ state }) => states.includes(state));
        if (wanted.length > 0) await sink.write(wanted);
      }
    }
  } catch (error) {
    await Promise.allSettled(targets.map(({ sink }) => sink.abandon()));
    throw error;
  }
  await finishAll(targets);
  return { rows, byState };
}

async function finishAll(targets: readonly ExportTarget[]): Promise<void> {
  for (const [index, { sink }] of targets.entries()) {
    try {
      await sink.finish();
    } catch (error) {
      await Promise.allSettled(targets.slice(index).map((target) => target.sink.abandon()));
      throw error;
    }
  }
}
