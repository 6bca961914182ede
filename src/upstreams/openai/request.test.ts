// Golden pairs: what a Messages request becomes, row by row of the table of translation and of the bugs others shipped.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Json } from './fault.ts';
import { profiles, type ProfileName } from './profile.ts';
import { toChat } from './request.ts';

const hi = { role: 'user', content: 'hi' };
const base = { model: 'm', max_tokens: 9, messages: [hi] };
const tool = { name: 'look', description: 'Looks.', input_schema: { type: 'object', properties: {} } };
const sentTool = {
  type: 'function',
  function: { name: 'look', description: 'Looks.', parameters: { type: 'object', properties: {} } },
};

function body(params: Json, profile: ProfileName = 'generic'): Json {
  return toChat({ ...base, ...params }, profiles[profile]).body;
}

type Golden = readonly [what: string, params: Json, expected: Json, profile?: ProfileName];

const same: readonly Golden[] = [
  ['model, tokens and text', {}, { model: 'm', max_tokens: 9, messages: [hi] }],
  ['OpenAI has another limit of tokens', {}, { max_completion_tokens: 9, max_tokens: undefined }, 'openai'],
  ['stream is not carried by a batch', { stream: false }, { stream: undefined }],
  ['system, a string', { system: 'S' }, { messages: [{ role: 'system', content: 'S' }, hi] }],
  [
    'system for models that reason',
    { model: 'gpt-5.1', system: 'S' },
    { messages: [{ role: 'developer', content: 'S' }, hi] },
    'openai',
  ],
  [
    'system blocks are joined, and stay apart; the header for billing would spoil every cache',
    { system: [text('x-anthropic-billing-header: cc=1'), text('A'), text(''), text('B')] },
    { messages: [{ role: 'system', content: 'A\n\nB' }, hi] },
  ],
  ['an empty system is none', { system: '' }, { messages: [hi] }],
  ['stop sequences', { stop_sequences: ['a', 'b', 'c', 'd'] }, { stop: ['a', 'b', 'c', 'd'] }, 'openai'],
  [
    'more of them elsewhere',
    { stop_sequences: ['a', 'b', 'c', 'd', 'e'] },
    { stop: ['a', 'b', 'c', 'd', 'e'] },
    'vllm',
  ],
  [
    'temperature 0, top_p and top_k',
    { temperature: 0, top_p: 0.5, top_k: 7 },
    { temperature: 0, top_p: 0.5, top_k: 7 },
  ],
  ['tools', { tools: [tool] }, { tools: [sentTool] }],
  [
    '"custom" names the kind, and never leaks into the schema',
    { tools: [{ ...tool, type: 'custom' }] },
    { tools: [sentTool] },
  ],
  [
    'a schema without a type is one of an object',
    { tools: [{ name: 'n', input_schema: {} }] },
    { tools: [{ type: 'function', function: { name: 'n', parameters: { type: 'object' } } }] },
  ],
  [
    'examples stand in the description',
    { tools: [{ ...tool, input_examples: [{ a: 1 }] }] },
    {
      tools: [
        { ...sentTool, function: { ...sentTool.function, description: 'Looks.\n\nExamples of its input:\n{"a":1}' } },
      ],
    },
  ],
  [
    'choice auto',
    { tools: [tool], tool_choice: { type: 'auto' } },
    { tool_choice: 'auto', parallel_tool_calls: undefined },
  ],
  ['choice any', { tools: [tool], tool_choice: { type: 'any' } }, { tool_choice: 'required' }],
  ['choice none', { tools: [tool], tool_choice: { type: 'none' } }, { tool_choice: 'none', tools: [sentTool] }],
  [
    'choice of a tool keeps its name',
    { tools: [tool], tool_choice: { type: 'tool', name: 'look' } },
    { tool_choice: { type: 'function', function: { name: 'look' } } },
  ],
  [
    'llama.cpp cannot be told a name: it gets that tool alone',
    { tools: [tool, { ...tool, name: 'other' }], tool_choice: { type: 'tool', name: 'look' } },
    { tool_choice: 'required', tools: [sentTool] },
    'llama.cpp',
  ],
  [
    'Ollama understands no choice: without tools it calls none',
    { tools: [tool], tool_choice: { type: 'none' } },
    { tools: undefined },
    'ollama',
  ],
  [
    'one call at a time',
    { tools: [tool], tool_choice: { type: 'any', disable_parallel_tool_use: true } },
    { parallel_tool_calls: false, tool_choice: 'required' },
  ],
  ['a choice without tools asks nothing', { tool_choice: { type: 'auto' } }, { tool_choice: undefined }],
  [
    'thinking by budget, low',
    { thinking: { type: 'enabled', budget_tokens: 1024 } },
    { reasoning_effort: 'low' },
    'openai',
  ],
  [
    'thinking by budget, medium',
    { thinking: { type: 'enabled', budget_tokens: 8000 } },
    { reasoning_effort: 'medium' },
  ],
  ['thinking by budget, high', { thinking: { type: 'enabled', budget_tokens: 40_000 } }, { reasoning_effort: 'high' }],
  [
    'adaptive thinking with an effort is never pinned to the lowest',
    { thinking: { type: 'adaptive' }, output_config: { effort: 'xhigh' } },
    { reasoning_effort: 'xhigh' },
    'openai',
  ],
  ['adaptive thinking without one', { thinking: { type: 'adaptive' } }, { reasoning_effort: 'high' }],
  ['effort alone', { output_config: { effort: 'max' } }, { reasoning_effort: 'max' }, 'openai'],
  ['the nearest effort below', { output_config: { effort: 'max' } }, { reasoning_effort: 'high' }, 'vllm'],
  [
    'thinking off where models reason',
    { model: 'gpt-5.1', thinking: { type: 'disabled' } },
    { reasoning_effort: 'none' },
    'openai',
  ],
  [
    'thinking off where they do not',
    { model: 'gpt-4o', thinking: { type: 'disabled' } },
    { reasoning_effort: undefined },
    'openai',
  ],
  [
    'vLLM switches by the template',
    { thinking: { type: 'enabled', budget_tokens: 2000 } },
    { reasoning_effort: 'low', chat_template_kwargs: { enable_thinking: true }, thinking_budget_tokens: undefined },
    'vllm',
  ],
  ['vLLM, off', { thinking: { type: 'disabled' } }, { chat_template_kwargs: { enable_thinking: false } }, 'vllm'],
  [
    'llama.cpp takes the budget itself',
    { thinking: { type: 'enabled', budget_tokens: 2000 } },
    {
      chat_template_kwargs: { enable_thinking: true, reasoning_effort: 'low' },
      thinking_budget_tokens: 2000,
      reasoning_effort: undefined,
    },
    'llama.cpp',
  ],
  ['Ollama thinks unless told not to', {}, { reasoning_effort: 'none' }, 'ollama'],
  [
    'Ollama, asked to think',
    { thinking: { type: 'adaptive' }, output_config: { effort: 'low' } },
    { reasoning_effort: 'low' },
    'ollama',
  ],
  ['elsewhere no word is no word', {}, { reasoning_effort: undefined, chat_template_kwargs: undefined }],
  ['a user id', { metadata: { user_id: 'u1' } }, { safety_identifier: 'u1' }, 'openai'],
  [
    'a long user id is hashed',
    { metadata: { user_id: 'u'.repeat(65) } },
    { safety_identifier: /^[0-9a-f]{64}$/ },
    'openai',
  ],
  [
    'a user id that has no place',
    { metadata: { user_id: 'u1' } },
    { safety_identifier: undefined, user: undefined },
    'vllm',
  ],
  ['service tiers', { service_tier: 'standard_only' }, { service_tier: 'default' }, 'openai'],
  ['a tier elsewhere', { service_tier: 'auto' }, { service_tier: undefined }],
  [
    'what asks for nothing',
    {
      cache_control: { type: 'ephemeral' },
      mcp_servers: [],
      container: null,
      speed: 'standard',
      inference_geo: 'global',
    },
    { cache_control: undefined },
  ],
];

