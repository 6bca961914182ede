/** Ten batches of one workspace that wait behind each other, as benches 5 and 10 need them. */

import type { Upstream } from '../test/support/upstream-server.ts';
import type { Rows } from './bodies.ts';
import { checkResults } from './check.ts';
import type { Server } from './server.ts';

export type Queued = { readonly id: string; readonly rows: Rows };

export async function queueBacklog(
  server: Server,
  { batches, count }: { batches: number; count: number },
): Promise<readonly Queued[]> {
  const queued: Queued[] = [];
  for (let at = 0; at < batches; at += 1) {
    const rows = { first: at * count, count, paramsBytes: 600 };
    queued.push({ id: (await server.client.create(rows)).id, rows });
  }
  return queued;
}

/** What nobody waits for any more is canceled; still every request must have its one line, and nothing was bought twice. */
export async function endBacklog(
  server: Server,
  { queued, upstream }: { queued: readonly Queued[]; upstream: Upstream },
): Promise<void> {
  const { client } = server;
  for (const { id } of queued) await client.cancel(id);
  let succeeded = 0;
  for (const { id, rows } of queued) {
    const batch = await client.ended(id);
    succeeded += (await checkResults({ client, batch, rows, mayBeCanceled: true })).succeeded;
  }
  const { rowsAnswered, rowsAnsweredAgain } = await upstream.stats();
  if (rowsAnsweredAgain !== 0) throw new Error(`${rowsAnsweredAgain} requests were answered twice`);
  if (succeeded > (rowsAnswered ?? 0))
    throw new Error(`${succeeded} requests succeeded, but ${rowsAnswered} were answered`);
}
