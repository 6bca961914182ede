import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { UpstreamResponse } from '../../ports/world.ts';
import { UNSIGNED } from './completion.ts';
import { translatedEvents } from './events.ts';
import { profiles } from './profile.ts';
import { toChat, type AnswerContext } from './request.ts';

type Json = Readonly<Record<string, unknown>>;
type Event = { readonly type: string; readonly [name: string]: unknown };

const { context } = toChat(
  { model: 'asked', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }], stop_sequences: ['END'] },
  profiles.generic,
);

function responseOf(
  pieces: readonly Uint8Array[],
  options: { readonly contentType?: string; readonly cut?: boolean } = {},
): UpstreamResponse {
  return {
    status: 200,
    headers: { 'content-type': options.contentType ?? 'text/event-stream' },
    body: {
      bytes: () => Promise.resolve(Buffer.concat(pieces)),
      async *stream() {
        yield* pieces;
        if (options.cut === true) throw new Error('reset');
      },
    },
  };
}

async function eventsOf(response: UpstreamResponse, changes: Partial<AnswerContext> = {}): Promise<readonly Event[]> {
  const parts = { response, context: { ...context, ...changes }, signal: new AbortController().signal };
  const text = Buffer.concat(await Array.fromAsync(translatedEvents(parts))).toString();
  return text
    .split('\n\n')
    .slice(0, -1)
    .map((event) => {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(event) ?? assert.fail(event);
      const parsed = JSON.parse(data ?? '') as Event;
      assert.equal(parsed.type, name);
      return parsed;
    });
}

const chunk = (delta: Json, choice: Json = {}): Json => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  model: 'answered',
  choices: [{ index: 0, delta, finish_reason: null, ...choice }],
});
const usage = {
  prompt_tokens: 10,
  completion_tokens: 4,
  total_tokens: 14,
  prompt_tokens_details: { cached_tokens: 6 },
};
const lastChunk = { id: 'chatcmpl-1', model: 'answered', choices: [], usage };
const call = (index: number, changes: Json): Json => ({ tool_calls: [{ index, ...changes }] });

function wire(chunks: readonly Json[], end = 'data: [DONE]\n\n'): Buffer {
  return Buffer.from(`: a comment\n\n${chunks.map((one) => `data: ${JSON.stringify(one)}\n\n`).join('')}${end}`);
}

/** What a client that gathers the events ends up with. */
function gathered(events: readonly Event[]): Json {
  const content: Record<string, unknown>[] = [];
  let message: Json = {};
  for (const event of events) {
    const at = event['index'] as number;
    const delta = event['delta'] as Record<string, string> | undefined;
    if (event.type === 'message_start') message = event['message'] as Json;
    if (event.type === 'content_block_start') content[at] = { ...(event['content_block'] as Json), json: '' };
    if (event.type === 'content_block_delta' && delta !== undefined) {
      const block = content[at] ?? assert.fail();
      if (delta['type'] === 'text_delta') block['text'] = String(block['text']) + delta['text'];
      if (delta['type'] === 'thinking_delta') block['thinking'] = String(block['thinking']) + delta['thinking'];
      if (delta['type'] === 'signature_delta') block['signature'] = delta['signature'];
      if (delta['type'] === 'input_json_delta') block['json'] = String(block['json']) + delta['partial_json'];
    }
    if (event.type === 'message_delta') message = { ...message, ...(event['delta'] as Json), usage: event['usage'] };
  }
  return {
    ...message,
    content: content.map(({ json, ...block }) =>
      block['type'] === 'tool_use' ? { ...block, input: JSON.parse(String(json) || '{}') as unknown } : block,
    ),
  };
}

const full = wire([
  chunk({ role: 'assistant', content: '' }),
  chunk({ reasoning_content: 'hm ' }),
  chunk({ reasoning_content: 'é€🚀' }),
  chunk({ content: 'Hel' }),
  chunk({ content: 'lo\n\n"é€🚀"' }),
  chunk(call(0, { id: 'c1', type: 'function', function: { name: 'look', arguments: '' } })),
  chunk(call(0, { function: { arguments: '{"a":' } })),
  chunk(call(0, { function: { arguments: ' 1}' } })),
  chunk(call(1, { id: 'c:2', type: 'function', function: { name: 'see', arguments: '{}' } })),
  chunk({}, { finish_reason: 'tool_calls' }),
  lastChunk,
]);

