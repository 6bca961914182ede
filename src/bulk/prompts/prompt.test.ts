// Rows to params, byte for byte, for each kind of prompt; and what is refused before anything is sent.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Change, Prompt, Row } from '../contract.ts';
import type { PromptSpec } from '../run/spec.ts';
import { openPrompt, type PromptContext } from './prompt.ts';
import { readPromptFlags } from './read-prompt.ts';

const spec: PromptSpec = {
  kind: 'template',
  template: 'Sort: {{text}}',
  file: null,
  system: null,
  params: {},
  model: 'claude-haiku-4-5',
  maxTokens: 64,
  temperature: null,
  schema: null,
  schemaMode: 'format',
  images: [],
  documents: [],
  truncate: [],
  cache: 'auto',
};
const context: PromptContext = { columns: null, folder: tmpdir() };

function promptOf(changes: Partial<PromptSpec>, also: Partial<PromptContext> = {}): Promise<Prompt> {
  return openPrompt({ ...spec, ...changes }, { ...context, ...also });
}

function at(row: Row, seq = 0) {
  return { seq, place: { offset: 0, line: seq + 1 }, row, fault: null } as const;
}

async function paramsOf(prompt: Prompt, row: Row, change?: Change): Promise<string> {
  const made = await prompt.render(at(row), change);
  return made.kind === 'request'
    ? Buffer.from(made.params).toString()
    : made.kind === 'rejected'
      ? `rejected: ${made.reason}`
      : 'skipped';
}

const schema = {
  type: 'object',
  properties: { label: { enum: ['a', 'b'] } },
  required: ['label'],
  additionalProperties: false,
};
const long = 'A rule that all rows share. '.repeat(800);
const mark = '"cache_control":{"type":"ephemeral","ttl":"1h"}';
const head = '{"model":"claude-haiku-4-5","max_tokens":64';

const golden: readonly (readonly [string, Partial<PromptSpec>, Row, string])[] = [
  [
    'a template',
    {},
    { text: 'a "b"\n\u2028é' },
    `${head},"messages":[{"role":"user","content":"Sort: a \\"b\\"\\n\u2028é"}]}`,
  ],
  [
    'a path, an object and a number',
    { template: '{{a.b}} {{ o }} {{n}}' },
    { a: { b: 1.5 }, o: { x: [1n] }, n: 0 },
    `${head},"messages":[{"role":"user","content":"1.5 {\\"x\\":[1]} 0"}]}`,
  ],
  [
    'a quoted literal',
    { template: '{{"{{"}}x}} {{text}}' },
    { text: 't' },
    `${head},"messages":[{"role":"user","content":"{{x}} t"}]}`,
  ],
  [
    'a system prompt and temperature',
    { system: 'Be kind.', temperature: 0 },
    { text: 't' },
    `${head},"temperature":0,"system":"Be kind.","messages":[{"role":"user","content":"Sort: t"}]}`,
  ],
  [
    'a system prompt with columns',
    { system: 'For {{who}}.' },
    { text: 't', who: '"A"' },
    `${head},"system":"For \\"A\\".","messages":[{"role":"user","content":"Sort: t"}]}`,
  ],
  [
    'liquid',
    { kind: 'liquid', template: '{% for t in tags %}{{ t | upcase }};{% endfor %}{{ o }}' },
    { tags: ['a', 'b'], o: { x: 1 } },
    `${head},"messages":[{"role":"user","content":"A;B;{\\"x\\":1}"}]}`,
  ],
  [
    'params below the flags',
    { params: { max_tokens: 5, top_k: 3, stop_sequences: ['x'] } },
    { text: 't' },
    `${head},"top_k":3,"stop_sequences":["x"],"messages":[{"role":"user","content":"Sort: t"}]}`,
  ],
  [
    'a schema',
    { schema: { type: 'string' } },
    { text: 't' },
    `${head},"output_config":{"format":{"type":"json_schema","schema":{"type":"string"}}},"messages":[{"role":"user","content":"Sort: t"}]}`,
  ],
  [
    'a schema by a tool',
    { schema: { type: 'object' }, schemaMode: 'tool' },
    { text: 't' },
    `${head},"tools":[{"name":"give_answer","description":"Gives the answer.","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"give_answer"},"messages":[{"role":"user","content":"Sort: t"}]}`,
  ],
  [
    'an image',
    { images: ['i'] },
    { text: 't', i: 'data:;base64,iVBORw0KGgo=' },
    `${head},"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},{"type":"text","text":"Sort: t"}]}]}`,
  ],
  [
    'an address',
    { images: ['i'], documents: ['d'] },
    { text: 't', i: 'https://x/y.png', d: 'data:,Hi%20you' },
    `${head},"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x/y.png"}},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"Hi you"}},{"type":"text","text":"Sort: t"}]}]}`,
  ],
  [
    'a request as it is',
    { kind: 'passthrough', template: null, model: null, maxTokens: null },
    { custom_id: 'x', params: { max_tokens: 1, model: 'm', messages: [{ role: 'user', content: 'q' }] } },
    '{"max_tokens":1,"model":"m","messages":[{"role":"user","content":"q"}]}',
  ],
  [
    'a request as OpenAI writes it',
    { kind: 'passthrough', template: null },
    { custom_id: 'x', method: 'POST', url: '/v1/messages', body: { messages: [{ role: 'user', content: 'q' }] } },
    `${head},"messages":[{"role":"user","content":"q"}]}`,
  ],
  [
    'a marked system prompt',
    { system: long },
    { text: 't' },
    `${head},"system":[{"type":"text","text":${JSON.stringify(long)},${mark}}],"messages":[{"role":"user","content":"Sort: t"}]}`,
  ],
  [
    'a marked beginning',
    { template: `${long}{{text}} end` },
    { text: 't' },
    `${head},"messages":[{"role":"user","content":[{"type":"text","text":${JSON.stringify(long)},${mark}},{"type":"text","text":"t end"}]}]}`,
  ],
  [
    'a marked beginning of a system prompt',
    { system: `${long}{{who}}` },
    { text: 't', who: 'W' },
    `${head},"system":[{"type":"text","text":${JSON.stringify(long)},${mark}},{"type":"text","text":"W"}],"messages":[{"role":"user","content":"Sort: t"}]}`,
  ],
  [
    'no marks when they are off',
    { system: long, cache: 'off' },
    { text: 't' },
    `${head},"system":${JSON.stringify(long)},"messages":[{"role":"user","content":"Sort: t"}]}`,
  ],
];

