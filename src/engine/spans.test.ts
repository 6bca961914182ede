import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createAnthropicDialect } from '../dialects/anthropic.ts';
import type { Batch } from '../domain/batch.ts';
import { DISCOVER_MS, LEASE_MS } from '../domain/limits.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Input } from '../scheduler/messages.ts';
import { intake } from './intake.ts';
import { Spans } from './spans.ts';
import {
  bodyOf,
  createOf,
  FakeWorld,
  MemoryBlobs,
  messageResult,
  openCatalog,
  paramsText,
  requestsOf,
  settle,
  upstreamOf,
} from './support.ts';

type Scene = {
  spans: Spans;
  catalog: Catalog;
  blobs: MemoryBlobs;
  world: FakeWorld;
  posted: Input[];
  accept(requests?: number): Promise<Batch>;
};

const lane = 'local\nmodel-a';

async function scene(t: TestContext): Promise<Scene> {
  const world = new FakeWorld();
  const blobs = new MemoryBlobs();
  const catalog = await openCatalog(t, world);
  const posted: Input[] = [];
  const upstream = upstreamOf(async () => messageResult);
  const spans = new Spans({
    node: 'node-a',
    catalog,
    blobs,
    world,
    upstreamFor: () => upstream,
    weightOf: () => 1,
    graceMs: 1_000,
    post: (input) => void posted.push(input),
    onClaimed: () => undefined,
    onFatal: (error) => assert.fail(String(error)),
  });
  let accepted = 0;
  // More requests than one segment holds: two spans.
  const accept = async (requests = 1_500): Promise<Batch> => {
    const deps = { catalog, blobs, dialect: createAnthropicDialect(), windowMs: 86_400_000, retentionMs: 86_400_000 };
    const taken = await intake(deps, createOf({ body: bodyOf(requestsOf(requests)) }), `msgbatch_${(accepted += 1)}`);
    return taken.accepted.kind === 'accepted' ? taken.accepted.batch : assert.fail();
  };
  return { spans, catalog, blobs, world, posted, accept };
}

function spansPosted({ posted }: Scene): number[] {
  return posted.flatMap((input) => (input.kind === 'span' ? [input.items.length] : []));
}

async function claim(subject: Scene, batch: Batch): Promise<void> {
  subject.spans.claim({ kind: 'claim', batchId: batch.id, lane, spans: 10 });
  await settle();
}

/** The sweeps of so many seconds, as the engine makes them. */
async function sweep({ spans, world }: Scene, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 1_000) {
    spans.sweep(world.clock.monotonicMs());
    await world.move(1_000);
  }
  spans.sweep(world.clock.monotonicMs());
  await settle();
}

test('a batch is discovered with its free spans, and claimed spans are announced with their requests', async (t) => {
  const subject = await scene(t);
  const batch = await subject.accept();
  await subject.spans.discover();
  assert.deepEqual(
    subject.posted.filter(({ kind }) => kind === 'unclaimed'),
    [{ kind: 'unclaimed', batchId: batch.id, lane, spans: 2 }],
  );
  await claim(subject, batch);
  assert.deepEqual(spansPosted(subject), [1_000, 500]);
  assert.equal(subject.posted.at(-1)?.kind, 'claimed');
});

test('a small batch is claimed and sent from its row: no blob is read', async (t) => {
  const subject = await scene(t);
  const batch = await subject.accept(3);
  await subject.catalog.claim({ node: 'node-a', batchId: batch.id, model: null, limit: 1, leaseMs: LEASE_MS });
  const [span] = await subject.spans.adopt();
  const body = span?.bodies.body(2);
  assert.ok(body instanceof Uint8Array);
  assert.equal(Buffer.from(body).toString('utf8'), paramsText());
  assert.deepEqual([subject.blobs.keys(), subject.blobs.reads], [[], []]);
});

