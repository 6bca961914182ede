import assert from 'node:assert/strict';
import { test } from 'node:test';
import { profileNames, type ProfileName } from './profile.ts';
import { createSimulator, type SimulatedAnswer, type SimulatorOptions } from './simulator.ts';

function scene(options: Partial<SimulatorOptions> = {}) {
  const clock = { nowMs: 1_700_000_000_000 };
  const simulator = createSimulator({ seed: 1, nowMs: () => clock.nowMs, ...options });
  const ask = (words: string, more: object = {}): SimulatedAnswer => {
    const params = { model: 'm', max_tokens: 100, messages: [{ role: 'user', content: words }], ...more };
    return simulator.answer({ method: 'POST', path: '/v1/messages', body: Buffer.from(JSON.stringify(params)) });
  };
  return { clock, ask };
}

/** What came of it, in a word. */
function fate(answer: SimulatedAnswer): string {
  if (answer.kind !== 'whole') return answer.kind;
  if (answer.isCut === true) return 'cut';
  if (answer.status !== 200) return String(answer.status);
  try {
    return (JSON.parse(Buffer.from(answer.body).toString()) as { type: string }).type;
  } catch {
    return 'garbage';
  }
}

function tally(profile: ProfileName, count: number): Readonly<Record<string, number>> {
  const { ask } = scene({ profile });
  const fates: Record<string, number> = {};
  for (let row = 0; row < count; row += 1) {
    const one = fate(ask(`Row ${row}`));
    fates[one] = (fates[one] ?? 0) + 1;
  }
  return fates;
}

test('steady answers everything, at once', () => {
  assert.deepEqual(tally('steady', 500), { message: 500 });
});

test('flaky fails about one call in a hundred, in three ways', () => {
  const { message, 500: internal, 529: overloaded, reset } = tally('flaky', 20_000);
  for (const count of [internal, overloaded, reset]) assert.ok(count! > 40 && count! < 95, `${count}`);
  assert.equal(message! + internal! + overloaded! + reset!, 20_000);
});

test('hanging never answers one call in a hundred; garbage spoils one in twenty', () => {
  const hanging = tally('hanging', 5_000);
  assert.ok(hanging['hang']! > 25 && hanging['hang']! < 80);
  const { message, garbage, cut } = tally('garbage', 5_000);
  assert.ok(garbage! > 130 && cut! > 30 && message! + garbage! + cut! === 5_000);
});

test('faults are drawn by the order of the calls: the same seed meets the same, and a repeated call may pass', () => {
  assert.deepEqual(tally('flaky', 3_000), tally('flaky', 3_000));
  const { ask } = scene({ profile: 'garbage' });
  const fates = Array.from({ length: 400 }, () => fate(ask('the very same')));
  assert.ok(fates.includes('message') && fates.some((one) => one !== 'message'));
});

test('a brown-out turns everything away for ten of thirty seconds', () => {
  const { clock, ask } = scene({ profile: 'brown-out' });
  const fates: string[] = [];
  for (let second = 0; second < 60; second += 5) {
    fates.push(fate(ask('Hi')));
    clock.nowMs += 5_000;
  }
  const period = ['message', 'message', 'message', 'message', '529', '529'];
  assert.deepEqual(fates, [...period, ...period]);
});

