// Properties: what is carried comes back. A request is sent, its parts are found in what was sent, and echoed they return as they were.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseExactly } from './exact-json.ts';
import type { ChatMessage } from './messages.ts';
import { profileNames, profiles } from './profile.ts';
import { toChat } from './request.ts';
import { fromChat } from './response.ts';

const words = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });
const anyProfile = fc.constantFrom(...profileNames).map((name) => profiles[name]);
const input = fc.dictionary(fc.string({ maxLength: 6 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 });
const toolName = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9_-]{1,128}$/),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 90 }),
);
const calls = fc.uniqueArray(fc.record({ id: fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/), name: toolName, input }), {
  selector: ({ id }) => id,
  minLength: 1,
  maxLength: 4,
});

test('texts, calls and images return as they were', () => {
  fc.assert(
    fc.property(
      fc.tuple(anyProfile, words, calls, fc.uint8Array({ minLength: 1, maxLength: 200 })),
      ([profile, text, used, bytes]) => {
        const data = Buffer.from(bytes).toString('base64');
        const sent = toChat(
          {
            model: 'm',
            max_tokens: 9,
            tools: used.map(({ name }) => ({ name, input_schema: { type: 'object' } })),
            messages: [
              {
                role: 'user',
                content: [
                  { type: 'image', source: { type: 'base64', media_type: 'image/png', data } },
                  { type: 'text', text },
                ],
              },
              {
                role: 'assistant',
                content: [{ type: 'text', text }, ...used.map((use) => ({ type: 'tool_use', ...use }))],
              },
              {
                role: 'user',
                content: used.map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: text })),
              },
            ],
          },
          profile,
        );
        const [user, assistant, ...results] = sent.body['messages'] as readonly [
          ChatMessage,
          ChatMessage,
          ...ChatMessage[],
        ];
        assert.ok(user.role === 'user' && Array.isArray(user.content));
        const [image, said] = user.content as unknown as readonly [{ image_url: { url: string } }, { text: string }];
        assert.equal(said.text, text);
        assert.deepEqual(
          Buffer.from(image.image_url.url.slice('data:image/png;base64,'.length), 'base64'),
          Buffer.from(bytes),
        );
        assert.deepEqual(
          results,
          used.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: text })),
        );

        // The model says just what the assistant said before.
        const choices = [{ message: assistant, finish_reason: 'tool_calls' }];
        const answer = fromChat(Buffer.from(JSON.stringify({ id: 'x', choices })), {
          context: sent.context,
          tier: 'batch',
        });
        assert.ok(answer.kind === 'message');
        const { content } = JSON.parse(answer.line.toString()) as { content: unknown };
        const echoed = used.map((use) => ({ type: 'tool_use', ...use }));
        assert.equal(JSON.stringify(content), JSON.stringify([{ type: 'text', text }, ...echoed]));
      },
    ),
    { numRuns: 150 },
  );
});

test('no request makes the translation stumble: it is carried, or a fault', () => {
  const anything = fc.jsonValue({ maxDepth: 5 });
  const block = fc.oneof(
    anything,
    fc.record(
      { type: fc.constantFrom('text', 'image', 'document', 'tool_use', 'tool_result', 'thinking', 'search_result') },
      {},
    ),
    fc.record({
      type: fc.constantFrom('text', 'image', 'document', 'tool_use', 'tool_result'),
      text: anything,
      source: anything,
      content: anything,
      input: anything,
    }),
  );
  const message = fc.record({
    role: fc.constantFrom('user', 'assistant', 'system', 7),
    content: fc.oneof(anything, fc.array(block, { maxLength: 3 })),
  });
  const params = fc.record(
    {
      messages: fc.array(message, { maxLength: 4 }),
      tools: anything,
      tool_choice: anything,
      thinking: anything,
      output_config: anything,
      system: anything,
      stop_sequences: anything,
      metadata: anything,
    },
    { requiredKeys: ['messages'] },
  );
  fc.assert(
    fc.property(anyProfile, params, (profile, one) => {
      try {
        JSON.stringify(toChat({ model: 'm', max_tokens: 1, ...one }, profile));
      } catch (error) {
        assert.equal((error as Error).name, 'RequestFault', (error as Error).stack);
      }
    }),
    { numRuns: 500 },
  );
});

test('long numbers keep every digit', () => {
  const text =
    '{"a":12345678901234567890,"b":[0.12345678901234567891,9007199254740993],"c":1e400,"d":"1234567890123456","e":1234567890123456,"f":12345678.123456789012,"g":1e-400}';
  assert.equal(JSON.stringify(parseExactly(text)), text);
  const messages = `[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"n","input":{"id":12345678901234567890}}]}]`;
  const { body } = toChat(
    parseExactly(`{"model":"m","max_tokens":1,"messages":${messages}}`) as Record<string, unknown>,
    profiles.generic,
  );
  assert.ok(JSON.stringify(body).includes('{\\"id\\":12345678901234567890}'));
});
