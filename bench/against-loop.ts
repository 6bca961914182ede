/** What benches 2 and 4 share: one batch on our server, and the same requests in the bare loop, at one upstream. */

import { startBare } from './bare/bare.ts';
import type { LoopInput, LoopReport } from './bare/loop.ts';
import { inTurn, runBatch } from './batch-run.ts';
import type { BatchRun } from './batch-run.ts';
import type { Run } from './bench.ts';
import type { Rows } from './bodies.ts';
import { startFreshServer } from './server.ts';
import { startWatchedUpstream } from './upstream.ts';

export const CONNECTIONS = 64;

export async function againstLoop(
  { index, resources, fail, say }: Run,
  { rows, latencyMs }: { rows: Rows; latencyMs: number },
): Promise<{ ours: BatchRun; bare: LoopReport }> {
  const upstream = await startWatchedUpstream({ resources, fail }, { record: false, profile: { latencyMs } });
  return inTurn(index, {
    ours: async () => {
      say('our server');
      const server = await startFreshServer(resources, { upstreamUrl: upstream.url, concurrency: CONNECTIONS });
      const ours = await runBatch(server, rows);
      const { calls } = await upstream.reset();
      if (calls !== rows.count) throw new Error(`${rows.count} requests took ${calls} calls`);
      await server.kill();
      return ours;
    },
    bare: async () => {
      say('bare loop');
      const input: LoopInput = { upstreamUrl: upstream.url, connections: CONNECTIONS, rows };
      const report = (await (await startBare(resources, 'loop')).ask(input)) as LoopReport;
      await upstream.reset();
      return report;
    },
  });
}