test('throttled tells what is left, turns away what is too much, and says when to come again', () => {
  const { clock, ask } = scene({ profile: 'throttled' });
  const first = ask('Hi');
  assert.ok(first.kind === 'whole');
  assert.equal(first.headers['anthropic-ratelimit-requests-limit'], '600');
  assert.equal(first.headers['anthropic-ratelimit-requests-remaining'], '59');
  assert.match(first.headers['anthropic-ratelimit-requests-reset']!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.ok('anthropic-ratelimit-input-tokens-remaining' in first.headers);
  assert.ok('anthropic-ratelimit-output-tokens-remaining' in first.headers);
  for (let row = 0; row < 59; row += 1) assert.equal(fate(ask(`${row}`)), 'message');
  const turnedAway = ask('Hi');
  assert.ok(turnedAway.kind === 'whole' && turnedAway.status === 429);
  assert.equal(turnedAway.headers['retry-after'], '1');
  assert.equal(turnedAway.headers['anthropic-ratelimit-requests-remaining'], '0');
  clock.nowMs += 1_000;
  for (let row = 0; row < 10; row += 1) assert.equal(fate(ask(`${row}`)), 'message');
  assert.equal(fate(ask('Hi')), '429');
});

test('tokens are limited like requests, and one too large for the bucket passes when it is full', () => {
  const { clock, ask } = scene({ profile: 'throttled' });
  const huge = 'word '.repeat(500_000);
  assert.equal(fate(ask(huge)), 'message');
  const second = ask('Hi');
  assert.ok(second.kind === 'whole' && second.status === 429 && Number(second.headers['retry-after']) > 30);
  clock.nowMs += 60_000;
  assert.equal(fate(ask('Hi')), 'message');
});

test('slow takes seconds to its first token, and longer for more of them', () => {
  const { ask } = scene({ profile: 'slow' });
  const short: number[] = [];
  const long: number[] = [];
  for (let row = 0; row < 200; row += 1) {
    const [one, other] = [ask(`${row}`), ask(`${row} [[simulate:tokens 100]]`)];
    assert.ok(one.kind === 'whole' && other.kind === 'whole');
    short.push(one.latencyMs);
    long.push(other.latencyMs);
  }
  const median = (times: readonly number[]): number => times.toSorted((left, right) => left - right)[100]!;
  assert.ok(median(short) > 2_000 && median(short) < 3_500, `${median(short)}`);
  assert.ok(median(long) > median(short) + 1_000, `${median(long)}`);
  const stream = ask('Hi', { stream: true });
  assert.ok(stream.kind === 'stream' && stream.latencyMs > 100 && stream.pieces.at(-1)!.atMs > 100);
  assert.ok(stream.pieces.every(({ atMs }, at) => at === 0 || atMs >= stream.pieces[at - 1]!.atMs));
});

test('every trigger does what its name says', () => {
  const { ask } = scene();
  const expected: Readonly<Record<string, string>> = {
    invalid_request: '400',
    authentication: '401',
    billing: '402',
    permission: '403',
    not_found: '404',
    request_too_large: '413',
    rate_limit: '429',
    api_error: '500',
    timeout: '504',
    overloaded: '529',
    stream_error: '529',
    reset: 'reset',
    hang: 'hang',
    cut: 'cut',
    garbage: 'garbage',
    half_json: 'garbage',
    empty: 'garbage',
    unknown_word: 'message',
  };
  const found = Object.keys(expected).map((name) => [name, fate(ask(`Please [[simulate:${name}]] now`))]);
  assert.deepEqual(Object.fromEntries(found), expected);
  const limited = ask('[[simulate:rate_limit]]');
  assert.ok(limited.kind === 'whole' && limited.headers['retry-after'] === '1');
});

test('a number after a fault is how often the very same request meets it', () => {
  const { ask } = scene();
  const fates = (words: string): readonly string[] => [1, 2, 3, 4].map(() => fate(ask(words)));
  assert.deepEqual(fates('[[simulate:overloaded 2]]'), ['529', '529', 'message', 'message']);
  assert.deepEqual(fates('Another [[simulate:reset 1]]'), ['reset', 'message', 'message', 'message']);
});

test('triggers count in the last user message only', () => {
  const { ask } = scene();
  const messages = [
    { role: 'user', content: '[[simulate:overloaded]]' },
    { role: 'assistant', content: 'No.' },
    { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
  ];
  assert.equal(fate(ask('', { messages })), 'message');
  assert.equal(fate(ask('', { messages, system: '[[simulate:overloaded]]' })), 'message');
  assert.equal(fate(ask('', { messages: messages.slice(0, 1) })), '529');
});

test('a latency can be asked for', () => {
  const answer = scene().ask('[[simulate:latency 250]]');
  assert.ok(answer.kind === 'whole' && answer.latencyMs === 250);
});

test('a stream may break, or say that it is overloaded', () => {
  const { ask } = scene();
  const cut = ask('[[simulate:cut]]', { stream: true });
  assert.ok(cut.kind === 'stream' && cut.isCut);
  assert.ok(!cut.pieces.some(({ bytes }) => bytes.includes('message_stop')));
  const failing = ask('[[simulate:stream_error]]', { stream: true });
  assert.ok(failing.kind === 'stream' && !failing.isCut);
  assert.match(failing.pieces.at(-1)!.bytes.toString(), /^event: error\ndata: .*overloaded_error/);
});

test('the profiles are those the options name', () => {
  assert.deepEqual(profileNames, ['steady', 'slow', 'throttled', 'flaky', 'brown-out', 'hanging', 'garbage']);
});
