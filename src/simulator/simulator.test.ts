/** The simulator's promises: the same bytes always, a whole Message for whatever is valid, honest and bounded usage. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSimulator, type SimulatorOptions } from './simulator.ts';

interface AnswerBody {
  readonly type: string;
  readonly model: string;
  readonly id: string;
  readonly role: string;
  readonly content: readonly { readonly type: string; readonly text: string }[];
  readonly stop_reason: string;
  readonly usage: { readonly input_tokens: number; readonly output_tokens: number; readonly service_tier: string };
  readonly error: { readonly type: string; readonly message: string };
  readonly request_id: string;
}

const hello = { model: 'claude-opus-4-6', max_tokens: 1024, messages: [{ role: 'user', content: 'Hello, world' }] };

function bytesOf(params: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(params));
}

function bodyOf(answer: { readonly body: Uint8Array }): AnswerBody {
  return JSON.parse(Buffer.from(answer.body).toString('utf8')) as AnswerBody;
}

function answerTo({ params, ...options }: SimulatorOptions & { readonly params: Uint8Array }) {
  const answer = createSimulator(options).answer({ method: 'POST', path: '/v1/messages', body: params });
  if (answer.kind !== 'whole') throw new Error(`a ${answer.kind} in place of an answer`);
  return answer;
}

function ask(params: unknown): AnswerBody {
  return bodyOf(answerTo({ params: bytesOf(params), seed: 1 }));
}

test('answers with a whole message that says it is simulated and repeats the first words', () => {
  const { model, id, type, role, content, stop_reason, usage, ...rest } = ask(hello);
  assert.equal(model, 'claude-opus-4-6');
  assert.match(id, /^msg_01[0-9A-Za-z]{22}$/);
  assert.deepEqual([type, role, stop_reason], ['message', 'assistant', 'end_turn']);
  assert.match(content[0].text, /^\[simulated\] .*"Hello, world"/);
  assert.deepEqual(usage, {
    input_tokens: 3,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
    output_tokens: Math.ceil(content[0].text.length / 4),
    service_tier: 'standard',
    inference_geo: 'not_available',
  });
  assert.deepEqual(rest, { container: null, stop_sequence: null, stop_details: null, diagnostics: null });
});

test("another seed or another request gets another answer, and the seed 7 is the seed '7'", () => {
  const params = bytesOf(hello);
  const first = bodyOf(answerTo({ params, seed: 7 }));
  assert.deepEqual(bodyOf(answerTo({ params, seed: '7' })), first);
  assert.notEqual(bodyOf(answerTo({ params, seed: 8 })).id, first.id);
  const ids = Array.from(
    { length: 5_000 },
    (_, row) => bodyOf(answerTo({ params: bytesOf({ ...hello, row }), seed: 7 })).id,
  );
  assert.equal(new Set(ids).size, 5_000);
});

test('a tiny max_tokens gets a tiny answer that still ends by itself', () => {
  const stops = [1, 2, 3, 6, 10, 20, 200].map((max_tokens) => {
    const body = ask({ ...hello, max_tokens });
    assert.ok(body.usage.output_tokens <= max_tokens);
    return [body.stop_reason, body.content[0].text.split(' ')[0]];
  });
  assert.deepEqual(stops, [
    ['max_tokens', '[sim'],
    ['end_turn', '[sim]'],
    ['end_turn', '[sim]'],
    ['end_turn', '[simulated]'],
    ['end_turn', '[simulated]'],
    ['end_turn', '[simulated]'],
    ['end_turn', '[simulated]'],
  ]);
});

test('counts system, tools and blocks, and an image by its size on the page', () => {
  const text = 'x'.repeat(400);
  const blocks = [
    { type: 'text', text },
    { type: 'tool_result', tool_use_id: '', content: [{ type: 'text', text }] },
  ];
  assert.equal(ask({ ...hello, system: text, messages: [{ role: 'user', content: blocks }] }).usage.input_tokens, 300);
  const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'A'.repeat(100_000) } };
  assert.equal(ask({ ...hello, messages: [{ role: 'user', content: [image] }] }).usage.input_tokens, 1_600);
});

test('refuses what a Messages API refuses, in its words', () => {
  const { model: _, ...noModel } = hello;
  const { messages: __, ...noMessages } = hello;
  const refused: readonly (readonly [unknown, string])[] = [
    [noModel, 'model: Field required'],
    [noMessages, 'messages: Field required'],
    [{ ...hello, messages: [] }, 'messages: at least one message is required'],
    [{ ...hello, messages: [{ role: 'user' }] }, 'messages.0.content: Field required'],
    [{ ...hello, max_tokens: 0 }, 'max_tokens: must be greater than or equal to 1'],
    [[], 'The request body is not valid JSON: an object was expected.'],
  ];
  for (const [params, message] of refused) {
    const answer = answerTo({ params: bytesOf(params), seed: 1 });
    assert.equal(answer.status, 400);
    const { error, request_id } = bodyOf(answer);
    assert.deepEqual(error, { type: 'invalid_request_error', message });
    assert.equal(request_id, answer.headers['request-id']);
  }
});

test('latency is drawn from the request, around its median, and does not change the words', () => {
  const options = { seed: 1, latencyMs: 100, latencySigma: 0.5 };
  const latencies: number[] = [];
  for (let row = 0; row < 2_001; row += 1) {
    const params = bytesOf({ ...hello, row });
    latencies.push(answerTo({ ...options, params }).latencyMs);
  }
  latencies.sort((one, other) => one - other);
  assert.ok(latencies[1_000] > 92 && latencies[1_000] < 108, `median ${latencies[1_000]}`);
  assert.ok(latencies[0] < 50 && latencies[2_000] > 200);
  const params = bytesOf(hello);
  assert.deepEqual(answerTo({ seed: 1, params }).body, answerTo({ ...options, params }).body);
  assert.equal(answerTo({ seed: 1, latencyMs: 5, params }).latencyMs, 5);
});

const anyText = fc.string({ unit: 'binary', maxLength: 200 });
const anyBlock = fc.oneof(
  fc.record({ type: fc.constant('text'), text: anyText }),
  fc.record({ type: anyText, content: fc.jsonValue() }),
);
const anyMessage = fc.record({
  role: fc.constantFrom('user', 'assistant'),
  content: fc.oneof(anyText, fc.array(anyBlock, { maxLength: 4 })),
});
const anyParams = fc.record({
  model: fc.string({ unit: 'binary', minLength: 1 }),
  max_tokens: fc.integer({ min: 1, max: 300_000 }),
  messages: fc.array(anyMessage, { minLength: 1, maxLength: 4 }),
  system: fc.oneof(anyText, fc.array(anyBlock, { maxLength: 2 })),
  tools: fc.array(fc.jsonValue(), { maxLength: 2 }),
});

test('property: every valid request gets one valid, bounded and repeatable message', () => {
  fc.assert(
    fc.property(anyParams, fc.oneof(fc.integer(), fc.string()), (params, seed) => {
      const bytes = bytesOf(params);
      const answer = answerTo({ params: bytes, seed });
      assert.equal(answer.status, 200);
      // Equal bytes at another place in memory must give equal bytes.
      const moved = Buffer.concat([Buffer.from('x'), bytes]).subarray(1);
      assert.deepEqual(answerTo({ params: moved, seed }), answer);
      const { type, model, content, usage, stop_reason } = bodyOf(answer);
      assert.deepEqual([type, model], ['message', params.model]);
      assert.ok(content[0].text.startsWith('[sim'));
      assert.ok(content[0].text.isWellFormed());
      assert.ok(usage.output_tokens >= 1 && usage.output_tokens <= params.max_tokens);
      assert.ok(usage.input_tokens >= 1);
      assert.equal(stop_reason, params.max_tokens === 1 ? 'max_tokens' : 'end_turn');
      assert.equal(Buffer.from(answer.body).includes('\n'), false);
    }),
    { numRuns: 300 },
  );
});

test('property: garbage is answered with an error body, never thrown at', () => {
  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.jsonValue().map(bytesOf),
    fc
      .record({ model: fc.jsonValue(), messages: fc.jsonValue(), max_tokens: fc.jsonValue() }, { requiredKeys: [] })
      .map(bytesOf),
    fc.constantFrom('[', '{"a":').map((open) => Buffer.from(open.repeat(100_000))),
    fc.constant(
      Buffer.from(
        `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":${'['.repeat(50_000)}${']'.repeat(50_000)}}]}`,
      ),
    ),
  );
  fc.assert(
    fc.property(garbage, (params) => {
      const answer = answerTo({ params, seed: 1 });
      assert.equal(bodyOf(answer).type, answer.status === 200 ? 'message' : 'error');
    }),
    { numRuns: 300 },
  );
});
