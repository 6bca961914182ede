/** Reads how many answers the upstream has given, again and again, and tells when a count was reached. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Upstream } from '../test/support/upstream-server.ts';

const SAMPLE_MS = 20;

type Sample = { readonly atMs: number; readonly answers: number };

/** Answers a second between two counts, both reached while it watches; counts go from the upstream's start or last reset. */
export async function rateBetween(upstream: Upstream, range: { from: number; to: number }): Promise<number> {
  const fromMs = await reached(upstream, range.from);
  const toMs = await reached(upstream, range.to);
  return ((range.to - range.from) / (toMs - fromMs)) * 1_000;
}

/** The moment of that answer, between the two samples around it. */
export async function reached(upstream: Upstream, answers: number): Promise<number> {
  let before = await sampleOf(upstream);
  if (before.answers > answers) throw new Error(`answer ${answers} was given before anybody looked`);
  for (;;) {
    if (before.answers === answers) return before.atMs;
    await sleep(SAMPLE_MS);
    const after = await sampleOf(upstream);
    if (after.answers >= answers) {
      const share = (answers - before.answers) / (after.answers - before.answers);
      return before.atMs + share * (after.atMs - before.atMs);
    }
    before = after;
  }
}

async function sampleOf(upstream: Upstream): Promise<Sample> {
  const { answers } = await upstream.stats();
  return { atMs: performance.now(), answers };
}
