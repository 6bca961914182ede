import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock, systemWorld } from './world.ts';

const world = systemWorld({ send: () => Promise.reject(new Error('no network here')), emit: () => undefined });

test('the wall clock is the time of day, with parts of a millisecond', () => {
  assert(Math.abs(world.clock.wallMs() - Date.now()) < 50);
  const readings = Array.from({ length: 1_000 }, () => world.clock.wallMs());
  assert(readings.some((ms) => !Number.isInteger(ms)));
});

test('the wall clock follows a jump in either direction and runs on from there', () => {
  let coarse = 1_000_000;
  let fine = 5.25;
  const clock = systemClock(
    () => Math.floor(coarse),
    () => fine,
  );
  const pass = (ms: number): void => {
    coarse += ms;
    fine += ms;
  };
  pass(0.5);
  assert.equal(clock.wallMs(), 1_000_000.5);
  coarse += 3_600_000;
  assert.equal(clock.wallMs(), 4_600_000);
  pass(2.25);
  assert.equal(clock.wallMs(), 4_600_002.25);
  coarse -= 7_200_000;
  assert.equal(Math.floor(clock.wallMs()), 1_000_000 - 3_600_000 + 2);
});

test('the monotonic clock does not go back', () => {
  const first = world.clock.monotonicMs();
  assert(world.clock.monotonicMs() >= first);
});

test('a turn calls back', () => new Promise<void>((resolve) => world.timers.turn(resolve)));

test('a timer calls back once, but not when it was taken back', async () => {
  let canceledCame = false;
  const cancel = world.timers.after(0, () => (canceledCame = true));
  cancel();
  const awake = setInterval(() => undefined, 1_000); // The timers alone do not keep a process alive.
  await new Promise<void>((resolve) => world.timers.after(2, resolve));
  clearInterval(awake);
  assert.equal(canceledCame, false);
});

test('chance stays in its range and does not repeat', () => {
  const numbers = Array.from({ length: 10_000 }, () => world.chance.next());
  assert(numbers.every((number) => number >= 0 && number < 1));
  assert.equal(new Set(numbers).size, numbers.length);
  const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  assert(Math.abs(mean - 0.5) < 0.03);
});

test('random bytes are the caller’s own, whatever their number', () => {
  const first = world.chance.bytes(16);
  const copy = Uint8Array.from(first);
  for (let count = 0; count < 2_000; count++) world.chance.bytes(28);
  assert.deepEqual(first, copy);
  assert.equal(world.chance.bytes(0).length, 0);
  assert.equal(world.chance.bytes(20_000).length, 20_000);
});
