import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { finish } from '../../test/conformance/catalog-fixtures.ts';
import { createAnthropicDialect } from '../dialects/anthropic.ts';
import type { Batch } from '../domain/batch.ts';
import { AppError, StorageFullError } from '../domain/errors.ts';
import { isBatchId } from '../domain/id.ts';
import { ORPHAN_BLOB_MS } from '../domain/limits.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Service } from './contract.ts';
import type { Engine } from './engine.ts';
import { Janitor } from './janitor.ts';
import { createService } from './service.ts';
import { bodyOf, createOf, FakeWorld, MemoryBlobs, openCatalog, requestsOf, settle } from './support.ts';

type Told = { readonly accepted: [string, [string, number][]][]; readonly closed: [string, string][] };
type Scene = { service: Service; catalog: Catalog; blobs: MemoryBlobs; world: FakeWorld; janitor: Janitor; told: Told };

/** The service over the real catalog, blobs in memory, and an engine that only remembers what it was told. */
async function scene(t: TestContext): Promise<Scene> {
  const world = new FakeWorld();
  const blobs = new MemoryBlobs(() => world.clock.wallMs());
  const catalog = await openCatalog(t, world);
  const told: Told = { accepted: [], closed: [] };
  const engine = {
    accepted: (batch: Batch, spans: ReadonlyMap<string, number>) => void told.accepted.push([batch.id, [...spans]]),
    close: (batch: Batch, outcome: string) => told.closed.push([batch.id, outcome]) > 0,
  } as unknown as Engine;
  const janitor = new Janitor({ catalog, blobs, world, engine });
  t.after(() => janitor.stop());
  const readiness = () => ({ ready: true, reason: null });
  const settings = { dialect: createAnthropicDialect(), windowMs: 3_600_000, retentionMs: 86_400_000, readiness };
  return {
    service: createService({ catalog, blobs, world, engine, janitor, ...settings }),
    catalog,
    blobs,
    world,
    janitor,
    told,
  };
}

/** More than the catalog takes in: these requests lie in a blob. */
function inBlob(): AsyncGenerator<Uint8Array> {
  return bodyOf(requestsOf(400));
}

test('a created batch is known, told to the engine with its spans, and told outside', async (t) => {
  const { service, told, world } = await scene(t);
  const { batch, repeated } = await service.create(
    createOf({
      body: bodyOf([...requestsOf(2, 'model-a'), ...requestsOf(1, 'model-b').map((text) => text.replace('id-0', 'z'))]),
    }),
  );
  assert.ok(isBatchId(batch.id) && !repeated);
  assert.deepEqual(await service.retrieve('wrkspc_a', batch.id), batch);
  assert.equal(await service.retrieve('wrkspc_b', batch.id), null);
  assert.deepEqual(told.accepted, [
    [
      batch.id,
      [
        ['model-a', 1],
        ['model-b', 1],
      ],
    ],
  ]);
  assert.deepEqual(world.kinds(), ['batch_created']);
});

test('a refused create leaves no blobs, no batch and no word to the engine', async (t) => {
  const { service, told, blobs, world } = await scene(t);
  await assert.rejects(service.create(createOf({ body: bodyOf([]) })), AppError);
  blobs.before = (what) => {
    if (what === 'put') throw new StorageFullError('the blobs');
  };
  await assert.rejects(service.create(createOf({ body: inBlob() })), StorageFullError);
  assert.deepEqual([told.accepted, blobs.keys(), world.kinds()], [[], [], []]);
  assert.deepEqual(
    (await service.page({ workspaceId: 'wrkspc_a', limit: 10, after: null, before: null }))?.batches,
    [],
  );
});

test('a repeated create answers with the first batch and is not run twice; a conflict is refused', async (t) => {
  const { service, told } = await scene(t);
  const first = await service.create(createOf({ idempotencyKey: 'key' }));
  const again = await service.create(createOf({ idempotencyKey: 'key' }));
  assert.deepEqual([again.batch.id, again.repeated, told.accepted.length], [first.batch.id, true, 1]);
  const other = service.create(createOf({ idempotencyKey: 'key', body: bodyOf(requestsOf(5)) }));
  await assert.rejects(other, (error: AppError) => error.code === 'unprocessable');
});

test('a re-send is the same batch until the first answer was written', async (t) => {
  const { service } = await scene(t);
  const first = await service.create(createOf());
  assert.equal((await service.create(createOf({ resent: true }))).batch.id, first.batch.id);
  service.answered(first.batch.id);
  await settle();
  assert.notEqual((await service.create(createOf({ resent: true }))).batch.id, first.batch.id);
});

