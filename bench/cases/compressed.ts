/** Bench: a create of 100,000 requests that comes compressed, against the same one plain. */

import { execFileSync } from 'node:child_process';
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import { detail } from '../bench.ts';
import type { Bench, Figures, Run } from '../bench.ts';
import { bodyBlocks } from '../bodies.ts';
import type { Rows } from '../bodies.ts';
import { checkResults } from '../check.ts';
import { forgetPeak, peakRssMiB, rssMiB } from '../process-figures.ts';
import { startFreshServer } from '../server.ts';
import { startWatchedUpstream } from '../upstream.ts';

const sides = ['plain', 'gzip', 'zstd'] as const;
type Side = (typeof sides)[number];

const BLOCK_BYTES = 1024 * 1024;
/** Plain letters of the filler, without an escape. */
const REPEATED = ' and went on. ';
const LETTERS = 'abcdefghijklmnopqrstuvwxyz .,-AE';

export const compressed: Bench = {
  name: 'compressed',
  title: 'create of 100,000 requests, 256 MB, compressed by gzip or zstd, against the plain one',
  measures: [
    { name: 'zstd / plain time', unit: '×', better: 'lower', must: 1.5, aim: 1.2 },
    { name: 'gzip / plain time', unit: '×', better: 'lower', must: 1.5, aim: 1.2 },
    detail('plain', 's'),
    detail('zstd size', 'MB'),
    detail('gzip size', 'MB'),
    detail('zstd memory growth', 'MiB'),
    detail('gzip memory growth', 'MiB'),
  ],
  run,
};

type Measured = { readonly elapsedMs: number; readonly bytes: number; readonly grownMiB: number };

async function run({ quick, index, resources, fail, say }: Run): Promise<Figures> {
  const rows: Rows = { first: 0, count: quick ? 4_000 : 100_000, paramsBytes: 2_630 };
  const upstream = await startWatchedUpstream({ resources, fail }, { record: false });
  const body = varied([...bodyBlocks(rows)]);
  const results = new Map<Side, Measured>();
  // No side is always first.
  for (const side of [...sides.slice(index % sides.length), ...sides.slice(0, index % sides.length)]) {
    say(`compress: ${side}`);
    const sent = side === 'plain' ? body : await compress(side, body);
    const server = await startFreshServer(resources, { upstreamUrl: upstream.url, concurrency: 64 });
    const idleMiB = rssMiB(server.pid);
    forgetPeak(server.pid);
    say(`create: ${side}`);
    // What the other side left in the page cache is not this side's to write.
    execFileSync('sync');
    const startedAtMs = performance.now();
    const encoding = side === 'plain' ? 'identity' : side;
    const { id } = await server.client.createEncoded({ blocks: sent, length: lengthOf(sent), encoding });
    const elapsedMs = performance.now() - startedAtMs;
    const grownMiB = peakRssMiB(server.pid) - idleMiB;
    const batch = await server.client.ended(id);
    await checkResults({ client: server.client, batch, rows });
    results.set(side, { elapsedMs, bytes: lengthOf(sent), grownMiB });
    await server.kill();
  }
  return figuresOf(results);
}

function figuresOf(results: ReadonlyMap<Side, Measured>): Figures {
  const [plain, gzip, zstd] = sides.map((side) => results.get(side)!);
  return {
    'zstd / plain time': zstd.elapsedMs / plain.elapsedMs,
    'gzip / plain time': gzip.elapsedMs / plain.elapsedMs,
    plain: plain.elapsedMs / 1_000,
    'zstd size': zstd.bytes / 1e6,
    'gzip size': gzip.bytes / 1e6,
    'zstd memory growth': zstd.grownMiB,
    'gzip memory growth': gzip.grownMiB,
  };
}

/** The rows' filler repeats, which no prompt does: a part of each sentence becomes letters of chance, so that it compresses like text, to a quarter. */
function varied(blocks: readonly Buffer[]): readonly Buffer[] {
  let state = 1;
  for (const block of blocks) {
    for (let at = block.indexOf(REPEATED); at >= 0; at = block.indexOf(REPEATED, at + REPEATED.length)) {
      for (let place = at; place < at + REPEATED.length; place += 1) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        block[place] = LETTERS.charCodeAt(state >>> 27);
      }
    }
  }
  return blocks;
}

/** At the levels that their commands take by default. */
async function compress(side: 'gzip' | 'zstd', blocks: readonly Buffer[]): Promise<readonly Buffer[]> {
  const encoder =
    side === 'gzip'
      ? createGzip({ chunkSize: BLOCK_BYTES })
      : createZstdCompress({ chunkSize: BLOCK_BYTES, params: { [constants.ZSTD_c_compressionLevel]: 3 } });
  const pieces: Buffer[] = [];
  encoder.on('data', (piece: Buffer) => pieces.push(piece));
  const ended = Promise.withResolvers<void>();
  encoder.once('end', ended.resolve).once('error', ended.reject);
  for (const block of blocks) {
    if (!encoder.write(block)) await new Promise<void>((resolve) => encoder.once('drain', () => resolve()));
  }
  encoder.end();
  await ended.promise;
  return pieces;
}

function lengthOf(body: readonly Buffer[]): number {
  return body.reduce((sum, block) => sum + block.length, 0);
}
