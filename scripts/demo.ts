// The proof: a real server is killed with -9 while it works on one large batch, and every request still gets exactly its own answer.
//
//   npm run demo                          100,000 requests, five kills
//   npm run demo -- --requests 5000 --kills 2 --seed 7
import Anthropic from '@anthropic-ai/sdk';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { lanesOfSeed, startDraw, type Draw } from '../src/simulator/draw.ts';
import { startUpstream, type Upstream } from '../test/support/upstream-server.ts';
import { checkResults, makeRequests, type Findings, type Verdict } from './demo/rows.ts';
import { Screen } from './demo/screen.ts';
import { KillableServer } from './demo/server.ts';
import { summary } from './demo/summary.ts';

type Batch = Anthropic.Messages.Batches.MessageBatch;
type Options = { readonly requests: number; readonly kills: number; readonly seed: number };
type Stage = {
  readonly options: Options;
  readonly screen: Screen;
  readonly upstream: Upstream;
  readonly server: KillableServer;
  readonly client: Anthropic;
};

const CONCURRENCY = 128;
/** The upstream is as slow as needed for every kill to fall into the work, and never faster than a quick model. */
const UPSTREAM_MS_MIN = 20;
const SECONDS_PER_KILL = 2;
const LOOK_MS = 100;
/** The official API asks its pollers to wait; here nobody waits for a bill. */
const POLL_MS = 500;
const KILL_JITTER_MS = 200;
/** No progress for so long means that something is stuck, and waiting on would only hide it. */
const STUCK_MS = 60_000;

try {
  process.exitCode = await main(readOptions());
} catch (error) {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}

async function main(options: Options): Promise<number> {
  const screen = new Screen({ total: options.requests, kills: options.kills });
  const folder = await mkdtemp(path.join(tmpdir(), 'nightshift-demo-'));
  const key = `sk-nightshift-${randomBytes(24).toString('base64url')}`;
  const latencyMs = upstreamLatencyMs(options);
  const upstream = await startUpstream({ profile: { latencyMs, latencySigma: 0.3 }, hashBodies: true, captureMax: 0 });
  const server = new KillableServer({ folder, key, upstreamUrl: upstream.url, concurrency: CONCURRENCY });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      server.destroy();
      void rm(folder, { recursive: true, force: true }).finally(() => process.exit(130));
    });
  }
  try {
    screen.title(`${count(options.requests)} requests in one batch, ${options.kills} times kill -9`);
    const url = await server.start();
    screen.line(`a server on ${url}, a model in another process that takes ${Math.round(latencyMs)} ms for an answer`);
    const verdict = await prove({
      options,
      screen,
      upstream,
      server,
      client: new Anthropic({ baseURL: url, apiKey: key }),
    });
    screen.end(summary(verdict, screen.style));
    return verdict.passed ? 0 : 1;
  } catch (error) {
    screen.end(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n${server.lastWords()}\n`);
    return 1;
  } finally {
    server.destroy();
    await upstream.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function prove(stage: Stage): Promise<Verdict> {
  const { options, screen, upstream, server, client } = stage;
  const requests = makeRequests(options.requests, options.seed);
  const startedAtMs = performance.now();
  const batch = await client.messages.batches.create({ requests });
  screen.line(`${batch.id} accepted after ${((performance.now() - startedAtMs) / 1_000).toFixed(1)} s`);

  const ended = await watch(stage, batch);
  const stats = await upstream.stats();
  screen.line('ended; downloading the results and comparing every one of them');
  const findings: Findings = await checkResults({
    requests,
    lines: await client.messages.batches.results(batch.id),
    upstreamRows: await upstream.rows(),
  });
  const countsAgree = ended.request_counts.succeeded === options.requests && ended.request_counts.processing === 0;
  const sentAgain = stats.calls - (stats.rowsSeen ?? 0);
  const sentAgainMax = server.kills * CONCURRENCY;
  // The bound rests on the server keeping to its concurrency, which the model has seen.
  const bounded = sentAgain <= sentAgainMax && stats.inFlightMax <= CONCURRENCY;
  const clean = findings.lost === 0 && findings.doubled === 0 && findings.changed === 0;
  return {
    ...findings,
    requests: options.requests,
    kills: server.kills,
    sentAgain,
    sentAgainMax,
    concurrency: CONCURRENCY,
    recoveriesMs: server.recoveriesMs,
    workMs: Date.parse(ended.ended_at ?? '') - Date.parse(ended.created_at),
    countsAgree,
    passed: clean && countsAgree && bounded && server.kills === options.kills,
  };
}

/** Kills the server at the drawn moments, starts it again each time, and returns the batch when it has ended. */
async function watch({ options, screen, upstream, server, client }: Stage, batch: Batch): Promise<Batch> {
  const draw = startDraw(lanesOfSeed(options.seed));
  const moments = killMoments(draw, options);
  let [answered, changedAtMs, polledAtMs] = [0, performance.now(), -Infinity];
  for (;;) {
    const { rowsAnswered } = await upstream.stats();
    const nowMs = performance.now();
    if (rowsAnswered !== answered) [answered, changedAtMs] = [rowsAnswered ?? 0, nowMs];
    if (nowMs - changedAtMs > STUCK_MS)
      throw new Error(`no progress for ${STUCK_MS / 1_000} s, with ${answered} answered`);
    screen.progress(answered, server.kills);
    if (moments.length > 0 && answered >= moments[0]) {
      moments.shift();
      await pause((KILL_JITTER_MS * draw.word()) / 2 ** 32);
      screen.line(`kill -9 after ${count((await upstream.stats()).rowsAnswered ?? 0)} answers`, 'bad');
      await server.kill();
      await server.start();
      screen.line(`back after ${server.recoveriesMs.at(-1)?.toFixed(0)} ms, on the same folder and port`, 'good');
    }
    if (nowMs - polledAtMs >= POLL_MS) {
      polledAtMs = nowMs;
      const seen = await client.messages.batches.retrieve(batch.id);
      if (seen.processing_status === 'ended') return seen;
    }
    await pause(LOOK_MS);
  }
}

/** One moment in each part of the work, anywhere in it. */
function killMoments(draw: Draw, { requests, kills }: Options): number[] {
  return Array.from({ length: kills }, (_, part) => {
    const within = 0.1 + (0.8 * draw.word()) / 2 ** 32;
    return Math.floor((requests * 0.95 * (part + within)) / kills);
  });
}

function upstreamLatencyMs({ requests, kills }: Options): number {
  return Math.max(UPSTREAM_MS_MIN, (SECONDS_PER_KILL * 1_000 * (kills + 1) * CONCURRENCY) / requests);
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      requests: { type: 'string', default: '100000' },
      kills: { type: 'string', default: '5' },
      seed: { type: 'string', default: String(randomBytes(3).readUIntBE(0, 3)) },
    },
  });
  const whole = (name: keyof typeof values, min: number, max: number): number => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new Error(`--${name} must be a whole number from ${min} to ${max}`);
  };
  return {
    requests: whole('requests', 100, 100_000),
    kills: whole('kills', 0, 100),
    seed: whole('seed', 0, 2 ** 32 - 1),
  };
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
