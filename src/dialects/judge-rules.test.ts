import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JudgeContext } from './dialect.ts';
import { judgeParams } from './judge.ts';

const lenient: JudgeContext = { version: '2023-06-01', betas: [] };
const strict: JudgeContext = { ...lenient, strict: true };
const hello = [{ role: 'user', content: 'hi' }];
const good = { model: 'm', max_tokens: 16, messages: hello };

type Row = readonly [changes: object, fault: string | null];

function check(rows: readonly Row[], context = lenient): void {
  for (const [changes, fault] of rows) {
    const text = JSON.stringify({ ...good, ...changes });
    assert.equal(judgeParams(Buffer.from(text), 0, context).fault?.message ?? null, fault, text.slice(0, 500));
  }
}

const user = (...content: readonly unknown[]) => ({ messages: [{ role: 'user', content }] });
const assistant = (...content: readonly unknown[]) => ({ messages: [...hello, { role: 'assistant', content }] });
const text = { type: 'text', text: 'a' };
const extra = ': Extra inputs are not permitted';

test('images: their source, its type, its base64 and its size', () => {
  const image = (source: unknown) => user(text, { type: 'image', source });
  const png = (data: unknown, media_type: unknown = 'image/png') => image({ type: 'base64', media_type, data });
  const path = 'messages.0.content.1.image.source';
  const large = 'A'.repeat(4 * Math.ceil((10 * 1024 * 1024 + 1) / 3));
  check([
    [png('aGk='), null],
    [png('aGk'), null],
    [png('a/+9'), null],
    [png('aGk=', 'image/jpeg'), null],
    [image({ type: 'url', url: 'https://a/b.png' }), null],
    [image({ type: 'file', file_id: 'f' }), null],
    [
      png('aGk=', 'image/tiff'),
      `${path}.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'`,
    ],
    [image({ type: 'base64', data: 'aGk=' }), `${path}.base64.media_type: Field required`],
    [image({ type: 'base64', media_type: 'image/png' }), `${path}.base64.data: Field required`],
    [png(7), `${path}.base64.data: Input should be a valid string`],
    [png(''), `${path}.base64: image cannot be empty`],
    [png('aGk=='), `${path}.base64: invalid base64 data`],
    [png('aGkaG'), `${path}.base64: invalid base64 data`],
    [png('a-_9'), `${path}.base64: invalid base64 data`],
    [png('a b9'), `${path}.base64: invalid base64 data`],
    [png('é==='), `${path}.base64: invalid base64 data`],
    [png('data:image/png;base64,aGk='), `${path}.base64: invalid base64 data`],
    [png('a\\+9'), `${path}.base64: invalid base64 data`],
    [png(`${'A'.repeat(100_000)}!AAA`), `${path}.base64: invalid base64 data`],
    [png(large.slice(0, -4)), null],
    [png(large), `${path}.base64: image exceeds 10 MB maximum: 10485762 bytes > 10485760 bytes`],
    [image(undefined), `${path}: Field required`],
    [image('x'), `${path}: Input should be a valid dictionary`],
    [
      image({ type: 'data' }),
      `${path}: Input tag 'data' found using 'type' does not match any of the expected tags: 'base64', 'url', 'file'`,
    ],
    [image({ type: 'url' }), `${path}.url.url: Field required`],
  ]);
  const slashes = JSON.stringify({ ...good, ...png('a/+/') }).replaceAll('/+/', '\\/+\\/');
  assert.equal(judgeParams(Buffer.from(slashes), 0, lenient).fault, null);
});

