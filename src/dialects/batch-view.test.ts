import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Batch } from '../domain/batch.ts';
import { noCounts } from '../domain/outcome.ts';
import { renderMessageBatch, timestamp } from './batch-view.ts';

const day = 86_400_000_000;
const createdAt = Date.UTC(2024, 7, 20, 18, 37, 24, 100) * 1_000 + 435;
const running: Batch = {
  id: 'msgbatch_013Zva2CMHLNnXjNJJKqJ2EF',
  workspaceId: 'wrkspc_01a',
  keyId: 'apikey_01a',
  dialect: 'anthropic',
  version: '2023-06-01',
  betas: [],
  state: 'running',
  createdAt,
  expiresAt: createdAt + day,
  archivesAt: createdAt + 29 * day,
  cancelAt: null,
  endedAt: null,
  archivedAt: null,
  requests: 5,
  counts: noCounts,
  resultBytes: 0,
};
const baseUrl = 'http://127.0.0.1:2424';
const view = (changes: Partial<Batch>, live = false) =>
  renderMessageBatch({ ...running, ...changes }, { baseUrl, live });
const some = { succeeded: 1, errored: 1, canceled: 0, expired: 0 };
const all = { succeeded: 2, errored: 1, canceled: 1, expired: 1 };
const untouched = { processing: 5, succeeded: 0, errored: 0, canceled: 0, expired: 0 };
const ended = { state: 'ended', counts: all, endedAt: createdAt + 1 } as const;

test('a new batch has all ten fields, in order', () => {
  assert.equal(
    JSON.stringify(view({})),
    JSON.stringify({
      id: 'msgbatch_013Zva2CMHLNnXjNJJKqJ2EF',
      type: 'message_batch',
      processing_status: 'in_progress',
      request_counts: untouched,
      ended_at: null,
      created_at: '2024-08-20T18:37:24.100435Z',
      expires_at: '2024-08-21T18:37:24.100435Z',
      archived_at: null,
      cancel_initiated_at: null,
      results_url: null,
    }),
  );
});

test('each state has its status, its counts and, once ended, its results', () => {
  const url = `${baseUrl}/v1/messages/batches/${running.id}/results`;
  const table: readonly [changes: Partial<Batch>, status: string, counts: object, resultsUrl: string | null][] = [
    [{ state: 'validating' }, 'in_progress', untouched, null],
    [{ state: 'running', counts: some }, 'in_progress', untouched, null],
    [{ state: 'canceling', counts: some, cancelAt: createdAt }, 'canceling', untouched, null],
    [ended, 'ended', { processing: 0, ...all }, url],
    [{ ...ended, state: 'failed' }, 'ended', { processing: 0, ...all }, url],
    [{ ...ended, archivedAt: createdAt + 2 }, 'ended', { processing: 0, ...all }, null],
  ];
  for (const [changes, status, counts, resultsUrl] of table) {
    const shown = view(changes);
    assert.equal(shown.processing_status, status);
    assert.deepEqual(shown.request_counts, counts);
    assert.equal(shown.results_url, resultsUrl);
  }
});

test('live counts show what is sealed, and always sum to the number of requests', () => {
  assert.deepEqual(view({ counts: some }, true).request_counts, { processing: 3, ...some });
  assert.deepEqual(view(ended, true).request_counts, { processing: 0, ...all });
});

test('times are shown when they are set', () => {
  const shown = view({ ...ended, cancelAt: createdAt + 2, archivedAt: createdAt + 3 });
  assert.equal(shown.ended_at, '2024-08-20T18:37:24.100436Z');
  assert.equal(shown.cancel_initiated_at, '2024-08-20T18:37:24.100437Z');
  assert.equal(shown.archived_at, '2024-08-20T18:37:24.100438Z');
});

test('a timestamp agrees with Date to the millisecond and keeps the microseconds', () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 52), max: Number.MAX_SAFE_INTEGER }), (micros) => {
      const shown = timestamp(micros);
      assert.match(shown, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
      const milliseconds = Date.parse(`${shown.slice(0, -4)}Z`);
      assert.equal(milliseconds * 1_000 + Number(shown.slice(-4, -1)), micros);
    }),
  );
  assert.equal(timestamp(0), '1970-01-01T00:00:00.000000Z');
  assert.equal(timestamp(999), '1970-01-01T00:00:00.000999Z');
});