test('leases are renewed in time, and hold until shortly before they could run out', async (t) => {
  const subject = await scene(t);
  const batch = await subject.accept();
  await subject.spans.discover();
  await claim(subject, batch);
  assert.ok(subject.spans.leasesHold(LEASE_MS / 2));
  assert.ok(!subject.spans.leasesHold(LEASE_MS - 1_000));
  await sweep(subject, 2 * LEASE_MS);
  assert.ok(subject.spans.leasesHold(subject.world.clock.monotonicMs()));
  const taken = await subject.catalog.claim({
    node: 'node-b',
    batchId: batch.id,
    model: null,
    limit: 9,
    leaseMs: LEASE_MS,
  });
  assert.deepEqual(taken, []);
});

test('an index that cannot be read stops only its own span, and that one is found again', async (t) => {
  const subject = await scene(t);
  const batch = await subject.accept();
  await subject.spans.discover();
  let reads = 0;
  subject.blobs.before = (what) => {
    if (what === 'get' && (reads += 1) === 1) throw new Error('the disk hiccups');
  };
  await claim(subject, batch);
  assert.deepEqual(spansPosted(subject), [500]);
  assert.ok(subject.world.kinds().includes('failure'));
  await sweep(subject, 2 * DISCOVER_MS);
  await claim(subject, batch);
  assert.deepEqual(spansPosted(subject), [500, 1_000]);
});

test('a claim whose answer was lost is given back, though other leases of this node are renewed', async (t) => {
  const subject = await scene(t);
  const [held, batch] = [await subject.accept(), await subject.accept()];
  await subject.spans.discover();
  await claim(subject, held);
  const { claim: leased } = subject.catalog;
  subject.catalog.claim = async (query) => {
    await leased.call(subject.catalog, query);
    throw new Error('the connection was lost');
  };
  await claim(subject, batch);
  subject.catalog.claim = leased;
  await sweep(subject, 2 * DISCOVER_MS);
  await claim(subject, batch);
  assert.deepEqual(spansPosted(subject), [1_000, 500, 1_000, 500]);
});

test('a batch that passed on while this node slept is lost whole, once', async (t) => {
  const subject = await scene(t);
  const batch = await subject.accept();
  await subject.spans.discover();
  await claim(subject, batch);
  await subject.world.move(2 * LEASE_MS);
  await subject.catalog.claim({ node: 'node-b', batchId: batch.id, model: null, limit: 9, leaseMs: LEASE_MS });
  await sweep(subject, 2_000);
  assert.equal(subject.posted.filter(({ kind }) => kind === 'lost').length, 2);
  assert.equal((await subject.catalog.held('node-b')).length, 2);
});

test('a restart adopts what the catalog says is this node’s, and tells it only when announced', async (t) => {
  const subject = await scene(t);
  const batch = await subject.accept();
  await subject.catalog.claim({ node: 'node-a', batchId: batch.id, model: null, limit: 1, leaseMs: LEASE_MS });
  const adopted = await subject.spans.adopt();
  assert.deepEqual([adopted.map(({ open }) => open), spansPosted(subject)], [[1_000], []]);
  subject.spans.announce(adopted);
  assert.deepEqual(spansPosted(subject), [1_000]);
});

test('a closing batch leases all that is free, of any model, and is closed once', async (t) => {
  const subject = await scene(t);
  const batch = await subject.accept();
  assert.equal(subject.spans.close(batch, 'canceled'), true);
  assert.equal(subject.spans.close(batch, 'expired'), false);
  await settle();
  assert.deepEqual(spansPosted(subject), [1_000, 500]);
  const kinds = new Set(subject.posted.map(({ kind }) => kind));
  assert.ok(kinds.has('cancel') && !kinds.has('expire'));
});

test('what is held is given back at a stop', async (t) => {
  const subject = await scene(t);
  const batch = await subject.accept();
  await subject.spans.discover();
  await claim(subject, batch);
  await subject.spans.releaseAll();
  assert.deepEqual(await subject.catalog.held('node-a'), []);
});
