import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SIMULATED_PREFIXES_MAX } from '../domain/limits.ts';
import { PromptCache } from './prompt-cache.ts';
import { createSimulator } from './simulator.ts';

const MINUTE_MS = 60_000;
/** Enough for every model's least. */
const LONG = 'word '.repeat(4_000);
const LONG_TOKENS = LONG.length / 4;
const ephemeral = { type: 'ephemeral' };
const hour = { type: 'ephemeral', ttl: '1h' };

function scene(latencyMs = 0) {
  const clock = { nowMs: 1_000_000 };
  const simulator = createSimulator({ seed: 1, latencyMs, nowMs: () => clock.nowMs });
  const ask = (params: object): { status: number; body: Record<string, unknown> } => {
    const whole = { model: 'claude-haiku-4-5', max_tokens: 64, ...params };
    const answer = simulator.answer({ method: 'POST', path: '/v1/messages', body: Buffer.from(JSON.stringify(whole)) });
    assert.ok(answer.kind === 'whole');
    return { status: answer.status, body: JSON.parse(Buffer.from(answer.body).toString()) as Record<string, unknown> };
  };
  /** Plain, read, written for five minutes, written for an hour. */
  const usage = (params: object): readonly number[] => {
    const { status, body } = ask(params);
    assert.equal(status, 200, JSON.stringify(body));
    const told = body['usage'] as Record<string, number> & { cache_creation: Record<string, number> };
    const { ephemeral_5m_input_tokens: short, ephemeral_1h_input_tokens: long } = told.cache_creation;
    assert.equal(told['cache_creation_input_tokens'], short! + long!);
    return [told['input_tokens']!, told['cache_read_input_tokens']!, short!, long!];
  };
  const refusal = (params: object): string => {
    const { status, body } = ask(params);
    assert.equal(status, 400);
    return (body['error'] as { message: string }).message;
  };
  return { clock, usage, refusal };
}

const text = (words: string, control: object | null = null): object => ({
  type: 'text',
  text: words,
  ...(control === null ? {} : { cache_control: control }),
});
const question = (words: string): readonly object[] => [{ role: 'user', content: words }];
const document = (words: string, control: object = ephemeral): object => ({
  system: [text(LONG, control)],
  messages: question(words),
});

test('the first request writes a marked prefix, the next ones read it', () => {
  const { usage } = scene();
  assert.deepEqual(usage(document('abcd')), [1, 0, LONG_TOKENS, 0]);
  assert.deepEqual(usage(document('efgh')), [1, LONG_TOKENS, 0, 0]);
  assert.deepEqual(usage({ ...document('efgh'), model: 'claude-opus-5' }), [1, 0, LONG_TOKENS, 0]);
});

test('nothing is cached without a mark, or below the least of the model', () => {
  const { usage } = scene();
  assert.deepEqual(usage({ system: LONG, messages: question('abcd') }), [LONG_TOKENS + 1, 0, 0, 0]);
  const short = { system: [text('word '.repeat(800), ephemeral)], messages: question('abcd') };
  assert.deepEqual(usage(short), [1_001, 0, 0, 0]);
  assert.deepEqual(usage({ ...short, model: 'claude-opus-5' }), [1, 0, 1_000, 0]);
});

test('an entry can be read only once the answer that wrote it has begun', () => {
  const { clock, usage } = scene(4_000);
  assert.equal(usage(document('a'))[2], LONG_TOKENS);
  clock.nowMs += 999;
  assert.equal(usage(document('b'))[2], LONG_TOKENS);
  clock.nowMs += 1;
  assert.equal(usage(document('c'))[1], LONG_TOKENS);
});

test('an entry lives from the start of the request that wrote or last read it', () => {
  const { clock, usage } = scene();
  usage(document('a'));
  clock.nowMs += 5 * MINUTE_MS - 1;
  assert.equal(usage(document('b'))[1], LONG_TOKENS);
  clock.nowMs += 5 * MINUTE_MS - 1;
  assert.equal(usage(document('c'))[1], LONG_TOKENS);
  clock.nowMs += 5 * MINUTE_MS;
  assert.equal(usage(document('d'))[2], LONG_TOKENS);
});

test('an hour is an hour, and is told apart from five minutes', () => {
  const { clock, usage } = scene();
  assert.deepEqual(usage(document('abcd', hour)), [1, 0, 0, LONG_TOKENS]);
  clock.nowMs += 59 * MINUTE_MS;
  assert.equal(usage(document('abcd', hour))[1], LONG_TOKENS);
  clock.nowMs += 60 * MINUTE_MS;
  assert.equal(usage(document('abcd', hour))[3], LONG_TOKENS);
});

