// Golden pairs: what a chat completion becomes, row by row of the table of translation and of the bugs others shipped.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RAW_ARGUMENTS, UNSIGNED } from './completion.ts';
import { profiles } from './profile.ts';
import { toChat, type AnswerContext } from './request.ts';
import { fromChat, inputText } from './response.ts';

type Json = Readonly<Record<string, unknown>>;

const context: AnswerContext = toChat(
  { model: 'asked', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }], stop_sequences: ['END'] },
  profiles.generic,
).context;
const usage = { prompt_tokens: 10, completion_tokens: 4, total_tokens: 14 };

function completion(message: Json, choice: Json = {}, rest: Json = {}): Buffer {
  const choices = [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: 'stop', ...choice }];
  return Buffer.from(
    JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion', model: 'answered', choices, usage, ...rest }),
  );
}

function translated(bytes: Buffer, changes: Partial<AnswerContext> = {}) {
  const answer = fromChat(bytes, { context: { ...context, ...changes }, tier: 'batch' });
  assert.ok(answer.kind === 'message', JSON.stringify(answer));
  assert.ok(!answer.line.includes(0x0a), 'one line');
  return { ...answer, message: JSON.parse(answer.line.toString()) as Json & { readonly content: readonly Json[] } };
}

const call = (changes: Json = {}, called: Json = {}): Json => ({
  id: 'call_1',
  type: 'function',
  function: { name: 'look', arguments: '{"b":1,"a":2}', ...called },
  ...changes,
});
const use = { type: 'tool_use', id: 'call_1', name: 'look', input: { b: 1, a: 2 } };
const text = { type: 'text', text: 'Hello' };

test('a message, whole', () => {
  const { message, model } = translated(completion({ content: 'Hello', refusal: null, annotations: [] }));
  const { id, ...rest } = message as Json;
  assert.match(String(id), /^msg_01[0-9A-Za-z]{22}$/);
  assert.deepEqual(rest, {
    model: 'answered',
    type: 'message',
    role: 'assistant',
    content: [text],
    stop_reason: 'end_turn',
    stop_sequence: null,
    stop_details: null,
    usage: {
      input_tokens: 10,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
      output_tokens: 4,
      service_tier: 'batch',
      inference_geo: 'not_available',
    },
  });
  assert.equal(model, 'answered');
  assert.equal(translated(completion({ content: 'Hello', refusal: null, annotations: [] })).message['id'], id);
  assert.notEqual(translated(completion({ content: 'Other' })).message['id'], id);
});

