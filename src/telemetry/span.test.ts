import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportRequest, type Span } from './span.ts';

const resource = { serviceName: 'nightshift', version: '1.2.3', node: 'node_a' };
const span: Span = {
  traceId: '00112233445566778899aabbccddeeff',
  spanId: '0011223344556677',
  parentSpanId: '8899aabbccddeeff',
  name: 'attempt',
  kind: 'client',
  startMs: 1_800_000_000_000.125,
  endMs: 1_800_000_000_250,
  attributes: { text: 'a', whole: 3, part: 0.5, yes: true, none: null },
  error: 'throttled',
  link: { traceId: 'f'.repeat(32), spanId: 'e'.repeat(16) },
};

test('an export as the OTLP specification writes it in JSON', () => {
  assert.deepEqual(JSON.parse(JSON.stringify(exportRequest(resource, [span]))), {
    resourceSpans: [
      {
        resource: {
          attributes: [
            { key: 'service.name', value: { stringValue: 'nightshift' } },
            { key: 'service.version', value: { stringValue: '1.2.3' } },
            { key: 'service.instance.id', value: { stringValue: 'node_a' } },
          ],
        },
        scopeSpans: [
          {
            scope: { name: 'nightshift', version: '1.2.3' },
            spans: [
              {
                traceId: '00112233445566778899aabbccddeeff',
                spanId: '0011223344556677',
                parentSpanId: '8899aabbccddeeff',
                name: 'attempt',
                kind: 3,
                startTimeUnixNano: '1800000000000125000',
                endTimeUnixNano: '1800000000250000000',
                attributes: [
                  { key: 'text', value: { stringValue: 'a' } },
                  { key: 'whole', value: { intValue: '3' } },
                  { key: 'part', value: { doubleValue: 0.5 } },
                  { key: 'yes', value: { boolValue: true } },
                ],
                links: [{ traceId: 'f'.repeat(32), spanId: 'e'.repeat(16) }],
                status: { code: 2, message: 'throttled' },
              },
            ],
          },
        ],
      },
    ],
  });
});

test('a root without errors or links says nothing of them', () => {
  const text = JSON.stringify(exportRequest(resource, [{ ...span, parentSpanId: null, error: null, link: null }]));
  for (const absent of ['parentSpanId', 'status', 'links']) assert(!text.includes(absent), absent);
});
