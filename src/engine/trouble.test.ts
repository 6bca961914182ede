import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeWorld } from './support.ts';
import { LaneTrouble } from './trouble.ts';

test('a storm of failures is told once a lane, with its first reason and its count, and then forgotten', () => {
  const world = new FakeWorld();
  const trouble = new LaneTrouble(world);
  for (let failure = 0; failure < 1_000; failure++) trouble.note('local', 'model-a', `reason ${failure}`);
  trouble.note('local', 'model-b', 'another');
  assert.deepEqual(world.events, []);
  trouble.tell();
  trouble.tell();
  const told = { kind: 'lane_trouble', upstream: 'local', pausedMs: 0 };
  assert.deepEqual(world.events, [
    { ...told, model: 'model-a', reason: 'reason 0', count: 1_000 },
    { ...told, model: 'model-b', reason: 'another', count: 1 },
  ]);
});
