import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createAnthropicDialect } from '../dialects/anthropic.ts';
import type { Batch } from '../domain/batch.ts';
import { StorageFullError } from '../domain/errors.ts';
import { DISK_RETRY_MS } from '../domain/limits.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Call, CallResult } from '../upstreams/upstream.ts';
import { startNode, type Node } from './node.ts';
import {
  bodyOf,
  createOf,
  FakeLog,
  FakeWorld,
  MemoryBlobs,
  messageResult,
  openCatalog,
  requestsOf,
  upstreamOf,
} from './support.ts';

type Scene = {
  readonly world: FakeWorld;
  readonly catalog: Catalog;
  readonly blobs: MemoryBlobs;
  readonly log: FakeLog;
  readonly calls: Call[];
  readonly fatal: unknown[];
  answer: (call: Call) => Promise<CallResult>;
  start(): Promise<Node>;
};

async function scene(t: TestContext): Promise<Scene> {
  const world = new FakeWorld();
  const log = new FakeLog();
  log.holdSyncs = false;
  const calls: Call[] = [];
  const fatal: unknown[] = [];
  const stores = { catalog: await openCatalog(t, world), blobs: new MemoryBlobs(() => world.clock.wallMs()), log };
  const upstream = upstreamOf((call) => {
    calls.push(call);
    return subject.answer(call);
  });
  const subject: Scene = {
    world,
    calls,
    fatal,
    ...stores,
    answer: async () => messageResult,
    start: () =>
      startNode({
        node: 'node-a',
        world,
        ...stores,
        dialect: createAnthropicDialect(),
        upstreamFor: () => upstream,
        weightOf: () => 1,
        windowMs: 36e5,
        retentionMs: 864e5,
        graceMs: 1e3,
        onFatal: (error) => void fatal.push(error),
      }),
  };
  return subject;
}

async function stop({ world }: Scene, node: Node): Promise<void> {
  const stopping = node.stop({ drainMs: 1_000 });
  await world.move(5_000);
  await stopping;
}

async function linesOf(node: Node, batchId: string): Promise<{ custom_id: string; result: { type: string } }[]> {
  const results = await node.service.results('wrkspc_a', batchId);
  assert.ok(typeof results === 'object');
  const pieces: Uint8Array[] = [];
  for await (const piece of results.read({ start: 0, end: results.bytes })) pieces.push(piece);
  const text = Buffer.concat(pieces).toString().trimEnd().split('\n');
  return text.map((line) => JSON.parse(line) as { custom_id: string; result: { type: string } });
}

function retrieve(node: Node, { id }: Batch): Promise<Batch | null> {
  return node.service.retrieve('wrkspc_a', id);
}

test('a batch runs to its end: one line for every request, each sent once', async (t) => {
  const subject = await scene(t);
  const node = await subject.start();
  const { batch } = await node.service.create(
    createOf({ body: bodyOf([...requestsOf(250), '{"custom_id":"faulty","params":{}}']) }),
  );
  await subject.world.move(2_000);
  const ended = await retrieve(node, batch);
  assert.deepEqual(
    [ended?.state, ended?.counts.succeeded, ended?.counts.errored, subject.calls.length],
    ['ended', 250, 1, 250],
  );
  const lines = await linesOf(node, batch.id);
  assert.equal(new Set(lines.map(({ custom_id }) => custom_id)).size, 251);
  assert.equal(lines.find(({ custom_id }) => custom_id === 'faulty')?.result.type, 'errored');
  await stop(subject, node);
  assert.deepEqual(subject.fatal, []);
});