test('with both lives in one request the hour is written up to its last mark, five minutes behind it', () => {
  const { usage } = scene();
  const both = {
    tools: [{ name: 'tool', input_schema: { type: 'object' }, description: LONG, cache_control: hour }],
    system: [text(LONG, ephemeral)],
    messages: question('abcd'),
  };
  const [plain, read, short, long] = usage(both);
  assert.deepEqual([plain, read, short], [1, 0, LONG_TOKENS]);
  assert.ok(long! >= LONG_TOKENS);
  assert.deepEqual(usage(both), [1, short! + long!, 0, 0]);
});

test('a growing conversation reads what the turn before has written', () => {
  const { usage } = scene();
  const turns = (count: number): object => ({
    cache_control: ephemeral,
    messages: Array.from({ length: count }, (_, at) => ({
      role: at % 2 === 0 ? 'user' : 'assistant',
      content: at === 0 ? LONG : `turn${at % 10}${at % 7}xx`,
    })),
  });
  assert.deepEqual(usage(turns(1)), [0, 0, LONG_TOKENS, 0]);
  assert.deepEqual(usage(turns(3)), [0, LONG_TOKENS, 4, 0]);
  // Twenty blocks back from the mark, itself included: the 3rd is the 20th seen from the 22nd, and out of sight from the 23rd.
  assert.deepEqual(usage(turns(22)), [0, LONG_TOKENS + 4, 38, 0]);
  const other = scene();
  other.usage(turns(3));
  assert.equal(other.usage(turns(23))[1], 0);
});

test('what changes how messages are read does not spoil tools and system', () => {
  const { usage } = scene();
  const marked = (more: object): object => ({
    system: [text(LONG, ephemeral)],
    messages: [{ role: 'user', content: [text('abcdefgh', ephemeral)] }],
    tools: [{ name: 'tool', input_schema: { type: 'object' } }],
    ...more,
  });
  const whole = usage(marked({}))[2]!;
  assert.equal(usage(marked({}))[1], whole);
  assert.deepEqual(usage(marked({ tool_choice: { type: 'none' } })), [0, whole - 2, 2, 0]);
});

test('marks that the API refuses are refused', () => {
  const { refusal } = scene();
  const marks = (count: number, control: object = ephemeral): readonly object[] =>
    Array.from({ length: count }, () => text('words', control));
  const messages = question('Hi');
  assert.match(
    refusal({ system: marks(5), messages }),
    /maximum of 4 blocks with cache_control may be provided\. Found 5/,
  );
  assert.match(refusal({ system: marks(4), messages, cache_control: ephemeral }), /Found 5/);
  assert.match(
    refusal({ system: [...marks(1), ...marks(1, hour)], messages }),
    /^system\.1\.cache_control\.ttl: .*must not come after/,
  );
  assert.match(refusal({ system: [text('', ephemeral)], messages }), /^system\.0\.text: .*empty text blocks/);
  assert.match(
    refusal({ system: [text('x', { type: 'ephemeral', ttl: '2h' })], messages }),
    /Input should be '5m' or '1h'/,
  );
  assert.match(refusal({ system: [text('x', { type: 'lasting' })], messages }), /Input should be 'ephemeral'/);
  const thought = {
    role: 'assistant',
    content: [{ type: 'thinking', thinking: 'x', signature: 's', cache_control: ephemeral }],
  };
  assert.match(refusal({ messages: [...messages, thought] }), /thinking\.cache_control/);
  const last = { messages: [{ role: 'user', content: [text('x', hour)] }] };
  assert.match(refusal({ ...last, cache_control: ephemeral }), /already has a cache_control/);
});

test('memory is bounded: the least recently used prefix is forgotten', () => {
  const cache = new PromptCache();
  const use = (prefix: string): number => {
    const blocks = [{ prefix, tokens: 10, mark: '5m' as const }];
    return cache.use({ blocks, leastTokens: 1, startMs: 5, begunMs: 5 }).readTokens;
  };
  use('first');
  use('second');
  for (let at = 2; at < SIMULATED_PREFIXES_MAX; at += 1) use(`other ${at}`);
  assert.equal(use('first'), 10);
  use('one more');
  assert.deepEqual([use('first'), use('second')], [10, 0]);
});
