import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { select, type Selection } from './range.ts';

const etag = '"e"';
const plain = { range: null, ifRange: null, ifNoneMatch: null, etag, bytes: 100 };
const whole: Selection = { kind: 'whole' };
const part = (start: number, end: number): Selection => ({ kind: 'part', start, end });

const rows: readonly [string, Selection][] = [
  ['bytes=0-9', part(0, 10)],
  ['bytes=10-', part(10, 100)],
  ['bytes=-10', part(90, 100)],
  ['bytes=-1000', part(0, 100)],
  ['bytes=90-1000', part(90, 100)],
  ['Bytes = 0 - 0', part(0, 1)],
  ['bytes=100-', { kind: 'unsatisfiable' }],
  ['bytes=-0', { kind: 'unsatisfiable' }],
  ['bytes=9-0', whole],
  ['bytes=-', whole],
  ['bytes=a-b', whole],
  ['bytes=0-1,5-6', whole],
  ['items=0-1', whole],
  ['0-1', whole],
];
for (const [range, expected] of rows) {
  test(`range "${range}" of 100 bytes is ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(select({ ...plain, range }), expected);
  });
}

test('if-range: only the same strong etag lets the range count', () => {
  const range = 'bytes=0-9';
  assert.deepEqual(select({ ...plain, range, ifRange: etag }), part(0, 10));
  for (const ifRange of ['"other"', 'W/"e"', 'Wed, 21 Oct 2026 07:28:00 GMT']) {
    assert.deepEqual(select({ ...plain, range, ifRange }), whole);
  }
});

test('if-none-match: a list, a weak tag or a star match, and win over a range', () => {
  for (const ifNoneMatch of [etag, '"x", "e"', 'W/"e"', '*']) {
    assert.deepEqual(select({ ...plain, ifNoneMatch, range: 'bytes=0-1' }), { kind: 'unchanged' });
  }
  assert.deepEqual(select({ ...plain, ifNoneMatch: '"x"' }), whole);
});

test('a part always lies within the bytes and is not empty', () => {
  const number = fc.option(fc.nat(300), { nil: '' });
  fc.assert(
    fc.property(number, number, fc.nat(200), (first, last, bytes) => {
      const selection = select({ ...plain, bytes, range: `bytes=${first}-${last}` });
      if (selection.kind !== 'part') return;
      assert.ok(selection.start >= 0 && selection.start < selection.end && selection.end <= bytes);
    }),
  );
});
