/** `npm run sim -- [--seeds N] [--seed S] [--from S] [--minutes M] [--verbose]`: runs seeds until they are done, time is up or a promise is broken. */
import { parseArgs } from 'node:util';
import { simulate, type Report } from './scenario.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    seed: { type: 'string' },
    from: { type: 'string', default: '1' },
    minutes: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
  },
});

const traceShown = 60;

process.exitCode = await main();

async function main(): Promise<number> {
  const first = Number(values.seed ?? values.from);
  const count = values.seed === undefined ? Number(values.seeds) : 1;
  const startedMs = performance.now();
  const endMs = values.minutes === undefined ? Infinity : startedMs + Number(values.minutes) * 60_000;
  let failed = 0;
  let done = 0;
  for (let seed = first; seed < first + count || endMs !== Infinity; seed++) {
    if (performance.now() > endMs) break;
    const seedMs = performance.now();
    const report = await simulate(seed);
    done += 1;
    if (values.verbose || count === 1) tell(report, performance.now() - seedMs);
    if (!report.violation) continue;
    failed += 1;
    tellFailure(report);
    if (!values['keep-going']) break;
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  console.log(`${done} seeds, ${failed} broken, ${(done / seconds).toFixed(1)} seeds/s`);
  return failed > 0 ? 1 : 0;
}

function tell(report: Report, ms: number): void {
  const { seed, hash, events, virtualMs, batches, calls, crashes } = report;
  const minutes = (virtualMs / 60_000).toFixed(1);
  console.log(
    `seed ${seed}: hash ${hash.toString(16)}, ${batches} batches, ${calls} calls, ${crashes} crashes, ${events} events, ${minutes} virtual minutes, ${ms.toFixed(0)} ms`,
  );
}

function tellFailure({ seed, violation, trace }: Report): void {
  if (!values['keep-going']) console.log(trace.slice(values.verbose ? -400 : -traceShown).join('\n'));
  console.log(`seed ${seed} broke "${violation!.promise}": ${violation!.message.split('\n').slice(0, 6).join('\n')}`);
  console.log(`again: npm run sim -- --seed ${seed} --verbose`);
}
