// The library against an API in this process: typed results, schemas of both kinds, resume by another run object, budget, retry.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { fakeBatches, type FakeBatches } from '../../test/support/fake-batches.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import {
  bulk,
  csv,
  errorOf,
  RunError,
  type BulkOptions,
  type BulkResult,
  type ClientLike,
  type StandardSchema,
} from './bulk.ts';

type Ticket = { readonly id: string; readonly text: string };

const tickets: readonly Ticket[] = Array.from({ length: 25 }, (_unused, index) => ({
  id: `t${index}`,
  text: `text ${index}`,
}));
const toParams = ({ text }: Ticket) => ({
  model: 'claude-haiku-4-5',
  max_tokens: 64,
  messages: [{ role: 'user', content: text }],
});

function clientOf({ url, key }: FakeBatches): ClientLike {
  return { baseURL: url, apiKey: key };
}

async function begin<Output = unknown>(
  t: TestContext,
  options: BulkOptions<Ticket, Output> = {},
  items: readonly Ticket[] = tickets,
) {
  const fake = await fakeBatches(t, { endsAfterMs: 0 });
  const run = bulk<Ticket, Output>(clientOf(fake), items, toParams, options);
  t.after(() => run.close());
  return { fake, run };
}

test('every item comes back once, as the object it was', { timeout: 30_000 }, async (t) => {
  const { fake, run } = await begin(t, { key: ({ id }) => id, chunk: { requests: 10 } });
  const seen = new Map<string, BulkResult<Ticket>>();
  for await (const result of run) {
    assert.ok(!seen.has(result.key));
    seen.set(result.key, result);
    assert.equal(result.item, tickets[result.index]);
    assert.equal(result.status, 'ok');
    if (result.status === 'ok') assert.equal(result.message.role, 'assistant');
  }
  assert.equal(seen.size, tickets.length);
  assert.deepEqual(fake.boughtTwice(), []);
  const { ok, end } = await run.done();
  assert.deepEqual([ok, end], [25, 'done']);
});

test(
  'a plan spends nothing, null leaves an item out, an error in the function rejects it',
  { timeout: 30_000 },
  async (t) => {
    const fake = await fakeBatches(t, { endsAfterMs: 0 });
    const run = bulk(
      clientOf(fake),
      [0, 1, 2, 3],
      (item: number) => {
        if (item === 1) return null;
        if (item === 2) throw new Error('not this one');
        return toParams({ id: '', text: String(item) });
      },
      { order: 'input' },
    );
    t.after(() => run.close());
    const plan = await run.plan();
    assert.deepEqual([plan.rows, plan.requests, plan.skipped, plan.rejected], [4, 2, 1, 1]);
    assert.equal(fake.posts.length, 0);
    const results = await run.toArray();
    assert.deepEqual(
      results.map(({ status }) => status),
      ['ok', 'skipped', 'rejected', 'ok'],
    );
    assert.match(JSON.stringify(results[2]), /not this one/);
  },
);

test('another process goes on from the folder, and buys nothing again', { timeout: 30_000 }, async (t) => {
  const state = join(await scratchFolder(t), 'run');
  const { fake, run } = await begin(t, { state, chunk: { requests: 10 } });
  await run.submit();
  await run.close();
  assert.equal(fake.posts.length, 3);
  const again = bulk.open<Ticket>(state, { client: clientOf(fake), toParams, chunk: { requests: 10 } });
  t.after(() => again.close());
  const results = await again.toArray();
  assert.equal(results.length, tickets.length);
  assert.equal(fake.posts.length, 3);
  assert.deepEqual(new Set(results.map(({ item }) => item.id)), new Set(tickets.map(({ id }) => id)));
  const other = bulk(clientOf(fake), tickets.slice(1), toParams, { state });
  await again.close();
  await assert.rejects(other.plan(), (error) => error instanceof RunError && error.fault === 'changed');
});

test('a Standard Schema checks answers, and its issues are the reason', { timeout: 30_000 }, async (t) => {
  const never: StandardSchema<{ label: string }> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: () => ({ issues: [{ message: 'no label', path: ['label'] }] }),
    },
  };
  const { run } = await begin<{ label: string }>(t, { schema: never, on: { invalid: 'keep' } }, tickets.slice(0, 2));
  for await (const result of run) {
    assert.equal(result.status, 'invalid');
    if (result.status === 'invalid') assert.match(result.error.message, /not JSON|no label/);
  }
  assert.equal(await run.retry({ only: ['invalid'] }), 2);
});

test('a file of rows keeps its faults with their lines', { timeout: 30_000 }, async (t) => {
  const path = join(await scratchFolder(t), 'rows.csv');
  await writeFile(path, 'id,text\na,one\nb\nc,three\n');
  const fake = await fakeBatches(t, { endsAfterMs: 0 });
  const run = bulk<Ticket>(clientOf(fake), csv(path), toParams, { order: 'input' });
  t.after(() => run.close());
  const results = await run.toArray();
  assert.deepEqual(
    results.map(({ status }) => status),
    ['ok', 'rejected', 'ok'],
  );
  assert.match(JSON.stringify(results[1]), /line 3|1 field|2 columns/);
});

test('leaving the loop detaches, and a later loop tells every row', { timeout: 30_000 }, async (t) => {
  const { fake, run } = await begin(t, { chunk: { requests: 5 } });
  for await (const result of run) {
    assert.equal(result.status, 'ok');
    break;
  }
  assert.equal((await run.toArray()).length, tickets.length);
  assert.deepEqual(fake.boughtTwice(), []);
});

test('events tell what happens, and errorOf reads both levels', { timeout: 30_000 }, async (t) => {
  const kinds: string[] = [];
  const { run } = await begin(t, { onEvent: ({ kind }) => kinds.push(kind) });
  await run.done();
  for (const kind of ['planned', 'intent', 'submitted', 'ended', 'ingested', 'done'])
    assert.ok(kinds.includes(kind), kind);
  assert.deepEqual(
    errorOf({ type: 'errored', error: { type: 'error', error: { type: 'api_error', message: 'no' } } }),
    { type: 'api_error', message: 'no' },
  );
});