test('documents, search results and what tools answer', () => {
  const document = (source: object) => user({ type: 'document', source });
  const path = 'messages.0.content.0.document.source';
  const search = (changes: object) => user({ type: 'search_result', source: 's', title: 't', content: [], ...changes });
  check([
    [document({ type: 'text', media_type: 'text/plain', data: 'a' }), null],
    [document({ type: 'base64', media_type: 'application/pdf', data: 'aGk=' }), null],
    [document({ type: 'content', content: [text] }), null],
    [document({ type: 'content', content: 'a' }), null],
    [
      document({ type: 'base64', media_type: 'image/png', data: 'aGk=' }),
      `${path}.base64.media_type: Input should be 'application/pdf'`,
    ],
    [document({ type: 'base64', media_type: 'application/pdf', data: '!' }), `${path}.base64: invalid base64 data`],
    [document({ type: 'content', content: [{ type: 'text' }] }), `${path}.content.content.0.text.text: Field required`],
    [search({}), null],
    [search({ title: undefined }), 'messages.0.content.0.search_result.title: Field required'],
    [
      search({ content: [{ type: 'image' }] }),
      "messages.0.content.0.search_result.content.0.type: Input should be 'text'",
    ],
    [user({ type: 'container_upload' }), 'messages.0.content.0.container_upload.file_id: Field required'],
    [user({ type: 'tool_result', content: 'a' }), 'messages.0.content.0.tool_result.tool_use_id: Field required'],
    [user({ type: 'text' }), 'messages.0.content.0.text.text: Field required'],
  ]);
});

test('blocks belong to a role', () => {
  const use = { type: 'tool_use', id: 't', name: 'a', input: {} };
  const thought = { type: 'thinking', thinking: 'a', signature: 's' };
  check([
    [user(use), 'messages.0.content.0: `tool_use` blocks can only be in `assistant` messages'],
    [user(thought), 'messages.0.content.0: `thinking` blocks can only be in `assistant` messages'],
    [
      assistant({ type: 'tool_result', tool_use_id: 't' }),
      'messages.1.content.0: `tool_result` blocks can only be in `user` messages',
    ],
    [assistant(thought, use), null],
    [
      assistant({ ...use, id: 'a b' }),
      "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
    ],
    [assistant({ ...use, input: 'a' }), 'messages.1.content.0.tool_use.input: Input should be a valid dictionary'],
    [assistant({ ...thought, signature: undefined }), 'messages.1.content.0.thinking.signature: Field required'],
    [assistant({ type: 'redacted_thinking' }), 'messages.1.content.0.redacted_thinking.data: Field required'],
    [{ messages: [...hello, { role: 'system', content: [text] }] }, null],
    [
      { messages: [...hello, { role: 'system', content: [{ type: 'image' }] }] },
      "messages.1.content.0.type: Input should be 'text'",
    ],
    [{ system: [{ type: 'image' }] }, "system.0.type: Input should be 'text'"],
  ]);
});

test('calls of tools and their answers belong together', () => {
  const use = (...ids: readonly string[]) => ({
    role: 'assistant',
    content: ids.map((id) => ({ type: 'tool_use', id, name: 'a', input: {} })),
  });
  const answer = (...ids: readonly string[]) => ({
    role: 'user',
    content: ids.map((id) => ({ type: 'tool_result', tool_use_id: id })),
  });
  const messages = (...more: readonly object[]) => ({ messages: [...hello, ...more] });
  check([
    [messages(use('t', 'u'), answer('u', 't')), null],
    [messages(use('t'), use('u'), answer('u'), answer('t')), null],
    [messages(use('t'), { role: 'system', content: 'a' }, answer('t')), null],
    [messages(use('t')), null],
    [
      messages(answer('t')),
      'messages.1.content.0: unexpected `tool_use_id` found in `tool_result` blocks: t. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.',
    ],
    [
      messages(use('t', 'u', 'v'), answer('u')),
      'messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t, v. Each `tool_use` block must have a corresponding `tool_result` block in the next message.',
    ],
    [
      messages(use('t'), ...hello, { role: 'assistant', content: 'a' }),
      'messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t. Each `tool_use` block must have a corresponding `tool_result` block in the next message.',
    ],
    [messages(use('t', 't'), answer('t')), 'messages.1.content.1: `tool_use` ids must be unique'],
  ]);
});

