import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { judgeParams } from './judge.ts';

const old = '2023-06-01';
const newest = '2026-10-21';
const hello = [{ role: 'user', content: 'hi' }];
const good = { model: 'm', max_tokens: 16, messages: hello };

function faultOf(text: string, version = old, betas: readonly string[] = []): string | null {
  const { fault, end } = judgeParams(Buffer.from(`${text} `), 0, { version, betas, strict: false });
  assert.equal(end, Buffer.byteLength(text));
  if (fault !== null) assert.equal(fault.type, 'invalid_request_error');
  return fault?.message ?? null;
}

type Row = readonly [changes: object, fault: string | null];

/** Each row changes good params; `undefined` takes a field away. */
function check(rows: readonly Row[], version = old): void {
  for (const [changes, fault] of rows) {
    const text = JSON.stringify({ ...good, ...changes });
    assert.equal(faultOf(text, version), fault, text);
  }
}

const user = (content: unknown) => ({ messages: [{ role: 'user', content }] });
const assistant = (content: unknown) => ({ messages: [...hello, { role: 'assistant', content }] });
const text = { type: 'text', text: 'a' };
/** A tool was called, and this is what it answered. */
const answered = (content: unknown, more: object = {}) => ({
  messages: [
    ...hello,
    { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'a', input: {} }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content, ...more }] },
  ],
});

test('required fields and their types', () => {
  check([
    [{}, null],
    [{ messages: undefined }, 'messages: Field required'],
    [{ model: undefined }, 'model: Field required'],
    [{ max_tokens: undefined }, 'max_tokens: Field required'],
    [{ messages: [] }, 'messages: at least one message is required'],
    [{ messages: null }, 'messages: Input should be a valid list'],
    [{ messages: 'hi' }, 'messages: Input should be a valid list'],
    [{ model: 7 }, 'model: Input should be a valid string'],
    [{ model: null }, 'model: Input should be a valid string'],
    [{ model: '' }, 'model: String should have at least 1 character'],
    [{ model: 'm'.repeat(257) }, 'model: String should have at most 256 characters'],
    [{ model: 'a\u0000b' }, 'model: String should not contain control characters'],
    [{ model: '\ud800' }, 'model: String should not contain control characters'],
    [{ model: 'modèle/🚀:8b' }, null],
    [{ max_tokens: 0 }, 'max_tokens: must be greater than or equal to 1'],
    [{ max_tokens: -5 }, 'max_tokens: must be greater than or equal to 1'],
    [{ max_tokens: 1 }, null],
    [{ max_tokens: 1.5 }, 'max_tokens: Input should be a valid integer'],
    [{ max_tokens: '16' }, 'max_tokens: Input should be a valid integer'],
    [{ max_tokens: null }, 'max_tokens: Input should be a valid integer'],
    [{ max_tokens: true }, 'max_tokens: Input should be a valid integer'],
  ]);
  assert.equal(faultOf('{}'), 'messages: Field required');
  assert.equal(faultOf('{"messages":[{"role":"user","content":""}],"model":"m","max_tokens":1e1}'), null);
});

test('messages, roles, content and blocks', () => {
  check([
    [{ messages: [7] }, 'messages.0: Input should be a valid dictionary'],
    [{ messages: [...hello, null] }, 'messages.1: Input should be a valid dictionary'],
    [{ messages: [{ content: 'a' }] }, 'messages.0.role: Field required'],
    [{ messages: [{ role: 'bot', content: 'a' }] }, "messages.0.role: Input should be 'user', 'assistant' or 'system'"],
    [{ messages: [{ role: 7, content: 'a' }] }, "messages.0.role: Input should be 'user', 'assistant' or 'system'"],
    [{ messages: [{ role: 'system', content: 'a' }, ...hello] }, null],
    [{ messages: [...hello, { role: 'user' }] }, 'messages.1.content: Field required'],
    [{ messages: [{ content: 'a', role: 'user' }] }, null],
    [{ messages: [{ content: [7], role: 'user' }] }, 'messages.0.content.0: Input should be a valid dictionary'],
    [user(null), 'messages.0.content: Input should be a valid string or list'],
    [user({}), 'messages.0.content: Input should be a valid string or list'],
    [user([]), null],
    [user([text, 'a']), 'messages.0.content.1: Input should be a valid dictionary'],
    [user([{ text: 'a' }]), 'messages.0.content.0.type: Field required'],
    [user([{ type: null }]), 'messages.0.content.0.type: Input should be a valid string'],
    [user([{ type: 'of the future', anything: [1, {}] }]), null],
    [
      user([{ type: 'tool_result', tool_use_id: 't', content: [7] }]),
      'messages.0.content.0.tool_result.content.0: Input should be a valid dictionary',
    ],
    [user([{ type: 'mystery', content: [7] }]), null],
    [{ system: 'a' }, null],
    [{ system: [text] }, null],
    [{ system: null }, null],
    [{ system: 7 }, 'system: Input should be a valid string or list'],
    [{ system: ['a'] }, 'system.0: Input should be a valid dictionary'],
    [{ system: [{ text: 'a' }] }, 'system.0.type: Field required'],
  ]);
});

