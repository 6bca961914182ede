import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { createMetrics, type MetricsOptions } from './metrics.ts';
import { idleNode } from './node-metrics.ts';
import { noSpans } from './otlp.ts';

test('what a node holds is read when it is asked for', async () => {
  const node = {
    ...idleNode,
    pending: 12,
    expiringSoon: 2,
    oldestMs: 90_500,
    unsealedBytes: 5,
    lastSealMs: 1_800_000_000_250,
    unsyncedLines: 3,
    unsyncedBytes: 4,
    pausedBy: ['lease'],
    uploads: 1,
  };
  const text = await rendered({ node: () => node, version: '1.2.3' });
  const lines = [
    'nightshift_requests_pending 12',
    'nightshift_requests_expiring_soon 2',
    'nightshift_oldest_pending_age_seconds 90.5',
    'nightshift_unsealed_bytes 5',
    'nightshift_last_seal_timestamp_seconds 1800000000.25',
    'nightshift_journal_unsynced_lines 3',
    'nightshift_journal_unsynced_bytes 4',
    'nightshift_uploads_open 1',
    'nightshift_sending_paused{reason="lease"} 1',
    'nightshift_sending_paused{reason="journal"} 0',
    `nightshift_build_info{version="1.2.3",node="${process.versions.node}"} 1`,
  ];
  for (const line of lines) assertLine(text, line);
});

test('the disk of the data folder has its size, and none that does not say is told as full', async () => {
  const text = await rendered({ folder: tmpdir() });
  const figure = (name: string): number =>
    Number(new RegExp(`^nightshift_disk_${name}_bytes (\\S+)$`, 'm').exec(text)?.[1]);
  assert(figure('size') > 0 && figure('free') <= figure('size'), text);
  assertLine(await rendered({ folder: '/nowhere/at/all' }), 'nightshift_disk_free_bytes 0');
});

test('lanes that wait say why, and nothing once they go on', async () => {
  let lanes = [{ lane: 'local\nm', delayed: 7, pausedUntilMs: null as number | null, sick: true }];
  const metrics = createMetrics({ node: () => ({ ...idleNode, lanes }), process: false });
  const call = { kind: 'attempt', batchId: 'b', upstream: 'local', model: 'm', durationMs: 1 } as const;
  metrics.observe({ ...call, end: 'unpaid', status: 401 });
  // It says something about its request, not about the lane.
  metrics.observe({ ...call, end: 'errored', status: 400 });
  const waiting = async (): Promise<string> => (await metrics.render()).body;
  assertLine(await waiting(), 'nightshift_lane_waiting{upstream="local",model="m",reason="401"} 1');
  assertLine(await waiting(), 'nightshift_lane_delayed{upstream="local",model="m"} 7');
  lanes = [{ ...lanes[0]!, sick: false, pausedUntilMs: 5 }];
  metrics.observe({ ...call, end: 'throttled', status: 429 });
  assertLine(await waiting(), 'nightshift_lane_waiting{upstream="local",model="m",reason="429"} 1');
  metrics.observe({ ...call, end: 'unpaid', status: null });
  assertLine(await waiting(), 'nightshift_lane_waiting{upstream="local",model="m",reason="unreachable"} 1');
  lanes = [{ ...lanes[0]!, pausedUntilMs: null }];
  assert.doesNotMatch(await waiting(), /^nightshift_lane_waiting\{/m);
});

test('spans are counted, and rendering twice does not count twice', async () => {
  const spans = { sent: 5, dropped: { ...noSpans.dropped, queue_full: 2 } };
  const metrics = createMetrics({ spans: () => spans, process: false });
  await metrics.render();
  const { body } = await metrics.render();
  assertLine(body, 'nightshift_spans_sent_total 5');
  assertLine(body, 'nightshift_spans_dropped_total{reason="queue_full"} 2');
  assertLine(body, 'nightshift_spans_dropped_total{reason="unreachable"} 0');
});

async function rendered(options: MetricsOptions): Promise<string> {
  return (await createMetrics({ ...options, process: false }).render()).body;
}

function assertLine(text: string, line: string): void {
  assert(text.split('\n').includes(line), `${line} is not in\n${text}`);
}
