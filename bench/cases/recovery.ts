/** Bench 9: kill -9 with 100,000 requests pending: how soon the next process is ready, and how many requests are sent twice. */

import { detail } from '../bench.ts';
import type { Bench, Figures, Run } from '../bench.ts';
import { checkResults } from '../check.ts';
import { reached } from '../meter.ts';
import { startFreshServer, startServer } from '../server.ts';
import { startWatchedUpstream } from '../upstream.ts';

const CONCURRENCY = 128;
/** The kill comes when this share is answered: the journal then holds outcomes that no chunk holds yet. */
const KILL_AT = 0.02;

export const recovery: Bench = {
  name: 'recovery',
  title: 'kill -9 with 100,000 pending; upstream of 20 ms, 128 in flight',
  measures: [
    { name: 'exec to ready', unit: 's', better: 'lower', must: 2, aim: 0.5 },
    { name: 'requests repeated / in flight', unit: '×', better: 'lower', must: 1, aim: 1 },
    detail('requests repeated', ''),
    detail('exec to ready, empty folder', 's'),
    detail('kill to next call', 's'),
  ],
  run,
};

async function run({ quick, resources, fail, say }: Run): Promise<Figures> {
  const rows = { first: 0, count: quick ? 6_000 : 100_000, paramsBytes: 600 };
  const upstream = await startWatchedUpstream({ resources, fail }, { profile: { latencyMs: 20 } });
  const first = await startFreshServer(resources, { upstreamUrl: upstream.url, concurrency: CONCURRENCY });
  say('create');
  const { id } = await first.client.create(rows);
  await reached(upstream, Math.round(rows.count * KILL_AT));
  say('kill');
  await first.kill();
  const killedAtMs = performance.now();
  const { answers: before, inFlightMax } = await upstream.stats();
  const startedAtMs = performance.now();
  const second = await startServer(resources, {
    upstreamUrl: upstream.url,
    concurrency: CONCURRENCY,
    folder: first.folder,
  });
  await second.client.ready();
  const readyMs = performance.now() - startedAtMs;
  const nextCallAtMs = await reached(upstream, before + 1).catch(() => performance.now());
  say('run to the end');
  const batch = await second.client.ended(id);
  await checkResults({ client: second.client, batch, rows });
  const { rowsCalledAgain, calls } = await upstream.stats();
  if (calls !== rows.count + (rowsCalledAgain ?? 0))
    throw new Error(`${rows.count} requests took ${calls} calls; ${rowsCalledAgain} were repeated`);
  return {
    'exec to ready': readyMs / 1_000,
    'requests repeated / in flight': (rowsCalledAgain ?? 0) / inFlightMax,
    'requests repeated': rowsCalledAgain ?? 0,
    'exec to ready, empty folder': first.startedMs / 1_000,
    'kill to next call': (nextCallAtMs - killedAtMs) / 1_000,
  };
}
