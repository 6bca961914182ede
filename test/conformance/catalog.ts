/** What every catalog must do, as tests to be called for each adapter: batches here, spans, seals and the model beside it. */
import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { describe, test } from 'node:test';
import type { Catalog } from '../../src/ports/catalog.ts';
import {
  acceptance,
  acceptBatch,
  claimAll,
  finish,
  sealOf,
  sealSpan,
  withCatalog,
  type CatalogSubject,
  type Scene,
} from './catalog-fixtures.ts';
import { catalogDedupeSuite } from './catalog-dedupe.ts';
import { catalogModelSuite } from './catalog-model.ts';
import { catalogSealSuite } from './catalog-seals.ts';
import { catalogSpanSuite } from './catalog-spans.ts';

export function catalogSuite(subject: CatalogSubject): void {
  describe(`catalog ${subject.name}`, () => {
    clockSuite(subject);
    acceptSuite(subject);
    catalogDedupeSuite(subject);
    pageSuite(subject);
    transitionSuite(subject);
    chunkSuite(subject);
    dueSuite(subject);
    catalogSpanSuite(subject);
    catalogSealSuite(subject);
    catalogModelSuite(subject);
  });
}

type Check = (scene: Scene) => Promise<void>;

const checks = (subject: CatalogSubject) => (name: string, body: Check) =>
  void test(name, () => withCatalog(subject, body));

function clockSuite(subject: CatalogSubject): void {
  const check = checks(subject);

  check('C1: time follows the wall clock', async ({ catalog, clock }) => {
    assert.equal(await catalog.time(), clock.wallMs() * 1_000);
    clock.move(5);
    assert.equal(await catalog.time(), clock.wallMs() * 1_000);
  });

  check('C1: time does not go back with the wall clock, nor after a restart', async ({ catalog, clock, store }) => {
    const { createdAt } = await acceptBatch(catalog);
    clock.move(-3_600_000);
    assert.equal(await catalog.time(), createdAt);
    await catalog.close();
    const reopened = await store.open(clock);
    assert.equal(await reopened.time(), createdAt);
    assert.equal((await acceptBatch(reopened)).createdAt, createdAt + 1);
  });

  check('C1: createdAt strictly increases while the clock stands still', async ({ catalog, clock }) => {
    const times = [];
    for (let index = 0; index < 5; index++) times.push((await acceptBatch(catalog)).createdAt);
    const first = clock.wallMs() * 1_000;
    assert.deepEqual(times, [first, first + 1, first + 2, first + 3, first + 4]);
  });
}

