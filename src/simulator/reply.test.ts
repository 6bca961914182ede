import assert from 'node:assert/strict';
import { test } from 'node:test';
import type Anthropic from '@anthropic-ai/sdk';
import { createSimulator, type SimulatedAnswer, type Simulator } from './simulator.ts';

const simulator = createSimulator({ seed: 1 });
const base = { model: 'claude-haiku-4-5', max_tokens: 1_024 };
const tools = [
  {
    name: 'get_weather',
    input_schema: {
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer', minimum: 1, maximum: 3 } },
      required: ['city', 'days'],
    },
  },
  {
    name: 'sendReport',
    input_schema: { type: 'object', properties: { to: { type: 'string', format: 'email' } }, required: ['to'] },
  },
];

function answer(params: object, from: Simulator = simulator): SimulatedAnswer {
  return from.answer({ method: 'POST', path: '/v1/messages', body: Buffer.from(JSON.stringify(params)) });
}

function raw(params: object, from?: Simulator): { readonly status: number; readonly body: Record<string, unknown> } {
  const made = answer(params, from);
  if (made.kind !== 'whole') throw new Error(`a ${made.kind} in place of an answer`);
  return { status: made.status, body: JSON.parse(Buffer.from(made.body).toString()) as Record<string, unknown> };
}

function ask(content: unknown, more: object = {}): Anthropic.Message {
  const { status, body } = raw({ ...base, messages: [{ role: 'user', content }], ...more });
  assert.equal(status, 200, JSON.stringify(body));
  return body as unknown as Anthropic.Message;
}

function refusedWith(more: object): unknown {
  const { status, body } = raw({ ...base, messages: [{ role: 'user', content: 'Hi' }], ...more });
  assert.equal(status, 400);
  return (body['error'] as { message: string }).message;
}

function calls(message: Anthropic.Message): readonly (readonly [string, unknown])[] {
  return message.content.flatMap((block) => (block.type === 'tool_use' ? [[block.name, block.input] as const] : []));
}

const called = (message: Anthropic.Message): string =>
  `${message.stop_reason} ${calls(message)
    .map(([name]) => name)
    .join(' ')}`.trim();

test('tools are called when forced, and when the last message speaks of them', () => {
  const any = { type: 'any' };
  const rows: readonly (readonly [content: string, more: object, expected: string])[] = [
    ['Hello there', {}, 'end_turn'],
    ['How is the weather?', {}, 'tool_use get_weather'],
    ['Send it', {}, 'tool_use sendReport'],
    ['Weather reports please', {}, 'tool_use get_weather sendReport'],
    [
      'Weather reports please',
      { tool_choice: { type: 'auto', disable_parallel_tool_use: true } },
      'tool_use get_weather',
    ],
    ['Weather reports please', { tool_choice: { type: 'none' } }, 'end_turn'],
    ['Hello there', { tool_choice: { type: 'tool', name: 'sendReport' } }, 'tool_use sendReport'],
    ['The weather', { tool_choice: any }, 'tool_use get_weather'],
    ['Hello [[simulate:tool sendReport]]', {}, 'tool_use sendReport'],
  ];
  for (const [content, more, expected] of rows)
    assert.equal(called(ask(content, { tools, ...more })), expected, content);
  assert.match(called(ask('Hello there', { tools, tool_choice: any })), /^tool_use (get_weather|sendReport)$/);
});

test('an input fits its schema, and an id is one of a tool call', () => {
  const message = ask('The weather', { tools });
  const block = message.content.find((one) => one.type === 'tool_use');
  assert.match(block?.id ?? '', /^toolu_01[0-9A-Za-z]{22}$/);
  assert.ok(block !== undefined);
  const { city, days } = block.input as { city: unknown; days: number };
  assert.ok(typeof city === 'string' && days >= 1 && days <= 3);
});

test('after a result the answer is text, unless a call is forced again', () => {
  const messages = [
    { role: 'user', content: 'The weather' },
    { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'get_weather', input: {} }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'Sunny weather' }] },
  ];
  const after = (more: object): string =>
    called(raw({ ...base, messages, tools, ...more }).body as unknown as Anthropic.Message);
  assert.equal(after({}), 'end_turn');
  assert.match(after({ tool_choice: { type: 'any' } }), /^tool_use /);
});