test('other fields: types and ranges', () => {
  check([
    [{ temperature: 0.5, top_p: 1, top_k: 0 }, null],
    [{ temperature: null }, null],
    [{ temperature: 'a' }, 'temperature: Input should be a valid number'],
    [{ temperature: -0.1 }, 'temperature: Input should be greater than or equal to 0'],
    [{ temperature: 1.1 }, 'temperature: Input should be less than or equal to 1'],
    [{ top_p: 2 }, 'top_p: Input should be less than or equal to 1'],
    [{ top_k: -1 }, 'top_k: Input should be greater than or equal to 0'],
    [{ top_k: 0.5 }, 'top_k: Input should be a valid integer'],
    [{ stop_sequences: ['a', 'b'] }, null],
    [{ stop_sequences: 'a' }, 'stop_sequences: Input should be a valid list'],
    [{ stop_sequences: ['a', 7] }, 'stop_sequences.1: Input should be a valid string'],
    [{ stop_sequences: [' \n'] }, 'stop_sequences.0: each stop sequence must contain non-whitespace'],
    [{ metadata: { user_id: null } }, null],
    [{ metadata: 'a' }, 'metadata: Input should be a valid dictionary'],
    [{ metadata: { user_id: 7 } }, 'metadata.user_id: Input should be a valid string'],
    [{ service_tier: 'auto' }, null],
    [{ service_tier: 'batch' }, "service_tier: Input should be 'auto' or 'standard_only'"],
    [{ output_config: { effort: 'low' }, container: 'c', diagnostics: null, inference_geo: 'us' }, null],
    [{ output_config: 'low' }, 'output_config: Input should be a valid dictionary'],
    [{ container: 7 }, 'container: Input should be a valid string or dictionary'],
    [{ stream: 'yes' }, 'stream: Input should be a valid boolean'],
    [{ field_of_the_future: { a: [1] }, user_profile_id: 'x' }, null],
  ]);
});

test('thinking', () => {
  const thinking = (changes: object, more: object = {}) => ({
    thinking: { type: 'enabled', ...changes },
    max_tokens: 4_096,
    ...more,
  });
  const tooFew = '`max_tokens` must be greater than `thinking.budget_tokens`';
  check([
    [thinking({ budget_tokens: 1_024 }), null],
    [
      thinking({ budget_tokens: 1_023 }),
      'thinking.enabled.budget_tokens: Input should be greater than or equal to 1024',
    ],
    [thinking({}), 'thinking.enabled.budget_tokens: Field required'],
    [thinking({ budget_tokens: 'a' }), 'thinking.enabled.budget_tokens: Input should be a valid integer'],
    [thinking({ budget_tokens: 4_096 }), tooFew],
    [{ thinking: { type: 'adaptive' } }, null],
    [{ thinking: { type: 'disabled' } }, null],
    [{ thinking: {} }, 'thinking.type: Field required'],
    [{ thinking: true }, 'thinking: Input should be a valid dictionary'],
  ]);
  const params = JSON.stringify({ ...good, ...thinking({ budget_tokens: 9_000 }) });
  assert.equal(faultOf(params), tooFew);
  assert.equal(faultOf(params, old, ['interleaved-thinking-2025-05-14']), null);
});