function acceptSuite(subject: CatalogSubject): void {
  const check = checks(subject);

  check('C2: an accepted batch is there as it was given', async ({ catalog, clock, store }) => {
    const given = acceptance({}, [{ requests: 3 }, { requests: 2, model: 'model-b' }]);
    const accepted = await catalog.accept(given);
    assert.equal(accepted.kind, 'accepted');
    const createdAt = clock.wallMs() * 1_000;
    const batch = await catalog.batch('wrkspc_a', given.id);
    assert.deepEqual(batch, {
      id: given.id,
      workspaceId: 'wrkspc_a',
      keyId: 'apikey_a',
      dialect: 'anthropic',
      version: '2023-06-01',
      betas: ['one-beta', 'two-beta'],
      state: 'running',
      createdAt,
      expiresAt: createdAt + 3_600_000_000,
      archivesAt: createdAt + 86_400_000_000,
      cancelAt: null,
      endedAt: null,
      archivedAt: null,
      requests: 5,
      counts: { succeeded: 0, errored: 0, canceled: 0, expired: 0 },
      resultBytes: 0,
    });
    assert.deepEqual(accepted, { kind: 'accepted', batch });
    assert.deepEqual(await store.events(given.id), [{ sequence: 1, kind: 'created', at: createdAt }]);
    const spans = await claimAll(catalog, 'node-a', given.id);
    assert.deepEqual(
      spans.map((span) => span.segment),
      given.segments.map((segment) => ({ batchId: given.id, ...segment })),
    );
  });

  check('C2: an accept that fails half-way leaves nothing', async ({ catalog, store }) => {
    const given = acceptance({}, [{ requests: 3 }, { requests: 2 }]);
    const [first] = given.segments;
    await assert.rejects(catalog.accept({ ...given, segments: [first!, { ...first!, requests: 2 }] }));
    assert.equal(await catalog.batch('wrkspc_a', given.id), null);
    assert.deepEqual(await catalog.known([given.id]), new Set());
    assert.deepEqual(await store.events(given.id), []);
    assert.equal((await catalog.accept(given)).kind, 'accepted');
  });

  check('C2: a batch whose segments hold another number of requests is refused', async ({ catalog }) => {
    await assert.rejects(catalog.accept(acceptance({ requests: 5 }, [{ requests: 4 }])), { name: 'AssertionError' });
  });

  check('C7: a batch is shown to its own workspace only', async ({ catalog }) => {
    const { id } = await acceptBatch(catalog);
    assert.equal(await catalog.batch('wrkspc_b', id), null);
    assert.equal(await catalog.batch('wrkspc_a', 'msgbatch_unknown'), null);
  });

  check('100,000 segments are accepted in seconds, and claimed from at once', async ({ catalog }) => {
    const given = acceptance({}, Array<{ requests: number }>(100_000).fill({ requests: 1 }));
    const before = performance.now();
    assert.equal((await catalog.accept(given)).kind, 'accepted');
    const took = performance.now() - before;
    assert.ok(took < 10_000, `took ${took} ms`);
    const spans = await catalog.claim({ node: 'a', batchId: given.id, model: 'model-a', limit: 2, leaseMs: 1 });
    assert.deepEqual(
      spans.map((span) => span.lease.segment),
      [0, 1],
    );
  });
}

function pageSuite(subject: CatalogSubject): void {
  const check = checks(subject);
  const workspaceId = 'wrkspc_a';

  async function fill(catalog: Catalog): Promise<string[]> {
    const ids = [];
    for (let index = 0; index < 5; index++) {
      ids.push((await acceptBatch(catalog)).id);
      await acceptBatch(catalog, { workspaceId: 'wrkspc_b' });
    }
    return ids.toReversed();
  }

  check('pages go from newest to oldest and back', async ({ catalog }) => {
    const ids = await fill(catalog);
    const read = async (limit: number, cursor: { after?: string; before?: string }) => {
      const page = await catalog.page({ workspaceId, limit, after: null, before: null, ...cursor });
      return [page?.batches.map((batch) => ids.indexOf(batch.id)), page?.hasMore];
    };
    assert.deepEqual(await read(2, {}), [[0, 1], true]);
    assert.deepEqual(await read(2, { after: ids[1]! }), [[2, 3], true]);
    assert.deepEqual(await read(2, { after: ids[3]! }), [[4], false]);
    assert.deepEqual(await read(2, { after: ids[4]! }), [[], false]);
    assert.deepEqual(await read(2, { before: ids[4]! }), [[2, 3], true]);
    assert.deepEqual(await read(2, { before: ids[2]! }), [[0, 1], false]);
    assert.deepEqual(await read(2, { before: ids[0]! }), [[], false]);
    assert.deepEqual(await read(5, {}), [[0, 1, 2, 3, 4], false]);
  });

  check('C7: a cursor of another workspace is as unknown as any', async ({ catalog }) => {
    const { id } = await acceptBatch(catalog, { workspaceId: 'wrkspc_b' });
    assert.equal(await catalog.page({ workspaceId, limit: 2, after: id, before: null }), null);
    assert.equal(await catalog.page({ workspaceId, limit: 2, after: null, before: id }), null);
    assert.equal(await catalog.page({ workspaceId, limit: 2, after: 'msgbatch_unknown', before: null }), null);
    assert.deepEqual(await catalog.page({ workspaceId: 'wrkspc_c', limit: 2, after: null, before: null }), {
      batches: [],
      hasMore: false,
    });
  });
}