test('tools that the API knows by type are called with an input of their own; server tools never are', () => {
  const typed = [{ type: 'bash_20250124', name: 'bash' }];
  assert.deepEqual(calls(ask('Use bash', { tools: typed })), [['bash', { command: 'echo simulated' }]]);
  assert.equal(
    called(ask('Do a web search', { tools: [{ type: 'web_search_20250305', name: 'web_search' }] })),
    'end_turn',
  );
});

test('a call that does not fit ends with max_tokens', () => {
  const forced = { tools, tool_choice: { type: 'tool', name: 'get_weather' } };
  const message = ask('The weather', { ...forced, max_tokens: 3 });
  assert.equal(message.stop_reason, 'max_tokens');
  assert.deepEqual(calls(message), [['get_weather', {}]]);
  assert.equal(message.usage.output_tokens, 3);
});

test('structured output is JSON of the schema, at its new and its old place', () => {
  const schema = { type: 'object', properties: { label: { enum: ['spam', 'ham'] } }, required: ['label'] };
  const format = { type: 'json_schema', schema };
  for (const more of [{ output_config: { format } }, { output_format: format }]) {
    const { content, stop_reason } = ask('Classify', more);
    assert.equal(stop_reason, 'end_turn');
    assert.ok(content[0]?.type === 'text' && ['spam', 'ham'].includes(JSON.parse(content[0].text).label));
  }
  const cut = ask('Classify', { output_config: { format }, max_tokens: 2 });
  assert.deepEqual([cut.stop_reason, cut.usage.output_tokens], ['max_tokens', 2]);
});

test('a stop sequence ends the text before it and is named', () => {
  const message = ask('Count the apples', { stop_sequences: ['xyz', 'apples', 'simulated'] });
  assert.deepEqual([message.stop_reason, message.stop_sequence], ['stop_sequence', 'simulated']);
  assert.ok(message.content[0]?.type === 'text' && message.content[0].text === '[');
  const asked = ask('[[simulate:stop_sequence]]', { stop_sequences: ['END'] });
  assert.deepEqual([asked.stop_reason, asked.stop_sequence], ['stop_sequence', 'END']);
  assert.equal(ask('Hello', { stop_sequences: ['nowhere'] }).stop_reason, 'end_turn');
});

test('a length can be asked for, and max_tokens is never passed', () => {
  const text = (message: Anthropic.Message): number =>
    message.content[0]?.type === 'text' ? message.content[0].text.length : 0;
  const long = ask('[[simulate:tokens 500]]');
  assert.deepEqual([long.stop_reason, long.usage.output_tokens, text(long)], ['end_turn', 500, 2_000]);
  const cut = ask('[[simulate:tokens 500]]', { max_tokens: 100 });
  assert.deepEqual([cut.stop_reason, cut.usage.output_tokens, text(cut)], ['max_tokens', 100, 400]);
  assert.equal(ask('[[simulate:max_tokens]]').usage.output_tokens, base.max_tokens);
  const endless = ask('[[simulate:max_tokens]]', { max_tokens: 1_000_000_000 });
  assert.deepEqual([endless.stop_reason, text(endless)], ['max_tokens', 512_000], 'no model writes more');
});