for (const [name, changes, row, expected] of golden) {
  test(`params of ${name}`, async () => {
    assert.equal(await paramsOf(await promptOf(changes), row), expected);
  });
}

const rejectedRows: readonly (readonly [string, Partial<PromptSpec>, Row, RegExp])[] = [
  [
    'a missing column',
    {},
    { txet: 't', id: 1 },
    /no column "text"; did you mean "txet"\? \(the columns are: txet, id\)/,
  ],
  ['a missing member', { template: '{{a.b}}' }, { a: { c: 1 } }, /"a\.b": there is no column "b"/],
  ['a path into a text', { template: '{{a.b}}' }, { a: 'x' }, /"a\.b": column "a" holds no object with a "b" in it/],
  ['a missing liquid variable', { kind: 'liquid', template: '{{ nope }}' }, { text: 't' }, /nope/],
  ['an empty prompt', { template: '{{text}}' }, { text: ' \n' }, /the prompt is empty/],
  [
    'a missing file',
    { images: ['i'] },
    { text: 't', i: '/no/such.png' },
    /column "i": cannot read \/no\/such\.png \(ENOENT\)/,
  ],
  ['no image', { images: ['i'] }, { text: 't', i: 'data:,hello' }, /no JPEG, PNG, GIF or WebP/],
  [
    'a chat body',
    { kind: 'passthrough', template: null },
    { custom_id: 'x', url: '/v1/chat/completions', body: {} },
    /\/v1\/chat\/completions is not sent/,
  ],
  [
    'a row that is no request',
    { kind: 'passthrough', template: null },
    { text: 't' },
    /neither "custom_id" and "params"/,
  ],
  [
    'a stream',
    { kind: 'passthrough', template: null },
    { custom_id: 'x', params: { stream: true, messages: [1] } },
    /^rejected: stream: not allowed in a batch/,
  ],
];

