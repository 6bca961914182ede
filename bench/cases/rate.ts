/** Bench 2: the rate and the processor time of 100,000 requests at an upstream that answers at once, against the bare loop. */

import { againstLoop } from '../against-loop.ts';
import { detail } from '../bench.ts';
import type { Bench } from '../bench.ts';

export const rate: Bench = {
  name: 'rate',
  title: '100,000 requests of 2.5 KB, upstream at once, 64 connections, against the bare loop',
  measures: [
    { name: 'rate / bare rate', unit: '×', better: 'higher', must: 0.6, aim: 0.75 },
    detail('rate', '/s'),
    detail('bare rate', '/s'),
    detail('processor a request', 'µs'),
    detail('bare processor a request', 'µs'),
  ],
  async run(run) {
    const rows = { first: 0, count: run.quick ? 4_000 : 100_000, paramsBytes: 2_500 };
    const { ours, bare } = await againstLoop(run, { rows, latencyMs: 0 });
    return {
      'rate / bare rate': bare.elapsedMs / ours.elapsedMs,
      rate: (rows.count / ours.elapsedMs) * 1_000,
      'bare rate': (rows.count / bare.elapsedMs) * 1_000,
      'processor a request': (ours.cpuSeconds / rows.count) * 1e6,
      'bare processor a request': (bare.cpuSeconds / rows.count) * 1e6,
    };
  },
};
