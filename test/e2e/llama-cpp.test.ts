/** A real inference server behind ours: llama.cpp's, with a tiny random model, by both protocols it speaks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type Anthropic from '@anthropic-ai/sdk';
import { batchClient } from '../support/batch-client.ts';
import { startLlamaServer } from '../support/llama-server.ts';
import { startServer, type Server } from '../support/server.ts';

const label = {
  type: 'object',
  properties: { kind: { type: 'string', enum: ['spam', 'ham'] }, sure: { type: 'boolean' } },
  required: ['kind', 'sure'],
  additionalProperties: false,
} as const;

/** Answers of a random model are long at times: what must come to an end gets room for it. */
const base = { model: 'tiny', max_tokens: 2_000 } as const;
const user = (content: string) => ({ role: 'user', content }) as const;

const requests = [
  ...Array.from({ length: 12 }, (_, row) => ({
    custom_id: `text-${row}`,
    params: { ...base, messages: [user(`Say ${row}`)] },
  })),
  { custom_id: 'system', params: { ...base, system: 'Be brief.', messages: [user('Hello')] } },
  { custom_id: 'short', params: { ...base, max_tokens: 1, messages: [user('Hello')] } },
  {
    custom_id: 'tool',
    params: {
      ...base,
      tools: [{ name: 'label', description: 'Labels a message', input_schema: label }],
      tool_choice: { type: 'tool', name: 'label' },
      messages: [user('Buy now!')],
    },
  },
  {
    custom_id: 'after-tool',
    params: {
      ...base,
      tools: [{ name: 'label', description: 'Labels a message', input_schema: label }],
      tool_choice: { type: 'none' },
      messages: [
        user('Buy now!'),
        {
          role: 'assistant',
          content: [{ type: 'tool_use', id: 'toolu_1', name: 'label', input: { kind: 'spam', sure: true } }],
        },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'noted' }] },
      ],
    },
  },
];

const schema = {
  custom_id: 'schema',
  params: { ...base, output_config: { format: { type: 'json_schema', schema: label } }, messages: [user('Buy now!')] },
};

type Line = {
  readonly custom_id: string;
  readonly result: { readonly type: string; readonly message: Anthropic.Message; readonly error?: unknown };
};

async function linesOf(server: Server, list: readonly object[]): Promise<ReadonlyMap<string, Line['result']>> {
  const client = batchClient(server);
  const { id } = await client.create({ body: JSON.stringify({ requests: list }) });
  await client.ended(id);
  const lines = (await client.results(id)) as unknown as readonly Line[];
  return new Map(lines.map(({ custom_id: name, result }) => [name, result]));
}

test('llama.cpp through the Messages protocol it speaks, and translated to chat completions', async (t) => {
  const url = await startLlamaServer(t);

  for (const upstream of [`anthropic:${url}`, `openai:${url}/v1`]) {
    await t.test(upstream.split(':')[0], async (one) => {
      const server = await startServer(one, { upstream, flags: ['--concurrency', '4'] });
      const isTranslated = upstream.startsWith('openai');
      const results = await linesOf(server, isTranslated ? [...requests, schema] : requests);

      for (const [name, result] of results) {
        assert.equal(result.type, 'succeeded', `${name}: ${JSON.stringify(result)}`);
        const { role, model, usage } = result.message;
        assert.deepEqual([role, model], ['assistant', 'tiny'], name);
        assert.ok(usage.input_tokens + (usage.cache_read_input_tokens ?? 0) > 5 && usage.output_tokens > 0, name);
      }
      // Its one token may be the end itself.
      assert.match(results.get('short')?.message.stop_reason ?? '', /^(max_tokens|end_turn)$/);
      assert.equal(results.get('short')?.message.usage.output_tokens, 1);
      const called = results.get('tool')?.message;
      assert.equal(called?.stop_reason, 'tool_use');
      const call = called.content.find(({ type }) => type === 'tool_use') as Anthropic.ToolUseBlock;
      assert.equal(call.name, 'label');
      fits(call.input);
      if (isTranslated) {
        const [block] = results.get('schema')?.message.content ?? [];
        fits(JSON.parse((block as Anthropic.TextBlock).text));
      }
    });
  }

  await t.test('a prompt longer than it can read is an errored line, and its neighbour is unharmed', async (one) => {
    const server = await startServer(one, { upstream: `openai:${url}/v1` });
    const long = { custom_id: 'long', params: { ...base, messages: [user('word '.repeat(8_000))] } };
    const results = await linesOf(server, [long, requests[0]!]);
    assert.equal(results.get('long')?.type, 'errored');
    assert.match(JSON.stringify(results.get('long')), /invalid_request_error.*(too long|context)/);
    assert.equal(results.get('text-0')?.type, 'succeeded');
  });
});

function fits(value: unknown): void {
  const { kind, sure, ...rest } = value as { kind: string; sure: boolean };
  assert.ok(['spam', 'ham'].includes(kind) && typeof sure === 'boolean', JSON.stringify(value));
  assert.deepEqual(rest, {});
}
