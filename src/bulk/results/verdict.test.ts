// What each line means: the table of states, the two-level error, and lines that are nobody's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { customIdOf } from '../../submit-once/custom-id.ts';
import { isBlocking, seqOfNonce, verdictOf, type LineRead } from './verdict.ts';

const nonce = 'abcdefghijklmnop';
const customId = customIdOf({ nonce, seq: 41, key: 'row 41' });
const place = { batchId: 'msgbatch_1', frameOffset: 0, offset: 0, bytes: 1 };

function read(line: string, complaintOf: ((text: string) => string | null) | null = null): LineRead {
  return verdictOf({ line: Buffer.from(line), place, seqOf: seqOfNonce(nonce), complaintOf });
}

function lineOf(result: unknown): string {
  return JSON.stringify({ custom_id: customId, result });
}

function message(changes: object): object {
  const usage = {
    input_tokens: 16,
    cache_creation_input_tokens: 3,
    cache_read_input_tokens: 2,
    cache_creation: { ephemeral_5m_input_tokens: 1, ephemeral_1h_input_tokens: 2 },
    output_tokens: 5,
    service_tier: 'batch',
  };
  const content = [{ type: 'text', text: 'a"}]{' }];
  return {
    type: 'succeeded',
    message: {
      model: 'claude-haiku-4-5-20251001',
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      content,
      stop_reason: 'end_turn',
      stop_sequence: null,
      usage,
      ...changes,
    },
  };
}

function errored(type: string): object {
  return {
    type: 'errored',
    error: {
      type: 'error',
      error: { details: { error_visibility: 'user_facing' }, type, message: `m: ${type}` },
      request_id: null,
    },
  };
}

const states: readonly (readonly [string, object, string])[] = [
  ['end_turn', message({}), 'ok'],
  ['stop_sequence', message({ stop_reason: 'stop_sequence' }), 'ok'],
  ['tool_use', message({ stop_reason: 'tool_use' }), 'ok'],
  ['a reason of the future', message({ stop_reason: 'nap' }), 'ok'],
  ['max_tokens', message({ stop_reason: 'max_tokens' }), 'truncated'],
  ['the context window', message({ stop_reason: 'model_context_window_exceeded' }), 'truncated'],
  ['refusal', message({ stop_reason: 'refusal' }), 'refused'],
  ['pause_turn', message({ stop_reason: 'pause_turn' }), 'incomplete'],
  ['invalid_request_error', errored('invalid_request_error'), 'rejected'],
  ['not_found_error', errored('not_found_error'), 'rejected'],
  ['request_too_large', errored('request_too_large'), 'rejected'],
  ['api_error', errored('api_error'), 'errored'],
  ['overloaded_error', errored('overloaded_error'), 'errored'],
  ['timeout_error', errored('timeout_error'), 'errored'],
  ['rate_limit_error', errored('rate_limit_error'), 'errored'],
  ['billing_error', errored('billing_error'), 'errored'],
  ['an error of the future', errored('new_error'), 'errored'],
  ['expired', { type: 'expired' }, 'expired'],
  ['canceled', { type: 'canceled' }, 'canceled'],
];

for (const [name, result, state] of states) {
  test(`${name} is ${state}`, () => {
    const line = read(lineOf(result));
    assert.ok(line.kind === 'verdict');
    assert.deepEqual([line.verdict.seq, line.verdict.state, line.verdict.raw], [41, state, place]);
  });
}

test('an answer carries its model and usage; an error its inner type and message', () => {
  const answer = read(lineOf(message({})));
  assert.ok(answer.kind === 'verdict');
  const usage = {
    inputTokens: 16,
    outputTokens: 5,
    cacheCreationInputTokens: 3,
    cacheReadInputTokens: 2,
    cacheCreation1hInputTokens: 2,
  };
  assert.deepEqual(
    [answer.verdict.model, answer.verdict.usage, answer.verdict.error],
    ['claude-haiku-4-5-20251001', usage, null],
  );
  const error = read(lineOf(errored('invalid_request_error')));
  assert.ok(error.kind === 'verdict');
  assert.deepEqual(
    [error.verdict.error, error.verdict.usage],
    [{ type: 'invalid_request_error', message: 'm: invalid_request_error' }, null],
  );
  const flat = read(lineOf({ type: 'errored', error: { type: 'api_error', message: 'flat' } }));
  assert.deepEqual(flat.kind === 'verdict' && flat.verdict.error, { type: 'api_error', message: 'flat' });
  const bare = read(lineOf({ type: 'errored' }));
  assert.deepEqual(bare.kind === 'verdict' && bare.verdict.error, { type: 'unknown_error', message: '' });
  assert.deepEqual(['billing_error', 'api_error'].map(isBlocking), [true, false]);
});

test('an answer that does not fit the schema is invalid, with the complaint; one that was cut is not looked at', () => {
  const seen: string[] = [];
  const complaintOf = (text: string) => (seen.push(text), 'no label');
  const invalid = read(lineOf(message({})), complaintOf);
  assert.ok(invalid.kind === 'verdict');
  assert.deepEqual(
    [invalid.verdict.state, invalid.verdict.error],
    ['invalid', { type: 'schema', message: 'no label' }],
  );
  const cut = read(lineOf(message({ stop_reason: 'max_tokens' })), complaintOf);
  assert.equal(cut.kind === 'verdict' && cut.verdict.state, 'truncated');
  read(
    lineOf(message({ content: [{ type: 'tool_use', id: 't', name: 'give_answer', input: { x: 1 } }] })),
    complaintOf,
  );
  assert.deepEqual(seen, ['a"}]{', '{"x":1}']);
});

test('any spacing and order of members is read', () => {
  const line = ` { "result" : ${JSON.stringify(message({}), null, 1).replaceAll('\n', ' ')} , "custom_\\u0069d" : "${customId}" }\r`;
  const spaced = read(line);
  assert.equal(spaced.kind === 'verdict' && spaced.verdict.state, 'ok');
});

test('strangers and lines that are none are told apart', () => {
  for (const id of ['mine-1', customIdOf({ nonce: 'ponmlkjihgfedcba', seq: 1, key: '' }), '', 'x"y']) {
    assert.deepEqual(read(JSON.stringify({ custom_id: id, result: { type: 'expired' } })), {
      kind: 'stranger',
      customId: id,
    });
  }
  for (const line of [
    '',
    '[]',
    '{',
    '{"custom_id":"',
    '{"custom_id":"a"}',
    '{"result":{}}',
    lineOf({ type: 'nope' }),
    lineOf({ type: 'succeeded' }),
    '{"custom_id":1,"result":{}}',
    'null',
  ]) {
    assert.equal(read(line).kind, 'garbage', line);
  }
});

test('no line, cut or changed anywhere, is read wrongly: it is garbage, or what JSON.parse says', () => {
  const line = lineOf(message({}));
  fc.assert(
    fc.property(
      fc.nat(line.length),
      fc.constantFrom('', '"', '{', '}', ',', 'x', '\\'),
      fc.boolean(),
      (at, put, cut) => {
        const changed = line.slice(0, at) + put + (cut ? '' : line.slice(at + 1));
        const found = read(changed);
        let parsed: { custom_id?: unknown } | null = null;
        try {
          parsed = JSON.parse(changed);
        } catch {}
        if (parsed === null) assert.equal(found.kind, 'garbage');
        if (found.kind === 'stranger') assert.equal(found.customId, parsed!.custom_id);
        if (found.kind === 'verdict') assert.equal(found.verdict.seq, seqOfNonce(nonce)(String(parsed!.custom_id)));
      },
    ),
    { numRuns: 1_000 },
  );
});
