import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Window } from './window.ts';

/** Keeps the window full against an upstream whose rate for a window is given; returns the size after each epoch. */
function run(window: Window, options: { rate: (size: number) => number; epochs: number; fromMs?: number }): number[] {
  let nowMs = options.fromMs ?? 0;
  return Array.from({ length: options.epochs }, () => {
    const { size } = window;
    window.observe(true, nowMs);
    const perMs = options.rate(size);
    for (let done = 1; done <= size; done++) window.completed(nowMs + done / perMs);
    nowMs += size / perMs;
    return window.size;
  });
}

test('it starts at half of the cap and doubles to the cap while the rate rises with it', () => {
  const window = new Window(100);
  assert.equal(window.size, 50);
  assert.deepEqual(run(window, { rate: (size) => size / 100, epochs: 3 }), [100, 100, 100]);
  assert.equal(new Window(1).size, 1);
});

test('W3: growth that brings nothing is taken back, and tried again by a quarter after 30 s', () => {
  const window = new Window(64);
  const rate = (): number => 1;
  assert.deepEqual(run(window, { rate, epochs: 3 }), [64, 32, 32]);
  assert.deepEqual(run(window, { rate, epochs: 3, fromMs: 31_000 }), [40, 32, 32]);
});

test('a rate that rises by less than 5 % for a doubling is no rise', () => {
  const window = new Window(64);
  assert.deepEqual(run(window, { rate: (size) => 1 + 0.04 * (size / 32 - 1), epochs: 2 }), [64, 32]);
  const other = new Window(64);
  assert.deepEqual(run(other, { rate: (size) => 1 + 0.06 * (size / 32 - 1), epochs: 2 }), [64, 64]);
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
  run(window, { rate: (size) => size, epochs: 1 });
  assert.equal(window.size, 128);
  const halved = [1, 2, 3].map(() => (window.halve(), window.size));
  assert.deepEqual(halved, [64, 32, 16]);
  assert.deepEqual(run(window, { rate: (size) => size, epochs: 6 }), [32, 64, 80, 100, 125, 128]);
});

test('W1: it never leaves its bounds, and a smaller cap holds at once', () => {
  const window = new Window(8);
  for (let round = 0; round < 10; round++) window.halve();
  assert.equal(window.size, 1);
  run(window, { rate: (size) => size, epochs: 12 });
  assert.equal(window.size, 8);
  window.setCap(3);
  assert.equal(window.size, 3);
});
