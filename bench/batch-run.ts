/** One batch from its create to its checked results, with the time and the processor it took. */

import type { Rows } from './bodies.ts';
import { checkResults } from './check.ts';
import type { Batch } from './client.ts';
import { cpuSeconds } from './process-figures.ts';
import type { Server } from './server.ts';

export type BatchRun = {
  readonly batch: Batch;
  /** From the moment the batch was accepted to its end, as the batch itself tells. */
  readonly elapsedMs: number;
  /** Of the server's process, from the create's answer to the end. */
  readonly cpuSeconds: number;
};

export async function runBatch(server: Server, rows: Rows): Promise<BatchRun> {
  const { id } = await server.client.create(rows);
  const cpuBefore = cpuSeconds(server.pid);
  const batch = await server.client.ended(id);
  const cpu = cpuSeconds(server.pid) - cpuBefore;
  await checkResults({ client: server.client, batch, rows });
  return { batch, elapsedMs: elapsedMsOf(batch), cpuSeconds: cpu };
}

export function elapsedMsOf({ created_at: createdAt, ended_at: endedAt }: Batch): number {
  return Date.parse(endedAt ?? '') - Date.parse(createdAt);
}

/** The two sides of a comparison, one after the other; the order changes from run to run. */
export async function inTurn<Ours, Bare>(
  index: number,
  sides: { readonly ours: () => Promise<Ours>; readonly bare: () => Promise<Bare> },
): Promise<{ readonly ours: Ours; readonly bare: Bare }> {
  if (index % 2 === 0) {
    const bare = await sides.bare();
    return { bare, ours: await sides.ours() };
  }
  const ours = await sides.ours();
  return { ours, bare: await sides.bare() };
}
