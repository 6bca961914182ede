/** The bare loop: `Pool.request` over so many connections, each with one call at a time, and nothing else. */

import { Pool } from 'undici';
import { markerOf, paramsOf } from '../bodies.ts';
import type { Rows } from '../bodies.ts';

export type LoopInput = { readonly upstreamUrl: string; readonly connections: number; readonly rows: Rows };
export type LoopReport = { readonly elapsedMs: number; readonly cpuSeconds: number };

const headers = { 'content-type': 'application/json', 'anthropic-version': '2023-06-01' };

async function loop({ upstreamUrl, connections, rows }: LoopInput): Promise<LoopReport> {
  // Made before the clock starts: the loop only sends and reads.
  const bodies = Array.from({ length: rows.count }, (_, at) => paramsOf(rows.first + at, rows));
  const pool = new Pool(upstreamUrl, { connections, pipelining: 1 });
  const startedAtMs = performance.now();
  const startedCpu = process.cpuUsage();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < bodies.length) {
      const at = next++;
      const answer = await pool.request({ path: '/v1/messages', method: 'POST', headers, body: bodies[at] });
      const bytes = Buffer.from(await answer.body.arrayBuffer());
      if (answer.statusCode !== 200 || !bytes.includes(`"${markerOf(rows.first + at)} `))
        throw new Error('a wrong answer');
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  const { user, system } = process.cpuUsage(startedCpu);
  const elapsedMs = performance.now() - startedAtMs;
  await pool.close();
  return { elapsedMs, cpuSeconds: (user + system) / 1e6 };
}

process.on('message', (input: LoopInput) => {
  void loop(input).then((report) => process.send?.(report));
});
process.once('disconnect', () => process.exit(0));
process.send?.({ url: null });
