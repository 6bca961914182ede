/** The protocol checked by chance: thousands of runs with faults and deaths at every step buy nothing twice and lose nothing. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type ModelOptions, type ModelReport, runModel } from '../../test/support/fake-batches-model.ts';

const CHUNKS = 20;
const hostile = { faults: 0.4, crashes: 0.03, chunks: CHUNKS };
const workspaces: readonly {
  readonly name: string;
  readonly strangersPerHour: number;
  readonly strangersAlike: number;
}[] = [
  { name: 'quiet', strangersPerHour: 0, strangersAlike: 0 },
  { name: 'busy, half the strangers have our count', strangersPerHour: 1.2, strangersAlike: 0.5 },
  { name: 'busy, counts differ', strangersPerHour: 1.2, strangersAlike: 0.01 },
];

function sumOf(runs: number, options: Omit<ModelOptions, 'seed'>): ModelReport {
  const sum = { duplicates: 0, duplicatesSeen: 0, lost: 0, wrongAdoptions: 0, unsound: 0 };
  for (let seed = 1; seed <= runs; seed++) {
    const report = runModel({ ...options, seed });
    for (const name of Object.keys(sum) as (keyof ModelReport)[]) sum[name] += report[name];
  }
  return sum;
}

const nothing: ModelReport = { duplicates: 0, duplicatesSeen: 0, lost: 0, wrongAdoptions: 0, unsound: 0 };

for (const { name, ...strangers } of workspaces) {
  test(`${name}: 8,000 chunks, none bought twice, none lost, none taken from strangers`, () => {
    assert.deepEqual(sumOf(400, { ...hostile, ...strangers }), nothing);
  });
}

test('a server that knows keys: 4,000 chunks, the same', () => {
  assert.deepEqual(sumOf(200, { ...hostile, ...workspaces[1]!, idempotent: true }), nothing);
});

test('the check can fail: taking what is unclear for nothing buys twice', () => {
  const { duplicates, lost } = sumOf(50, { ...hostile, ...workspaces[0]!, naive: true });
  assert.ok(duplicates > 50, `${duplicates} duplicates`);
  assert.equal(lost, 0);
});

test('where batches are made later than assumed, every duplicate is seen', () => {
  const report = sumOf(150, { ...hostile, crashes: 0.005, ...workspaces[1]!, lateBy: 6 });
  assert.ok(report.duplicates > 0);
  assert.equal(report.duplicatesSeen, report.unsound);
  assert.ok(report.unsound >= report.duplicates);
  assert.equal(report.wrongAdoptions, 0);
  assert.equal(report.lost, 0);
});