test('outcomes that were journaled and not sealed are not bought again after a restart', async (t) => {
  const subject = await scene(t);
  const first = await subject.start();
  let answered = 0;
  subject.answer = (call) => {
    answered += 1;
    if (answered <= 20) return Promise.resolve(messageResult);
    return new Promise((_, reject) => call.signal.addEventListener('abort', () => reject(call.signal.reason as Error)));
  };
  const { batch } = await first.service.create(createOf({ body: bodyOf(requestsOf(50)) }));
  await subject.world.move(2_000);
  assert.equal((await retrieve(first, batch))?.counts.succeeded, 0);
  // The first node is simply not there any more: its catalog calls fail, its memory is gone.
  subject.answer = async () => messageResult;
  const before = subject.calls.length;
  const second = await subject.start();
  assert.equal((await retrieve(second, batch))?.counts.succeeded, 20);
  await subject.world.move(3_000);
  assert.equal((await retrieve(second, batch))?.state, 'ended');
  assert.equal(subject.calls.length - before, 30);
  assert.equal((await linesOf(second, batch.id)).length, 50);
});

test('a cancel ends what is unsent as canceled and keeps what was answered', async (t) => {
  const subject = await scene(t);
  const node = await subject.start();
  let answered = 0;
  subject.answer = (call) => {
    answered += 1;
    if (answered <= 10) return Promise.resolve(messageResult);
    return new Promise((_, reject) => call.signal.addEventListener('abort', () => reject(call.signal.reason as Error)));
  };
  const { batch } = await node.service.create(createOf({ body: bodyOf(requestsOf(40)) }));
  await subject.world.move(1_000);
  await node.service.cancel('wrkspc_a', batch.id);
  await subject.world.move(5_000);
  const ended = await retrieve(node, batch);
  assert.deepEqual([ended?.state, ended?.counts], ['ended', { succeeded: 10, errored: 0, canceled: 30, expired: 0 }]);
  await stop(subject, node);
});

test('a full disk pauses the work, and it goes on by itself', async (t) => {
  const subject = await scene(t);
  const node = await subject.start();
  const { batch } = await node.service.create(createOf({ body: bodyOf(requestsOf(100)) }));
  subject.log.full = true;
  subject.blobs.before = (what) => {
    if (what === 'put') throw new StorageFullError('the blobs');
  };
  await subject.world.move(3 * DISK_RETRY_MS);
  assert.ok(subject.calls.length < 100);
  assert.equal((await retrieve(node, batch))?.state, 'running');
  subject.log.full = false;
  await subject.world.move(3 * DISK_RETRY_MS);
  assert.equal((await retrieve(node, batch))?.state, 'running');
  subject.blobs.before = () => undefined;
  await subject.world.move(3 * DISK_RETRY_MS);
  assert.equal((await retrieve(node, batch))?.state, 'ended');
  assert.equal(subject.calls.length, 100);
  const kinds = subject.world.kinds();
  assert.ok(kinds.includes('storage_full') && kinds.includes('storage_resumed'));
  await stop(subject, node);
});

test('an upstream that names itself at length, or not at all, is counted under the model asked for', async (t) => {
  const subject = await scene(t);
  const node = await subject.start();
  for (const model of ['x'.repeat(100_000), '']) {
    subject.answer = async () => ({ ...messageResult, end: { ...messageResult.end, model } }) as CallResult;
    const { batch } = await node.service.create(createOf());
    await subject.world.move(2_000);
    assert.equal((await retrieve(node, batch))?.counts.succeeded, 3);
  }
  assert.deepEqual(subject.fatal, []);
  await stop(subject, node);
});

test('a stop lets what is in flight finish, seals it and gives the rest back', async (t) => {
  const subject = await scene(t);
  const node = await subject.start();
  const answers: (() => void)[] = [];
  subject.answer = () => new Promise((resolve) => answers.push(() => resolve(messageResult)));
  const { batch } = await node.service.create(createOf({ body: bodyOf(requestsOf(30)) }));
  await subject.world.move(100);
  const inFlight = answers.length;
  assert.ok(inFlight > 0 && inFlight < 30);
  const stopping = node.stop({ drainMs: 10_000 });
  answers.forEach((answer) => answer());
  await subject.world.move(1_000);
  await stopping;
  assert.equal(answers.length, inFlight);
  assert.equal((await subject.catalog.batch('wrkspc_a', batch.id))?.counts.succeeded, inFlight);
  const free = await subject.catalog.claim({
    node: 'node-b',
    batchId: batch.id,
    model: null,
    limit: 10,
    leaseMs: 1_000,
  });
  assert.equal(free.length, 1);
});