describe('content', () => {
  const golden: readonly (readonly [what: string, message: Json, content: readonly unknown[]])[] = [
    ['an empty text is no block', { content: '' }, []],
    ['nor is null', { content: null }, []],
    [
      'reasoning comes first',
      { content: 'Hello', reasoning: 'hm' },
      [{ type: 'thinking', thinking: 'hm', signature: UNSIGNED }, text],
    ],
    [
      'under its other name',
      { content: 'Hello', reasoning_content: 'hm' },
      [{ type: 'thinking', thinking: 'hm', signature: UNSIGNED }, text],
    ],
    [
      'content in parts',
      {
        content: [
          { type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] },
          { type: 'text', text: 'Hel' },
          { type: 'text', text: 'lo' },
        ],
      },
      [{ type: 'thinking', thinking: 'hm', signature: UNSIGNED }, text],
    ],
    ['a tool call', { content: null, tool_calls: [call()] }, [use]],
    ['text and a tool call', { content: 'Hello', tool_calls: [call()] }, [text, use]],
    ['ids are made plain', { tool_calls: [call({ id: 'functions.look:0' })] }, [{ ...use, id: 'functions_look_0' }]],
    ['ids are never twice', { tool_calls: [call(), call()] }, [use, { ...use, id: 'call_1_2' }]],
    ['no arguments are none', { tool_calls: [call({}, { arguments: '' })] }, [{ ...use, input: {} }]],
    [
      'arguments that are an object',
      { tool_calls: [call({}, { arguments: { b: 1 } })] },
      [{ ...use, input: { b: 1 } }],
    ],
    [
      'arguments that are not JSON are kept raw',
      { tool_calls: [call({}, { arguments: '{"b":' })] },
      [{ ...use, input: { [RAW_ARGUMENTS]: '{"b":' } }],
    ],
    [
      'arguments that are no object are kept raw',
      { tool_calls: [call({}, { arguments: '[1]' })] },
      [{ ...use, input: { [RAW_ARGUMENTS]: '[1]' } }],
    ],
    ['a refusal is what was said', { content: null, refusal: 'No.' }, [{ type: 'text', text: 'No.' }]],
  ];
  for (const [what, message, content] of golden) {
    test(what, () => assert.deepEqual(translated(completion(message)).message.content, content));
  }

  test('an id that is missing is made', () => {
    const [{ id }] = translated(completion({ tool_calls: [call({ id: '' })] })).message.content as readonly {
      id: string;
    }[];
    assert.match(id, /^toolu_01/);
  });
  test('the call of older servers', () => {
    const { message } = translated(
      completion({ function_call: { name: 'look', arguments: '{"b":1,"a":2}' } }, { finish_reason: 'function_call' }),
    );
    assert.equal(message['stop_reason'], 'tool_use');
    assert.deepEqual(message.content[0]?.['input'], use.input);
  });
  test('arguments keep their numbers and their order, in one line', () => {
    assert.equal(inputText('{"10":9007199254740993,\n"2":1.0}'), '{"10":9007199254740993,"2":1.0}');
  });
  test('thinking that was not to be shown is empty', () => {
    const { message } = translated(completion({ content: 'Hello', reasoning: 'hm' }), { hidesThinking: true });
    assert.deepEqual(message.content[0], { type: 'thinking', thinking: '', signature: UNSIGNED });
  });
  test('what the answer was to go on from is not said again', () => {
    assert.deepEqual(translated(completion({ content: 'Well, yes' }), { echo: 'Well' }).message.content, [
      { type: 'text', text: ', yes' },
    ]);
    assert.deepEqual(translated(completion({ content: 'Yes' }), { echo: 'Well' }).message.content, [
      { type: 'text', text: 'Yes' },
    ]);
  });
  test('mapped names of tools come back', () => {
    const tools = [{ name: 'a.b', input_schema: { type: 'object' } }];
    const asked = toChat(
      { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'x' }], tools },
      profiles.openai,
    );
    const sent = (asked.body['tools'] as { function: { name: string } }[])[0]?.function.name;
    const answer = translated(completion({ tool_calls: [call({}, { name: sent })] }), { names: asked.context.names });
    assert.equal(answer.message.content[0]?.['name'], 'a.b');
  });
});

describe('why it stopped', () => {
  const refusal = (explanation: string | null): Json => ({ type: 'refusal', category: null, explanation });
  const golden: readonly (readonly [
    message: Json,
    choice: Json,
    reason: string,
    sequence?: string | null,
    details?: unknown,
  ])[] = [
    [{ content: 'x' }, { finish_reason: 'stop' }, 'end_turn'],
    [{ content: 'x' }, { finish_reason: 'stop', stop_reason: 'END' }, 'stop_sequence', 'END'],
    [{ content: 'x' }, { finish_reason: 'stop', matched_stop: 'END' }, 'stop_sequence', 'END'],
    [{ content: 'x' }, { finish_reason: 'stop', stop_reason: 128_009 }, 'end_turn'],
    [{ content: 'x' }, { finish_reason: 'stop', stop_reason: 'unasked' }, 'end_turn'],
    [{ content: 'x' }, { finish_reason: 'length' }, 'max_tokens'],
    [{ tool_calls: [call()] }, { finish_reason: 'tool_calls' }, 'tool_use'],
    [{ tool_calls: [call()] }, { finish_reason: 'stop' }, 'tool_use'],
    [{ tool_calls: [call({}, { arguments: '{"a":' })] }, { finish_reason: 'length' }, 'max_tokens'],
    [{ content: 'x' }, { finish_reason: 'tool_calls' }, 'end_turn'],
    [{ content: 'x' }, { finish_reason: 'content_filter' }, 'refusal', null, refusal(null)],
    [{ content: null, refusal: 'No.' }, { finish_reason: 'stop' }, 'refusal', null, refusal('No.')],
    [{ content: 'x' }, { finish_reason: 'some_new_reason' }, 'end_turn'],
    [{ content: 'x' }, { finish_reason: null }, 'end_turn'],
  ];
  for (const [message, choice, reason, sequence = null, details = null] of golden) {
    test(`${JSON.stringify(choice)} with ${JSON.stringify(message).slice(0, 30)} is ${reason}`, () => {
      const { message: got } = translated(completion(message, choice));
      assert.deepEqual([got['stop_reason'], got['stop_sequence'], got['stop_details']], [reason, sequence, details]);
    });
  }
});