test('thinking, text and tools, in order, each its own block', async () => {
  const events = await eventsOf(responseOf([full]));
  const { id, ...message } = gathered(events);
  assert.match(String(id), /^msg_01/);
  assert.deepEqual(message, {
    model: 'answered',
    type: 'message',
    role: 'assistant',
    content: [
      { type: 'thinking', thinking: 'hm é€🚀', signature: UNSIGNED },
      { type: 'text', text: 'Hello\n\n"é€🚀"' },
      { type: 'tool_use', id: 'c1', name: 'look', input: { a: 1 } },
      { type: 'tool_use', id: 'c_2', name: 'see', input: {} },
    ],
    stop_reason: 'tool_use',
    stop_sequence: null,
    stop_details: null,
    usage: {
      input_tokens: 4,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 6,
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
      output_tokens: 4,
      service_tier: 'standard',
      inference_geo: 'not_available',
    },
  });
  const kinds = events.map(({ type, index }) => (index === undefined ? type : `${type} ${index as number}`));
  assert.deepEqual(
    kinds.filter((kind) => !kind.startsWith('content_block_delta')),
    [
      'message_start',
      ...[0, 1, 2, 3].flatMap((index) => [`content_block_start ${index}`, `content_block_stop ${index}`]),
      'message_delta',
      'message_stop',
    ],
  );
});

test('the same events, wherever the bytes are cut', async () => {
  const expected = await eventsOf(responseOf([full]));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(full.length), { maxLength: 30 }), fc.boolean(), async (cuts, carriageReturns) => {
      const bytes = carriageReturns ? Buffer.from(full.toString().replaceAll('\n', '\r\n')) : full;
      const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const pieces = places.slice(1).map((end, at) => bytes.subarray(places[at], end));
      assert.deepEqual(await eventsOf(responseOf(pieces)), expected);
    }),
    { numRuns: 60 },
  );
});

test('why it stopped', async () => {
  const stopOf = async (choice: Json, delta: Json = {}): Promise<Json> =>
    gathered(await eventsOf(responseOf([wire([chunk({ content: 'x' }), chunk(delta, choice), lastChunk])])));
  assert.equal((await stopOf({ finish_reason: 'length' }))['stop_reason'], 'max_tokens');
  assert.equal((await stopOf({ finish_reason: 'stop', stop_reason: 'END' }))['stop_sequence'], 'END');
  const refused = await stopOf({ finish_reason: 'stop' }, { refusal: 'No.' });
  assert.deepEqual(
    [refused['stop_reason'], refused['stop_details']],
    ['refusal', { type: 'refusal', category: null, explanation: 'No.' }],
  );
});

test('a stream ends as well without [DONE] and without usage', async () => {
  const bytes = wire([chunk({ content: 'x' }), chunk({}, { finish_reason: 'stop' })], '');
  const events = await eventsOf(responseOf([bytes.subarray(0, bytes.length - 1)]));
  assert.equal(events.at(-1)?.type, 'message_stop');
  assert.equal(gathered(events)['stop_reason'], 'end_turn');
});

test('a page in place of a stream is told for what it is', async () => {
  const response = responseOf([Buffer.from('<html>not found</html>')], { contentType: 'text/html' });
  const [error, ...more] = await eventsOf(response);
  assert.deepEqual(error?.['error'], { type: 'api_error', message: 'The upstream sent an event that is not JSON.' });
  assert.deepEqual(more, []);
});

test('a server that does not stream is heard all the same', async () => {
  const message = {
    role: 'assistant',
    content: 'Hello',
    tool_calls: [{ id: 'c', function: { name: 'n', arguments: '{"a":1}' } }],
  };
  const whole = { id: 'x', model: 'answered', choices: [{ index: 0, message, finish_reason: 'tool_calls' }], usage };
  const events = await eventsOf(responseOf([Buffer.from(JSON.stringify(whole))], { contentType: 'application/json' }));
  assert.deepEqual(gathered(events)['content'], [
    { type: 'text', text: 'Hello' },
    { type: 'tool_use', id: 'c', name: 'n', input: { a: 1 } },
  ]);
});

