/** Bench 1: taking in 100,000 requests of 256 MB, against a server that only writes the same body to a file and fsyncs it. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import type { Upstream } from '../../test/support/upstream-server.ts';
import { startBare } from '../bare/bare.ts';
import { inTurn } from '../batch-run.ts';
import { detail } from '../bench.ts';
import type { Bench, Figures, Run } from '../bench.ts';
import { bodyBlocks, markerOf, paramsOf } from '../bodies.ts';
import type { Rows } from '../bodies.ts';
import { checkResults } from '../check.ts';
import { Client } from '../client.ts';
import { forgetPeak, peakRssMiB, rssMiB } from '../process-figures.ts';
import { scratchFolder } from '../scratch.ts';
import { startFreshServer } from '../server.ts';
import { startWatchedUpstream } from '../upstream.ts';

export const create: Bench = {
  name: 'create',
  title: 'create of 100,000 requests, 256 MB, against a bare write + fsync',
  measures: [
    { name: 'time / bare time', unit: '×', better: 'lower', must: 1.6, aim: 1.25 },
    { name: 'memory growth', unit: 'MiB', better: 'lower', must: 150, aim: 80 },
    detail('create', 's'),
  ],
  run,
};

async function run({ quick, index, resources, fail, say }: Run): Promise<Figures> {
  const rows: Rows = { first: 0, count: quick ? 4_000 : 100_000, paramsBytes: 2_630 };
  const body = [...bodyBlocks(rows)];
  const upstream = await startWatchedUpstream({ resources, fail }, { hashBodies: true });
  const { ours, bare } = await inTurn(index, {
    ours: async () => {
      say('create');
      return timeOurs({ resources, upstream, rows, body });
    },
    bare: async () => {
      say('bare write');
      const { url } = await startBare(resources, 'write', scratchFolder(resources));
      const client = new Client({ url: url ?? '', apiKey: '' });
      resources.defer(() => client.close());
      return timed(() => client.createFrom(body, lengthOf(body)));
    },
  });
  return {
    'time / bare time': ours.elapsedMs / bare.elapsedMs,
    'memory growth': ours.grownMiB,
    create: ours.elapsedMs / 1_000,
  };
}

type Ours = {
  readonly resources: AsyncDisposableStack;
  readonly upstream: Upstream;
  readonly rows: Rows;
  readonly body: readonly Buffer[];
};

async function timeOurs({ resources, upstream, rows, body }: Ours): Promise<{ elapsedMs: number; grownMiB: number }> {
  const server = await startFreshServer(resources, { upstreamUrl: upstream.url, concurrency: 64 });
  const idleMiB = rssMiB(server.pid);
  forgetPeak(server.pid);
  const { elapsedMs, result } = await timed(() => server.client.createFrom(body, lengthOf(body)));
  const grownMiB = peakRssMiB(server.pid) - idleMiB;
  const batch = await server.client.ended(result.id);
  await checkResults({ client: server.client, batch, rows });
  checkBodies(await upstream.rows(), rows);
  return { elapsedMs, grownMiB };
}

/** What the other side left in the page cache is not this side's to write. */
async function timed<T>(action: () => Promise<T>): Promise<{ elapsedMs: number; result: T }> {
  execFileSync('sync');
  const startedAtMs = performance.now();
  const result = await action();
  return { elapsedMs: performance.now() - startedAtMs, result };
}

/** Every request reached the upstream once, as the very bytes that were sent. */
function checkBodies(seen: Awaited<ReturnType<Upstream['rows']>>, rows: Rows): void {
  for (let row = rows.first; row < rows.first + rows.count; row += 1) {
    const { calls, hashes } = seen[markerOf(row)] ?? { calls: 0, hashes: [] };
    if (calls !== 1) throw new Error(`${markerOf(row)} reached the upstream ${calls} times`);
    const wanted = createHash('sha256').update(paramsOf(row, rows)).digest('hex');
    if (hashes[0] !== wanted) throw new Error(`${markerOf(row)} reached the upstream changed`);
  }
}

function lengthOf(body: readonly Buffer[]): number {
  return body.reduce((sum, block) => sum + block.length, 0);
}
