import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NightshiftEvent } from './events.ts';
import { createMetrics } from './metrics.ts';

test('what goes wrong is counted by what it is', async () => {
  const metrics = createMetrics({ process: false });
  const failure = (where: string): NightshiftEvent => ({
    kind: 'failure',
    where,
    error: new Error('x'),
    requestId: null,
  });
  const events: readonly NightshiftEvent[] = [
    failure('seal of msgbatch_a'),
    failure('janitor'),
    { kind: 'seal_stale', batchId: 'b', lines: 3 },
    { kind: 'storage_full', what: 'journal' },
    { kind: 'clock_jumped', byMs: 9_000, distrustMs: 1 },
    { kind: 'catalog_call', method: 'seal', durationMs: 3, failed: false },
    { kind: 'catalog_call', method: 'claim', durationMs: 3, failed: true },
    {
      kind: 'http',
      method: 'GET',
      route: '/v1/messages/batches/:id',
      status: 404,
      durationMs: 1,
      requestId: 'r',
      workspaceId: null,
      client: null,
      code: 'not_found',
    },
  ];
  for (const event of events) metrics.observe(event);
  const { body } = await metrics.render();
  const lines = [
    'nightshift_seal_failures_total 1',
    'nightshift_failures_total 2',
    'nightshift_stale_lines_total 3',
    'nightshift_storage_full_total{what="journal"} 1',
    'nightshift_storage_full_total{what="chunks"} 0',
    'nightshift_clock_jumps_total 1',
    'nightshift_catalog_duration_seconds_count{method="seal"} 1',
    'nightshift_catalog_failures_total 1',
    'nightshift_http_errors_total{code="not_found"} 1',
  ];
  for (const line of lines) assert(body.split('\n').includes(line), `${line} is not in\n${body}`);
});