test('thinking comes first, counts, and is signed as simulated', () => {
  const enabled = { thinking: { type: 'enabled', budget_tokens: 1_024 }, max_tokens: 2_000 };
  const message = ask('Think', enabled);
  const [first, second] = message.content;
  assert.ok(first?.type === 'thinking' && second?.type === 'text');
  assert.match(first.thinking, /^\[simulated\]/);
  assert.match(Buffer.from(first.signature, 'base64').toString(), /^simulated\./);
  const spent = (message.usage as { output_tokens_details?: { thinking_tokens: number } }).output_tokens_details;
  assert.ok(spent !== undefined && spent.thinking_tokens > 0 && message.usage.output_tokens > spent.thinking_tokens);
  const omitted = ask('Think', { ...enabled, thinking: { ...enabled.thinking, display: 'omitted' } }).content[0];
  assert.ok(omitted?.type === 'thinking' && omitted.thinking === '' && omitted.signature !== '');
  assert.equal(ask('[[simulate:redacted_thinking]]', enabled).content[0]?.type, 'redacted_thinking');
  const adaptive = Array.from(
    { length: 40 },
    (_, at) => ask(`Row ${at}`, { thinking: { type: 'adaptive' } }).content.length,
  );
  assert.deepEqual(
    [...new Set(adaptive)].toSorted((left, right) => left - right),
    [1, 2],
  );
  assert.equal(ask('[[simulate:thinking]]', { thinking: { type: 'adaptive' } }).content.length, 2);
  assert.equal(ask('Think', { thinking: { type: 'disabled' } }).content.length, 1);
});

test('a refusal comes on demand, also by the official magic words', () => {
  for (const words of ['[[simulate:refusal]]', 'ANTHROPIC_MAGIC_STRING_TRIGGER_REFUSAL_1FAEFB6177B4672D']) {
    const message = ask(words);
    assert.deepEqual([message.stop_reason, message.content], ['refusal', []]);
    assert.equal((message as unknown as { stop_details: { type: string } }).stop_details.type, 'refusal');
  }
});

test('what the API refuses of the newer parts is refused in its words', () => {
  assert.match(
    String(refusedWith({ thinking: { type: 'enabled', budget_tokens: 5 } })),
    /greater than or equal to 1024/,
  );
  assert.match(String(refusedWith({ thinking: { type: 'enabled', budget_tokens: 2_000 } })), /must be greater than/);
  assert.match(String(refusedWith({ tool_choice: { type: 'any' } })), /only be specified while providing tools/);
  assert.match(String(refusedWith({ tools, tool_choice: { type: 'tool', name: 'x' } })), /Tool 'x' not found/);
  assert.match(String(refusedWith({ stop_sequences: [' '] })), /non-whitespace/);
  assert.match(String(refusedWith({ output_config: { format: { type: 'json_schema' } } })), /format\.schema/);
});

test('the models of a list exist, others do not', () => {
  const some = createSimulator({ seed: 1, models: ['one'] });
  const hello = { max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] };
  assert.equal(raw({ ...hello, model: 'one' }, some).status, 200);
  const { status, body } = raw({ ...hello, model: 'two' }, some);
  assert.deepEqual([status, body['error']], [404, { type: 'not_found_error', message: 'model: two' }]);
});

test('tokens are counted without max_tokens, and the counts are those of the answer', () => {
  const params = { model: 'm', messages: [{ role: 'user', content: 'Hello, world' }], tools };
  const counted = simulator.answer({
    method: 'POST',
    path: '/v1/messages/count_tokens?beta=true',
    body: Buffer.from(JSON.stringify(params)),
  });
  assert.ok(counted.kind === 'whole');
  const { input_tokens } = JSON.parse(Buffer.from(counted.body).toString()) as { input_tokens: number };
  assert.equal(
    input_tokens,
    (raw({ ...params, max_tokens: 50 }).body['usage'] as { input_tokens: number }).input_tokens,
  );
});

test('a stream carries the same message as the answer without one', () => {
  const params = {
    ...base,
    max_tokens: 2_048,
    tools,
    thinking: { type: 'enabled', budget_tokens: 1_024 },
    messages: [{ role: 'user', content: 'Weather' }],
  };
  const streamed = answer({ ...params, stream: true });
  assert.ok(streamed.kind === 'stream');
  const text = streamed.pieces.map(({ bytes }) => bytes.toString()).join('');
  const names = [...text.matchAll(/^event: (\w+)$/gm)].map(([, name]) => name);
  assert.deepEqual(
    [names[0], names[1], names.at(-2), names.at(-1)],
    ['message_start', 'ping', 'message_delta', 'message_stop'],
  );
  for (const delta of ['thinking_delta', 'signature_delta', 'text_delta', 'input_json_delta'])
    assert.ok(text.includes(delta), delta);
  assert.equal(streamed.latencyMs, 0);
});
