/** What a changed spec or input does to a run that exists. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { FakeRun, texts } from './fake-run.ts';
import { replanChanged } from './replan.ts';
import { Run } from './run.ts';

test('a changed input or prompt is named; before anything was sent it is simply planned anew', async (t) => {
  const run = new FakeRun(t, { texts: texts(5) });
  await run.plan();
  run.spec = { ...run.spec, prompt: { ...run.spec.prompt, maxTokens: 128 } };
  assert.equal((await run.plan()).kind, 'planned');
  await run.start();
  run.spec = { ...run.spec, prompt: { ...run.spec.prompt, maxTokens: 256 } };
  const changed = await run.plan();
  assert.deepEqual(changed.kind === 'changed' && changed.changes, [
    { what: 'prompt.maxTokens', before: '128', after: '256' },
  ]);
});

test('a row that makes another request than when it was planned ends the run before it is sent', async (t) => {
  const run = new FakeRun(t, { texts: texts(5) });
  await run.plan();
  run.texts[3] = 'another';
  await assert.rejects(run.start(), /the input has changed since the run began: row key-3 \(line 4\)/);
  assert.equal(run.api.made.length, 0);
  assert.equal(run.ledger.read.counts().pending, 5);
});

test('with a key of another organization nothing is concluded from what it lists', async (t) => {
  const run = new FakeRun(t, { texts: texts(5), api: { endsAfterMs: 3_600_000 } });
  let organizationId = 'ours';
  Object.assign(run.api, { identity: () => ({ organizationId, workspaceId: null }) });
  await run.plan();
  await run.start({ until: 'submitted' });
  organizationId = 'theirs';
  await assert.rejects(run.start(), { fault: 'authentication' });
  organizationId = 'ours';
  assert.equal((await run.start()).counts.ok, 5);
});

test('only changed rows are sent again when the input was edited, and new ones with them', async (t) => {
  const run = new FakeRun(t, { texts: ['same', 'same', 'b', 'c', 'bad', 'd'] });
  await run.plan();
  await run.start();
  assert.equal(run.api.bought().size, 4);
  run.texts = ['other', 'same', 'b', 'new', 'e', 'd', 'new', 'f'];
  const { folder, ledger, spec, world } = run;
  const replanned = await replanChanged({
    folder,
    ledger,
    spec,
    source: run.source(),
    prompt: run.parts().prompt,
    world,
  });
  assert.deepEqual([replanned.changed, replanned.added, replanned.same], [3, 2, 3]);
  run.reopen();
  const end = await run.start();
  assert.deepEqual([end.kind, end.counts.ok, run.ledger.read.rows()], ['done', 8, 8]);
  assert.deepEqual(Object.fromEntries(run.api.bought()), { 0: 2, 2: 1, 3: 2, 4: 1, 5: 1, 7: 1 });
  assert.equal(run.ledger.read.item(6)!.sameAs, 3);
  assert.equal(run.ledger.read.item(1)!.sameAs, null);
});

test('adopt takes over the batches of a run whose folder is gone', async (t) => {
  const lost = new FakeRun(t, { texts: texts(25) });
  await lost.plan();
  await lost.start();
  const run = new FakeRun(t, { texts: texts(30) });
  Object.assign(run, { api: lost.api, world: lost.world });
  await run.plan();
  const ids = lost.api.made.map(({ id }) => id);
  const adopted = await new Run(run.parts()).adopt(
    [...ids, lost.api.addForeign(3)].slice(0, ids.length),
    new AbortController().signal,
  );
  assert.equal(
    adopted.reduce((sum, { rows }) => sum + rows, 0),
    25,
  );
  const end = await run.start();
  assert.equal(end.counts.ok, 30);
  assert.equal(lost.api.bought().size, 30);
  assert.deepEqual([...new Set(lost.api.bought().values())], [1]);
});
