/** Bench 8: how quickly small questions are answered while 100,000 requests run as fast as they can. */

import { setTimeout as sleep } from 'node:timers/promises';
import { detail, percentile } from '../bench.ts';
import type { Bench, Figures, Run } from '../bench.ts';
import { checkResults } from '../check.ts';
import type { Batch } from '../client.ts';
import { startFreshServer } from '../server.ts';
import type { Server } from '../server.ts';
import { startWatchedUpstream } from '../upstream.ts';

const FIRST_PROBE_ROW = 20_000_000;
const PAUSE_MS = 10;
const LIST_LIMIT = 20;

export const foreground: Bench = {
  name: 'foreground',
  title: 'retrieve, list and a create of one request while 100,000 run; upstream at once, 64 connections',
  measures: [
    { name: 'p99 of retrieve', unit: 'ms', better: 'lower', must: 25, aim: 10 },
    { name: 'p99 of list', unit: 'ms', better: 'lower', must: 25, aim: 10 },
    { name: 'p99 of create', unit: 'ms', better: 'lower', must: 25, aim: 10 },
    detail('median of retrieve', 'ms'),
    detail('median of create', 'ms'),
    detail('questions of each kind', ''),
  ],
  run,
};

type Probes = {
  readonly retrieve: number[];
  readonly list: number[];
  readonly create: number[];
  readonly created: Batch[];
};

async function run({ quick, resources, fail, say }: Run): Promise<Figures> {
  const rows = { first: 0, count: quick ? 8_000 : 100_000, paramsBytes: 2_500 };
  const upstream = await startWatchedUpstream({ resources, fail }, { record: false });
  const server = await startFreshServer(resources, { upstreamUrl: upstream.url, concurrency: 64 });
  say('create');
  const { id } = await server.client.create(rows);
  say('ask');
  const probes = await probe(server, id);
  say('check');
  const batch = await server.client.ended(id);
  await checkResults({ client: server.client, batch, rows });
  for (const [at, { id: created }] of probes.created.entries()) {
    const one = await server.client.ended(created);
    await checkResults({ client: server.client, batch: one, rows: probeRows(at) });
  }
  return {
    'p99 of retrieve': percentile(probes.retrieve, 0.99),
    'p99 of list': percentile(probes.list, 0.99),
    'p99 of create': percentile(probes.create, 0.99),
    'median of retrieve': percentile(probes.retrieve, 0.5),
    'median of create': percentile(probes.create, 0.5),
    'questions of each kind': probes.create.length,
  };
}

/** One question after the other, with a pause after each three, until the large batch has ended. */
async function probe({ client }: Server, id: string): Promise<Probes> {
  const probes: Probes = { retrieve: [], list: [], create: [], created: [] };
  for (;;) {
    const { processing_status: status } = await timed(probes.retrieve, () => client.retrieve(id));
    if (status === 'ended') return probes;
    await timed(probes.list, () => client.list(LIST_LIMIT));
    probes.created.push(await timed(probes.create, () => client.create(probeRows(probes.created.length))));
    await sleep(PAUSE_MS);
  }
}

async function timed<T>(times: number[], action: () => Promise<T>): Promise<T> {
  const startedAtMs = performance.now();
  const result = await action();
  times.push(performance.now() - startedAtMs);
  return result;
}

function probeRows(at: number): { first: number; count: number; paramsBytes: number } {
  return { first: FIRST_PROBE_ROW + at, count: 1, paramsBytes: 2_500 };
}