function text(value: string): Json {
  return { type: 'text', text: value };
}

describe('a request', () => {
  for (const [what, params, expected, profile] of same) {
    test(`${what}${profile === undefined ? '' : ` (${profile})`}`, () => {
      const sent = JSON.parse(JSON.stringify(body(params, profile))) as Json;
      for (const [name, value] of Object.entries(expected)) {
        if (value instanceof RegExp) assert.match(String(sent[name]), value);
        else assert.deepEqual(sent[name], value, name);
      }
    });
  }
});

const strictSchema = {
  type: 'object',
  properties: {
    a: { type: 'array', items: { type: 'object', properties: {}, required: [], additionalProperties: false } },
  },
  required: ['a'],
  additionalProperties: false,
};

describe('structured output', () => {
  const formatOf = (schema: Json, profile: ProfileName = 'openai'): unknown =>
    body({ output_config: { format: { type: 'json_schema', schema } } }, profile)['response_format'];

  test('is named, and strict where the schema is', () => {
    assert.deepEqual(formatOf(strictSchema), {
      type: 'json_schema',
      json_schema: { name: 'answer', schema: strictSchema, strict: true },
    });
  });
  test('a schema is never changed to be strict', () => {
    const open = { ...strictSchema, required: [] };
    for (const schema of [
      open,
      { ...strictSchema, additionalProperties: true },
      { title: 'x', oneOf: [strictSchema] },
      { ...strictSchema, properties: { a: open } },
    ]) {
      const { json_schema: sent } = formatOf(schema) as { json_schema: Json };
      assert.deepEqual(sent, { name: 'title' in schema ? 'x' : 'answer', schema });
    }
  });
  test('the older field is the same', () => {
    const older = body({ output_format: { type: 'json_schema', schema: strictSchema } }, 'vllm');
    assert.deepEqual(older['response_format'], formatOf(strictSchema, 'vllm'));
  });
});
