/** The fake batch API itself: what it makes late is late, what it knows by key is one, and what was bought twice it tells. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { fakeBatches } from './fake-batches.ts';
import { apiOf, bodyFor, never, post, textOf } from './fake-batches-calls.ts';

test('a batch made late, and listed later still', async (t) => {
  let now = 1_000_000;
  const fake = await fakeBatches(t, { nowMs: () => now, listLagMs: 500 });
  fake.behaviour.onPost = () => ({ kind: 'cut-after-last', commit: true, commitAfterMs: 1_000 });
  const api = apiOf(t, fake);
  assert.equal((await post(api, bodyFor(2))).kind, 'unclear');
  const listed = async (): Promise<number> =>
    (await api.list({ afterId: null, limit: 10, signal: never })).batches.length;
  for (const [ms, made, seen] of [
    [999, 0, 0],
    [1, 1, 0],
    [499, 1, 0],
    [1, 1, 1],
  ] as const) {
    now += ms;
    assert.deepEqual([fake.batches().length, await listed()], [made, seen]);
  }
});

test('the same rows bought again are told, unless the first time brought nothing', async (t) => {
  const fake = await fakeBatches(t, { nowMs: () => 5_000 });
  const api = apiOf(t, fake);
  fake.behaviour.outcomeOf = ({ custom_id }) =>
    custom_id.endsWith('-0') ? { kind: 'ok', text: 'fine' } : { kind: 'errored', type: 'api_error', message: 'later' };
  await post(api, bodyFor(2));
  await post(api, bodyFor(2));
  assert.deepEqual(
    fake.boughtTwice().map(({ row }) => row),
    ['0'],
  );
  assert.equal(fake.accepted().length, 4);
});

test('rows that are bought again while their batch still runs are told whatever comes of them', async (t) => {
  const fake = await fakeBatches(t, { nowMs: () => 5_000, endsAfterMs: 1_000, outcomeOf: () => ({ kind: 'expired' }) });
  const api = apiOf(t, fake);
  await post(api, bodyFor(2));
  await post(api, bodyFor(2));
  assert.equal(fake.boughtTwice().length, 2);
});

test('with keys, the same POST is the same batch', async (t) => {
  const fake = await fakeBatches(t, { capabilities: 'idempotency' });
  const api = apiOf(t, fake);
  fake.behaviour.onPost = ({ index }) =>
    index === 0 ? { kind: 'answer', status: 500, commit: true } : { kind: 'none' };
  assert.equal((await post(api, bodyFor(2))).kind, 'unclear');
  assert.equal((await post(api, bodyFor(2))).kind, 'created');
  assert.equal(fake.batches().length, 1);
  assert.deepEqual(fake.boughtTwice(), []);
});

test('lines of strangers, lines that are missing, lines as they are', async (t) => {
  const fake = await fakeBatches(t, { strangers: ['{"custom_id":"stranger"}'] });
  const api = apiOf(t, fake);
  fake.behaviour.outcomeOf = ({ custom_id }) =>
    custom_id.endsWith('-0') ? { kind: 'missing' } : { kind: 'raw', line: 'not JSON' };
  await post(api, bodyFor(2));
  const results = await api.results({ id: fake.batches()[0]!.id, from: 0, etag: null, signal: never });
  assert.deepEqual((await textOf(results.body)).trimEnd().split('\n').toSorted(), [
    'not JSON',
    '{"custom_id":"stranger"}',
  ]);
});

test('a batch of somebody else has its count, and lines of its own', async (t) => {
  const fake = await fakeBatches(t);
  const api = apiOf(t, fake);
  const id = fake.addForeign({ requests: 3 });
  assert.equal((await api.retrieve(id, never)).counts.succeeded, 3);
  const results = await api.results({ id, from: 0, etag: null, signal: never });
  assert.equal((await textOf(results.body)).includes('stranger-2'), true);
  fake.delete(id);
  await assert.rejects(api.retrieve(id, never), /not_found_error/);
});
