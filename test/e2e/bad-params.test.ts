/** Bad rows next to good ones: each bad one is errored in the official words, under the version and the strictness it came under. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchClient, oneLineEach, type ResultLine } from '../support/batch-client.ts';
import { bodyOf, paramsOf, requestOf, rows } from '../support/rows.ts';
import { startServer } from '../support/server.ts';

const GOOD = 200;
const good = JSON.parse(paramsOf('hello')) as object;
const extra = 'Extra inputs are not permitted';
const user = (...content: readonly object[]): object => ({ messages: [{ role: 'user', content }] });
const png = (data: string, media_type = 'image/png'): object =>
  user({ type: 'image', source: { type: 'base64', media_type, data } });
const source = { type: 'text', media_type: 'text/plain', data: 'a' };

type Bad = readonly [changes: object, message: string | null];

/** The fault of each, or null where it must succeed; by its place. */
const always: readonly Bad[] = [
  [{ messages: [] }, 'messages: at least one message is required'],
  [{ max_tokens: 0 }, 'max_tokens: must be greater than or equal to 1'],
  [{ stream: true }, '`stream=True` is not supported in the Message Batches API'],
  [
    png('aGk=', 'image/bmp'),
    "messages.0.content.0.image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'",
  ],
  [png('data:image/png;base64,aGk='), 'messages.0.content.0.image.source.base64: invalid base64 data'],
  [
    png('A'.repeat(4 * 3_495_254)),
    'messages.0.content.0.image.source.base64: image exceeds 10 MB maximum: 10485762 bytes > 10485760 bytes',
  ],
  [
    { tools: [{ name: 'a', input_schema: { type: 'object', properties: 7 } }] },
    'tools.0.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12).',
  ],
  [{ tool_choice: { type: 'tool', name: 'x' } }, "Tool 'x' not found in provided tools"],
];
const bothVersions: readonly Bad[] = [
  [{ temperature: 1 }, `temperature: ${extra}`],
  [{ top_k: 5 }, `top_k: ${extra}`],
  [
    {
      messages: [
        { role: 'assistant', content: [{ type: 'document', source }] },
        { role: 'user', content: 'a' },
      ],
    },
    'messages.0.content.0.document: document blocks are not permitted in assistant messages',
  ],
  [user({ type: 'text', text: 'a', citations: [{}] }), `messages.0.content.0.text.citations: ${extra}`],
];
const strictOnly: readonly Bad[] = [
  [{ temprature: 1 }, `temprature: ${extra}`],
  [user({ type: 'text', text: 'a', bold: true }), `messages.0.content.0.text.bold: ${extra}`],
];
const passed = (bad: readonly Bad[]): readonly Bad[] => bad.map(([changes]) => [changes, null]);

type Sent = { readonly id: string; readonly message: string | null };

/** Every bad row has good neighbours on both sides. */
function bodyWith(bad: readonly Bad[]): { readonly body: string; readonly sent: readonly Sent[] } {
  const neighbours = rows(GOOD);
  const requests = [...neighbours.requests];
  const sent: Sent[] = neighbours.ids.map((id) => ({ id, message: null }));
  bad.forEach(([changes, message], index) => {
    const id = `bad-${index}`;
    requests.splice(index * 7 + 3, 0, requestOf({ id, params: JSON.stringify({ ...good, ...changes }) }));
    sent.push({ id, message });
  });
  return { body: bodyOf(requests), sent };
}

function compare(lines: readonly ResultLine[], sent: readonly Sent[]): void {
  const results = oneLineEach(
    lines,
    sent.map(({ id }) => id),
  );
  for (const { id, message } of sent) {
    const result = results.get(id);
    assert.equal(result?.type, message === null ? 'succeeded' : 'errored', `${id}: ${result?.error?.error.message}`);
    if (message === null) continue;
    assert.deepEqual([result?.error?.error.type, result?.error?.error.message], ['invalid_request_error', message]);
  }
}

test('bad rows are errored and their neighbours succeed, under the version of the create', async (t) => {
  const client = batchClient(await startServer(t));
  for (const [version, bad] of [
    ['2023-06-01', [...always, ...passed(bothVersions), ...passed(strictOnly)]],
    ['2026-10-21', [...always, ...bothVersions, ...passed(strictOnly)]],
  ] as const) {
    const { body, sent } = bodyWith(bad);
    const { id } = await client.create({ body, headers: { 'anthropic-version': version } });
    await client.ended(id);
    compare(await client.results(id), sent);
  }
});

test('a strict server errors unknown fields and refuses unknown betas', async (t) => {
  const client = batchClient(await startServer(t, { flags: ['--strict'] }));
  const { body, sent } = bodyWith([...always, ...strictOnly]);
  const { id } = await client.create({ body, headers: { 'anthropic-beta': 'message-batches-2024-09-24' } });
  await client.ended(id);
  compare(await client.results(id), sent);

  const refused = await client.send({ body, headers: { 'anthropic-beta': 'no-such-beta-2020-01-01' } });
  assert.equal(refused.status, 400);
  const { error } = (await refused.json()) as { error: { message: string } };
  assert.match(error.message, /^Unexpected value\(s\) `no-such-beta-2020-01-01` for the `anthropic-beta` header\./);
});