test('tools and the choice among them', () => {
  const tool = (name: string) => ({ name, input_schema: { type: 'object' } });
  const choose = (name: string) => ({ tool_choice: { type: 'tool', name } });
  check([
    [{ tools: [tool('a'), tool('b')], tool_choice: { type: 'auto' } }, null],
    [{ tools: {} }, 'tools: Input should be a valid list'],
    [{ tools: ['a'] }, 'tools.0: Input should be a valid dictionary'],
    [{ tools: [tool('a'), { input_schema: { type: 'object' } }] }, 'tools.1.custom.name: Field required'],
    [{ tools: [{ name: 'a' }] }, 'tools.0.custom.input_schema: Field required'],
    [{ tools: [{ name: 7, type: 'custom' }] }, 'tools.0.custom.name: Input should be a valid string'],
    [{ tools: [{ type: 'web_search_20260318', name: 'web_search' }] }, null],
    [{ tools: [tool('a'), tool('a')] }, 'tools: Tool names must be unique.'],
    [{ tools: [tool('a')], ...choose('a') }, null],
    [{ tools: [tool('a')], ...choose('x') }, "Tool 'x' not found in provided tools"],
    [{ ...choose('x') }, "Tool 'x' not found in provided tools"],
    [{ tools: [{ type: 'mcp_toolset', mcp_server_name: 's' }], ...choose('x') }, null],
    [{ tools: [{ type: 'browser_toolset_20260801', name: 'browser' }], ...choose('x') }, null],
    [{ mcp_servers: [{ type: 'url', name: 's', url: 'https://s' }], ...choose('x') }, null],
    [{ tool_choice: 'auto' }, 'tool_choice: Input should be a valid dictionary'],
    [{ tool_choice: {} }, 'tool_choice.type: Field required'],
    [{ tool_choice: { type: 'tool' } }, 'tool_choice.tool.name: Field required'],
    [
      { tool_choice: { type: 'must' } },
      "tool_choice: Input tag 'must' found using 'type' does not match any of the expected tags: 'auto', 'any', 'tool', 'none'",
    ],
  ]);
});

test('what a batch does not allow', () => {
  check([
    [{ stream: true }, '`stream=True` is not supported in the Message Batches API'],
    [{ stream: false }, null],
    [{ speed: 'fast' }, 'speed: not supported in the Message Batches API'],
    [{ speed: null }, null],
    [{ store: true }, 'store: not supported in the Message Batches API'],
    [{ previous_thread_event_id: 'a' }, 'previous_thread_event_id: not supported in the Message Batches API'],
    [{ cache_hint: {} }, 'cache_hint: not supported in the Message Batches API'],
    [{ context_hint: {} }, 'context_hint: not supported in the Message Batches API'],
    [{ research_preview_2026_02: 'active' }, 'research_preview_2026_02: not supported in the Message Batches API'],
    [{ research_preview_2026_02: 'passive' }, null],
    [{ fallbacks: [{ model: 'n' }] }, 'fallbacks: not supported in the Message Batches API'],
    [{ fallback_credit_token: 'a' }, null],
  ]);
});

test('version 2026-10-21 removes sampling parameters and two uses of blocks, and only it does', () => {
  const source = { type: 'text', media_type: 'text/plain', data: 'a' };
  const document = { type: 'document', source, citations: { enabled: true } };
  const cited = { ...text, citations: [{ type: 'char_location' }] };
  const result = { type: 'search_result', source: 's', title: 't', content: [cited] };
  const rows: readonly Row[] = [
    [{ temperature: 1 }, 'temperature: Extra inputs are not permitted'],
    [{ temperature: null }, 'temperature: Extra inputs are not permitted'],
    [{ top_p: 1 }, 'top_p: Extra inputs are not permitted'],
    [{ top_k: 1 }, 'top_k: Extra inputs are not permitted'],
    [assistant([document]), 'messages.1.content.0.document: document blocks are not permitted in assistant messages'],
    [user([cited]), 'messages.0.content.0.text.citations: Extra inputs are not permitted'],
    [user([result]), 'messages.0.content.0.search_result.content.0.citations: Extra inputs are not permitted'],
    [
      answered([result]),
      'messages.2.content.0.tool_result.content.0.search_result.content.0.citations: Extra inputs are not permitted',
    ],
    [
      { messages: [{ content: [cited], role: 'user' }] },
      'messages.0.content.0.text.citations: Extra inputs are not permitted',
    ],
  ];
  check(rows, newest);
  check(rows.map(([changes]) => [changes, null]));
  check(
    [
      [user([document]), null],
      [assistant([cited]), null],
      [user([{ ...text, citations: [] }]), null],
      [user([{ ...text, citations: null }]), null],
    ],
    newest,
  );
});