for (const [name, changes, row, expected] of rejectedRows) {
  test(`a row with ${name} is rejected`, async () => {
    assert.match(await paramsOf(await promptOf(changes), row), expected);
  });
}

const refused: readonly (readonly [string, Partial<PromptSpec>, Partial<PromptContext>, RegExp])[] = [
  ['no model', { model: null }, {}, /^model: a name is required/],
  [
    'an unknown column',
    { template: 'a\n{{textt}}' },
    { columns: ['id', 'text'] },
    /^line 2 of the template: there is no column "textt"; did you mean "text"\? \(the columns are: id, text\)$/,
  ],
  [
    'an unknown liquid column',
    { kind: 'liquid', template: '{{ textt }}' },
    { columns: ['text'] },
    /there is no column "textt"/,
  ],
  [
    'an unknown cut',
    { truncate: [{ column: 'x', characters: 1, tokens: null }] },
    { columns: ['text'] },
    /--truncate: there is no column "x"/,
  ],
  ['an open brace', { template: 'a {{text' }, {}, /line 1 of the template: "{{" is never closed/],
  ['a bad liquid tag', { kind: 'liquid', template: '{% nope %}' }, {}, /nope/],
  ['max_tokens of 0', { maxTokens: 0 }, {}, /^max_tokens: must be at least 1/],
  ['fast mode', { params: { speed: 'fast' } }, {}, /^speed: not allowed in a batch/],
  ['fallbacks', { params: { fallbacks: [] } }, {}, /^fallbacks: not allowed/],
  ['a schema for a tool that is no object', { schema: { type: 'string' }, schemaMode: 'tool' }, {}, /"type": "object"/],
  ['a schema that is none', { schema: { type: 'nope' } }, {}, /^the schema: /],
  ['a system prompt beside requests', { kind: 'passthrough', template: null, system: 's' }, {}, /sent as they are/],
];

for (const [name, changes, also, expected] of refused) {
  test(`a prompt with ${name} is refused`, async () => {
    await assert.rejects(promptOf(changes, also), { name: 'PromptError', message: expected });
  });
}

test('a changed attempt has another model, more tokens and the complaint', async () => {
  const prompt = await promptOf({ schema });
  const params = JSON.parse(
    await paramsOf(
      prompt,
      { text: 't' },
      { model: 'm2', maxTokens: 128, reask: { answer: '{}', complaint: 'no label' } },
    ),
  );
  assert.deepEqual([params.model, params.max_tokens, params.messages.length], ['m2', 128, 3]);
  assert.deepEqual(params.messages[1], { role: 'assistant', content: '{}' });
  assert.match(params.messages[2].content, /no label/);
  const silent = JSON.parse(await paramsOf(prompt, { text: 't' }, { reask: { answer: ' ', complaint: 'c' } }));
  assert.deepEqual(
    silent.messages.map(({ role }: { role: string }) => role),
    ['user', 'user'],
  );
});

test('an answer is checked against the schema, fenced or not', async () => {
  const { complaintOf, outputOf } = await promptOf({ schema });
  assert.equal(complaintOf('{"label":"a"}'), null);
  assert.deepEqual(outputOf('```json\n{"label":"b"}\n```'), { label: 'b' });
  assert.equal(complaintOf('label: a'), 'the answer is not JSON');
  assert.equal(
    complaintOf('{"label":"c","x":1}'),
    'the answer must NOT have additional properties: x; /label must be equal to one of the allowed values: ["a","b"]',
  );
  assert.equal(outputOf('{"label":"c"}'), null);
});

test('a function gives params, a text or nothing; what it throws rejects its row', async () => {
  const toParams = (row: Row) => {
    if (row.n === 0) return null;
    if (row.n === 1) return 'one';
    if (row.n === 2) return { max_tokens: 9, messages: [{ role: 'user', content: 'two' }] };
    throw new Error('three');
  };
  const prompt = await promptOf({ kind: 'function', template: '', system: 'S{{n}}' }, { toParams });
  assert.equal(await paramsOf(prompt, { n: 0 }), 'skipped');
  assert.equal(await paramsOf(prompt, { n: 1 }), `${head},"system":"S1","messages":[{"role":"user","content":"one"}]}`);
  assert.equal(
    await paramsOf(prompt, { n: 2 }),
    '{"model":"claude-haiku-4-5","max_tokens":9,"system":"S2","messages":[{"role":"user","content":"two"}]}',
  );
  assert.equal(await paramsOf(prompt, { n: 3 }), 'rejected: the function of the prompt threw: three');
  const nameless = await promptOf({ kind: 'function', template: '', model: null }, { toParams });
  assert.match(await paramsOf(nameless, { n: 1 }), /^rejected: model: a name is required/);
  assert.match(await paramsOf(nameless, { n: 2 }), /^rejected: model: a name is required/);
  assert.match(await paramsOf(nameless, { n: 1 }, { model: 'm' }), /"model":"m"/);
});