test('thinking that was not to be shown is signed, and empty', async () => {
  const bytes = wire([chunk({ reasoning: 'hm' }), chunk({ content: 'x' }, { finish_reason: 'stop' })]);
  const { content } = gathered(await eventsOf(responseOf([bytes]), { hidesThinking: true })) as { content: unknown[] };
  assert.deepEqual(content[0], { type: 'thinking', thinking: '', signature: UNSIGNED });
});

test('what the answer was to go on from is not said again, however it is cut', async () => {
  const textOf = async (...pieces: readonly string[]): Promise<unknown> => {
    const chunks = [...pieces.map((content) => chunk({ content })), chunk({}, { finish_reason: 'stop' })];
    const { content } = gathered(await eventsOf(responseOf([wire(chunks)]), { echo: 'Well' })) as { content: Json[] };
    return content.map(({ text }) => text);
  };
  assert.deepEqual(await textOf('We', 'll', ', yes'), [', yes']);
  assert.deepEqual(await textOf('Well, y', 'es'), [', yes']);
  assert.deepEqual(await textOf('We', 'ak'), ['Weak']);
  assert.deepEqual(await textOf('Yes'), ['Yes']);
  assert.deepEqual(await textOf('Well'), []);
});

test('a name that comes late keeps the arguments that came before it', async () => {
  const bytes = wire([
    chunk(call(0, { id: 'c', function: { arguments: '{"a"' } })),
    chunk(call(0, { function: { name: 'n', arguments: ':1}' } })),
    chunk({}, { finish_reason: 'tool_calls' }),
  ]);
  assert.deepEqual(gathered(await eventsOf(responseOf([bytes])))['content'], [
    { type: 'tool_use', id: 'c', name: 'n', input: { a: 1 } },
  ]);
});

test('trouble in the middle is an error event, and the last one', async () => {
  const start = chunk({ content: 'x' });
  const done = chunk({}, { finish_reason: 'stop' });
  const troubles: readonly (readonly [bytes: Buffer, message: RegExp, cut?: boolean])[] = [
    [wire([start, { error: { message: 'out of memory', type: 'server_error' } }, done]), /out of memory/],
    [wire([start], 'data: {"id":\n\n'), /not JSON/],
    [wire([start], 'data: 3\n\n'), /not an object/],
    [wire([start], ''), /before it was complete/],
    [wire([start]), /before it was complete/],
    [wire([start, chunk({}, { finish_reason: 'error' })]), /ended with "error"/],
    [wire([start], ''), /cut the connection: reset/, true],
    [wire([chunk(call(0, { id: 'a', function: { arguments: '{}' } })), done]), /without a name/],
    [wire([chunk(call(0, { id: 'a', function: { arguments: '{}' } })), start, done]), /without a name/],
    [
      wire([
        chunk(call(0, { function: { name: 'a' } })),
        chunk(call(1, { function: { name: 'b' } })),
        chunk(call(0, { function: { arguments: '{}' } })),
        done,
      ]),
      /went back/,
    ],
    [Buffer.concat([wire([start], ''), Buffer.alloc(5 * 1024 * 1024, 'data: x')]), /too long/],
    [Buffer.from(''), /before it was complete/],
  ];
  for (const [bytes, message, cut = false] of troubles) {
    const events = await eventsOf(responseOf([bytes], { cut }));
    const { type, error } = events.at(-1) as Event & { error: { type: string; message: string } };
    assert.deepEqual([type, error?.type], ['error', 'api_error'], bytes.subarray(0, 300).toString());
    assert.match(error.message, message);
    assert.ok(!events.some((event) => event.type === 'message_stop'));
  }
});

test('what came before an error in one event is told once, and nothing after it', async () => {
  const several = (...calls: readonly Json[]): Json => chunk({ content: 'x', tool_calls: calls });
  for (const only of [
    chunk({ content: 'x' }, { finish_reason: 'error' }),
    several({ index: 0, function: { arguments: '{}' } }, { index: 1, function: { name: 'b' } }),
    several({ index: 0, function: { name: 'a' } }, { index: 1, function: { name: 'b' } }, { index: 0 }, { index: 2 }),
  ]) {
    const events = await eventsOf(responseOf([wire([only])]));
    assert.equal(events.filter(({ type }) => type === 'message_start').length, 1);
    assert.equal(events.filter(({ type }) => type === 'content_block_delta').length, 1);
    assert.equal(
      events.findIndex(({ type }) => type === 'error'),
      events.length - 1,
    );
  }
});
