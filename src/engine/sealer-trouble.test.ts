// What the sealer does when a seal does not go: no room, no catalog, leases that have passed on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionError, StorageFullError } from '../domain/errors.ts';
import { DISK_RETRY_MS } from '../domain/limits.ts';
import type { Lease } from '../domain/segment.ts';
import { range, Scene, type Answer } from './fake-seals.ts';
import { createRun } from './held.ts';
import { batchOf, settle, spanOf } from './support.ts';

test('a full disk pauses; the same outcomes are tried again in the same blob', async () => {
  const scene = new Scene();
  scene.blobs.before = (what) => {
    if (what === 'put') throw new StorageFullError('the blobs');
  };
  scene.add(spanOf(), [0, 1, 2]);
  await settle();
  assert.deepEqual(scene.storage, [true]);
  scene.blobs.before = () => undefined;
  scene.answer = () => {
    throw new StorageFullError('the catalog');
  };
  for (const _ of range(0, 5)) await scene.world.move(DISK_RETRY_MS);
  assert.equal(scene.seals.length, 5);
  assert.equal(scene.blobs.keys().length, 1);
  scene.answer = () => ({ kind: 'sealed', batch: batchOf(), sequence: 0 });
  await scene.world.move(DISK_RETRY_MS);
  await scene.sealer.drained();
  assert.deepEqual(scene.storage, [true, false]);
  assert.deepEqual([scene.sealed.length, scene.sealed.flat().length, scene.blobs.keys().length], [1, 3, 1]);
  assert.deepEqual(scene.fatal, []);
});

test('a catalog that cannot be reached is asked again', async () => {
  const scene = new Scene();
  scene.answer = () => {
    throw new Error('the catalog is away');
  };
  scene.add(spanOf(), [0, 1, 2]);
  await scene.world.move(3 * DISK_RETRY_MS);
  assert.deepEqual([scene.storage, scene.fatal, scene.sealed], [[], [], []]);
  assert.deepEqual(new Set(scene.world.kinds()), new Set(['failure']));
  scene.answer = () => ({ kind: 'sealed', batch: batchOf(), sequence: 0 });
  await scene.world.move(DISK_RETRY_MS);
  assert.deepEqual([scene.sealed.flat().length, scene.blobs.keys().length], [3, 1]);
});

test('what cannot be ends the process', async () => {
  const scene = new Scene();
  scene.answer = () => {
    throw new AssertionError('a seal counts exactly the requests whose bits it sets');
  };
  scene.add(spanOf(), [0, 1, 2]);
  await settle();
  assert.ok(scene.fatal[0] instanceof AssertionError);
  assert.deepEqual(scene.sealed, []);
});

/** Answers that these leases have passed on, as often as a seal names them. */
function staleFor(gone: readonly Lease[]): Answer {
  return ({ leases }) => {
    const stale = leases.map(({ lease }) => lease).filter((lease) => gone.includes(lease));
    return stale.length > 0 ? { kind: 'stale', leases: stale } : { kind: 'sealed', batch: batchOf(), sequence: 0 };
  };
}

test('outcomes of leases that have passed on are dropped, the others sealed again without them', async () => {
  const scene = new Scene();
  const run = createRun(batchOf());
  const [mine, gone] = [spanOf({ run, segment: 0 }), spanOf({ run, segment: 1 })];
  scene.answer = staleFor([gone.lease]);
  for (const item of [0, 1, 2]) {
    scene.add(mine, [item]);
    scene.add(gone, [item]);
  }
  await scene.sealer.drained();
  assert.deepEqual(
    scene.stale.map(({ spans, dropped }) => [spans, dropped.length]),
    [[[gone], 3]],
  );
  assert.deepEqual(
    scene.sealed.map((outcomes) => outcomes.map(({ span, item }) => [span === mine, item])),
    [
      [
        [true, 0],
        [true, 1],
        [true, 2],
      ],
    ],
  );
  assert.notEqual(scene.seals[0]!.chunk.blob, scene.seals[1]!.chunk.blob);
  assert.equal(scene.sealer.unsealedBytes(), 0);
});

test('what is left of a stale seal is sealed though its batch has more to come', async () => {
  const scene = new Scene();
  const run = createRun(batchOf());
  const [mine, gone] = [spanOf({ run, segment: 0 }), spanOf({ run, segment: 1 })];
  scene.answer = staleFor([gone.lease]);
  scene.add(mine, [0]);
  scene.add(gone, [1]);
  // A restart and a stop wait for all that is pending, though both spans have open requests.
  scene.sealer.force(() => true);
  await settle();
  await scene.sealer.drained();
  assert.deepEqual(
    scene.sealed.map((outcomes) => outcomes.length),
    [1],
  );
});

test('outcomes of a lease that was renewed under a new epoch during the seal are sealed under that one', async () => {
  const scene = new Scene();
  const span = spanOf();
  const old = span.lease;
  scene.answer = (seal) => {
    if (seal.leases[0]!.lease !== old) return { kind: 'sealed', batch: batchOf(), sequence: 0 };
    span.lease = { ...old, epoch: old.epoch + 1 };
    return { kind: 'stale', leases: [old] };
  };
  scene.add(span, [0, 1, 2]);
  await scene.sealer.drained();
  assert.deepEqual(
    scene.sealed.flat().map(({ item }) => item),
    [0, 1, 2],
  );
  assert.deepEqual(
    scene.seals.map(({ leases }) => leases[0]!.lease.epoch),
    [1, 2],
  );
});

test('spans of one segment are told apart by their epoch and place', async () => {
  const scene = new Scene();
  const run = createRun(batchOf());
  const lengths = range(0, 8).map(() => 1);
  const [head, tail] = [spanOf({ run, lengths, to: 4, epoch: 7 }), spanOf({ run, lengths, from: 4, epoch: 8 })];
  scene.answer = staleFor([tail.lease]);
  scene.add(head, range(0, 4));
  scene.add(tail, range(4, 8));
  scene.sealer.force(() => true);
  await scene.sealer.drained();
  assert.deepEqual(
    scene.sealed.flat().map(({ item }) => item),
    [0, 1, 2, 3],
  );
});