test('tools: names, schemas, typed ones', () => {
  const tool = (input_schema: unknown, more: object = {}) => ({ tools: [{ name: 'a', input_schema, ...more }] });
  const invalid =
    'tools.0.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12).';
  const object = (more: object) => tool({ type: 'object', ...more });
  check([
    [object({}), null],
    [object({ properties: { a: { type: ['string', 'null'], enum: [1] }, b: true }, required: ['a'] }), null],
    [object({ $defs: { a: { anyOf: [{ type: 'integer', minimum: 0.5 }] } }, additionalProperties: false }), null],
    [object({ 'x-own': 7, default: [] }), null],
    [tool({}), 'tools.0.custom.input_schema.type: Field required'],
    [tool({ type: 'string' }), "tools.0.custom.input_schema.type: Input should be 'object'"],
    [tool('a'), 'tools.0.custom.input_schema: Input should be a valid dictionary'],
    [object({ properties: [] }), invalid],
    [object({ properties: { a: 'string' } }), invalid],
    [object({ properties: { a: { type: 'text' } } }), invalid],
    [object({ properties: { a: { items: [{ type: 'string' }] } } }), invalid],
    [object({ required: 'a' }), invalid],
    [object({ required: [7] }), invalid],
    [object({ anyOf: {} }), invalid],
    [object({ $defs: { a: { maxLength: -1 } } }), invalid],
    [tool({ type: 'object' }, { name: '' }), 'tools.0.custom.name: String should have at least 1 character'],
    [
      tool({ type: 'object' }, { name: 'n'.repeat(129) }),
      'tools.0.custom.name: String should have at most 128 characters',
    ],
    [tool({ type: 'object' }, { strict: 'yes' }), 'tools.0.custom.strict: Input should be a valid boolean'],
    [{ tools: [{ type: 'bash_20250124', name: 'sh' }] }, "tools.0.bash_20250124.name: Input should be 'bash'"],
    [
      { tools: [{ type: 'web_search_20250305', name: 'web_search', max_uses: 0 }] },
      'tools.0.web_search_20250305.max_uses: Input should be greater than or equal to 1',
    ],
    [{ tools: [{ type: 'tool_of_the_future', anything: 7 }] }, null],
  ]);
});

test('fields that exclude each other, and the smaller ones', () => {
  const thinking = { thinking: { type: 'enabled', budget_tokens: 2_000 }, max_tokens: 4_000 };
  const forced = 'Thinking may not be enabled when tool_choice forces tool use.';
  const tools = [{ name: 'a', input_schema: { type: 'object' } }];
  const format = (schema: unknown) => ({ output_config: { format: { type: 'json_schema', schema } } });
  check([
    [{ ...thinking, tools, tool_choice: { type: 'any' } }, forced],
    [{ ...thinking, tools, tool_choice: { type: 'tool', name: 'a' } }, forced],
    [{ ...thinking, tools, tool_choice: { type: 'auto', disable_parallel_tool_use: true } }, null],
    [{ thinking: { type: 'adaptive' }, tools, tool_choice: { type: 'any' } }, null],
    [
      { thinking: { ...thinking.thinking, display: 'all' }, max_tokens: 4_000 },
      "thinking.enabled.display: Input should be 'summarized' or 'omitted'",
    ],
    [{ metadata: { user_id: 'u'.repeat(257) } }, 'metadata.user_id: String should have at most 256 characters'],
    [{ metadata: { user_id: '🚀'.repeat(256) } }, null],
    [
      { output_config: { effort: 'huge' } },
      "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'",
    ],
    [format({ type: 'array', items: { type: 'string' } }), null],
    [format(undefined), 'output_config.format.json_schema.schema: Field required'],
    [
      format({ type: 'list' }),
      'output_config.format.json_schema.schema: JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12).',
    ],
    [
      { container: { skills: [{ type: 'own', skill_id: 's' }] } },
      "container.skills.0.type: Input should be 'anthropic' or 'custom'",
    ],
    [{ diagnostics: { previous_message_id: 7 } }, 'diagnostics.previous_message_id: Input should be a valid string'],
    [{ inference_geo: 7 }, 'inference_geo: Input should be a valid string'],
    [{ mcp_servers: [{ type: 'url', name: 's' }] }, 'mcp_servers.0.url: Field required'],
  ]);
});

