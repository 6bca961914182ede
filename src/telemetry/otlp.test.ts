import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  SPANS_CLOSE_MS,
  SPANS_DROPPED_QUIET_MS,
  SPANS_EXPORT_MAX,
  SPANS_EXPORT_MS,
  SPANS_EXPORT_TIMEOUT_MS,
  SPANS_QUEUED_MAX,
} from '../domain/limits.ts';
import { FakeWorld, response } from './fake-world.ts';
import { noSpans, OtlpExporter } from './otlp.ts';
import type { Span } from './span.ts';

const span: Span = {
  traceId: 'a'.repeat(32),
  spanId: 'b'.repeat(16),
  parentSpanId: null,
  name: 'seal',
  kind: 'internal',
  startMs: 1,
  endMs: 2,
  attributes: {},
  error: null,
  link: null,
};
const none = noSpans.dropped;

test('spans are sent together, after a moment', async () => {
  const { world, exporter } = scene();
  exporter.add(span);
  exporter.add(span);
  await world.move(SPANS_EXPORT_MS - 1);
  assert.equal(world.sent.length, 0);
  await world.move(1);
  const [{ request, text }] = world.sent as [(typeof world.sent)[number]];
  assert.equal(request.url, 'http://collector:4318/v1/traces');
  assert.deepEqual(request.headers, { authorization: 'Bearer secret', 'content-type': 'application/json' });
  assert.equal(spansIn(text), 2);
  assert.deepEqual(exporter.counts, { sent: 2, dropped: none });
});

test('enough for an export is sent at once', async () => {
  const { world, exporter } = scene();
  for (let count = 0; count < SPANS_EXPORT_MAX + 1; count++) exporter.add(span);
  await world.move(0);
  assert.deepEqual(
    world.sent.map(({ text }) => spansIn(text)),
    [SPANS_EXPORT_MAX, 1],
  );
});

test('a collector that is away is asked again, then the spans are dropped and counted', async () => {
  const { world, exporter } = scene();
  world.answer = () => Promise.reject(new Error('refused'));
  exporter.add(span);
  await world.move(SPANS_EXPORT_MS);
  assert.deepEqual([world.sent.length, exporter.counts.dropped], [1, none]);
  await world.move(60_000);
  assert.equal(world.sent.length, 3);
  assert.deepEqual(exporter.counts, { sent: 0, dropped: { ...none, unreachable: 1 } });
  assert.deepEqual(world.events, [{ kind: 'spans_dropped', reason: 'unreachable', count: 1 }]);
});

test('one that is busy gets them a moment later', async () => {
  const { world, exporter } = scene();
  world.answer = () => Promise.resolve(response(world.sent.length === 1 ? 503 : 200));
  exporter.add(span);
  await world.move(SPANS_EXPORT_MS + 2_000);
  assert.equal(world.sent.length, 2);
  assert.deepEqual(exporter.counts, { sent: 1, dropped: none });
});

test('one that refuses is not asked again', async () => {
  const { world, exporter } = scene();
  world.answer = () => Promise.resolve(response(401));
  exporter.add(span);
  await world.move(60_000);
  assert.equal(world.sent.length, 1);
  assert.deepEqual(exporter.counts, { sent: 0, dropped: { ...none, refused: 1 } });
});

test('one that takes a part says so', async () => {
  const { world, exporter } = scene();
  world.answer = () => Promise.resolve(response(200, '{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}}'));
  exporter.add(span);
  exporter.add(span);
  await world.move(SPANS_EXPORT_MS);
  assert.deepEqual(exporter.counts, { sent: 1, dropped: { ...none, refused: 1 } });
});

test('one that never answers is given up', async () => {
  const { world, exporter } = scene();
  world.answer = ({ signal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
  exporter.add(span);
  await world.move(SPANS_EXPORT_MS + 3 * SPANS_EXPORT_TIMEOUT_MS + 60_000);
  assert.equal(exporter.counts.dropped.unreachable, 1);
});

test('the queue is bounded; the log hears of it once in a while', async () => {
  const { world, exporter } = scene();
  world.answer = () => new Promise(() => undefined);
  const room = SPANS_QUEUED_MAX + SPANS_EXPORT_MAX;
  for (let count = 0; count < room + 10; count++) exporter.add(span);
  assert.equal(exporter.counts.dropped.queue_full, 10);
  assert.deepEqual(world.events, [{ kind: 'spans_dropped', reason: 'queue_full', count: 1 }]);
  await world.move(SPANS_DROPPED_QUIET_MS - SPANS_EXPORT_TIMEOUT_MS);
  exporter.drop('rate', 1);
  assert.equal(world.events.length, 1);
});

test('closing sends the rest', async () => {
  const { world, exporter } = scene();
  exporter.add(span);
  await exporter.close();
  assert.equal(exporter.counts.sent, 1);
  exporter.add(span);
  await world.move(60_000);
  assert.equal(world.sent.length, 1, 'nothing is taken after the end');
});

test('closing asks a collector that is away once more, at once', async () => {
  const { world, exporter } = scene();
  world.answer = () => Promise.reject(new Error('refused'));
  exporter.add(span);
  await world.move(SPANS_EXPORT_MS);
  await exporter.close();
  assert.equal(world.sent.length, 2);
});

test('closing waits no longer than its bound', async () => {
  const { world, exporter } = scene();
  world.answer = () => new Promise(() => undefined);
  exporter.add(span);
  const closed = exporter.close();
  await world.move(SPANS_CLOSE_MS);
  await closed;
});

function scene(): { world: FakeWorld; exporter: OtlpExporter } {
  const world = new FakeWorld();
  const exporter = new OtlpExporter({
    world,
    url: 'http://collector:4318/v1/traces',
    headers: { authorization: 'Bearer secret' },
    resource: { serviceName: 'nightshift', version: '1', node: 'node_a' },
  });
  return { world, exporter };
}

function spansIn(text: string): number {
  return text.split('"spanId"').length - 1;
}
