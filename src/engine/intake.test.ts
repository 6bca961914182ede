import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { SegmentIndex } from '../bytes/segment-index.ts';
import { createAnthropicDialect } from '../dialects/anthropic.ts';
import type { AppError } from '../domain/errors.ts';
import { StorageFullError } from '../domain/errors.ts';
import {
  BLOB_WRITES_MAX,
  BODY_BYTES_MAX,
  INLINE_SEGMENTS_BYTES_MAX,
  REQUESTS_PER_BATCH_MAX,
} from '../domain/limits.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { CreateBatch } from './contract.ts';
import { intake, type IntakeDeps, type Intaken } from './intake.ts';
import { bodyOf, createOf, FakeWorld, MemoryBlobs, openCatalog, paramsText, requestsOf, settle } from './support.ts';

type Scene = IntakeDeps & {
  readonly catalog: Catalog;
  readonly blobs: MemoryBlobs;
  readonly world: FakeWorld;
  take(changes?: Partial<CreateBatch>): Promise<Intaken>;
};

async function scene(t: TestContext): Promise<Scene> {
  const world = new FakeWorld();
  const blobs = new MemoryBlobs(() => world.clock.wallMs());
  const deps = {
    catalog: await openCatalog(t, world),
    blobs,
    dialect: createAnthropicDialect(),
    windowMs: 3_600_000,
    retentionMs: 86_400_000,
  };
  let taken = 0;
  return { ...deps, world, take: (changes = {}) => intake(deps, createOf(changes), `msgbatch_${(taken += 1)}`) };
}

async function expectNothing({ blobs, catalog }: Scene): Promise<void> {
  assert.deepEqual(blobs.keys(), []);
  assert.deepEqual(
    (await catalog.page({ workspaceId: 'wrkspc_a', limit: 10, after: null, before: null }))?.batches,
    [],
  );
}

/** Too large to lie in the catalog. */
function large(requests = 3): AsyncGenerator<Uint8Array> {
  const params = paramsText('model-a', 'x'.repeat(INLINE_SEGMENTS_BYTES_MAX));
  return bodyOf([...requestsOf(requests - 1), `{"custom_id":"large","params":${params}}`]);
}

/** A body that says how far it was read. */
function counted(chunks: Iterable<Uint8Array>): { body: AsyncGenerator<Uint8Array>; read: { chunks: number } } {
  const read = { chunks: 0 };
  async function* body(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) {
      read.chunks += 1;
      yield chunk;
    }
  }
  return { body: body(), read };
}

for (const padding of ['', 'x'.repeat(INLINE_SEGMENTS_BYTES_MAX)])
  test(`an accepted ${padding === '' ? 'small' : 'large'} batch has its rows and the very bytes of its params`, (t) =>
    keepsBytes(t, padding));

async function keepsBytes(t: TestContext, padding: string): Promise<void> {
  const subject = await scene(t);
  const odd = `{"model":"m" , "max_tokens":1, "metadata":"${padding}"}`;
  const { accepted, segments } = await subject.take({
    body: bodyOf([...requestsOf(2), `{"params": ${odd},"custom_id":"z"}`]),
  });
  assert.ok(accepted.kind === 'accepted' && accepted.batch.requests === 3);
  const kept: [string, string][] = [];
  for (const { source, offset, indexOffset, indexBytes } of segments) {
    assert.ok(source.kind === (padding === '' ? 'inline' : 'blob'));
    const bytes = source.kind === 'blob' ? subject.blobs.stored.get(source.key)!.bytes : Buffer.from(source.bytes);
    const index = new SegmentIndex(bytes.subarray(indexOffset, indexOffset + indexBytes));
    for (let item = 0; item < index.count; item++) {
      const start = offset + index.offset(item);
      kept.push([index.customId(item), bytes.toString('utf8', start, start + index.length(item))]);
    }
  }
  assert.deepEqual(
    kept.toSorted(([left], [right]) => left.localeCompare(right)),
    [
      ['id-0', paramsText()],
      ['id-1', paramsText()],
      ['z', odd],
    ],
  );
  const held = await subject.catalog.claim({
    node: 'n',
    batchId: accepted.batch.id,
    model: null,
    limit: 10,
    leaseMs: 1_000,
  });
  assert.deepEqual(
    held.map(({ segment }) => segment),
    segments.map((segment) => ({ batchId: accepted.batch.id, ...segment })),
  );
  assert.deepEqual(held.map(({ segment }) => segment.model).toSorted(), ['m', 'model-a']);
}

