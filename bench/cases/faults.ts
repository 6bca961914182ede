/** Bench 6: what is left of the rate when calls fail, an upstream refuses for a while, and is away for a while. */

import type { Upstream } from '../../test/support/upstream-server.ts';
import { elapsedMsOf } from '../batch-run.ts';
import { detail } from '../bench.ts';
import type { Bench, Figures, Run } from '../bench.ts';
import { checkResults } from '../check.ts';
import { reached } from '../meter.ts';
import { startFreshServer } from '../server.ts';
import { startWatchedUpstream } from '../upstream.ts';

const CONCURRENCY = 128;
const LATENCY_MS = 50;
/** The rates are taken up to this share of the answers, or the last few requests' waits before their next attempt would be most of the loss. */
const MEASURED_TO = 0.95;

export const faults: Bench = {
  name: 'faults',
  title: '1 % status 500, 1 % resets, a storm of 429 (5 s) and a brown-out (30 s); upstream of 50 ms, 128 in flight',
  measures: [
    { name: 'goodput outside the windows / rate without faults', unit: '×', better: 'higher', must: 0.95, aim: 0.98 },
    { name: 'extra calls / faults', unit: '×', better: 'lower', must: 1.05, aim: 1.05 },
    detail('the same, whole batches', '×'),
    detail('rate without faults', '/s'),
    detail('calls refused in the storm', ''),
  ],
  run,
};

async function run({ quick, resources, fail, say }: Run): Promise<Figures> {
  const count = quick ? 6_000 : 100_000;
  const storm = { kind: 'status429', fromMs: quick ? 500 : 5_000, forMs: quick ? 500 : 5_000 } as const;
  const brownOut = { kind: 'refuse', fromMs: quick ? 2_000 : 20_000, forMs: quick ? 3_000 : 30_000 } as const;
  const upstream = await startWatchedUpstream({ resources, fail }, { profile: { latencyMs: LATENCY_MS } });
  say('without faults');
  const calm = await runOn(upstream, Math.round(count * 0.4));
  await upstream.reset();
  say('with faults');
  await upstream.set({
    latencyMs: LATENCY_MS,
    faults: { status500: 0.01, reset: 0.01 },
    windows: [storm, brownOut],
  });
  const windowsEndAtMs = performance.now() + brownOut.fromMs + brownOut.forMs;
  const faulty = await runOn(upstream, count);
  if (faulty.measuredAtMs < windowsEndAtMs) throw new Error('the rate was taken before the brown-out had ended');
  const lostMs = storm.forMs + brownOut.forMs;
  const rate = calm.measured / calm.measuredMs;
  return {
    'goodput outside the windows / rate without faults': faulty.measured / (faulty.measuredMs - lostMs) / rate,
    ...(await extraCalls(upstream, count)),
    'the same, whole batches': count / (faulty.wholeMs - lostMs) / (calm.count / calm.wholeMs),
    'rate without faults': rate * 1_000,
  };
}

type Taken = {
  readonly count: number;
  readonly measured: number;
  readonly measuredMs: number;
  readonly measuredAtMs: number;
  readonly wholeMs: number;
};

async function runOn(upstream: Upstream, count: number): Promise<Taken> {
  await using resources = new AsyncDisposableStack();
  const { client } = await startFreshServer(resources, { upstreamUrl: upstream.url, concurrency: CONCURRENCY });
  const rows = { first: 0, count, paramsBytes: 600 };
  const { id } = await client.create(rows);
  const startedAtMs = performance.now();
  const measured = Math.round(count * MEASURED_TO);
  const measuredAtMs = await reached(upstream, measured);
  const batch = await client.ended(id);
  // One call in a hundred is cut: of 100,000 requests one in ten runs has one that was cut three times.
  await checkResults({ client, batch, rows, mayBeCutMax: 5 });
  return { count, measured, measuredAtMs, measuredMs: measuredAtMs - startedAtMs, wholeMs: elapsedMsOf(batch) };
}

/** A call that was refused, cut or answered with a failure excuses one more call; nothing else does. */
async function extraCalls(upstream: Upstream, count: number): Promise<Figures> {
  const { calls, faults: told, windowCalls, cutOff, rowsAnsweredAgain } = await upstream.stats();
  if (rowsAnsweredAgain !== 0) throw new Error(`${rowsAnsweredAgain} requests were bought twice`);
  const inWindows = sum(windowCalls);
  // What a fault or a window reset is told twice, as itself and as cut; the rest is what the brown-out cut, at most what was in flight.
  const cutByBrownOut = Math.min(CONCURRENCY, Math.max(0, cutOff - (told.reset ?? 0) - (windowCalls.refuse ?? 0)));
  return {
    'extra calls / faults': (calls - count) / (sum(told) + inWindows + cutByBrownOut),
    'calls refused in the storm': windowCalls.status429 ?? 0,
  };
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
