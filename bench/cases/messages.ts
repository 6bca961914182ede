/** Synchronous calls: what a Nightshift in between adds to the latency of the upstream, idle and while a batch fills the lane. */

import { Pool } from 'undici';
import { detail, percentile } from '../bench.ts';
import type { Bench, Figures, Run } from '../bench.ts';
import { paramsOf } from '../bodies.ts';
import { checkResults } from '../check.ts';
import { API_KEY, startFreshServer } from '../server.ts';
import { startWatchedUpstream } from '../upstream.ts';

const LATENCY_MS = 20;
const CONCURRENCY = 64;
/** Callers at once, each with one call after the other. */
const CALLERS = 4;
const FIRST_CALL_ROW = 20_000_000;
const PARAMS_BYTES = 2_500;

export const messages: Bench = {
  name: 'messages',
  title: `POST /v1/messages against asking the upstream of ${LATENCY_MS} ms itself, in turns; ${CALLERS} callers, lane of ${CONCURRENCY}`,
  measures: [
    { name: 'added p99, idle', unit: 'ms', better: 'lower', must: 5, aim: 2 },
    { name: 'added p99, while a batch fills the lane', unit: 'ms', better: 'lower', must: 20, aim: 5 },
    detail('added median, idle', 'ms'),
    detail('added median, while a batch fills the lane', 'ms'),
    detail('direct p99, idle', 'ms'),
    detail('direct p99, while a batch fills the lane', 'ms'),
    detail('calls while a batch fills the lane', ''),
  ],
  run,
};

type Times = { readonly direct: number[]; readonly through: number[] };

async function run({ quick, index, resources, fail, say }: Run): Promise<Figures> {
  const rows = { first: 0, count: quick ? 4_000 : 80_000, paramsBytes: PARAMS_BYTES };
  const upstream = await startWatchedUpstream(
    { resources, fail },
    { record: false, profile: { latencyMs: LATENCY_MS } },
  );
  const server = await startFreshServer(resources, { upstreamUrl: upstream.url, concurrency: CONCURRENCY });
  const direct = openPool(resources, upstream.url);
  const through = openPool(resources, server.url);
  const pairs = quick ? 20 : 400;
  say('warm up');
  await ask({ direct, through, index }, (pair) => pair < 10);
  say('idle');
  const idle = await ask({ direct, through, index }, (pair) => pair < pairs);
  say('create');
  const { id } = await server.client.create(rows);
  say('while a batch fills the lane');
  let running = true;
  const ended = server.client.ended(id).finally(() => (running = false));
  const busy = await ask({ direct, through, index }, () => running);
  say('check');
  await checkResults({ client: server.client, batch: await ended, rows });
  return {
    'added p99, idle': added(idle, 0.99),
    'added p99, while a batch fills the lane': added(busy, 0.99),
    'added median, idle': added(idle, 0.5),
    'added median, while a batch fills the lane': added(busy, 0.5),
    'direct p99, idle': percentile(idle.direct, 0.99),
    'direct p99, while a batch fills the lane': percentile(busy.direct, 0.99),
    'calls while a batch fills the lane': busy.through.length,
  };
}

function added({ direct, through }: Times, share: number): number {
  return percentile(through, share) - percentile(direct, share);
}

function openPool(resources: AsyncDisposableStack, url: string): Pool {
  const pool = new Pool(url, { connections: CALLERS });
  resources.defer(() => pool.destroy());
  return pool;
}

type Sides = { readonly direct: Pool; readonly through: Pool; readonly index: number };

/** Every caller asks both sides in turns; which is first changes from run to run. */
async function ask({ direct, through, index }: Sides, goesOn: (pair: number) => boolean): Promise<Times> {
  const times: Times = { direct: [], through: [] };
  const callers = Array.from({ length: CALLERS }, async (_, caller) => {
    for (let pair = 0; goesOn(pair); pair += 1) {
      const body = paramsOf(FIRST_CALL_ROW + caller * 1_000_000 + pair, {
        first: 0,
        count: 1,
        paramsBytes: PARAMS_BYTES,
      });
      const sides = [() => timed(times.direct, direct, body), () => timed(times.through, through, body)];
      if (index % 2 === 1) sides.reverse();
      for (const side of sides) await side();
    }
  });
  await Promise.all(callers);
  return times;
}

async function timed(times: number[], pool: Pool, body: Buffer): Promise<void> {
  const startedAtMs = performance.now();
  const headers = { 'x-api-key': API_KEY, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' };
  const answer = await pool.request({ method: 'POST', path: '/v1/messages', headers, body });
  const text = await answer.body.text();
  times.push(performance.now() - startedAtMs);
  const row = /row-\d+/.exec(body.toString('latin1'))?.[0] ?? '';
  if (answer.statusCode !== 200 || !text.includes(`"${row} `)) {
    throw new Error(`${row} was answered ${answer.statusCode}: ${text}`);
  }
}
