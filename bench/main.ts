/** The benches: `node bench/main.ts [names…] [--quick] [--runs 5] [--json FILE] [--write]`. */

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { inspect, parseArgs } from 'node:util';
import type { Bench, Figures } from './bench.ts';
import { summaryOf } from './bench.ts';
import { compressed } from './cases/compressed.ts';
import { create } from './cases/create.ts';
import { download } from './cases/download.ts';
import { fairness } from './cases/fairness.ts';
import { faults } from './cases/faults.ts';
import { foreground } from './cases/foreground.ts';
import { inFlight } from './cases/in-flight.ts';
import { latency } from './cases/latency.ts';
import { messages } from './cases/messages.ts';
import { queue } from './cases/queue.ts';
import { rate } from './cases/rate.ts';
import { recovery } from './cases/recovery.ts';
import { translation } from './cases/translation.ts';
import { usage } from './cases/usage.ts';
import { markdown, resultLines, verdict } from './report.ts';
import type { Origin, Recorded } from './report.ts';

const benches: readonly Bench[] = [
  create,
  rate,
  inFlight,
  latency,
  fairness,
  faults,
  download,
  foreground,
  recovery,
  queue,
  messages,
  translation,
  compressed,
  usage,
];

const RUNS_DEFAULT = 5;
const RUN_MS_MAX = { quick: 60_000, full: 300_000 };
/** Figures of earlier runs, so that one bench can be measured again without the others. */
const FIGURES_FILE = new URL('figures.json', import.meta.url);
const DOCUMENT_FILE = new URL('BENCHMARKS.md', import.meta.url);
const FIGURES_MARKS = /(<!-- figures -->\n)[^]*(<!-- end of figures -->)/;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      runs: { type: 'string' },
      json: { type: 'string' },
      write: { type: 'boolean', default: false },
    },
  });
  const { quick, write } = values;
  const runs = Number(values.runs ?? (quick ? 1 : RUNS_DEFAULT));
  if (!Number.isInteger(runs) || runs < 1) throw new Error('--runs takes a number above 0');
  if (quick && write) throw new Error('--write is for real figures, and --quick gives none');
  const origin = originOf();
  const recorded: Record<string, Recorded> = {};
  const failed: string[] = [];
  for (const bench of chosen(positionals)) {
    process.stderr.write(`${bench.name}: ${bench.title}\n`);
    try {
      const figures = await runAll(bench, { quick, runs });
      recorded[bench.name] = { ...origin, runs: figures };
      process.stdout.write(resultLines(bench, { runs: figures, quick }));
      // At once, because an hour's other figures must not be lost with a later failure.
      if (write) writeDocument(recorded);
    } catch (error) {
      process.stderr.write(`\n${inspect(error)}\n`);
      failed.push(bench.name);
    }
  }
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify({ quick, failed, benches: recorded }, null, 2)}\n`);
  }
  const missed = quick ? [] : missedOf(recorded);
  for (const name of missed) process.stderr.write(`missed: ${name}\n`);
  for (const name of failed) process.stderr.write(`failed: ${name}\n`);
  // What a run that was given up still does must not keep the process.
  process.exit(missed.length + failed.length > 0 ? 1 : 0);
}

function chosen(names: readonly string[]): readonly Bench[] {
  const unknown = names.filter((name) => !benches.some((bench) => bench.name === name));
  if (unknown.length > 0)
    throw new Error(
      `no bench is called ${unknown.join(', ')}; there are ${benches.map(({ name }) => name).join(', ')}`,
    );
  return names.length === 0 ? benches : benches.filter(({ name }) => names.includes(name));
}

async function runAll(bench: Bench, { quick, runs }: { quick: boolean; runs: number }): Promise<readonly Figures[]> {
  const all: Figures[] = [];
  for (let index = 0; index < runs; index += 1) {
    all.push(await runOne(bench, { quick, index, runs }));
  }
  return all;
}

/** A run that hangs is a failure of its own; what it holds is freed either way. */
async function runOne(
  bench: Bench,
  { quick, index, runs }: { quick: boolean; index: number; runs: number },
): Promise<Figures> {
  const msMax = quick ? RUN_MS_MAX.quick : RUN_MS_MAX.full;
  const startedAtMs = performance.now();
  const elapsed = (): string => `${((performance.now() - startedAtMs) / 1_000).toFixed(1)} s`;
  const failed = Promise.withResolvers<never>();
  const timer = setTimeout(() => failed.reject(new Error(`it takes longer than ${msMax / 1_000} s`)), msMax);
  let doing = 'start';
  const say = (text: string): void => {
    doing = text;
    status(`  run ${index + 1} of ${runs}: ${text}`);
  };
  try {
    await using resources = new AsyncDisposableStack();
    const running = bench.run({ quick, index, resources, say, fail: failed.reject });
    const figures = await Promise.race([running, failed.promise]);
    say(`done in ${elapsed()}`);
    return figures;
  } catch (error) {
    throw new Error(`${bench.name}, run ${index + 1}, failed at "${doing}" after ${elapsed()}`, { cause: error });
  } finally {
    clearTimeout(timer);
    if (process.stderr.isTTY) status('');
  }
}

/** A terminal shows only the newest; a log keeps each. */
function status(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\u001B[K${text}` : `${text}\n`);
}

function missedOf(recorded: Readonly<Record<string, Recorded>>): readonly string[] {
  return benches.flatMap(({ name, measures }) =>
    measures
      .filter((measure) => {
        const runs = recorded[name]?.runs;
        return (
          runs !== undefined && verdict(measure, summaryOf(runs.map((figures) => figures[measure.name]))) === 'MISSED'
        );
      })
      .map((measure) => `${name}: ${measure.name}`),
  );
}

function originOf(): Origin {
  const git = (...words: readonly string[]): string =>
    execFileSync('git', words, { encoding: 'utf8', cwd: import.meta.dirname }).trim();
  const changed = git('status', '--porcelain', '--', ':/', ':!figures.json', ':!BENCHMARKS.md') !== '';
  const processors = cpus();
  return {
    commit: `${git('rev-parse', '--short=12', 'HEAD')}${changed ? ' with changes' : ''}`,
    at: new Date().toISOString().slice(0, 10),
    machine: `${processors.length} cores of ${processors[0]?.model.trim() ?? 'an unknown processor'}`,
    node: process.versions.node,
    command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
  };
}

function writeDocument(recorded: Readonly<Record<string, Recorded>>): void {
  const known = { ...(JSON.parse(readFileSync(FIGURES_FILE, 'utf8')) as Record<string, Recorded>), ...recorded };
  writeFileSync(FIGURES_FILE, `${JSON.stringify(known, null, 2)}\n`);
  const document = readFileSync(DOCUMENT_FILE, 'utf8');
  if (!FIGURES_MARKS.test(document)) throw new Error('BENCHMARKS.md has lost its marks for the figures');
  const figures = markdown(benches, known);
  writeFileSync(
    DOCUMENT_FILE,
    document.replace(FIGURES_MARKS, (_all, head: string, end: string) => `${head}\n${figures}\n${end}`),
  );
}

if (import.meta.main) await main();