function transitionSuite(subject: CatalogSubject): void {
  const check = checks(subject);

  check('C6: a batch goes its way once, each step with one event', async ({ catalog, clock, store }) => {
    const { id: batchId } = await acceptBatch(catalog);
    clock.move(10);
    const canceling = await catalog.transition({ batchId, transition: 'cancel', from: ['running'] });
    assert.equal(canceling?.state, 'canceling');
    assert.equal(canceling?.cancelAt, clock.wallMs() * 1_000);
    assert.equal(await catalog.transition({ batchId, transition: 'cancel', from: ['running'] }), null);
    assert.equal(await catalog.transition({ batchId, transition: 'archive', from: ['ended'] }), null);
    await finish(catalog, batchId);
    clock.move(10);
    const archived = await catalog.transition({ batchId, transition: 'archive', from: ['ended'] });
    assert.equal(archived?.archivedAt, clock.wallMs() * 1_000);
    assert.equal(await catalog.transition({ batchId, transition: 'archive', from: ['ended'] }), null);
    assert.deepEqual(await catalog.transition({ batchId, transition: 'delete', from: ['ended'] }), archived);
    assert.equal(await catalog.transition({ batchId, transition: 'delete', from: ['ended'] }), null);
    assert.equal(await catalog.batch('wrkspc_a', batchId), null);
    const events = await store.events(batchId);
    assert.deepEqual(
      events.map(({ sequence, kind }) => [sequence, kind]),
      [
        [1, 'created'],
        [2, 'canceling'],
        [3, 'ended'],
        [4, 'archived'],
        [5, 'deleted'],
      ],
    );
  });

  check('a deleted batch leaves no chunks and no spans', async ({ catalog }) => {
    const { id: batchId } = await acceptBatch(catalog, {}, [{ requests: 2 }, { requests: 2 }]);
    const [first] = await catalog.claim({ node: 'a', batchId, model: null, limit: 1, leaseMs: 1 });
    await sealSpan(catalog, { node: 'a', span: first!, items: [0] });
    await catalog.transition({ batchId, transition: 'delete', from: ['running'] });
    assert.deepEqual(await catalog.chunks({ batchId, after: 0, limit: 10 }), []);
    assert.deepEqual(await catalog.held('a'), []);
    assert.deepEqual(await catalog.runnable({ after: null, limit: 10 }), []);
    assert.equal((await sealSpan(catalog, { node: 'a', span: first!, items: [1] })).kind, 'stale');
  });

  check('known names what is there', async ({ catalog }) => {
    const first = await acceptBatch(catalog);
    const second = await acceptBatch(catalog, { workspaceId: 'wrkspc_b' });
    assert.deepEqual(await catalog.known([first.id, 'msgbatch_gone', second.id]), new Set([first.id, second.id]));
    assert.deepEqual(await catalog.known([]), new Set());
  });
}

/** A batch of single-request chunks of the given sizes, ended. */
async function chunked(catalog: Catalog, sizes: readonly number[]): Promise<string> {
  const { id } = await acceptBatch(catalog, {}, [{ requests: sizes.length }]);
  const [span] = await claimAll(catalog, 'a', id);
  for (const [item, bytes] of sizes.entries()) {
    await catalog.seal(sealOf('a', [{ lease: span!.lease, requests: sizes.length, items: [item] }], { bytes }));
  }
  return id;
}

