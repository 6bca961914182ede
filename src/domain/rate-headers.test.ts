import assert from 'node:assert/strict';
import { test } from 'node:test';
import { headroomOf, retryAfterMs } from './rate-headers.ts';

const nowMs = Date.UTC(2026, 10, 21, 12, 0, 0);
const wallMs = () => nowMs;
const inSeconds = (seconds: number) => new Date(nowMs + seconds * 1_000).toISOString();

const retryAfters: readonly [Record<string, string>, number | null][] = [
  [{}, null],
  [{ 'retry-after': '0' }, 0],
  [{ 'retry-after': '7' }, 7_000],
  [{ 'retry-after': '1.5' }, 1_500],
  [{ 'retry-after': 'Sat, 21 Nov 2026 12:00:30 GMT' }, 30_000],
  [{ 'retry-after': 'Sat, 21 Nov 2026 11:59:30 GMT' }, 0],
  [{ 'retry-after-ms': '250' }, 250],
  [{ 'retry-after-ms': '250', 'retry-after': '9' }, 250],
  [{ 'retry-after-ms': 'soon', 'retry-after': '9' }, 9_000],
  [{ 'retry-after-ms': '-4', 'retry-after': '9' }, 9_000],
  [{ 'retry-after': '' }, null],
  [{ 'retry-after': '-5' }, null],
  [{ 'retry-after': '5, 5' }, null],
  [{ 'retry-after': 'Infinity' }, null],
  [{ 'retry-after': 'NaN' }, null],
  [{ 'retry-after': 'later' }, null],
  [{ 'retry-after': 'Someday, later' }, null],
];

for (const [headers, expected] of retryAfters) {
  test(`the wait asked for by ${JSON.stringify(headers)} is ${expected}`, () => {
    assert.equal(retryAfterMs(headers, wallMs), expected);
  });
}

const prefix = 'anthropic-ratelimit';

test('limits that are not exhausted say nothing', () => {
  assert.equal(headroomOf({}, wallMs), null);
  const headers = { [`${prefix}-requests-remaining`]: '3', [`${prefix}-requests-reset`]: inSeconds(10) };
  assert.equal(headroomOf(headers, wallMs), null);
});

test('exhausted requests wait for their reset', () => {
  const headers = {
    [`${prefix}-requests-remaining`]: '0',
    [`${prefix}-requests-reset`]: inSeconds(10),
    [`${prefix}-tokens-remaining`]: '5000',
    [`${prefix}-tokens-reset`]: inSeconds(20),
  };
  assert.deepEqual(headroomOf(headers, wallMs), { requestsLeft: 0, tokensLeft: null, resetMs: 10_000 });
});

test('exhausted tokens wait for theirs, whichever header names them', () => {
  for (const kind of ['tokens', 'input-tokens']) {
    const headers = { [`${prefix}-${kind}-remaining`]: '0', [`${prefix}-${kind}-reset`]: inSeconds(4) };
    assert.deepEqual(headroomOf(headers, wallMs), { requestsLeft: null, tokensLeft: 0, resetMs: 4_000 });
  }
});

test('a reset that is past, missing or no date says nothing', () => {
  for (const reset of [inSeconds(-1), inSeconds(0), 'soon', undefined]) {
    const headers = {
      [`${prefix}-requests-remaining`]: '0',
      ...(reset === undefined ? {} : { [`${prefix}-requests-reset`]: reset }),
    };
    assert.equal(headroomOf(headers, wallMs), null);
  }
});