test('cache_control', () => {
  const cache_control = { type: 'ephemeral' };
  const marked = { ...text, cache_control };
  const tool = { name: 'a', input_schema: { type: 'object' }, cache_control };
  const five = 'A maximum of 4 blocks with cache_control may be provided. Found 5.';
  check([
    [user([marked, marked, marked, marked]), null],
    [user([marked, marked, marked, marked, marked]), five],
    [{ ...user([marked, marked]), system: [marked, marked], tools: [tool] }, five],
    [{ ...answered([marked, marked], { cache_control }), system: [marked, marked] }, five],
    [{ ...user([marked, text]), system: [marked, marked, marked], cache_control }, five],
    [{ ...user([text, marked]), system: [marked, marked, marked], cache_control }, null],
    [user([{ ...text, cache_control: null }]), null],
    [user([{ ...text, cache_control: { type: 'ephemeral', ttl: '1h' } }]), null],
    [user([{ ...text, cache_control: { ttl: '1h' } }]), 'messages.0.content.0.text.cache_control.type: Field required'],
    [
      user([{ ...text, cache_control: { type: 'eternal' } }]),
      "messages.0.content.0.text.cache_control: Input tag 'eternal' found using 'type' does not match any of the expected tags: 'ephemeral'",
    ],
    [
      { system: [{ ...text, cache_control: { ...cache_control, ttl: '2h' } }] },
      "system.0.cache_control.ephemeral.ttl: Input should be '5m' or '1h'",
    ],
    [{ tools: [{ ...tool, cache_control: 7 }] }, 'tools.0.custom.cache_control: Input should be a valid dictionary'],
    [{ cache_control: 'ephemeral' }, 'cache_control: Input should be a valid dictionary'],
  ]);
});

test('a faulted request still tells its model and its max_tokens', () => {
  const judge = (params: object) =>
    judgeParams(Buffer.from(JSON.stringify(params)), 0, { version: old, betas: [], strict: false });
  const { model, maxTokens } = judge({ model: 'm', max_tokens: 7, messages: 7 });
  assert.deepEqual([model, maxTokens], ['m', 7]);
  const nothing = judge({ model: 7, max_tokens: -7, messages: [] });
  assert.deepEqual([nothing.model, nothing.maxTokens], ['', 0]);
});

test('a fault never grows with what the caller wrote', () => {
  const long = 'x'.repeat(100_000);
  for (const changes of [
    { tool_choice: { type: 'tool', name: long } },
    { tool_choice: { type: long } },
    { tools: [{ type: long, cache_control: 7 }] },
    user([{ type: long, cache_control: 7 }]),
  ]) {
    assert.ok(faultOf(JSON.stringify({ ...good, ...changes }))!.length < 500);
  }
});

test('an unreasonable depth of nesting is judged in reasonable time', () => {
  const depth = 400;
  const nested =
    '{"type":"tool_result","tool_use_id":"t","content":['.repeat(depth) +
    `"${'x'.repeat(1_000_000)}"` +
    ']}'.repeat(depth);
  const called = '{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"a","input":{}}]}';
  const answer = `{"role":"user","content":[${nested}]}`;
  assert.equal(faultOf(`{"model":"m","max_tokens":1,"messages":[${called},${answer}]}`), null);
});

test('of a repeated key only the last counts', () => {
  const judge = (messages: string, version = newest) =>
    judgeParams(Buffer.from(`{"model":"m","max_tokens":1,"messages":${messages}}`), 0, {
      version,
      betas: [],
      strict: false,
    });
  const document = '"content":[{"type":"document","source":{"type":"file","file_id":"f"}}]';
  const marked = '"content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]';
  assert.equal(judge(`[{"role":"assistant",${document},"role":"user"}]`).fault, null);
  assert.match(judge(`[{"role":"user",${document},"role":"assistant"}]`).fault!.message, /document/);
  assert.match(judge(`[{${document},"role":"assistant"}]`).fault!.message, /document/);
  assert.equal(judge(`[{"role":"assistant",${document},"content":"a"}]`).fault, null);
  assert.equal(judge(`[{"role":"user",${marked},${marked}}]`).breakpoints.length, 1);
  assert.equal(judge(`[{"role":"user",${marked},"content":"a"}]`).breakpoints.length, 0);
  assert.equal(judge(`[{"role":"user",${marked}}],"messages":[{"role":"user",${marked}}]`).breakpoints.length, 1);
  assert.equal(
    judge(`[{"role":"user","content":"a","content":[]}],"cache_control":{"type":"ephemeral"}`).breakpoints.length,
    0,
  );
  assert.equal(judge(`7,"messages":[{"role":"user","content":"a"}]`).fault, null);
});