test('blobs of an upload under way are no garbage, however long it takes', async (t) => {
  const { service, blobs, janitor, world, catalog } = await scene(t);
  let go!: () => void;
  async function* slow(): AsyncGenerator<Uint8Array> {
    const bytes: Uint8Array[] = [];
    for await (const chunk of bodyOf(
      Array.from({ length: 20 }, (_, at) => `{"custom_id":"${at}","params":{"x":"${'x'.repeat(1_000_000)}"}}`),
      1_000_000,
    ))
      bytes.push(chunk);
    yield* bytes.slice(0, -1);
    await new Promise<void>((resolve) => (go = resolve));
    yield bytes.at(-1)!;
  }
  const creating = service.create(createOf({ body: slow() }));
  while (blobs.stored.size === 0) await settle();
  for (const [key, stored] of blobs.stored)
    blobs.stored.set(key, { ...stored, modifiedMs: world.clock.wallMs() - 2 * ORPHAN_BLOB_MS });
  janitor.start();
  await settle();
  assert.ok(blobs.stored.size > 0);
  go();
  const { batch } = await creating;
  assert.equal((await catalog.batch('wrkspc_a', batch.id))?.requests, 20);
  assert.deepEqual(world.kinds(), ['batch_created']);
});

test('a cancel is told to the engine once; again, too late or elsewhere it changes nothing', async (t) => {
  const { service, told, catalog } = await scene(t);
  const { batch } = await service.create(createOf());
  assert.equal(await service.cancel('wrkspc_b', batch.id), null);
  const canceled = await service.cancel('wrkspc_a', batch.id);
  assert.equal(canceled?.state, 'canceling');
  assert.deepEqual(await service.cancel('wrkspc_a', batch.id), canceled);
  assert.deepEqual(told.closed, [[batch.id, 'canceled']]);
  await finish(catalog, batch.id);
  assert.equal((await service.cancel('wrkspc_a', batch.id))?.state, 'ended');
  assert.equal(told.closed.length, 1);
});

test('only an ended batch is removed, with all its blobs, and its results are gone', async (t) => {
  const { service, blobs, catalog } = await scene(t);
  const { batch } = await service.create(createOf({ body: inBlob() }));
  assert.equal(blobs.keys().length, 1);
  assert.equal(await service.remove('wrkspc_a', batch.id), 'unfinished');
  assert.equal(await service.results('wrkspc_a', batch.id), 'unavailable');
  await finish(catalog, batch.id);
  assert.equal(typeof (await service.results('wrkspc_a', batch.id)), 'object');
  assert.equal(await service.results('wrkspc_b', batch.id), 'unknown');
  assert.equal(await service.remove('wrkspc_b', batch.id), 'unknown');
  assert.equal(await service.remove('wrkspc_a', batch.id), 'removed');
  assert.deepEqual(blobs.keys(), []);
  assert.equal(await service.remove('wrkspc_a', batch.id), 'unknown');
  assert.equal(await service.results('wrkspc_a', batch.id), 'unknown');
});

test('a batch is removed though its blobs cannot be erased now', async (t) => {
  const { service, blobs, catalog, world } = await scene(t);
  const { batch } = await service.create(createOf());
  await finish(catalog, batch.id);
  blobs.before = () => Promise.reject(new Error('the disk is away'));
  assert.equal(await service.remove('wrkspc_a', batch.id), 'removed');
  assert.deepEqual(world.kinds(), ['batch_created', 'batch_deleted', 'failure']);
});

test('archived results are unavailable', async (t) => {
  const { service, catalog } = await scene(t);
  const { batch } = await service.create(createOf());
  await finish(catalog, batch.id);
  await catalog.transition({ batchId: batch.id, transition: 'archive', from: ['ended'] });
  assert.equal(await service.results('wrkspc_a', batch.id), 'unavailable');
});

test('a create that its re-send has overtaken becomes the same batch, even after that was answered', async (t) => {
  const { service, blobs, catalog, told } = await scene(t);
  const held = Promise.withResolvers<void>();
  let puts = 0;
  blobs.before = async (what) => {
    if (what === 'put' && (puts += 1) === 1) await held.promise;
  };
  const slow = service.create(createOf({ body: inBlob() }));
  await settle();
  const again = await service.create(createOf({ body: inBlob(), resent: true }));
  await catalog.answered(again.batch.id);
  held.resolve();
  assert.deepEqual(await slow, { batch: again.batch, repeated: true });
  assert.equal(told.accepted.length, 1);
  assert.ok(blobs.keys().every((key) => key.includes(again.batch.id)));
});