test('what is marked for the cache: where, and for how long', () => {
  const mark = (ttl?: string) => ({ cache_control: { type: 'ephemeral', ...(ttl === undefined ? {} : { ttl }) } });
  const block = (ttl?: string) => ({ ...text, ...mark(ttl) });
  const tool = (ttl?: string) => ({ name: 'a', input_schema: { type: 'object' }, ...mark(ttl) });
  const late =
    ".cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are processed in the following order: `tools`, `system`, `messages`.";
  const empty = { type: 'text', text: '', ...mark() };
  check([
    [user(block('1h'), block()), null],
    [user(block(), block('1h')), `messages.0.content.1${late}`],
    [{ ...user(block('1h')), system: [text, block('5m')] }, `messages.0.content.0${late}`],
    [{ ...user(block()), tools: [tool()], system: [block('1h')] }, `system.0${late}`],
    [{ ...user(block()), tools: [tool('1h')], system: [block('1h')] }, null],
    [{ ...user(block(), text), ...mark('1h') }, late.slice(1)],
    [{ ...user(text, block('1h')), ...mark('1h') }, null],
    [
      { ...user(text, block('1h')), ...mark() },
      "Top-level cache_control has ttl='5m' but the target block already has cache_control with ttl='1h'",
    ],
    [user(empty), 'messages.0.content.0.text: cache_control cannot be set for empty text blocks'],
    [{ system: [empty] }, 'system.0: cache_control cannot be set for empty text blocks'],
    [
      assistant({ type: 'thinking', thinking: 'a', signature: 's', ...mark() }),
      `messages.1.content.0.thinking.cache_control${extra}`,
    ],
  ]);
});

test('a strict server refuses what the API does not know, by its name', () => {
  const rows: readonly Row[] = [
    [{ temprature: 1 }, `temprature${extra}`],
    [{ metadata: { user: 'a' } }, `metadata.user${extra}`],
    [{ messages: [{ role: 'user', content: 'a', name: 'b' }] }, `messages.0.name${extra}`],
    [user({ ...text, style: 'bold' }), `messages.0.content.0.text.style${extra}`],
    [{ system: [{ ...text, scope: 'global' }] }, `system.0.scope${extra}`],
    [
      user({ ...text, cache_control: { type: 'ephemeral', scope: 'global' } }),
      `messages.0.content.0.text.cache_control.ephemeral.scope${extra}`,
    ],
    [
      { tools: [{ type: 'web_fetch_20250910', name: 'web_fetch', _requestedType: 'a' }] },
      `tools.0.web_fetch_20250910._requestedType${extra}`,
    ],
    [
      { tool_choice: { type: 'none', disable_parallel_tool_use: true } },
      `tool_choice.none.disable_parallel_tool_use${extra}`,
    ],
    [{ mcp_servers: [] }, `mcp_servers${extra}`],
    [{ context_management: {} }, `context_management${extra}`],
    [{ output_config: { task_budget: {} } }, `output_config.task_budget${extra}`],
    [{ field_of_the_future: 1 }, `field_of_the_future${extra}`],
  ];
  check(rows, strict);
  check(rows.map(([changes]) => [changes, null]));
  check([[{ mcp_servers: [], context_management: {} }, null]], {
    ...strict,
    betas: ['mcp-client-2026-09-15', 'context-management-2025-06-27'],
  });
  const [unknown] = user({ type: 'of_the_future' }).messages;
  const { fault } = judgeParams(Buffer.from(JSON.stringify({ ...good, messages: [unknown] })), 0, strict);
  assert.match(fault!.message, /^messages\.0\.content\.0: Input tag 'of_the_future' found using 'type' does not match/);
});

test('each use allows what is its own', () => {
  check(
    [
      [{ max_tokens: 0, stream: true, speed: 'fast', store: true }, null],
      [{ max_tokens: -1 }, 'max_tokens: must be greater than or equal to 0'],
      [{ max_tokens: undefined }, 'max_tokens: Field required'],
      [{ speed: 'slow' }, "speed: Input should be 'standard' or 'fast'"],
    ],
    { ...lenient, use: 'message' },
  );
  check(
    [
      [{ max_tokens: undefined }, null],
      [{ temperature: 7 }, 'temperature: Input should be less than or equal to 1'],
    ],
    {
      ...lenient,
      use: 'count',
    },
  );
  check(
    [
      [{}, `max_tokens${extra}`],
      [{ max_tokens: undefined, stream: false }, `stream${extra}`],
    ],
    {
      ...strict,
      use: 'count',
    },
  );
});
