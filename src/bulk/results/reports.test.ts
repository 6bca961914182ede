// Errors grouped with the command that may fix them, and what was spent.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noUsage } from '../../domain/tally.ts';
import type { Dated } from '../../money/cost.ts';
import { amountText, dollars } from '../../money/words.ts';
import type { Item, ItemState } from '../contract.ts';
import type { ErrorGroup, StateCounts } from '../ledger/ledger.ts';
import { errorReports, foldGroups, foldMessage } from './errors.ts';
import { cacheReadShare, spentOf } from './spent.ts';

function group(changes: Partial<ErrorGroup>): ErrorGroup {
  return { type: 'invalid_request_error', message: 'm', state: 'rejected', rows: 1, sampleSeq: 0, ...changes };
}

test('numbers and ids are folded, names of models are not', () => {
  assert.equal(
    foldMessage('prompt is too long: 210,345 tokens > 200000 maximum'),
    'prompt is too long: … tokens > … maximum',
  );
  assert.equal(foldMessage('messages.12.content.0: bad'), 'messages.….content.…: bad');
  assert.equal(foldMessage('req_011CXyz failed for 123e4567-e89b-12d3-a456-426614174000'), '… failed for …');
  assert.equal(foldMessage('model: claude-haiku-4-5-20251001'), 'model: claude-haiku-4-5-20251001');
});

test('messages that differ in what was folded are one, with the first row as sample', () => {
  const [folded, alone] = foldGroups([
    group({ message: 'too long: 5 > 3', rows: 2, sampleSeq: 9 }),
    group({ message: 'too long: 7 > 3', rows: 3, sampleSeq: 4 }),
    group({ message: 'max 7', rows: 1 }),
  ]);
  assert.deepEqual([folded.message, folded.rows, folded.sampleSeq, alone.message], ['too long: … > …', 5, 4, 'max 7']);
});

function reportsOf(groups: readonly ErrorGroup[], counts: Partial<StateCounts>, run = 'reviews') {
  const ledger = {
    errorGroups: () => groups,
    counts: () => new Proxy(counts, { get: (all, state) => all[state as ItemState] ?? 0 }) as StateCounts,
    items: () => [{ seq: 7 } as Item],
    item: (seq: number) => ({ seq, key: `k${seq}` }) as Item,
  };
  return errorReports(ledger, run);
}

test('each kind of error comes with a command, the most frequent first', () => {
  const reports = reportsOf(
    [
      group({ message: 'prompt is too long: 5 tokens', rows: 9 }),
      group({ type: 'not_found_error', message: 'model: nope', rows: 8 }),
      group({ type: 'overloaded_error', message: 'Overloaded', state: 'errored', rows: 7 }),
      group({ type: 'not_sent', message: 'the prompt is empty', rows: 6, sampleSeq: 3 }),
      group({ type: 'schema', message: 'no label', state: 'invalid', rows: 5 }),
      group({ type: 'authentication_error', state: 'errored', rows: 2 }),
      group({ state: 'ok', rows: 99 }),
    ],
    { rejected: 23, errored: 9, invalid: 5, truncated: 4, ok: 99 },
    "it's",
  );
  assert.deepEqual(
    reports.map(({ rows, command }) => [rows, command]),
    [
      [9, "nightshift retry 'it'\\''s' --only rejected --error 'too long' --truncate COLUMN=4000t"],
      [8, "nightshift retry 'it'\\''s' --only rejected --model NAME"],
      [7, "nightshift retry 'it'\\''s' --only errored"],
      [6, "nightshift show 'it'\\''s' k3"],
      [5, "nightshift retry 'it'\\''s' --only invalid --model NAME"],
      [4, "nightshift retry 'it'\\''s' --only truncated --max-tokens N"],
      [2, 'nightshift doctor'],
    ],
  );
  assert.deepEqual(
    [reports[5].type, reports[5].message, reports[5].sampleKey],
    ['max_tokens', 'the answer was cut off by max_tokens', 'k7'],
  );
});

const day = Date.parse('2026-11-21') / 1_000;

function used(changes: Partial<Dated>): Dated {
  const key = {
    model: 'claude-sonnet-4',
    upstream: 'anthropic',
    billing: 'standard',
    tier: 'batch',
    band: 0,
    wasted: false,
  } as const;
  return { day, ...key, requests: 1, ...noUsage, ...changes };
}

test('batches cost half, calls the whole, and what was saved is told', () => {
  const spent = spentOf([
    used({ inputTokens: 1_000_000, outputTokens: 100_000, requests: 500 }),
    used({ inputTokens: 1_000_000, tier: 'standard', requests: 3 }),
  ]);
  assert.deepEqual([spent.cost, spent.standard, spent.batchSaved].map(amountText), ['$5.25', '$7.50', '$2.25']);
  assert.deepEqual(
    spent.lines.map(({ how, requests, cost }) => [how, requests, amountText(cost)]),
    [
      ['batch', 500, '$2.25'],
      ['standard', 3, '$3.00'],
    ],
  );
  assert.equal(dollars(spent.cacheSaved.picodollars), '$0');
});

test('the cache saves by reads and costs by writes', () => {
  const read = spentOf([used({ cacheReadInputTokens: 1_000_000 })]);
  assert.equal(amountText(read.cost), '$0.15');
  assert.equal(dollars(read.cacheSaved.picodollars), '$1.35');
  const written = spentOf([used({ cacheCreationInputTokens: 1_000_000, cacheCreation1hInputTokens: 1_000_000 })]);
  assert.ok(written.cacheSaved.picodollars < 0n);
  assert.equal(cacheReadShare([used({ cacheReadInputTokens: 3, inputTokens: 1 })]), 0.75);
  assert.equal(cacheReadShare([]), null);
});

test('a model without a price makes the sum a lower bound', () => {
  const spent = spentOf([used({ inputTokens: 1_000_000 }), used({ model: 'qwen3:8b', inputTokens: 5 })]);
  assert.deepEqual([amountText(spent.cost), amountText(spent.lines[1].cost)], ['at least $1.50', 'unknown']);
});