test('a small batch needs no blob, on a disk whose blobs are full as well', async (t) => {
  const subject = await scene(t);
  subject.blobs.before = () => Promise.reject(new StorageFullError('the blobs'));
  const { accepted } = await subject.take();
  assert.equal(accepted.kind, 'accepted');
  assert.deepEqual(subject.blobs.keys(), []);
});

test('the lines format makes the same batch', async (t) => {
  const subject = await scene(t);
  const lines = Buffer.from(requestsOf(3).join('\n'));
  const { accepted, bytes } = await subject.take({
    format: 'lines',
    body: counted([lines.subarray(0, 50), lines.subarray(50)]).body,
  });
  assert.ok(accepted.kind === 'accepted' && accepted.batch.requests === 3);
  assert.equal(bytes, lines.length);
});

test('a refused envelope leaves nothing', async (t) => {
  const subject = await scene(t);
  // Far enough to have written blobs before the fault is met.
  const large = Array.from(
    { length: 20 },
    (_, at) => `{"custom_id":"large-${at}","params":${paramsText('model-a', 'x'.repeat(1_000_000))}}`,
  );
  const bodies: [string, string[]][] = [
    ['List should have at least 1 item', []],
    ['Duplicate custom_id found: large-3', [...large, large[3]!]],
    ['not valid JSON', [...large, '{"custom_id": nonsense}']],
    ['String should match pattern', [...large, `{"custom_id":"not ok","params":{}}`]],
    ['Field required', [...large, `{"custom_id":"ok"}`]],
  ];
  for (const [message, requests] of bodies) {
    await assert.rejects(
      subject.take({ body: bodyOf(requests, 65_536) }),
      (error: AppError) => error.code === 'invalid_request' && error.message.includes(message),
      message,
    );
    await expectNothing(subject);
  }
});

test('a body that breaks off leaves nothing', async (t) => {
  const subject = await scene(t);
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield* bodyOf(requestsOf(500), 1_000);
    throw new Error('socket hang up');
  }
  await assert.rejects(subject.take({ body: broken() }), /hang up/);
  await expectNothing(subject);
});

test('a client that is gone when its batch could be accepted gets none', async (t) => {
  const subject = await scene(t);
  const controller = new AbortController();
  subject.blobs.before = (what) => {
    if (what === 'put') controller.abort();
  };
  await assert.rejects(subject.take({ body: large(), signal: controller.signal }), /went away/);
  await expectNothing(subject);
});

test('nor does one with a small batch that is gone when its body has come', async (t) => {
  const subject = await scene(t);
  const controller = new AbortController();
  async function* body(): AsyncGenerator<Uint8Array> {
    yield* bodyOf(requestsOf(3));
    controller.abort();
  }
  await assert.rejects(subject.take({ body: body(), signal: controller.signal }), /went away/);
  await expectNothing(subject);
});

test('a full disk stops the upload, and nothing of it is left', async (t) => {
  const subject = await scene(t);
  const chunk = Buffer.from(`{"custom_id":"X","params":${paramsText('model-a', 'x'.repeat(1_000_000))}},`);
  function* endless(): Generator<Uint8Array> {
    yield Buffer.from('{"requests":[');
    for (let at = 0; at < 200; at++) yield Buffer.from(chunk.toString('latin1').replace('"X"', `"id-${at}"`), 'latin1');
  }
  const { body, read } = counted(endless());
  let puts = 0;
  subject.blobs.before = (what) => {
    if (what === 'put' && (puts += 1) > 2) throw new StorageFullError('the blobs');
  };
  await assert.rejects(subject.take({ body }), StorageFullError);
  assert.ok(read.chunks < 60, `${read.chunks} chunks were read`);
  await expectNothing(subject);
});

test('the body waits while too many blobs are being written', async (t) => {
  const subject = await scene(t);
  const writes: (() => void)[] = [];
  subject.blobs.before = (what) => (what === 'put' ? new Promise<void>((resolve) => writes.push(resolve)) : undefined);
  const requests = Array.from(
    { length: 80 },
    (_, at) => `{"custom_id":"id-${at}","params":${paramsText('model-a', 'x'.repeat(1_000_000))}}`,
  );
  const bytes = Buffer.from(`{"requests":[${requests.join(',')}]}`);
  const { body, read } = counted(
    Array.from({ length: 80 }, (_, at) =>
      bytes.subarray(Math.floor((at * bytes.length) / 80), Math.floor(((at + 1) * bytes.length) / 80)),
    ),
  );
  const taking = subject.take({ body });
  await settle();
  assert.equal(writes.length, BLOB_WRITES_MAX);
  const before = read.chunks;
  await settle();
  assert.equal(read.chunks, before);
  subject.blobs.before = () => undefined;
  writes.forEach((write) => write());
  const { accepted } = await taking;
  assert.ok(accepted.kind === 'accepted' && accepted.batch.requests === 80);
});