test('columns are cut before they are sent, and it shows', async () => {
  const prompt = await promptOf({ truncate: [{ column: 'text', characters: 3, tokens: null }] });
  const made = await prompt.render(at({ text: 'ab👨‍👩‍👧c' }));
  assert.ok(made.kind === 'request' && made.cut);
  assert.match(Buffer.from(made.params).toString(), /"Sort: ab"/);
  const whole = await prompt.render(at({ text: 'abc' }), {
    truncate: [{ column: 'text', characters: 1, tokens: null }],
  });
  assert.match(Buffer.from(whole.kind === 'request' ? whole.params : []).toString(), /"Sort: a"/);
});

test('warnings: spare columns, nulls once a row, where prefixes stop being equal', async () => {
  const prompt = await promptOf({ cache: '1h' }, { columns: ['id', 'text', 'note', 'size'] });
  await paramsOf(prompt, { text: null });
  await paramsOf(prompt, { text: null });
  assert.deepEqual(prompt.warnings, [
    'nothing in the prompt uses the columns note, size',
    'nothing is cached: prompts stop being equal at the first column of the template, column "text", after about 2 tokens (claude-haiku-4-5 caches from 4096); put what all rows share before the first column',
    'text had no value once: an empty text was sent',
  ]);
});

test('a key is the id column, id, custom_id, or the number of the row', async () => {
  const [named, plain] = await Promise.all([promptOf({}, { idColumn: 'no' }), promptOf({})]);
  assert.equal(named.keyOf(at({ id: 1, no: 'n' }, 4)), 'n');
  assert.equal(plain.keyOf(at({ id: 7n, custom_id: 'c' }, 4)), '7');
  assert.equal(plain.keyOf(at({ id: '', text: 't' }, 4)), '5');
});

test('texts and files become a spec that needs no file but a module', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'prompt-'));
  try {
    await writeFile(join(folder, 'p.liquid'), '\uFEFF{{ text }}\n');
    await writeFile(join(folder, 'f.ts'), 'export default (row: { n: number }) => `n ${row.n}`;\n');
    await writeFile(join(folder, 'params.json'), '{"top_k":1}');
    const liquid = await readPromptFlags({ template: 'p.liquid', params: 'params.json', folder });
    assert.deepEqual([liquid.kind, liquid.template, liquid.params], ['liquid', '{{ text }}', { top_k: 1 }]);
    const made = await readPromptFlags({ template: '@f.ts', model: 'm', maxTokens: 1, folder });
    assert.equal(
      await paramsOf(await openPrompt(made, context), { n: 2 }),
      '{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"n 2"}]}',
    );
    assert.equal((await readPromptFlags({ template: 'Say {{x}}.md', folder })).kind, 'template');
    await assert.rejects(readPromptFlags({ template: 'missing.md', folder }), /there is no file/);
    assert.equal((await readPromptFlags({ template: null, folder })).kind, 'passthrough');
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('any row gives the params that JSON would, the same bytes each time', async () => {
  const prompt = await promptOf({ system: 'S {{b}}', template: 'a {{a}} b {{b}}' });
  const value = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.integer());
  await fc.assert(
    fc.asyncProperty(value, value, async (a, b) => {
      const made = await paramsOf(prompt, { a, b });
      assert.equal(await paramsOf(prompt, { b, a }), made);
      const messages = [{ role: 'user', content: `a ${a} b ${b}` }];
      assert.deepEqual(JSON.parse(made), { model: 'claude-haiku-4-5', max_tokens: 64, system: `S ${b}`, messages });
    }),
    { numRuns: 50 },
  );
});
