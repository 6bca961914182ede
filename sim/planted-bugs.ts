/** `node sim/planted-bugs.ts [--seeds N]`: plants each bug in turn and prints which seed found it; fails when one is not found. */
import { parseArgs } from 'node:util';
import { plantedBugs } from './planted.ts';
import type { PlantedBug } from './planting.ts';
import { simulate } from './scenario.ts';

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '300' }, only: { type: 'string' } } });

let missed = 0;
for (const bug of plantedBugs.filter(({ name }) => values.only === undefined || name.includes(values.only))) {
  const startedMs = performance.now();
  const found = await find(bug, Number(values.seeds));
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  if (found === null) missed += 1;
  const result =
    found === null
      ? 'NOT FOUND'
      : `seed ${found.seed}${found.promise === bug.promise ? '' : `, as "${found.promise}"`}`;
  console.log(`${bug.promise.padEnd(24)} ${bug.name.padEnd(56)} ${result} (${seconds} s)`);
}
console.log(missed === 0 ? `all ${plantedBugs.length} found` : `${missed} of ${plantedBugs.length} not found`);
process.exitCode = missed === 0 ? 0 : 1;

async function find(bug: PlantedBug, seeds: number): Promise<{ seed: number; promise: string } | null> {
  for (let seed = 1; seed <= seeds; seed++) {
    const { violation } = await simulate(seed, bug.plant());
    if (violation) return { seed, promise: violation.promise };
  }
  return null;
}
