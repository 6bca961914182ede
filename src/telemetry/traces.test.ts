import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { TRACED_FAILURES_PER_SECOND } from '../domain/limits.ts';
import type { NightshiftEvent } from './events.ts';
import { FakeWorld, startWallMs } from './fake-world.ts';
import type { Span } from './span.ts';
import { createTraces } from './traces.ts';

const batchId = 'msgbatch_01a';
const hash = createHash('sha256').update(batchId).digest('hex');
const traceId = hash.slice(0, 32);
const rootId = hash.slice(32, 48);

const created: NightshiftEvent = {
  kind: 'batch_created',
  batchId,
  workspaceId: 'wrkspc_01b',
  requests: 3,
  bytes: 900,
  durationMs: 12.5,
  repeated: false,
};
const attempt: NightshiftEvent = {
  kind: 'attempt',
  batchId,
  upstream: 'local',
  model: 'm',
  end: 'succeeded',
  status: 200,
  durationMs: 40,
};
const sealed: NightshiftEvent = { kind: 'sealed', batchId, lines: 3, bytes: 700, durationMs: 9 };
const ended: NightshiftEvent = { kind: 'batch_ended', batchId, requests: 3, durationMs: 1_000 };

/** What the spans of a batch have in common; the second id is the first drawn by chance. */
const inherited = {
  traceId,
  spanId: '01'.repeat(8),
  parentSpanId: rootId,
  kind: 'internal',
  endMs: startWallMs,
  error: null,
  link: null,
};

test('a create is the root', () => {
  assert.deepEqual(traced([created]).spans, [
    {
      ...inherited,
      spanId: rootId,
      parentSpanId: null,
      name: 'create',
      kind: 'server',
      startMs: startWallMs - 12.5,
      attributes: {
        'nightshift.batch.id': batchId,
        'nightshift.workspace.id': 'wrkspc_01b',
        'nightshift.batch.requests': 3,
        'nightshift.batch.bytes': 900,
        'nightshift.batch.repeated': false,
      },
    },
  ]);
});

test("a create is linked to its caller's trace", () => {
  const [trace, span] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
  const { spans } = traced([{ ...created, traceparent: `00-${trace}-${span}-01` }]);
  assert.deepEqual(spans[0]?.link, { traceId: trace, spanId: span });
  assert.equal(spans[0]?.traceId, traceId);
});

test('a create that found its batch again is a child of the first', () => {
  const [again] = traced([{ ...created, repeated: true }]).spans;
  assert.equal(again?.parentSpanId, rootId);
  assert.notEqual(again?.spanId, rootId);
});

test('an attempt is a call to an upstream', () => {
  const attributes = {
    'nightshift.batch.id': batchId,
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'local',
    'gen_ai.request.model': 'm',
    'http.response.status_code': 200,
    'error.type': null,
    'nightshift.attempt.end': 'succeeded',
  };
  const expected = { ...inherited, name: 'attempt', kind: 'client', startMs: startWallMs - 40, attributes };
  assert.deepEqual(traced([attempt]).spans, [expected]);
});

test('an attempt that failed says how', () => {
  const [span] = traced([{ ...attempt, end: 'throttled', status: 429 }]).spans;
  assert.equal(span?.error, 'throttled');
  assert.equal(span?.attributes['error.type'], 'throttled');
  assert.equal(span?.attributes['http.response.status_code'], 429);
});

test('a seal, and the batch as a whole', () => {
  const expected = [
    {
      ...inherited,
      name: 'seal',
      startMs: startWallMs - 9,
      attributes: { 'nightshift.batch.id': batchId, 'nightshift.seal.lines': 3, 'nightshift.seal.bytes': 700 },
    },
    {
      ...inherited,
      spanId: '02'.repeat(8),
      name: 'batch',
      startMs: startWallMs - 1_000,
      attributes: { 'nightshift.batch.id': batchId, 'nightshift.batch.requests': 3 },
    },
  ];
  assert.deepEqual(traced([sealed, ended]).spans, expected);
});

test('of the attempts that succeeded a share is traced, chosen by chance', () => {
  assert.equal(traced([attempt], { ratio: 0.01, chance: 0.0099 }).spans.length, 1);
  assert.equal(traced([attempt], { ratio: 0.01, chance: 0.01 }).spans.length, 0);
  assert.equal(traced([attempt], { ratio: 0, chance: 0 }).spans.length, 0);
  assert.equal(traced([attempt], { ratio: 1, chance: 0.999 }).spans.length, 1);
});

test('attempts that failed are all traced, up to a rate', async () => {
  const world = new FakeWorld();
  const spans: Span[] = [];
  let dropped = 0;
  const exporter = { add: (span: Span) => void spans.push(span), drop: () => void dropped++ };
  const observe = createTraces({ world, exporter, attemptsRatio: 0 });
  for (let count = 0; count < TRACED_FAILURES_PER_SECOND + 7; count++) observe({ ...attempt, end: 'unpaid' });
  assert.deepEqual([spans.length, dropped], [TRACED_FAILURES_PER_SECOND, 7]);
  await world.move(1_000);
  observe({ ...attempt, end: 'unpaid' });
  assert.equal(spans.length, TRACED_FAILURES_PER_SECOND + 1);
});

test('other events are no spans', () => {
  assert.deepEqual(traced([{ kind: 'stopped' }, { kind: 'storage_full', what: 'journal' }]).spans, []);
});

function traced(
  events: readonly NightshiftEvent[],
  { ratio = 1, chance = 0.5 }: { ratio?: number; chance?: number } = {},
): { spans: readonly Span[] } {
  const world = new FakeWorld();
  world.chanceNext = chance;
  const spans: Span[] = [];
  const exporter = { add: (span: Span) => void spans.push(span), drop: () => undefined };
  const observe = createTraces({ world, exporter, attemptsRatio: ratio });
  for (const event of events) observe(event);
  return { spans };
}
