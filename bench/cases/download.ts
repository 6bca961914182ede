/** Bench 7: the download of the results of 100,000 requests, against a bare server that pipes the same bytes from a file. */

import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { startBare } from '../bare/bare.ts';
import { inTurn, runBatch } from '../batch-run.ts';
import { detail } from '../bench.ts';
import type { Bench, Figures, Run } from '../bench.ts';
import { Client, countBytes } from '../client.ts';
import { scratchFolder } from '../scratch.ts';
import { startFreshServer } from '../server.ts';
import { startWatchedUpstream } from '../upstream.ts';

/** One download takes a tenth of a second: too short to be told from noise. */
const DOWNLOADS = 8;
const MEGA = 1e6;

export const download: Bench = {
  name: 'download',
  title: 'results of 100,000 requests, against a bare server piping the same file',
  measures: [
    { name: 'rate / bare rate', unit: '×', better: 'higher', must: 0.8, aim: 1 },
    detail('rate', 'MB/s'),
    detail('bare rate', 'MB/s'),
  ],
  run,
};

async function run({ quick, resources, fail, say }: Run): Promise<Figures> {
  const rows = { first: 0, count: quick ? 4_000 : 100_000, paramsBytes: 300 };
  const upstream = await startWatchedUpstream({ resources, fail }, { record: false });
  const server = await startFreshServer(resources, { upstreamUrl: upstream.url, concurrency: 64 });
  say('run');
  const { batch } = await runBatch(server, rows);
  const file = join(scratchFolder(resources), 'results');
  await pipeline(Readable.from(await server.client.results(batch.id)), createWriteStream(file));
  const { url } = await startBare(resources, 'file', file);
  const bare = new Client({ url: url ?? '', apiKey: '' });
  resources.defer(() => bare.close());
  await checkSame(await server.client.results(batch.id), await bare.download('/'));
  say('download');
  const elapsedMs = { ours: 0, bare: 0 };
  let bytes = 0;
  for (let turn = 0; turn < DOWNLOADS; turn += 1) {
    const timed = await inTurn(turn, {
      ours: () => time(() => server.client.results(batch.id)),
      bare: () => time(() => bare.download('/')),
    });
    if (timed.ours.bytes !== timed.bare.bytes)
      throw new Error(`${timed.ours.bytes} bytes came, not ${timed.bare.bytes}`);
    elapsedMs.ours += timed.ours.elapsedMs;
    elapsedMs.bare += timed.bare.elapsedMs;
    bytes += timed.ours.bytes;
  }
  return {
    'rate / bare rate': elapsedMs.bare / elapsedMs.ours,
    rate: bytes / MEGA / (elapsedMs.ours / 1_000),
    'bare rate': bytes / MEGA / (elapsedMs.bare / 1_000),
  };
}

async function time(begin: () => Promise<AsyncIterable<Buffer>>): Promise<{ elapsedMs: number; bytes: number }> {
  const startedAtMs = performance.now();
  const bytes = await countBytes(await begin());
  return { elapsedMs: performance.now() - startedAtMs, bytes };
}

async function checkSame(ours: AsyncIterable<Buffer>, bare: AsyncIterable<Buffer>): Promise<void> {
  if ((await hashOf(ours)) !== (await hashOf(bare))) throw new Error('two downloads of the same results differ');
}

async function hashOf(pieces: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}
