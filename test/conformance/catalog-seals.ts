/** What every catalog must do in a seal: once, under the current lease, whole or not at all. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noCounts } from '../../src/domain/outcome.ts';
import type { HeldSpan } from '../../src/ports/catalog.ts';
import {
  acceptBatch,
  claimAll,
  leaseMs,
  sealOf,
  sealSpan,
  usageRow,
  withCatalog,
  type CatalogSubject,
  type Done,
  type Scene,
} from './catalog-fixtures.ts';

const part = (span: HeldSpan, items: readonly number[]): Done => ({
  lease: span.lease,
  requests: span.segment.requests,
  items,
});

export function catalogSealSuite(subject: CatalogSubject): void {
  const check = (name: string, body: (scene: Scene) => Promise<void>) =>
    void test(name, () => withCatalog(subject, body));

  check('C4: a seal adds its chunk, counts, bytes and usage', async ({ catalog, store }) => {
    const { id } = await acceptBatch(catalog, {}, [{ requests: 4 }, { requests: 4 }]);
    const [first, second] = await claimAll(catalog, 'a', id);
    const counts = { succeeded: 1, errored: 1, canceled: 0, expired: 1 };
    const usage = [usageRow(), usageRow({ wasted: true, requests: 2 })];
    const seal = sealOf('a', [part(first!, [0, 2]), part(second!, [3])], { counts, usage });
    const sealed = await catalog.seal(seal);
    assert.equal(sealed.kind, 'sealed');
    assert.equal(sealed.kind === 'sealed' && sealed.sequence, 1);
    const batch = await catalog.batch('wrkspc_a', id);
    assert.deepEqual(sealed.kind === 'sealed' && sealed.batch, batch);
    assert.deepEqual(batch?.counts, counts);
    assert.equal(batch?.resultBytes, 300);
    assert.deepEqual(await catalog.chunks({ batchId: id, after: 0, limit: 9 }), [
      { sequence: 1, offset: 0, ...seal.chunk },
    ]);
    await catalog.seal(sealOf('a', [part(first!, [1])], { usage: [usageRow({ inputTokens: 5 })] }));
    const rows = (await store.usage(id)).toSorted((left, right) => Number(left.wasted) - Number(right.wasted));
    const sum = { inputTokens: 15, outputTokens: 40, cacheCreationInputTokens: 6, cacheReadInputTokens: 8 };
    assert.deepEqual(rows, [
      usageRow({ requests: 2, ...sum, cacheCreation1hInputTokens: 2 }),
      usageRow({ wasted: true, requests: 2 }),
    ]);
  });

  check('C3: the same seal twice is stale the second time', async ({ catalog }) => {
    const { id } = await acceptBatch(catalog);
    const [span] = await claimAll(catalog, 'a', id);
    assert.equal((await sealSpan(catalog, { node: 'a', span: span!, items: [0, 1] })).kind, 'sealed');
    const again = await sealSpan(catalog, { node: 'a', span: span!, items: [1, 2] });
    assert.deepEqual(again, { kind: 'stale', leases: [span!.lease] });
    assert.equal((await catalog.batch('wrkspc_a', id))?.counts.succeeded, 2);
  });

  check('C3: two parts of one seal may not set one bit', async ({ catalog }) => {
    const { id } = await acceptBatch(catalog);
    const [span] = await claimAll(catalog, 'a', id);
    const sealed = await catalog.seal(sealOf('a', [part(span!, [0, 1]), part(span!, [1, 2])]));
    assert.equal(sealed.kind, 'stale');
    assert.equal((await catalog.seal(sealOf('a', [part(span!, [0, 1]), part(span!, [2])]))).kind, 'sealed');
  });

  check('C3: one stale lease keeps the whole seal out', async ({ catalog, clock, store }) => {
    const { id } = await acceptBatch(catalog, {}, [{ requests: 4 }, { requests: 4 }]);
    const [first, second] = await claimAll(catalog, 'a', id);
    await catalog.release({ node: 'a', leases: [second!.lease] });
    clock.move(1);
    await claimAll(catalog, 'b', id);
    const done = [part(first!, [0]), part(second!, [0])];
    const before = await catalog.batch('wrkspc_a', id);
    const sealed = await catalog.seal(sealOf('a', done, { usage: [usageRow()] }));
    assert.deepEqual(sealed, { kind: 'stale', leases: [second!.lease] });
    assert.deepEqual(await catalog.batch('wrkspc_a', id), before);
    assert.deepEqual(await catalog.chunks({ batchId: id, after: 0, limit: 9 }), []);
    assert.deepEqual(await store.usage(id), []);
    assert.equal((await catalog.seal(sealOf('a', [done[0]!]))).kind, 'sealed');
  });

  check('C3: neither an old epoch, another node nor an item outside the span is sealed', async ({ catalog, clock }) => {
    const { id } = await acceptBatch(catalog, {}, [{ requests: 8 }]);
    const [old] = await claimAll(catalog, 'a', id);
    clock.move(leaseMs);
    const [span] = await claimAll(catalog, 'a', id);
    for (const [node, lease] of [
      ['a', old!.lease],
      ['b', span!.lease],
      ['a', { ...span!.lease, epoch: 3 }],
      ['a', { ...span!.lease, segment: 7 }],
      ['a', { ...span!.lease, from: 8 }],
    ] as const) {
      const sealed = await catalog.seal(sealOf(node, [{ lease, requests: 8, items: [0] }]));
      assert.deepEqual(sealed, { kind: 'stale', leases: [lease] });
    }
    assert.equal((await catalog.seal(sealOf('a', [{ ...part(span!, [8]), requests: 16 }]))).kind, 'stale');
    assert.equal((await sealSpan(catalog, { node: 'a', span: span! })).kind, 'sealed');
  });

  check('C3: a lease that ran out but was not taken over still seals', async ({ catalog, clock }) => {
    const { id } = await acceptBatch(catalog);
    const [span] = await claimAll(catalog, 'a', id);
    clock.move(leaseMs * 100);
    assert.equal((await sealSpan(catalog, { node: 'a', span: span!, items: [0] })).kind, 'sealed');
  });

  check('C4: counts that do not match the bits are refused', async ({ catalog }) => {
    const { id } = await acceptBatch(catalog);
    const [span] = await claimAll(catalog, 'a', id);
    const seal = sealOf('a', [part(span!, [0, 1])], { counts: { ...noCounts, succeeded: 1 } });
    await assert.rejects(catalog.seal(seal), { name: 'AssertionError' });
    assert.deepEqual((await catalog.batch('wrkspc_a', id))?.counts, noCounts);
  });

  check(
    'C5, C6: a batch ends at its full count, at that moment, and nothing seals it again',
    async ({ catalog, clock, store }) => {
      const { id } = await acceptBatch(catalog, {}, [{ requests: 2 }, { requests: 3 }]);
      const [first, second] = await claimAll(catalog, 'a', id);
      for (const [span, items] of [
        [second!, [0, 2]],
        [first!, [0, 1]],
      ] as const) {
        const sealed = await sealSpan(catalog, { node: 'a', span, items });
        assert.equal(sealed.kind === 'sealed' && sealed.batch.state, 'running');
      }
      clock.move(7);
      const last = await sealSpan(catalog, { node: 'a', span: second!, items: [1] });
      assert.equal(last.kind, 'sealed');
      const batch = await catalog.batch('wrkspc_a', id);
      assert.deepEqual(last.kind === 'sealed' && last.batch, batch);
      assert.deepEqual([batch?.state, batch?.endedAt], ['ended', clock.wallMs() * 1_000]);
      const events = await store.events(id);
      assert.deepEqual(events.at(-1), { sequence: 2, kind: 'ended', at: batch?.endedAt });
      assert.deepEqual(await catalog.held('a'), []);
      assert.equal((await sealSpan(catalog, { node: 'a', span: second!, items: [1] })).kind, 'stale');
      assert.equal(await catalog.transition({ batchId: id, transition: 'cancel', from: ['running'] }), null);
    },
  );

  check('C5: a canceling batch ends the same way', async ({ catalog }) => {
    const { id } = await acceptBatch(catalog);
    await catalog.transition({ batchId: id, transition: 'cancel', from: ['running'] });
    assert.equal((await catalog.runnable({ after: null, limit: 9 })).length, 1);
    const [span] = await claimAll(catalog, 'a', id);
    const counts = { ...noCounts, canceled: 4 };
    const sealed = await catalog.seal(sealOf('a', [part(span!, [0, 1, 2, 3])], { counts }));
    assert.equal(sealed.kind === 'sealed' && sealed.batch.state, 'ended');
  });

  check('C4: sequence and offset go on across nodes and views', async ({ catalog, clock, store }) => {
    const { id } = await acceptBatch(catalog, {}, [{ requests: 4 }, { requests: 4 }]);
    const other = await store.open(clock);
    const [first] = await catalog.claim({ node: 'a', batchId: id, model: null, limit: 1, leaseMs });
    const [second] = await claimAll(other, 'b', id);
    for (const item of [0, 1, 2, 3]) {
      await sealSpan(catalog, { node: 'a', span: first!, items: [item] });
      await sealSpan(other, { node: 'b', span: second!, items: [item] });
    }
    const rows = await catalog.chunks({ batchId: id, after: 0, limit: 99 });
    assert.deepEqual(
      rows.map(({ sequence, offset }) => [sequence, offset]),
      Array.from({ length: 8 }, (_, index) => [index + 1, index * 100]),
    );
  });
}
