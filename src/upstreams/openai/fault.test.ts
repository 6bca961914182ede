// What a request asks for that chat completions cannot carry: each is a fault that names the field, and nothing was sent.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RequestFault } from '../upstream.ts';
import type { Json } from './fault.ts';
import { profiles, type ProfileName } from './profile.ts';
import { toChat } from './request.ts';

const hi = { role: 'user', content: 'hi' };
const tool = { name: 'look', description: 'Looks.', input_schema: { type: 'object', properties: {} } };
const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' } };
const pdf = { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0=' } };

function body(params: Json, profile: ProfileName = 'generic'): Json {
  return toChat({ model: 'm', max_tokens: 9, messages: [hi], ...params }, profiles[profile]).body;
}

function text(value: string): Json {
  return { type: 'text', text: value };
}

type Refused = readonly [path: string, params: Json, profile?: ProfileName];

const inUser = (...content: readonly unknown[]): Json => ({
  messages: [hi, { role: 'assistant', content: 'x' }, { role: 'user', content }],
});
const inAssistant = (block: unknown): Json => ({ messages: [hi, { role: 'assistant', content: [block] }, hi] });
const file = { type: 'file', file_id: 'file_1' };

const refusals: readonly Refused[] = [
  ['messages.2.content.0', inUser({ type: 'document', source: file })],
  ['messages.2.content.1', inUser(text('a'), { type: 'image', source: file })],
  ['messages.2.content.0', inUser({ type: 'document', source: { type: 'url', url: 'https://x/y.pdf' } })],
  ['messages.2.content.0', inUser(pdf), 'vllm'],
  [
    'messages.2.content.0.citations',
    inUser({ type: 'document', source: { type: 'text', data: 'x' }, citations: { enabled: true } }),
  ],
  [
    'messages.2.content.0.source.media_type',
    inUser({ type: 'image', source: { ...image.source, media_type: 'image/tiff' } }),
  ],
  ['messages.2.content.0.source.data', inUser({ type: 'image', source: { ...image.source, data: 'not base64!' } })],
  ['messages.2.content.0.source.data', inUser({ type: 'image', source: { ...image.source, data: '' } })],
  ['messages.2.content.0.source.data', inUser({ type: 'image', source: { ...image.source, data: 'ab-_' } })],
  ['messages.2.content.0.transformations', inUser({ ...image, transformations: [{}] })],
  ['messages.2.content.0', inUser({ type: 'container_upload', file_id: 'f' })],
  ['messages.2.content.0', inUser({ type: 'web_search_tool_result', tool_use_id: 's', content: [] })],
  [
    'messages.2.content.0.content.0',
    inUser({ type: 'tool_result', tool_use_id: 't', content: [{ type: 'tool_reference', tool_name: 'x' }] }),
  ],
  ['messages.1.content.0', inAssistant({ type: 'server_tool_use', id: 's', name: 'web_search', input: {} })],
  ['messages.1.content.0', inAssistant({ type: 'document', source: { type: 'text', data: 'x' } })],
  ['messages.1.content.0.name', inAssistant({ type: 'tool_use', id: 't', name: '', input: {} })],
  [
    'messages.1.content.0.caller',
    inAssistant({ type: 'tool_use', id: 't', name: 'n', input: {}, caller: { type: 'code_execution_20250825' } }),
  ],
  ['tools.1', { tools: [tool, { type: 'web_search_20250305', name: 'web_search' }] }],
  ['tools.0', { tools: [{ type: 'bash_20250124', name: 'bash' }] }],
  ['tools.0.defer_loading', { tools: [{ ...tool, defer_loading: true }] }],
  ['tools.0.allowed_callers', { tools: [{ ...tool, allowed_callers: ['code_execution_20260120'] }] }],
  ['tools.0.input_schema', { tools: [{ name: 'n' }] }],
  ['tool_choice.name', { tools: [tool], tool_choice: { type: 'tool', name: 'other' } }],
  ['tool_choice', { tool_choice: { type: 'any' } }],
  ['tool_choice', { tools: [tool], tool_choice: { type: 'any' } }, 'ollama'],
  [
    'tool_choice.disable_parallel_tool_use',
    { tools: [tool], tool_choice: { type: 'auto', disable_parallel_tool_use: true } },
    'ollama',
  ],
  ['top_k', { top_k: 5 }, 'openai'],
  ['top_k', { top_k: 5 }, 'ollama'],
  ['stop_sequences', { stop_sequences: ['a', 'b', 'c', 'd', 'e'] }, 'openai'],
  ['thinking.type', { thinking: { type: 'between_tools' } }],
  ['output_config.effort', { output_config: { effort: 'huge' } }],
  ['output_config.task_budget', { output_config: { task_budget: { tokens: 1 } } }],
  ['output_config.format.type', { output_config: { format: { type: 'regex' } } }],
  ['messages.1', { messages: [hi, { role: 'assistant', content: '{' }] }, 'openai'],
  ['system.0', { system: [image] }],
  ['system.0.extra', { system: [{ type: 'text', text: 'a', extra: 1 }] }],
  ['container', { container: 'c' }],
  ['mcp_servers', { mcp_servers: [{ url: 'https://x' }] }],
  ['context_management', { context_management: { edits: [{}] } }],
  ['inference_geo', { inference_geo: 'us' }],
  ['speed', { speed: 'fast' }],
  ['seed', { seed: 1 }],
  ['messages', { messages: 'x' }],
  ['messages.0', { messages: [3] }],
  ['messages.0.content', { messages: [{ role: 'user', content: 3 }] }],
];

describe('what cannot be carried is a fault that names it', () => {
  for (const [path, params, profile] of refusals) {
    test(`${path}: ${JSON.stringify(params).slice(0, 90)}`, () => {
      assert.throws(
        () => body(params, profile),
        (error) => {
          assert.ok(error instanceof RequestFault);
          assert.equal(error.error.type, 'invalid_request_error');
          assert.ok(error.error.message.startsWith(`${path}: `), error.error.message);
          return true;
        },
      );
    });
  }
  test('in these words', () => {
    assert.throws(() => body(inUser({ type: 'document', source: file })), {
      message:
        'messages.2.content.0: document blocks with a file source cannot be carried to an OpenAI-compatible server (a file id belongs to Anthropic).',
    });
  });
});
