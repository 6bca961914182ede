// Whatever is asked of the simulator is answered: with a message or with an error of the API, and never by throwing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSimulator } from './simulator.ts';

const json = fc.jsonValue({ maxDepth: 3 });
/** Mostly what belongs there, sometimes anything. */
const or = <T>(usual: fc.Arbitrary<T>): fc.Arbitrary<unknown> => fc.oneof({ weight: 4, arbitrary: usual }, json);
const control = or(fc.record({ type: fc.constant('ephemeral'), ttl: fc.constantFrom('5m', '1h') }));
const schema = or(
  fc.record(
    {
      type: or(fc.constantFrom('object', 'array', 'string', 'integer', 'number')),
      properties: or(fc.dictionary(fc.string(), json)),
      required: json,
      items: json,
      anyOf: json,
      enum: json,
      pattern: or(fc.string()),
      minLength: json,
      minItems: or(fc.nat(20)),
      $ref: or(fc.constantFrom('#', '#/properties/a', '#/%E0%A4%A')),
    },
    { requiredKeys: [] },
  ),
);
const block = or(
  fc.record(
    {
      type: or(fc.constantFrom('text', 'tool_result', 'thinking')),
      text: or(fc.string()),
      cache_control: control,
      content: json,
    },
    { requiredKeys: ['type'] },
  ),
);
const text = fc.oneof(
  fc.string(),
  fc.constantFrom('weather', '[[simulate:tokens 9]]', '[[simulate:stop_sequence]]', '[[simulate:tool x]]'),
);
const message = or(
  fc.record({
    role: or(fc.constantFrom('user', 'assistant', 'tool', 'system')),
    content: or(fc.oneof(text, fc.array(block, { maxLength: 3 }))),
    tool_calls: json,
  }),
);
const tool = or(
  fc.record(
    {
      name: or(fc.constantFrom('weather', 'x')),
      input_schema: schema,
      type: json,
      cache_control: control,
      function: or(fc.record({ name: or(fc.constant('x')), parameters: schema })),
    },
    { requiredKeys: [] },
  ),
);
const request = fc.record(
  {
    model: or(fc.constant('m')),
    max_tokens: or(fc.integer({ min: 1, max: 3_000 })),
    messages: or(fc.array(message, { minLength: 1, maxLength: 3 })),
    system: or(fc.array(block, { maxLength: 2 })),
    tools: or(fc.array(tool, { maxLength: 3 })),
    tool_choice: or(fc.record({ type: fc.constantFrom('auto', 'any', 'none', 'tool'), name: fc.constant('x') })),
    thinking: or(fc.record({ type: fc.constantFrom('enabled', 'adaptive'), budget_tokens: or(fc.constant(1_024)) })),
    stop_sequences: or(fc.array(fc.string({ minLength: 1 }), { maxLength: 3 })),
    stop: json,
    cache_control: control,
    output_config: or(fc.record({ format: fc.record({ type: fc.constant('json_schema'), schema }) })),
    response_format: or(fc.record({ type: fc.constantFrom('json_schema', 'json_object'), json_schema: json })),
    stream: fc.boolean(),
    stream_options: json,
  },
  { requiredKeys: ['model', 'messages'] },
);

test('property: every request on every path gets an answer that clients can read', () => {
  const simulator = createSimulator({ seed: 1 });
  const paths = [
    '/v1/messages',
    '/v1/messages/count_tokens',
    '/v1/chat/completions',
    '/v1/models/%',
    '/v1/models?limit=x',
  ];
  const seen = new Set<string>();
  fc.assert(
    fc.property(
      request,
      fc.constantFrom(...paths),
      fc.constantFrom('POST', 'POST', 'POST', 'GET'),
      (params, path, method) => {
        const answer = simulator.answer({ method, path, body: Buffer.from(JSON.stringify(params)) });
        assert.ok(answer.kind === 'whole' || answer.kind === 'stream');
        seen.add(`${answer.kind} ${answer.status}`);
        if (answer.kind === 'stream') return;
        const body = JSON.parse(Buffer.from(answer.body).toString()) as { error?: { message: unknown } };
        assert.equal(answer.status >= 400, typeof body.error?.message === 'string');
      },
    ),
    { numRuns: 1_500 },
  );
  for (const kind of ['whole 200', 'stream 200', 'whole 400', 'whole 404', 'whole 405'])
    assert.ok(seen.has(kind), kind);
});

test('property: an answer never passes max_tokens, whatever was asked for', () => {
  const simulator = createSimulator({ seed: 2 });
  const params = fc.record({
    model: fc.constant('m'),
    max_tokens: fc.integer({ min: 1, max: 200 }),
    messages: text.map((content) => [{ role: 'user', content }]),
    tools: fc.array(fc.record({ name: fc.constantFrom('weather', 'x'), input_schema: schema }), { maxLength: 2 }),
    output_config: fc.option(fc.record({ format: fc.record({ type: fc.constant('json_schema'), schema }) })),
    thinking: fc.constant({ type: 'adaptive' }),
    stop_sequences: fc.array(fc.constantFrom('a', 'the', '}'), { maxLength: 1 }),
  });
  fc.assert(
    fc.property(params, (one) => {
      const answer = simulator.answer({ method: 'POST', path: '/v1/messages', body: Buffer.from(JSON.stringify(one)) });
      assert.ok(answer.kind === 'whole');
      if (answer.status !== 200) return;
      const { usage } = JSON.parse(Buffer.from(answer.body).toString()) as { usage: { output_tokens: number } };
      assert.ok(usage.output_tokens >= 1 && usage.output_tokens <= one.max_tokens, `${usage.output_tokens}`);
    }),
    { numRuns: 1_000 },
  );
});