function chunkSuite(subject: CatalogSubject): void {
  const check = checks(subject);
  const part = { blob: 'wrkspc_a/merged', blobOffset: 16, indexOffset: 300, indexBytes: 30 };

  check('chunks are read in sequence, page by page', async ({ catalog }) => {
    const batchId = await chunked(catalog, [5, 7, 11]);
    const read = async (after: number, limit: number) =>
      (await catalog.chunks({ batchId, after, limit })).map(({ sequence, offset, bytes }) => [sequence, offset, bytes]);
    assert.deepEqual(await read(0, 2), [
      [1, 0, 5],
      [2, 5, 7],
    ]);
    assert.deepEqual(await read(2, 2), [[3, 12, 11]]);
    assert.deepEqual(await read(3, 2), []);
  });

  check('C4: merged neighbours keep their place and their bytes', async ({ catalog }) => {
    const batchId = await chunked(catalog, [5, 7, 11, 13]);
    const chunk = { ...part, bytes: 18, lines: 2 };
    assert.equal(await catalog.merge({ batchId, from: 2, to: 3, chunk }), true);
    assert.equal(await catalog.merge({ batchId, from: 2, to: 3, chunk }), false);
    const rows = await catalog.chunks({ batchId, after: 0, limit: 10 });
    assert.deepEqual(rows[1], { sequence: 2, offset: 5, ...chunk });
    assert.deepEqual(
      rows.map((row) => row.sequence),
      [1, 2, 4],
    );
    assert.equal((await catalog.batch('wrkspc_a', batchId))?.resultBytes, 36);
  });

  check('chunks of other bytes, or of a running batch, are not merged', async ({ catalog }) => {
    const ended = await chunked(catalog, [5, 7]);
    assert.equal(
      await catalog.merge({ batchId: ended, from: 1, to: 2, chunk: { ...part, bytes: 13, lines: 2 } }),
      false,
    );
    assert.equal(
      await catalog.merge({ batchId: ended, from: 1, to: 3, chunk: { ...part, bytes: 12, lines: 2 } }),
      false,
    );
    const { id: running } = await acceptBatch(catalog, {}, [{ requests: 3 }]);
    const [span] = await claimAll(catalog, 'a', running);
    for (const item of [0, 1]) await sealSpan(catalog, { node: 'a', span: span!, items: [item] });
    assert.equal(
      await catalog.merge({ batchId: running, from: 1, to: 2, chunk: { ...part, bytes: 200, lines: 2 } }),
      false,
    );
  });
}

function dueSuite(subject: CatalogSubject): void {
  const check = checks(subject);
  const ids = async (catalog: Catalog, kind: 'expire' | 'archive' | 'merge') =>
    (await catalog.due({ kind, limit: 10 })).map((batch) => batch.id);

  check('a running batch is due to expire at its time; a canceling one is not', async ({ catalog, clock }) => {
    const late = await acceptBatch(catalog, { windowMs: 2_000 });
    const soon = await acceptBatch(catalog, { windowMs: 1_000 });
    const canceled = await acceptBatch(catalog, { windowMs: 1_000 });
    await catalog.transition({ batchId: canceled.id, transition: 'cancel', from: ['running'] });
    clock.move(999);
    assert.deepEqual(await ids(catalog, 'expire'), []);
    clock.move(2);
    assert.deepEqual(await ids(catalog, 'expire'), [soon.id]);
    clock.move(1_000);
    assert.deepEqual(await ids(catalog, 'expire'), [soon.id, late.id]);
    assert.equal((await catalog.due({ kind: 'expire', limit: 1 })).length, 1);
  });

  check('an ended batch is due for the archive at its time, once', async ({ catalog, clock }) => {
    const ended = await acceptBatch(catalog, { retentionMs: 1_000 });
    await acceptBatch(catalog, { retentionMs: 1_000 });
    await finish(catalog, ended.id);
    assert.deepEqual(await ids(catalog, 'archive'), []);
    clock.move(1_000);
    assert.deepEqual(await ids(catalog, 'archive'), [ended.id]);
    await catalog.transition({ batchId: ended.id, transition: 'archive', from: ['ended'] });
    assert.deepEqual(await ids(catalog, 'archive'), []);
  });

  check('an ended batch of many small chunks is due to be merged, until it is', async ({ catalog }) => {
    const many = await chunked(catalog, Array<number>(9).fill(10));
    await chunked(catalog, Array<number>(8).fill(10));
    await chunked(catalog, Array<number>(9).fill(2_000_000));
    assert.deepEqual(await ids(catalog, 'merge'), [many]);
    const chunk = { blob: 'merged', blobOffset: 0, indexOffset: 90, indexBytes: 9, bytes: 90, lines: 9 };
    assert.equal(await catalog.merge({ batchId: many, from: 1, to: 9, chunk }), true);
    assert.deepEqual(await ids(catalog, 'merge'), []);
  });
}
