import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { judgeParams } from './judge.ts';

const cache_control = { type: 'ephemeral' };
const tool = { name: 'a', input_schema: { type: 'object' }, cache_control };
const plain = (text: string) => ({ type: 'text', text });
const marked = (text: string) => ({ type: 'text', text, cache_control });

function breakpoints(params: object): readonly string[] {
  const text = JSON.stringify({ model: 'm', max_tokens: 1, messages: [{ role: 'user', content: 'q' }], ...params });
  const { fault, breakpoints: hashes } = judgeParams(Buffer.from(text), 0, {
    version: '2023-06-01',
    betas: [],
    strict: false,
  });
  assert.equal(fault, null);
  for (const hash of hashes) assert.match(hash, /^[0-9a-f]{16}$/);
  return hashes;
}

const ask = (...content: object[]) => ({ messages: [{ role: 'user', content }] });

test('requests without cache_control have no breakpoints, also when a prompt speaks of it', () => {
  assert.deepEqual(breakpoints({}), []);
  assert.deepEqual(breakpoints({ system: '"cache_control":{"type":"ephemeral"}' }), []);
});

test('a faulted request has none', () => {
  const params = { model: 'm', max_tokens: 0, ...ask(marked('a')) };
  assert.deepEqual(
    judgeParams(Buffer.from(JSON.stringify(params)), 0, { version: '2023-06-01', betas: [], strict: false })
      .breakpoints,
    [],
  );
});

test('prefixes go from tools over system to messages, shortest first, wherever they stand in the bytes', () => {
  const [first, second, third] = breakpoints({ tools: [tool], system: [marked('s')], ...ask(marked('a'), plain('b')) });
  assert.deepEqual(breakpoints({ ...ask(marked('a')), system: [marked('s')], tools: [tool] }), [first, second, third]);
  assert.deepEqual(breakpoints({ tools: [tool] }), [first]);
  assert.deepEqual(breakpoints({ tools: [tool], system: [marked('s'), plain('more')] }), [first, second]);
  assert.equal(new Set([first, second, third]).size, 3);
});

test('a hash depends on the model and on all before the mark, and on nothing after it', () => {
  const base = { system: [plain('rules'), marked('book')], temperature: 0.5, ...ask(plain('one')) };
  const [hash] = breakpoints(base);
  assert.deepEqual(breakpoints({ ...base, ...ask(plain('two')), max_tokens: 99, temperature: 1 }), [hash]);
  assert.notDeepEqual(breakpoints({ ...base, model: 'n' }), [hash]);
  assert.notDeepEqual(breakpoints({ ...base, system: [plain('rulez'), marked('book')] }), [hash]);
  assert.notDeepEqual(breakpoints({ ...base, tools: [{ name: 'a', input_schema: { type: 'object' } }] }), [hash]);
});

test('the same bytes in another section are another prefix', () => {
  const blocks = [marked('same')];
  assert.notDeepEqual(breakpoints({ tools: blocks }), breakpoints({ system: blocks }));
  assert.notDeepEqual(
    breakpoints({ system: blocks }),
    breakpoints({ messages: [{ role: 'system', content: blocks }] }),
  );
});

test('cache_control beside messages marks the last block, once', () => {
  const history = {
    messages: [
      { role: 'user', content: [plain('a')] },
      { role: 'assistant', content: 'b' },
    ],
  };
  assert.equal(breakpoints({ ...history, cache_control }).length, 1);
  assert.deepEqual(breakpoints({ ...history, cache_control }), breakpoints({ cache_control, ...history }));
  assert.equal(breakpoints({ system: [marked('s')], ...history, cache_control }).length, 2);
  assert.equal(breakpoints({ ...ask(plain('a'), marked('b')), cache_control }).length, 1);
  assert.notDeepEqual(
    breakpoints({ ...ask(plain('a')), cache_control }),
    breakpoints({ ...ask(plain('b')), cache_control }),
  );
});

test('blocks inside a tool result come before the result itself', () => {
  const result = { type: 'tool_result', tool_use_id: 't', content: [marked('in')], cache_control };
  const called = { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'a', input: {} }] };
  const answered = (block: object) => ({ messages: [called, { role: 'user', content: [block] }] });
  const [inner, outer] = breakpoints(answered(result));
  assert.notEqual(inner, outer);
  assert.equal(breakpoints(answered({ ...result, cache_control: undefined, is_error: true }))[0], inner);
});

test('two requests share exactly the hashes of the prefixes they share', () => {
  const word = fc.constantFrom('a', 'b');
  const blocks = fc.array(word, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(blocks, blocks, (left, right) => {
      const hashes = [left, right].map((texts) => breakpoints(ask(...texts.map(marked))));
      const length = Math.min(left.length, right.length);
      for (let count = 1; count <= length; count += 1) {
        const isShared = left.slice(0, count).join() === right.slice(0, count).join();
        assert.equal(hashes[0][count - 1] === hashes[1][count - 1], isShared);
      }
    }),
    { numRuns: 100 },
  );
});
