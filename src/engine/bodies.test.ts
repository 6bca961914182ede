import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BODIES_BYTES_MAX, BODY_READ_BYTES } from '../domain/limits.ts';
import type { Segment } from '../domain/segment.ts';
import { Bodies, BodyBudget } from './bodies.ts';
import { blobOf, MemoryBlobs, segmentOf, settle } from './support.ts';

const KiB = 1024;

type Scene = { bodies: Bodies; blobs: MemoryBlobs; budget: BodyBudget; expected: (item: number) => Buffer };

/** A segment behind another in its blob, its requests filled with bytes that say whose they are. */
async function scene(lengths: readonly number[]): Promise<Scene> {
  const { index, segment } = segmentOf(lengths, { offset: 1_000 });
  const blobs = new MemoryBlobs();
  const expected = (item: number) => Buffer.alloc(lengths[item]!, `${item},`);
  await blobs.put(blobOf(segment), [
    Buffer.alloc(1_000, 255),
    ...lengths.map((_, item) => expected(item)),
    Buffer.alloc(100, 255),
  ]);
  const budget = new BodyBudget();
  return { bodies: new Bodies({ blobs, segment, index, budget }), blobs, budget, expected };
}

function bytesOf(body: Uint8Array): Buffer {
  return Buffer.from(body);
}

async function expectBody({ bodies, expected }: Scene, item: number): Promise<void> {
  assert.ok(bytesOf(await bodies.body(item)).equals(expected(item)), `item ${item}`);
}

test('sequential access with 64 waiting at once reads each byte once', async () => {
  const subject = await scene(Array.from({ length: 1_000 }, (_, item) => 1_000 + (item % 7)));
  for (let from = 0; from < 1_000; from += 64) {
    const items = Array.from({ length: Math.min(64, 1_000 - from) }, (_, at) => from + at);
    await Promise.all(items.map((item) => expectBody(subject, item)));
  }
  const read = subject.blobs.reads.reduce((sum, { range }) => sum + range.end - range.start, 0);
  assert.equal(
    read,
    Array.from({ length: 1_000 }, (_, item) => 1_000 + (item % 7)).reduce((sum, length) => sum + length, 0),
  );
  assert.ok(subject.blobs.reads.length <= 5, `${subject.blobs.reads.length} reads`);
});

test('what was read ahead is there at once', async () => {
  const subject = await scene([10, 20, 30]);
  await subject.bodies.body(0);
  const body = subject.bodies.body(2);
  assert.ok(body instanceof Uint8Array && bytesOf(body).equals(subject.expected(2)));
});

test('nothing is read before the first body is asked for, and at most one block ahead of it', async () => {
  const subject = await scene(Array.from({ length: 40 }, () => 64 * KiB));
  assert.equal(subject.blobs.reads.length, 0);
  await expectBody(subject, 0);
  await settle();
  assert.equal(subject.blobs.reads.length, 2);
});

test('any order of access, in any groups, gives the right bytes while reads fail now and then', async () => {
  const access = fc.record({
    items: fc.array(fc.nat(59), { minLength: 1, maxLength: 20 }),
    fails: fc.boolean(),
    closes: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 100 * KiB }), { minLength: 60, maxLength: 60 }),
      fc.array(access, { maxLength: 12 }),
      async (lengths, groups) => {
        const subject = await scene(lengths);
        for (const { items, fails, closes } of groups) {
          subject.blobs.before = async (what) => {
            await settle();
            if (fails && what === 'get') throw new Error('the disk hiccups');
          };
          const wanted = items.map(async (item) => {
            const body = await subject.bodies.body(item);
            assert.ok(bytesOf(body).equals(subject.expected(item)), `item ${item}`);
          });
          if (closes) subject.bodies.close();
          const ends = await Promise.allSettled(wanted);
          for (const end of ends) if (end.status === 'rejected' && !fails) throw end.reason;
        }
      },
    ),
    { numRuns: 30 },
  );
});