describe('usage', () => {
  const of = (value: unknown) => translated(completion({ content: 'x' }, {}, { usage: value }));
  const zero = {
    inputTokens: 0,
    outputTokens: 0,
    cacheCreationInputTokens: 0,
    cacheReadInputTokens: 0,
    cacheCreation1hInputTokens: 0,
  };

  test('what was read from a cache is not counted twice', () => {
    const { message, usage: counted } = of({
      ...usage,
      prompt_tokens_details: { cached_tokens: 6, cache_write_tokens: 3 },
    });
    assert.deepEqual(counted, {
      ...zero,
      inputTokens: 1,
      cacheReadInputTokens: 6,
      cacheCreationInputTokens: 3,
      outputTokens: 4,
    });
    const told = message['usage'] as Json;
    assert.deepEqual(told['cache_creation'], { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 0 });
    assert.deepEqual(
      [told['input_tokens'], told['cache_read_input_tokens'], told['cache_creation_input_tokens']],
      [1, 6, 3],
    );
  });
  test('the same, as DeepSeek tells it', () => {
    assert.deepEqual(of({ ...usage, prompt_cache_hit_tokens: 6 }).usage, {
      ...zero,
      inputTokens: 4,
      cacheReadInputTokens: 6,
      outputTokens: 4,
    });
  });
  test('thinking is told, and counted where it was counted beside the completion', () => {
    const within = of({ ...usage, completion_tokens_details: { reasoning_tokens: 3 } });
    assert.equal(within.usage.outputTokens, 4);
    assert.deepEqual((within.message['usage'] as Json)['output_tokens_details'], { thinking_tokens: 3 });
    const beside = of({ ...usage, total_tokens: 17, completion_tokens_details: { reasoning_tokens: 3 } });
    assert.equal(beside.usage.outputTokens, 7);
  });
  test('what is no count counts nothing', () => {
    for (const value of [
      null,
      undefined,
      [],
      'x',
      { prompt_tokens: -1, completion_tokens: 1.5 },
      { prompt_tokens: '7', completion_tokens: 1e300 },
      { prompt_tokens: 9e15, completion_tokens: 2e9 },
    ]) {
      assert.deepEqual(of(value).usage, zero);
    }
    assert.equal(of({ ...usage, prompt_tokens_details: { cached_tokens: 99 } }).usage.inputTokens, 0);
  });
});

test('an answer that names no model is from the one asked', () => {
  assert.equal(translated(completion({ content: 'x' }, {}, { model: undefined })).model, 'asked');
});

test('what is no completion is garbage, with the server’s words where it has some', () => {
  const garbage: readonly (readonly [body: string, reason: RegExp])[] = [
    ['<html>', /not valid JSON/],
    ['', /not valid JSON/],
    ['[]', /not a JSON object/],
    ['null', /not a JSON object/],
    ['{}', /not a chat completion/],
    ['{"choices":[]}', /not a chat completion/],
    ['{"choices":[{"text":"x"}]}', /not a chat completion/],
    ['{"error":{"message":"overloaded, try later","code":502}}', /overloaded, try later/],
    [completion({ content: 'x' }, { finish_reason: 'error' }).toString(), /ended with "error"/],
    [completion({ content: 'x' }).toString().slice(0, -5), /not valid JSON/],
    [completion({ tool_calls: [call(), call({}, { name: null })] }).toString(), /a tool call without a name/],
    [completion({ tool_calls: [{ id: 'call_1' }] }).toString(), /a tool call without a name/],
  ];
  for (const [body, reason] of garbage) {
    const answer = fromChat(Buffer.from(body), { context, tier: 'batch' });
    assert.ok(answer.kind === 'garbage', body);
    assert.match(answer.reason, reason);
  }
});

test('half a character in arguments stays half a character', () => {
  const halves = '{"\ud800":"a\udfff\\ud83d","whole":"🚀"}';
  const { message } = translated(completion({ tool_calls: [call({}, { arguments: halves })] }));
  assert.deepEqual(message.content[0]?.['input'], { '\ud800': 'a\udfff\ud83d', whole: '🚀' });
});

test('thousands of calls with one id take no time of all the other calls', () => {
  const calls = Array.from({ length: 20_000 }, () => call());
  const before = process.cpuUsage();
  const { message } = translated(completion({ tool_calls: calls }));
  const { user } = process.cpuUsage(before);
  assert.equal(new Set(message.content.map(({ id }) => id)).size, calls.length);
  // It took nine seconds where each was counted from two.
  assert.ok(user < 2_000_000, `${user} µs`);
});