// Values that often have the right shape, given under keys that often repeat, spelled in unusual ways.
const cache = fc.constantFrom('{"type":"ephemeral"}', '{"ttl":"5m","type":"ephemeral"}', 'null', '7');
const blockText = fc
  .array(
    fc.oneof(
      fc.tuple(
        fc.constant('type'),
        fc.constantFrom('"text"', '"document"', '"tool_result"', '"te\\u0078t"', '"search_result"'),
      ),
      fc.tuple(fc.constant('cache_control'), cache),
      fc.tuple(fc.constant('citations'), fc.constantFrom('[]', '[ {} ]', 'null')),
      fc.tuple(
        fc.constant('content'),
        fc.constantFrom('"a"', '[7]', '[{"type":"text","cache_control":{"type":"ephemeral"}}]'),
      ),
    ),
    { maxLength: 5 },
  )
  .map((members) => objectText([['type', '"text"'], ['text', '"a"'], ['tool_use_id', '"t"'], ...members]));
const contentText = fc.oneof(fc.constantFrom('"a"', '""'), fc.array(blockText, { maxLength: 3 }).map(listText));
const messageText = fc
  .array(
    fc.oneof(
      fc.tuple(fc.constant('role'), fc.constantFrom('"user"', '"assistant"', '"us\\u0065r"')),
      fc.tuple(fc.constant('content'), contentText),
    ),
    { maxLength: 4 },
  )
  .map((members) => objectText([['content', '"a"'], ['role', '"user"'], ...members]));
const paramsText = fc
  .array(
    fc.oneof(
      fc.tuple(
        fc.constant('messages'),
        fc.oneof(fc.array(messageText, { maxLength: 3 }).map(listText), fc.constant('null')),
      ),
      fc.tuple(fc.constant('system'), contentText),
      fc.tuple(
        fc.constant('tools'),
        fc.constantFrom('[]', 'null', '[{"name":"a","input_schema":{"type":"object"}}]', '[{"type":"toolset"}]'),
      ),
      fc.tuple(fc.constant('tool_choice'), fc.constantFrom('{"type":"tool","name":"a"}', '{"type":"any"}', 'null')),
      fc.tuple(fc.constant('cache_control'), cache),
      fc.tuple(fc.constant('stream'), fc.constantFrom('true', 'false')),
      fc.tuple(fc.constant('max_tokens'), fc.constantFrom('1', '0', '1e3')),
    ),
    { maxLength: 6 },
  )
  .map((members) =>
    objectText([['model', '"m"'], ['max_tokens', '9'], ['messages', '[{"role":"user","content":"a"}]'], ...members]),
  );

function objectText(members: readonly (readonly [string, string])[]): string {
  return `{ ${members.map(([key, value], index) => `${spelled(key, index)} :${value}`).join('\n, ')}}`;
}

function listText(values: readonly string[]): string {
  return `[ ${values.join(' ,')}]`;
}

/** Every third key is written with an escape. */
function spelled(key: string, index: number): string {
  return index % 3 === 2 ? `"\\u00${key.charCodeAt(0).toString(16)}${key.slice(1)}"` : `"${key}"`;
}

test('the spelling, the order and repeated keys change nothing: only what JSON.parse would see counts', () => {
  fc.assert(
    fc.property(paramsText, fc.constantFrom(old, newest), (written, version) => {
      const plain = JSON.stringify(JSON.parse(written));
      assert.equal(faultOf(written, version), faultOf(plain, version), plain);
      const marks = (params: string) =>
        judgeParams(Buffer.from(params), 0, { version, betas: [], strict: false }).breakpoints.length;
      assert.equal(marks(written), marks(plain), plain);
    }),
    { numRuns: 2_000 },
  );
});
