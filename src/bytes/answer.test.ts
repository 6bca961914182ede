import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { noUsage } from '../domain/tally.ts';
import { readAnswer } from './answer.ts';
import { mutated, oracle, stringText, valueText } from './json.arbitrary.ts';

function message(body: string): Extract<ReturnType<typeof readAnswer>, { kind: 'message' }> {
  const answer = readAnswer(Buffer.from(body));
  assert.ok(answer.kind === 'message', JSON.stringify(answer));
  return answer;
}

const line = (body: string): string => Buffer.from(message(body).line).toString('utf8');

test('only the tier and line ends are changed', () => {
  const table: readonly [string, string][] = [
    ['{"type":"message"}', '{"type":"message"}'],
    ['{"type":"message","usage":null}', '{"type":"message","usage":null}'],
    ['{"type":"message","usage":{}}', '{"type":"message","usage":{"service_tier":"batch"}}'],
    ['{"type":"message","usage":{ "a":1 } }', '{"type":"message","usage":{ "a":1 ,"service_tier":"batch"} }'],
    [
      '{"usage":{"service_tier":"standard","a":1e400},"type":"message"}',
      '{"usage":{"service_tier":"batch","a":1e400},"type":"message"}',
    ],
    ['{"usage":{"service_tier" : null},"type":"message"}', '{"usage":{"service_tier" : "batch"},"type":"message"}'],
    ['{"usage":{"service_tier":{"a":[]}},"type":"message"}', '{"usage":{"service_tier":"batch"},"type":"message"}'],
    ['{"service_tier":"standard","type":"message"}', '{"service_tier":"standard","type":"message"}'],
    ['{\r\n  "type": "message",\n  "text": "a\\nb"\r}\n', '{  "type": "message",  "text": "a\\nb"}'],
    [
      '{"t\\u0079pe":"mess\\u0061ge","\\u0075sage":{}}',
      '{"t\\u0079pe":"mess\\u0061ge","\\u0075sage":{"service_tier":"batch"}}',
    ],
    ['{"type":"error","type":"message"}', '{"type":"error","type":"message"}'],
    [
      '{"type":"message","usage":{"service_tier":"a"},"usage":{"service_tier":"b","service_tier":"c"}}',
      '{"type":"message","usage":{"service_tier":"a"},"usage":{"service_tier":"b","service_tier":"batch"}}',
    ],
  ];
  for (const [body, expected] of table) assert.equal(line(body), expected);
});

test('an answer that needs no change is passed on without a copy', () => {
  const bytes = Buffer.from('{"type":"message","usage":{"service_tier":"batch"}}');
  const answer = readAnswer(bytes);
  assert.ok(answer.kind === 'message' && answer.line === bytes);
});

test('the facts of an answer are read', () => {
  const answer =
    message(`{"id":"msg_1","type":"message","model":"claude-haiku-4-5-20251001","content":[{"type":"text","text":"{\\"type\\":"}],
    "stop_reason":"end_turn","usage":{"input_tokens":16,"output_tokens":5,"cache_creation_input_tokens":7,"cache_read_input_tokens":8,
    "cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":4},"service_tier":"standard"}}`);
  assert.equal(answer.model, 'claude-haiku-4-5-20251001');
  assert.equal(answer.stopReason, 'end_turn');
  assert.deepEqual(answer.usage, {
    inputTokens: 16,
    outputTokens: 5,
    cacheCreationInputTokens: 7,
    cacheReadInputTokens: 8,
    cacheCreation1hInputTokens: 4,
  });
});

test('what is missing or no count counts nothing', () => {
  const bare = message('{"type":"message","stop_reason":null,"model":7}');
  assert.deepEqual([bare.model, bare.stopReason, bare.usage], ['', null, noUsage]);
  for (const count of ['null', '-1', '-0', '1.5', '1e400', '9007199254740993', '"5"', '[5]', '{}', 'true']) {
    assert.deepEqual(
      message(`{"type":"message","usage":{"input_tokens":${count},"cache_creation":${count}}}`).usage,
      noUsage,
      count,
    );
  }
  assert.equal(message('{"type":"message","usage":{"input_tokens":1e3}}').usage.inputTokens, 1000);
});

test('garbage says why', () => {
  const table: readonly [string, RegExp][] = [
    ['', /Expecting value \(byte 0\)/],
    ['<html>', /Expecting value/],
    ['{"type":"message"', /Expecting ',' delimiter/],
    ['{"type":"message"}{}', /Extra data/],
    ['\ufeff{"type":"message"}', /Expecting value/],
    ['"message"', /not a JSON object/],
    ['[{"type":"message"}]', /not a JSON object/],
    ['{}', /not of type message/],
    ['{"type":["message"]}', /not of type message/],
    ['{"type":"message","type":"error"}', /not of type message/],
    ['{"a":{"type":"message"}}', /not of type message/],
  ];
  for (const [body, reason] of table) {
    const answer = readAnswer(Buffer.from(body));
    assert.ok(answer.kind === 'garbage', body);
    assert.match(answer.reason, reason);
  }
  const cutRune = readAnswer(Buffer.from('7b2274797065223a226d657373616765222c2261223a22f09f227d', 'hex'));
  assert.ok(cutRune.kind === 'garbage' && /UTF-8/.test(cutRune.reason));
});

const usage = fc.oneof(
  valueText,
  fc
    .array(fc.tuple(fc.constantFrom('"service_tier"', '"input_tokens"', '"service\\u005ftier"'), valueText), {
      maxLength: 4,
    })
    .map((entries) => `{${entries.map((entry) => entry.join(':')).join(',')}}`),
);
const answerText = fc
  .array(fc.oneof(fc.tuple(stringText, valueText), fc.tuple(fc.constant('"usage"'), usage)), { maxLength: 5 })
  .map((entries) => `{${[...entries, ['"type"', '"message"']].map((entry) => entry.join(' :\n')).join('\r\n,')}}`);

test('an answer means the same afterwards, but for its tier', () => {
  fc.assert(
    fc.property(mutated(answerText), (bytes) => {
      const original = Buffer.from(bytes);
      const answer = readAnswer(bytes);
      assert.deepEqual(bytes, original);
      const parsed = oracle(bytes)?.value as Record<string, unknown> | undefined | null;
      const isMessage =
        typeof parsed === 'object' && parsed !== null && parsed.type === 'message' && Object.hasOwn(parsed, 'type');
      assert.equal(answer.kind, isMessage ? 'message' : 'garbage');
      if (answer.kind === 'garbage' || !isMessage) return;
      const given = parsed.usage;
      if (typeof given === 'object' && given !== null && !Array.isArray(given))
        Object.assign(given, { service_tier: 'batch' });
      const written = Buffer.from(answer.line).toString('utf8');
      assert.doesNotMatch(written, /[\r\n]/);
      assert.deepEqual(JSON.parse(written), parsed);
    }),
    { numRuns: 1_000 },
  );
});