test('a failed read fails those who wait for it; the next call reads again', async () => {
  const subject = await scene([10, 10, 10]);
  subject.blobs.before = () => Promise.reject(new Error('the disk is away'));
  const ends = await Promise.allSettled([subject.bodies.body(0), subject.bodies.body(1)]);
  assert.deepEqual(
    ends.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.equal(subject.blobs.reads.length, 1);
  subject.blobs.before = () => undefined;
  await expectBody(subject, 1);
});

test('a read ahead that fails disturbs nobody until its bytes are wanted, and then is made again', async () => {
  const subject = await scene(Array.from({ length: 12 }, () => 64 * KiB));
  let gets = 0;
  subject.blobs.before = () => {
    gets += 1;
    if (gets === 2) throw new Error('the disk hiccups');
  };
  await expectBody(subject, 0);
  await settle();
  await expectBody(subject, 3);
  await expectBody(subject, 4);
  assert.equal(subject.blobs.reads.length, 4);
});

test('a retry of an earlier request reads it alone and leaves the blocks as they are', async () => {
  const subject = await scene(Array.from({ length: 16 }, () => 64 * KiB));
  for (let item = 0; item < 16; item++) await expectBody(subject, item);
  await settle();
  const before = subject.blobs.reads.length;
  await expectBody(subject, 2);
  await expectBody(subject, 3);
  assert.equal(subject.blobs.reads.length, before + 2);
  assert.ok(subject.bodies.body(15) instanceof Uint8Array);
});

test('a retry after a failed read ahead does not send the blocks back', async () => {
  const subject = await scene(Array.from({ length: 16 }, () => 64 * KiB));
  for (let item = 0; item < 5; item++) await expectBody(subject, item);
  subject.blobs.before = () => Promise.reject(new Error('the disk hiccups'));
  await expectBody(subject, 4);
  for (const item of [5, 6, 7]) await expectBody(subject, item);
  await assert.rejects(async () => subject.bodies.body(12));
  subject.blobs.before = () => undefined;
  await expectBody(subject, 0);
  const before = subject.blobs.reads.length;
  await expectBody(subject, 12);
  assert.ok(subject.blobs.reads.length - before <= 3, `${subject.blobs.reads.length - before} reads`);
});

test('after a close in the middle of a read the waiters get their bytes and nothing stays counted', async () => {
  const subject = await scene([10, 10, 10]);
  const bodies = [subject.bodies.body(1), subject.bodies.body(2)];
  assert.equal(subject.budget.readers, 1);
  subject.bodies.close();
  assert.equal(subject.budget.readers, 0);
  assert.deepEqual([bytesOf(await bodies[0]!), bytesOf(await bodies[1]!)], [subject.expected(1), subject.expected(2)]);
  assert.equal(subject.budget.readers, 0);
  assert.equal(subject.blobs.reads.length, 1);
  assert.ok(!(subject.bodies.body(1) instanceof Uint8Array), 'no block is kept');
});

test('inline bodies are there at once, in any order, and are read and counted nowhere', () => {
  const lengths = [3, 5, 2];
  const { index, segment } = segmentOf(lengths);
  const bytes = Buffer.concat(lengths.map((length, item) => Buffer.alloc(length, `${item},`)));
  const [blobs, budget] = [new MemoryBlobs(), new BodyBudget()];
  const inline: Segment = { ...segment, source: { kind: 'inline', bytes: new Uint8Array(bytes) } };
  const bodies = new Bodies({ blobs, segment: inline, index, budget });
  for (const item of [2, 0, 1, 1]) {
    const body = bodies.body(item);
    assert.ok(body instanceof Uint8Array);
    assert.deepEqual(bytesOf(body), Buffer.alloc(lengths[item]!, `${item},`));
  }
  assert.deepEqual([blobs.reads.length, budget.readers], [0, 0]);
});

test('closing twice counts once', async () => {
  const subject = await scene([10]);
  await expectBody(subject, 0);
  subject.bodies.close();
  subject.bodies.close();
  assert.equal(subject.budget.readers, 0);
});

test('readers share the memory: blocks become smaller when many spans read', () => {
  const budget = new BodyBudget();
  assert.equal(budget.blockBytes(), BODY_READ_BYTES);
  budget.readers = 512;
  assert.ok(budget.blockBytes() * 2 * 512 <= BODIES_BYTES_MAX);
});

test('a request larger than a block is read whole, alone', async () => {
  const subject = await scene([100, 3 * BODY_READ_BYTES, 100]);
  for (const item of [0, 1, 2]) await expectBody(subject, item);
});
