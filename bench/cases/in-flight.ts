/** Bench 3: 4,096 calls in flight at a slow upstream: how full they are kept, and what that takes of memory. */

import { elapsedMsOf } from '../batch-run.ts';
import { detail } from '../bench.ts';
import type { Bench, Figures, Run } from '../bench.ts';
import type { Rows } from '../bodies.ts';
import { checkResults } from '../check.ts';
import { rateBetween } from '../meter.ts';
import { cpuSeconds, forgetPeak, peakRssMiB } from '../process-figures.ts';
import { startFreshServer } from '../server.ts';
import { startWatchedUpstream } from '../upstream.ts';

const SIGMA = 0.3;
/** The steady part lies between these shares of all answers: the window has filled, and the end is not near. */
const STEADY = { from: 0.25, to: 0.75 };

export const inFlight: Bench = {
  name: 'in-flight',
  title: '4,096 in flight, upstream of 2 s in the median (sigma 0.3), 4 KB requests',
  measures: [
    { name: 'steady rate / ideal', unit: '×', better: 'higher', must: 0.98, aim: 0.995 },
    { name: 'memory', unit: 'MiB', better: 'lower', must: 400, aim: 250 },
    detail('whole rate / ideal', '×'),
    detail('processor a request', 'µs'),
  ],
  run,
};

async function run({ quick, resources, fail, say }: Run): Promise<Figures> {
  const concurrency = quick ? 256 : 4_096;
  const latencyMs = quick ? 200 : 2_000;
  // One body takes at most 256 MB, so it needs two batches.
  const count = quick ? 2_000 : 60_000;
  const batches: readonly Rows[] = [0, 1].map((batch) => ({ first: batch * count, count, paramsBytes: 4_096 }));
  const upstream = await startWatchedUpstream({ resources, fail }, { profile: { latencyMs, latencySigma: SIGMA } });
  const server = await startFreshServer(resources, { upstreamUrl: upstream.url, concurrency });
  forgetPeak(server.pid);
  const cpuBefore = cpuSeconds(server.pid);
  say('create');
  const created = await Promise.all(batches.map((rows) => server.client.create(rows)));
  say('run');
  const total = count * batches.length;
  const steady = rateBetween(upstream, { from: STEADY.from * total, to: STEADY.to * total });
  const [rate, ...ended] = await Promise.all([steady, ...created.map(({ id }) => server.client.ended(id))]);
  const memory = peakRssMiB(server.pid);
  const cpu = cpuSeconds(server.pid) - cpuBefore;
  say('check');
  for (const [at, batch] of ended.entries()) await checkResults({ client: server.client, batch, rows: batches[at] });
  const { rowsCalledAgain } = await upstream.stats();
  if (rowsCalledAgain !== 0) throw new Error(`${rowsCalledAgain} requests were sent twice`);
  // The mean of a lognormal with this median.
  const ideal = concurrency / ((latencyMs / 1_000) * Math.exp(SIGMA ** 2 / 2));
  return {
    'steady rate / ideal': rate / ideal,
    memory,
    'whole rate / ideal': total / (Math.max(...ended.map(elapsedMsOf)) / 1_000) / ideal,
    'processor a request': (cpu / total) * 1e6,
  };
}