test('a catalog without room leaves nothing; one whose answer is lost leaves the requests', async (t) => {
  const subject = await scene(t);
  const failing = (error: Error, before: () => Promise<unknown>) => ({
    ...subject,
    catalog: { accept: () => before().then(() => Promise.reject(error)) } as unknown as IntakeDeps['catalog'],
  });
  await assert.rejects(
    intake(
      failing(new StorageFullError('the catalog'), async () => undefined),
      createOf({ body: large() }),
      'msgbatch_full',
    ),
    StorageFullError,
  );
  await expectNothing(subject);
  const unsure = new StorageFullError('the catalog', undefined, { mayHold: true });
  const kept = ['wrkspc_a/msgbatch_unsure/s-000000'];
  await assert.rejects(
    intake(
      failing(unsure, async () => undefined),
      createOf({ body: large() }),
      'msgbatch_unsure',
    ),
    unsure,
  );
  assert.deepEqual(subject.blobs.keys(), kept);
  await subject.blobs.delete(kept);
  const lost = { ...subject, catalog: Object.create(subject.catalog) as IntakeDeps['catalog'] };
  lost.catalog.accept = async (acceptance) => {
    await subject.catalog.accept(acceptance);
    throw new Error('the connection was lost');
  };
  await assert.rejects(intake(lost, createOf({ body: large(3) }), 'msgbatch_lost'), /connection was lost/);
  const batch = await subject.catalog.batch('wrkspc_a', 'msgbatch_lost');
  assert.equal(batch?.requests, 3);
  assert.deepEqual(subject.blobs.keys(), ['wrkspc_a/msgbatch_lost/s-000000']);
});

test('a repeated create, and one in conflict, leave only the first one’s blobs', async (t) => {
  const subject = await scene(t);
  const first = await subject.take({ idempotencyKey: 'key-1', body: large() });
  const keys = subject.blobs.keys();
  assert.equal(keys.length, 1);
  assert.equal((await subject.take({ idempotencyKey: 'key-1', body: large() })).accepted.kind, 'repeated');
  assert.deepEqual(subject.blobs.keys(), keys);
  assert.equal((await subject.take({ idempotencyKey: 'key-1', body: large(4) })).accepted.kind, 'conflict');
  assert.deepEqual(subject.blobs.keys(), keys);
  assert.equal(first.accepted.kind, 'accepted');
});

test('a re-send finds its unanswered first one; another version, beta or key is another batch', async (t) => {
  const subject = await scene(t);
  await subject.take();
  assert.equal((await subject.take({ resent: true, body: bodyOf(requestsOf(3), 7) })).accepted.kind, 'repeated');
  for (const changes of [
    { version: '2026-10-21' },
    { betas: ['b'] },
    { keyId: 'apikey_b' },
    { body: bodyOf(requestsOf(2)) },
  ]) {
    assert.equal((await subject.take({ resent: true, ...changes })).accepted.kind, 'accepted');
  }
});

test('requests beyond the limit are counted and not stored', async (t) => {
  const subject = await scene(t);
  const over = REQUESTS_PER_BATCH_MAX + 250;
  function* many(): Generator<Uint8Array> {
    yield Buffer.from('{"requests":[');
    for (let at = 0; at < over; at += 50) {
      const part = Array.from({ length: 50 }, (_, place) => `{"custom_id":"${at + place}","params":{}}`);
      yield Buffer.from((at > 0 ? ',' : '') + part.join(','));
    }
    yield Buffer.from(']}');
  }
  await assert.rejects(subject.take({ body: counted(many()).body }), (error: Error) =>
    error.message.includes(`at most ${REQUESTS_PER_BATCH_MAX} items after validation, not ${over}`),
  );
  await expectNothing(subject);
});

test('a body beyond the limit is refused as soon as it passes it', async (t) => {
  const subject = await scene(t);
  const blanks = Buffer.alloc(16 * 1024 * 1024, ' ');
  const { body, read } = counted(Array.from({ length: 40 }, () => blanks));
  await assert.rejects(subject.take({ body }), (error: AppError) => error.code === 'too_large');
  assert.equal(read.chunks, BODY_BYTES_MAX / blanks.length + 1);
  await expectNothing(subject);
});
