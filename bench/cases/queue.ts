/** Bench 10: what a queue of 1,000,000 requests costs in memory and speed, against one batch of 100,000. */

import { endBacklog, queueBacklog } from '../backlog.ts';
import { inTurn } from '../batch-run.ts';
import { detail } from '../bench.ts';
import type { Bench, Figures, Run } from '../bench.ts';
import { rateBetween } from '../meter.ts';
import { forgetPeak, peakRssMiB } from '../process-figures.ts';
import { startFreshServer } from '../server.ts';
import { startWatchedUpstream } from '../upstream.ts';

/** While the queue is filled every answer takes so long: next to nothing is done before the clock starts. */
const HOLD_MS = 1_000;
/** The rate is taken between these shares of one batch's requests, in both cases. */
const MEASURED = { from: 0.1, to: 0.9 };

export const queue: Bench = {
  name: 'queue',
  title: 'ten batches of 100,000 requests queued, against one; upstream at once, 64 connections',
  measures: [
    { name: 'memory', unit: 'MiB', better: 'lower', must: 400, aim: 250 },
    { name: "rate / one batch's rate", unit: '×', better: 'higher', must: 0.9, aim: 1 },
    detail('rate', '/s'),
    detail("one batch's rate", '/s'),
  ],
  run,
};

type Measured = { readonly rate: number; readonly memory: number };

async function run({ quick, index, fail, say }: Run): Promise<Figures> {
  const count = quick ? 3_000 : 100_000;
  const measureQueue = async (batches: number): Promise<Measured> => {
    await using own = new AsyncDisposableStack();
    return await measure(own, { batches, count, fail, say });
  };
  const { ours: ten, bare: one } = await inTurn(index, { ours: () => measureQueue(10), bare: () => measureQueue(1) });
  return {
    memory: ten.memory,
    "rate / one batch's rate": ten.rate / one.rate,
    rate: ten.rate,
    "one batch's rate": one.rate,
  };
}

type Options = { readonly batches: number; readonly count: number } & Pick<Run, 'fail' | 'say'>;

async function measure(resources: AsyncDisposableStack, { batches, count, fail, say }: Options): Promise<Measured> {
  const upstream = await startWatchedUpstream({ resources, fail }, { profile: { latencyMs: HOLD_MS } });
  const server = await startFreshServer(resources, { upstreamUrl: upstream.url, concurrency: 64 });
  forgetPeak(server.pid);
  say(`queue ${batches}`);
  const queued = await queueBacklog(server, { batches, count });
  const { answers } = await upstream.stats();
  say(`run ${batches}`);
  await upstream.set({});
  const rate = await rateBetween(upstream, {
    from: Math.round(answers + MEASURED.from * (count - answers)),
    to: Math.round(answers + MEASURED.to * (count - answers)),
  });
  const memory = peakRssMiB(server.pid);
  say(`check ${batches}`);
  await endBacklog(server, { queued, upstream });
  return { rate, memory };
}
