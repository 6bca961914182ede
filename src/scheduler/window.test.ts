import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Window } from './window.ts';

/** Keeps the window full against an upstream whose rate for a window is given; returns the sizes it went through. */
function run(window: Window, options: { rate: (size: number) => number; forMs: number; fromMs?: number }): number[] {
  const { rate, forMs, fromMs = 0 } = options;
  const sizes: number[] = [];
  let nowMs = fromMs;
  while (nowMs < fromMs + forMs) {
    window.observe(true, nowMs);
    nowMs += 1 / rate(window.size);
    const before = window.size;
    window.completed(nowMs);
    if (window.size !== before) sizes.push(window.size);
  }
  return sizes;
}

test('it starts at half of the cap and doubles to the cap while the rate rises with it', () => {
  const window = new Window(100);
  assert.equal(window.size, 50);
  assert.deepEqual(run(window, { rate: (size) => size / 100, forMs: 10_000 }), [100]);
  assert.equal(new Window(1).size, 1);
});

test('W3: growth that brings nothing is taken back, and tried again by a quarter after 10 s', () => {
  const window = new Window(64);
  const rate = (): number => 1;
  assert.deepEqual(run(window, { rate, forMs: 9_000 }), [64, 32]);
  assert.deepEqual(run(window, { rate, forMs: 3_000, fromMs: 9_000 }), [40, 32]);
});

test('W2: a pause of the machine in the middle of a quick round of calls does not pass for a full upstream', () => {
  const window = new Window(64);
  const rate = (size: number): number => size / 20;
  assert.deepEqual(run(window, { rate, forMs: 400 }), [64]);
  const sizes = run(window, { rate, forMs: 100, fromMs: 400 });
  assert.deepEqual(sizes.concat(run(window, { rate, forMs: 2_000, fromMs: 530 })), []);
});

test('a rate that rises by less than 10 % for a doubling is no rise', () => {
  const rate = (rise: number) => (size: number) => 1 + rise * (size / 32 - 1);
  assert.deepEqual(run(new Window(64), { rate: rate(0.09), forMs: 1_000 }), [64, 32]);
  assert.deepEqual(run(new Window(64), { rate: rate(0.11), forMs: 1_000 }), [64]);
});

test('W2: an epoch in which demand lacked says nothing', () => {
  const window = new Window(64);
  for (let round = 0; round < 10; round++) {
    window.observe(true, round);
    for (let done = 0; done < 31; done++) window.completed(round);
    window.observe(false, round);
  }
  assert.equal(window.size, 32);
});

test('after a storm it doubles up to half of where it was, and goes on by quarters', () => {
  const window = new Window(128);
  const rate = (size: number): number => size / 100;
  run(window, { rate, forMs: 1_000 });
  assert.equal(window.size, 128);
  const halved = [1, 2, 3].map(() => (window.halve(), window.size));
  assert.deepEqual(halved, [64, 32, 16]);
  assert.deepEqual(run(window, { rate, forMs: 10_000 }), [32, 64, 80, 100, 125, 128]);
});

test('W1: it never leaves its bounds, and a smaller cap holds at once', () => {
  const window = new Window(8);
  for (let round = 0; round < 10; round++) window.halve();
  assert.equal(window.size, 1);
  run(window, { rate: (size) => size / 100, forMs: 100_000 });
  assert.equal(window.size, 8);
  window.setCap(3);
  assert.equal(window.size, 3);
});
