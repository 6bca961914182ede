/** What every catalog must do with spans: runnable, claimed, held, renewed, released, split and taken over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HeldSpan } from '../../src/ports/catalog.ts';
import {
  acceptBatch,
  claimAll,
  finish,
  leaseMs,
  sealSpan,
  withCatalog,
  type CatalogSubject,
  type Scene,
} from './catalog-fixtures.ts';

export function catalogSpanSuite(subject: CatalogSubject): void {
  const check = (name: string, body: (scene: Scene) => Promise<void>) =>
    void test(name, () => withCatalog(subject, body));

  check('runnable lists unheld spans by batch and model, oldest first', async ({ catalog, clock }) => {
    const first = await acceptBatch(catalog, {}, [
      { requests: 1 },
      { requests: 1, model: 'b' },
      { requests: 1, model: 'b' },
    ]);
    const second = await acceptBatch(catalog, { workspaceId: 'wrkspc_b' });
    const read = async (after: string | null, limit = 10) =>
      (await catalog.runnable({ after, limit })).map(({ batch, model, spans }) => `${batch.id} ${model} ${spans}`);
    const ofFirst = [`${first.id} b 2`, `${first.id} model-a 1`];
    const ofSecond = `${second.id} model-a 1`;
    const everything = await read(null);
    assert.deepEqual(everything.toSorted(), [...ofFirst, ofSecond].toSorted());
    assert.equal(everything.at(-1), ofSecond);
    assert.deepEqual((await read(null, 1)).toSorted(), ofFirst, 'a limit never cuts a batch between its models');
    assert.deepEqual(await read(first.id), [ofSecond]);
    assert.deepEqual(await read(second.id), []);
    await claimAll(catalog, 'a', first.id);
    assert.deepEqual(await read(null), [ofSecond]);
    // Batches made in one moment are a microsecond apart, so the lease may be too.
    clock.move(leaseMs + 1);
    assert.equal((await read(null)).length, 3);
  });

  check('a claim takes the lowest segments, of the model it asks for', async ({ catalog }) => {
    const shapes = [{ requests: 3 }, { requests: 2, model: 'b' }, { requests: 3 }, { requests: 2, model: 'b' }];
    const { id: batchId } = await acceptBatch(catalog, {}, shapes);
    const claim = async (model: string | null, limit: number) =>
      (await catalog.claim({ node: 'a', batchId, model, limit, leaseMs })).map((span) => span.lease);
    assert.deepEqual(await claim('b', 1), [{ batchId, segment: 1, from: 0, to: 2, epoch: 1 }]);
    assert.deepEqual(
      (await claim(null, 2)).map((lease) => lease.segment),
      [0, 2],
    );
    assert.deepEqual(await claim('model-a', 5), []);
    assert.deepEqual(
      (await claim(null, 5)).map((lease) => lease.segment),
      [3],
    );
    assert.deepEqual(await catalog.claim({ node: 'a', batchId: 'msgbatch_no', model: null, limit: 1, leaseMs }), []);
  });

  check('a lease that ran out is taken over under a higher epoch, with the done bits', async ({ catalog, clock }) => {
    const { id: batchId } = await acceptBatch(catalog);
    const [span] = await claimAll(catalog, 'a', batchId);
    await sealSpan(catalog, { node: 'a', span: span!, items: [1, 3] });
    clock.move(leaseMs - 1);
    assert.deepEqual(await claimAll(catalog, 'b', batchId), []);
    clock.move(1);
    const [taken] = await claimAll(catalog, 'b', batchId);
    assert.deepEqual(taken?.lease, { ...span!.lease, epoch: 2 });
    assert.deepEqual([...taken!.done], [0b1010]);
    assert.equal(taken?.batch.id, batchId);
    assert.equal(taken?.batch.counts.succeeded, 2);
    assert.deepEqual(await catalog.held('a'), []);
    assert.deepEqual(await catalog.held('b'), [taken]);
  });

  check('held gives back what a node had, run out or not, after a restart', async ({ catalog, clock, store }) => {
    const { id } = await acceptBatch(catalog, {}, [{ requests: 2 }, { requests: 2 }]);
    const spans = await claimAll(catalog, 'a', id);
    clock.move(leaseMs * 10);
    await catalog.close();
    const reopened = await store.open(clock);
    assert.deepEqual(await reopened.held('a'), spans);
    assert.deepEqual(await reopened.held('b'), []);
    assert.equal((await sealSpan(reopened, { node: 'a', span: spans[0]! })).kind, 'sealed');
  });

  check(
    'C2: inline bytes come back with the spans, claimed or held, byte for byte',
    async ({ catalog, store, clock }) => {
      const bytes = (count: number) => Uint8Array.from({ length: count }, (_, at) => at % 256);
      const shapes = [{ requests: 2, inline: bytes(32_768) }, { requests: 2 }, { requests: 1, inline: bytes(1) }];
      const { id } = await acceptBatch(catalog, {}, shapes);
      const spans = await claimAll(catalog, 'a', id);
      assert.deepEqual(
        spans.map(({ segment: { source } }) => source),
        shapes.map(({ inline }) =>
          inline ? { kind: 'inline', bytes: inline } : { kind: 'blob', key: `wrkspc_a/${id}/segments-0` },
        ),
      );
      await sealSpan(catalog, { node: 'a', span: spans[0]!, items: [1] });
      await catalog.close();
      const held = await (await store.open(clock)).held('a');
      assert.deepEqual(
        held.map(({ segment }) => segment),
        spans.map(({ segment }) => segment),
      );
    },
  );

  check('C8: inline bytes go when their batch is archived, and when it is deleted', async ({ catalog, store }) => {
    const accept = () => acceptBatch(catalog, {}, [{ requests: 1, inline: new Uint8Array(9_000) }]);
    const [archived, deleted, kept] = [await accept(), await accept(), await accept()];
    for (const { id } of [archived, deleted, kept]) await finish(catalog, id);
    assert.equal(await store.inlineBytes(), 27_000);
    await catalog.transition({ batchId: archived.id, transition: 'archive', from: ['ended'] });
    assert.equal(await store.inlineBytes(), 18_000);
    await catalog.transition({ batchId: deleted.id, transition: 'delete', from: ['ended'] });
    assert.equal(await store.inlineBytes(), 9_000);
  });

  check('renewal prolongs every lease and tells of cancel', async ({ catalog, clock }) => {
    const batch = await acceptBatch(catalog);
    const other = await acceptBatch(catalog);
    for (const { id } of [batch, other]) await claimAll(catalog, 'a', id);
    clock.move(leaseMs - 1);
    await catalog.transition({ batchId: other.id, transition: 'cancel', from: ['running'] });
    assert.deepEqual(await catalog.renew({ node: 'a', leaseMs }), [
      { batchId: batch.id, state: 'running', expiresAt: batch.expiresAt },
      { batchId: other.id, state: 'canceling', expiresAt: other.expiresAt },
    ]);
    clock.move(leaseMs - 1);
    assert.deepEqual(await claimAll(catalog, 'b', batch.id), []);
    assert.deepEqual(await catalog.renew({ node: 'b', leaseMs }), []);
  });

  check('renewal does not bring back a lease that was taken over', async ({ catalog, clock }) => {
    const { id } = await acceptBatch(catalog);
    await claimAll(catalog, 'a', id);
    clock.move(leaseMs);
    await claimAll(catalog, 'b', id);
    assert.deepEqual(await catalog.renew({ node: 'a', leaseMs }), []);
  });

  check('a whole span given back can be claimed at once, under a higher epoch', async ({ catalog }) => {
    const { id } = await acceptBatch(catalog);
    const [span] = await claimAll(catalog, 'a', id);
    await catalog.release({ node: 'a', leases: [span!.lease] });
    assert.deepEqual(await catalog.held('a'), []);
    const [next] = await claimAll(catalog, 'b', id);
    assert.equal(next?.lease.epoch, 2);
    assert.equal((await sealSpan(catalog, { node: 'a', span: span!, items: [0] })).kind, 'stale');
  });

  check('a tail given back is a span of its own; the holder goes on with its head', async ({ catalog }) => {
    const { id: batchId } = await acceptBatch(catalog, {}, [{ requests: 10 }]);
    const [span] = await claimAll(catalog, 'a', batchId);
    await catalog.release({ node: 'a', leases: [{ ...span!.lease, from: 4 }] });
    const [head] = await catalog.held('a');
    assert.deepEqual(head?.lease, { batchId, segment: 0, from: 0, to: 4, epoch: 1 });
    const [tail] = await claimAll(catalog, 'b', batchId);
    assert.deepEqual(tail?.lease, { batchId, segment: 0, from: 4, to: 10, epoch: 2 });
    assert.equal((await sealSpan(catalog, { node: 'a', span: span!, items: [3, 4] })).kind, 'stale');
    assert.equal((await sealSpan(catalog, { node: 'b', span: tail!, items: [3] })).kind, 'stale');
    assert.equal((await sealSpan(catalog, { node: 'a', span: head! })).kind, 'sealed');
    const last = await sealSpan(catalog, { node: 'b', span: tail! });
    assert.equal(last.kind === 'sealed' && last.batch.state, 'ended');
  });

  check('giving back twice, or what another holds, changes nothing', async ({ catalog }) => {
    const { id } = await acceptBatch(catalog, {}, [{ requests: 10 }]);
    const [span] = await claimAll(catalog, 'a', id);
    const tail = { ...span!.lease, from: 4 };
    for (let index = 0; index < 2; index++) await catalog.release({ node: 'a', leases: [tail] });
    const [next] = await claimAll(catalog, 'b', id);
    await catalog.release({ node: 'a', leases: [tail, next!.lease, { ...next!.lease, epoch: 1 }] });
    assert.deepEqual(await catalog.held('b'), [next]);
    assert.deepEqual(await catalog.runnable({ after: null, limit: 10 }), []);
  });

  check('spans without work left disappear: sealed heads and sealed tails', async ({ catalog }) => {
    const { id } = await acceptBatch(catalog, {}, [{ requests: 4 }, { requests: 1 }]);
    const [span] = (await claimAll(catalog, 'a', id)) as [HeldSpan, HeldSpan];
    await sealSpan(catalog, { node: 'a', span, items: [2, 3] });
    await catalog.release({ node: 'a', leases: [{ ...span.lease, from: 2 }] });
    assert.deepEqual(await claimAll(catalog, 'b', id), []);
    await sealSpan(catalog, { node: 'a', span, items: [0, 1] });
    assert.deepEqual(
      (await catalog.held('a')).map(({ lease }) => lease.segment),
      [1],
    );
  });

  check('two nodes that claim at once never get the same span', async ({ catalog, clock, store }) => {
    const { id: batchId } = await acceptBatch(catalog, {}, Array<{ requests: number }>(20).fill({ requests: 1 }));
    const other = await store.open(clock);
    const claims = [catalog, other, catalog, other].map((view, index) =>
      view.claim({ node: `node-${index}`, batchId, model: null, limit: 6, leaseMs }),
    );
    const segments = (await Promise.all(claims)).flat().map(({ lease }) => lease.segment);
    assert.equal(segments.length, 20);
    assert.equal(new Set(segments).size, 20);
  });
}
