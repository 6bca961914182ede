// Golden pairs of conversations: order, merging, blocks, results of tools, earlier thinking.
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
const PNG = 'iVBORw0KGgo=';
const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } };
const sentImage = { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } };
const pdf = { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0=' } };

function body(params: Json, profile: ProfileName = 'generic'): Json {
  return toChat({ ...base, ...params }, profiles[profile]).body;
}

function messages(list: readonly unknown[], profile: ProfileName = 'generic'): unknown {
  return body({ messages: list }, profile)['messages'];
}

function said(...content: readonly unknown[]): unknown {
  return messages([{ role: 'user', content }]);
}

function text(value: string): Json {
  return { type: 'text', text: value };
}

describe('messages', () => {
  test('blocks of a user', () => {
    assert.deepEqual(said(text('a')), [{ role: 'user', content: 'a' }]);
    assert.deepEqual(said(text('a'), text(''), { ...image, cache_control: { type: 'ephemeral' } }), [
      { role: 'user', content: [text('a'), sentImage] },
    ]);
    assert.deepEqual(said({ type: 'image', source: { type: 'url', url: 'https://x/y' } }), [
      { role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://x/y' } }] },
    ]);
    assert.deepEqual(said(text('')), [{ role: 'user', content: '' }]);
  });

  test('neighbours of one role are one message', () => {
    assert.deepEqual(
      messages([
        hi,
        { role: 'user', content: [text('b')] },
        { role: 'assistant', content: 'x' },
        { role: 'assistant', content: [text('y')] },
        hi,
      ]),
      [{ role: 'user', content: [text('hi'), text('b')] }, { role: 'assistant', content: 'xy' }, hi],
    );
  });

  test('documents', () => {
    const source = { type: 'text', media_type: 'text/plain', data: 'D' };
    assert.deepEqual(said({ type: 'document', source, title: 'T', context: 'C' }), [
      {
        role: 'user',
        content: '<document>\n<title>\nT\n</title>\n<context>\nC\n</context>\n<content>\nD\n</content>\n</document>',
      },
    ]);
    const content = { type: 'document', source: { type: 'content', content: [text('a'), image, text('b')] } };
    assert.deepEqual(said(content), [
      { role: 'user', content: [text('<document>\n<content>\na\n\nb\n</content>\n</document>'), sentImage] },
    ]);
    const found = { type: 'search_result', source: 'https://s', title: 'T', content: [text('a')] };
    assert.deepEqual(said(found), [
      {
        role: 'user',
        content:
          '<search_result>\n<title>\nT\n</title>\n<source>\nhttps://s\n</source>\n<content>\na\n</content>\n</search_result>',
      },
    ]);
    assert.deepEqual(messages([{ role: 'user', content: [{ ...pdf, title: 'Report' }] }], 'openai'), [
      {
        role: 'user',
        content: [
          { type: 'file', file: { filename: 'Report.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' } },
        ],
      },
    ]);
  });

  const use = { type: 'tool_use', id: 't1', name: 'look', input: { b: 1, a: [2] } };
  const call = { id: 't1', type: 'function', function: { name: 'look', arguments: '{"b":1,"a":[2]}' } };
  const called = { role: 'assistant', content: null, tool_calls: [call] };

  test('results stand before the rest of what the user says, by tool_use_id', () => {
    const result = { type: 'tool_result', tool_use_id: 't1', content: 'ok' };
    assert.deepEqual(
      messages([
        hi,
        { role: 'assistant', content: [text('I look.'), use] },
        { role: 'user', content: [text('And?'), result] },
      ]),
      [
        hi,
        { ...called, content: 'I look.' },
        { role: 'tool', tool_call_id: 't1', content: 'ok' },
        { role: 'user', content: 'And?' },
      ],
    );
  });

  test('results: blocks are joined, errors told, images follow', () => {
    const of = (result: Json): unknown[] =>
      (
        messages([
          hi,
          { role: 'assistant', content: [use] },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't1', ...result }, text('so')] },
        ]) as unknown[]
      ).slice(2);
    assert.deepEqual(of({})[0], { role: 'tool', tool_call_id: 't1', content: '' });
    assert.deepEqual(of({ content: [text('a'), text('b')] })[0], {
      role: 'tool',
      tool_call_id: 't1',
      content: 'a\n\nb',
    });
    assert.deepEqual(of({ content: 'no', is_error: true })[0], {
      role: 'tool',
      tool_call_id: 't1',
      content: '[tool error] no',
    });
    assert.deepEqual(of({ content: [text('a'), image] }), [
      { role: 'tool', tool_call_id: 't1', content: 'a\n\n[what else this tool returned follows in the next message]' },
      { role: 'user', content: [text('[returned by the tool call t1]'), sentImage, text('so')] },
    ]);
  });

  test('system messages stay in place, but never between a call and its result', () => {
    const system = { role: 'system', content: 'now' };
    assert.deepEqual(messages([hi, { role: 'assistant', content: 'x' }, system, hi]), [
      hi,
      { role: 'assistant', content: 'x' },
      system,
      hi,
    ]);
    const result = { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't1', content: 'ok' }, text('go')] };
    assert.deepEqual(messages([hi, { role: 'assistant', content: [use] }, system, result]), [
      hi,
      called,
      { role: 'tool', tool_call_id: 't1', content: 'ok' },
      system,
      { role: 'user', content: 'go' },
    ]);
  });

  test('thinking of earlier turns goes where a server has a place for it, and its signature nowhere', () => {
    const thought = { type: 'thinking', thinking: 'hm', signature: 'nightshift-unsigned' };
    const list = [
      hi,
      { role: 'assistant', content: [thought, { type: 'redacted_thinking', data: 'x' }, text('a')] },
      hi,
    ];
    const assistant = (profile: ProfileName): unknown => (messages(list, profile) as unknown[])[1];
    assert.deepEqual(assistant('vllm'), { role: 'assistant', content: 'a', reasoning: 'hm' });
    assert.deepEqual(assistant('llama.cpp'), { role: 'assistant', content: 'a', reasoning_content: 'hm' });
    assert.deepEqual(assistant('openai'), { role: 'assistant', content: 'a' });
    assert.ok(!JSON.stringify(messages(list)).includes('nightshift-unsigned'));
  });

  test('a beginning of the answer', () => {
    const list = [hi, { role: 'assistant', content: '{' }];
    assert.deepEqual(
      [
        body({ messages: list }, 'vllm')['continue_final_message'],
        body({ messages: list }, 'vllm')['add_generation_prompt'],
      ],
      [true, false],
    );
    assert.equal(body({ messages: list }, 'ollama')['continue_final_message'], undefined);
    const echoOf = (profile: ProfileName): string =>
      toChat({ ...base, messages: list }, profiles[profile]).context.echo;
    assert.deepEqual([echoOf('llama.cpp'), echoOf('ollama')], ['{', '']);
  });

  test('names of tools that are too long or odd are mapped, everywhere alike, and back', () => {
    const long = `mcp__${'x'.repeat(90)}`;
    const odd = 'weather.today';
    const tools = [long, `${long}y`, odd, 'weather_today'].map((name) => ({ ...tool, name }));
    const history = { role: 'assistant', content: [{ ...use, name: odd }] };
    const sent = toChat(
      { ...base, tools, tool_choice: { type: 'tool', name: long }, messages: [hi, history, hi] },
      profiles.openai,
    );
    const names = (sent.body['tools'] as (typeof sentTool)[]).map((one) => one.function.name);
    for (const name of names) assert.match(name, /^[A-Za-z0-9_-]{1,64}$/);
    assert.equal(new Set(names).size, 4);
    assert.equal(names[3], 'weather_today');
    assert.deepEqual(
      names.map((name) => sent.context.names.original(name)),
      tools.map(({ name }) => name),
    );
    assert.deepEqual(sent.body['tool_choice'], { type: 'function', function: { name: names[0] } });
    assert.ok(JSON.stringify(sent.body['messages']).includes(`"name":"${names[2]}"`));
  });
});
