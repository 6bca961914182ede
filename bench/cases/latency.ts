/** Bench 4: the rate at an upstream that takes 20 ms, where the bare loop is bound by its connections and we should be too. */

import { againstLoop, CONNECTIONS } from '../against-loop.ts';
import { detail } from '../bench.ts';
import type { Bench } from '../bench.ts';

export const latency: Bench = {
  name: 'latency',
  title: 'upstream of 20 ms, 64 connections, against the bare loop',
  measures: [
    { name: 'rate / bare rate', unit: '×', better: 'higher', must: 0.95, aim: 0.99 },
    detail('rate', '/s'),
    detail(`rate / (${CONNECTIONS} ÷ 20 ms)`, '×'),
  ],
  async run(run) {
    const rows = { first: 0, count: run.quick ? 3_000 : 40_000, paramsBytes: 2_500 };
    const { ours, bare } = await againstLoop(run, { rows, latencyMs: 20 });
    const perSecond = (rows.count / ours.elapsedMs) * 1_000;
    return {
      'rate / bare rate': bare.elapsedMs / ours.elapsedMs,
      rate: perSecond,
      [`rate / (${CONNECTIONS} ÷ 20 ms)`]: perSecond / (CONNECTIONS / 0.02),
    };
  },
};
