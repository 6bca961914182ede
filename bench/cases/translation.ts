/** Bench: 100,000 requests through the translation to chat completions, against the same requests passed through, at the same upstream. */

import { CONNECTIONS } from '../against-loop.ts';
import { elapsedMsOf, inTurn } from '../batch-run.ts';
import { detail } from '../bench.ts';
import type { Bench, Run } from '../bench.ts';
import type { Rows } from '../bodies.ts';
import { checkResults } from '../check.ts';
import { cpuSeconds } from '../process-figures.ts';
import { startFreshServer } from '../server.ts';
import { startWatchedUpstream } from '../upstream.ts';

type Side = { readonly elapsedMs: number; readonly cpuSeconds: number };

/** What a body grows by: OpenAI's name of the token limit, which also keeps the rows from going out as they came. */
const GROWTH_BYTES = 'max_completion_tokens'.length - 'max_tokens'.length;

export const translation: Bench = {
  name: 'translation',
  title:
    '100,000 requests of 2.5 KB, upstream at once, through the translation to chat completions, against pass-through',
  measures: [
    { name: 'translated rate / passed rate', unit: '×', better: 'higher', must: 0.6, aim: 0.8 },
    detail('translated rate', '/s'),
    detail('passed rate', '/s'),
    detail('processor a translated request', 'µs'),
    detail('processor a passed request', 'µs'),
  ],
  async run(run) {
    const rows = { first: 0, count: run.quick ? 4_000 : 100_000, paramsBytes: 2_500 };
    const { ours, bare } = await inTurn(run.index, {
      ours: () => throughServer(run, { rows, protocol: 'openai', growthBytes: GROWTH_BYTES }),
      bare: () => throughServer(run, { rows, protocol: 'anthropic', growthBytes: 0 }),
    });
    return {
      'translated rate / passed rate': bare.elapsedMs / ours.elapsedMs,
      'translated rate': (rows.count / ours.elapsedMs) * 1_000,
      'passed rate': (rows.count / bare.elapsedMs) * 1_000,
      'processor a translated request': (ours.cpuSeconds / rows.count) * 1e6,
      'processor a passed request': (bare.cpuSeconds / rows.count) * 1e6,
    };
  },
};

type Way = { readonly rows: Rows; readonly protocol: 'openai' | 'anthropic'; readonly growthBytes: number };

async function throughServer({ resources, fail, say }: Run, { rows, protocol, growthBytes }: Way): Promise<Side> {
  say(protocol);
  const upstream = await startWatchedUpstream({ resources, fail }, { record: false, profile: { latencyMs: 0 } });
  const flags = { '--upstream': `${protocol}:${upstream.url}`, '--upstream-profile': 'openai' };
  const server = await startFreshServer(resources, { upstreamUrl: upstream.url, concurrency: CONNECTIONS, flags });
  const { id } = await server.client.create(rows);
  const cpuBefore = cpuSeconds(server.pid);
  const batch = await server.client.ended(id);
  const cpu = cpuSeconds(server.pid) - cpuBefore;
  await checkResults({
    client: server.client,
    batch,
    rows: { ...rows, paramsBytes: rows.paramsBytes + growthBytes },
  });
  const { calls } = await upstream.reset();
  if (calls !== rows.count) throw new Error(`${rows.count} requests took ${calls} calls`);
  await server.kill();
  return { elapsedMs: elapsedMsOf(batch), cpuSeconds: cpu };
}
