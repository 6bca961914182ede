import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JSON_DEPTH_MAX } from '../domain/limits.ts';
import { mutated, oracle, stringText, valueText } from './json.arbitrary.ts';
import { elements, JsonError, keyIs, members, parse, skip, text, validate, validateText } from './json.ts';

function accepts(bytes: Buffer): boolean {
  try {
    validateText(bytes, 0, bytes.length);
    return true;
  } catch (error) {
    assert.ok(error instanceof JsonError, String(error));
    assert.ok(error.offset >= 0 && error.offset <= bytes.length);
    return false;
  }
}

test('a text is accepted exactly when JSON.parse accepts it', () => {
  fc.assert(
    fc.property(mutated(valueText), (bytes) => {
      assert.equal(accepts(bytes), oracle(bytes) !== undefined);
    }),
    { numRuns: 1_000 },
  );
});

test('every short text over the bytes of the grammar is judged as JSON.parse judges it', () => {
  const alphabet = [
    '0',
    '1',
    '-',
    '.',
    'e',
    '+',
    '"',
    '\\',
    'u',
    'a',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    ' ',
    '\n',
    '\v',
    'true',
    '\x7f',
    '\x1f',
  ];
  const all = (length: number): string[] =>
    length === 0 ? [''] : all(length - 1).flatMap((head) => alphabet.map((tail) => head + tail));
  for (const length of [0, 1, 2, 3]) {
    for (const value of all(length)) {
      const bytes = Buffer.from(value);
      assert.equal(accepts(bytes), oracle(bytes) !== undefined, JSON.stringify(value));
    }
  }
});

test('a text that was cut short fails at its end and nowhere before, so that more bytes may save it', () => {
  fc.assert(
    fc.property(valueText, fc.nat(), (value, place) => {
      const bytes = Buffer.from(value);
      const end = place % bytes.length;
      try {
        validate(bytes, 0, end);
      } catch (error) {
        assert.ok(error instanceof JsonError);
        assert.equal(error.offset, end);
      }
    }),
    { numRuns: 500 },
  );
});

test('bytes outside the range are never looked at', () => {
  fc.assert(
    fc.property(mutated(valueText), (value) => {
      const bytes = Buffer.concat([Buffer.from('"'), value, Buffer.from('"}]1')]);
      const bare = oracle(value) !== undefined;
      let ranged = true;
      try {
        validateText(bytes, 1, 1 + value.length);
      } catch {
        ranged = false;
      }
      assert.equal(ranged, bare);
    }),
    { numRuns: 300 },
  );
});

test('errors say what is wrong and where', () => {
  const table: readonly [string, string, number][] = [
    ['', 'Expecting value', 0],
    ['nul', 'Expecting value', 3],
    ['NaN', 'Expecting value', 0],
    ['\ufeff1', 'Expecting value', 0],
    ['[1,]', 'Expecting value', 3],
    ['{"a":1,}', 'Expecting property name enclosed in double quotes', 7],
    ['{"a" 1}', "Expecting ':' delimiter", 5],
    ['[1 2]', "Expecting ',' delimiter", 3],
    ['[1}', "Expecting ',' delimiter", 2],
    ['"a\nb"', 'Invalid control character', 2],
    ['"\\x"', 'Invalid \\escape', 2],
    ['"\\u12g4"', 'Invalid \\uXXXX escape', 5],
    ['"\\u123"', 'Invalid \\uXXXX escape', 6],
    ['"abc', 'Unterminated string', 4],
    ['1 2', 'Extra data', 2],
    ['01', 'Extra data', 1],
  ];
  for (const [value, message, offset] of table) {
    const bytes = Buffer.from(value);
    assert.throws(() => validateText(bytes, 0, bytes.length), { name: 'JsonError', message, offset }, value);
  }
});

test('invalid UTF-8 is refused', () => {
  for (const hex of ['22ff22', '22c0af22', '22eda08022', '22f09f9a22']) {
    const bytes = Buffer.from(hex, 'hex');
    assert.throws(() => validateText(bytes, 0, bytes.length), { message: 'Invalid UTF-8' });
  }
});

test('nesting is accepted down to the bound', () => {
  const nested = (depth: number): Buffer => Buffer.from('[{"a":'.repeat(depth / 2) + '1' + '}]'.repeat(depth / 2));
  assert.ok(accepts(nested(JSON_DEPTH_MAX)));
  const tooDeep = nested(JSON_DEPTH_MAX + 2);
  assert.throws(() => validate(tooDeep, 0, tooDeep.length), { message: 'Too deeply nested' });
});

/** Rebuilds a value with the navigators alone, as entries, so that order and duplicates count. */
function walked(bytes: Buffer, at: number): unknown {
  const end = skip(bytes, at);
  if (bytes[at] === 0x22) return text(bytes, at, end);
  if (bytes[at] === 0x5b) {
    const items: unknown[] = [];
    const after = elements(bytes, at, (index, start, elementEnd) => {
      assert.equal(index, items.length);
      assert.equal(skip(bytes, start), elementEnd);
      items.push(walked(bytes, start));
    });
    assert.equal(after, end);
    return items;
  }
  if (bytes[at] === 0x7b) {
    const entries: [string, unknown][] = [];
    const after = members(bytes, at, (keyStart, keyEnd, start, valueEnd) => {
      assert.equal(skip(bytes, start), valueEnd);
      entries.push([text(bytes, keyStart - 1, keyEnd + 1), walked(bytes, start)]);
    });
    assert.equal(after, end);
    return Object.fromEntries(entries);
  }
  return parse(bytes, at, end);
}

test('the navigators see what JSON.parse sees', () => {
  fc.assert(
    fc.property(valueText, (value) => {
      const bytes = Buffer.from(value);
      assert.equal(skip(bytes, 0), bytes.length);
      assert.deepEqual(walked(bytes, 0), JSON.parse(value));
    }),
    { numRuns: 1_000 },
  );
});

test('skip finds the end of strings with escaped quotes and backslash runs of any length', () => {
  for (let length = 0; length < 80; length += 1) {
    for (let run = 0; run < 8; run += 1) {
      const slashes = '\\'.repeat(2 * run);
      for (const value of [`"${'x'.repeat(length)}${slashes}"`, `"${'x'.repeat(length)}${slashes}\\"y${slashes}"`]) {
        assert.equal(skip(Buffer.from(`${value},"z"`), 0), value.length);
      }
    }
  }
});

test('elements stops when told to', () => {
  const bytes = Buffer.from('[1, "b", [3]]');
  const seen: number[] = [];
  const after = elements(bytes, 0, (index) => {
    seen.push(index);
    return index < 1;
  });
  assert.deepEqual(seen, [0, 1]);
  assert.equal(after, 7);
});

test('what is no container has no members or elements', () => {
  const bytes = Buffer.from('["x",{"a":1}]');
  assert.equal(
    members(bytes, 0, () => assert.fail()),
    bytes.length,
  );
  assert.equal(
    elements(bytes, 1, () => assert.fail()),
    4,
  );
});

test('a key is recognised in any spelling', () => {
  const is = (key: string): boolean => keyIs(Buffer.from(key), 1, Buffer.byteLength(key) - 1, 'model');
  for (const key of ['"model"', '"mod\\u0065l"', '"\\u006d\\u006F\\u0064\\u0065\\u006c"']) assert.ok(is(key), key);
  for (const key of ['"Model"', '"mode"', '"models"', '"mod\\u0066l"', '""', '"mod\\\\el"', '"modèl"'])
    assert.ok(!is(key), key);
  fc.assert(
    fc.property(stringText, fc.constantFrom('a', 'model', '/'), (key, name) => {
      const bytes = Buffer.from(key);
      assert.equal(keyIs(bytes, 1, bytes.length - 1, name), JSON.parse(key) === name);
    }),
    { numRuns: 500 },
  );
});

test('plain byte arrays work as well as buffers', () => {
  const bytes = new Uint8Array(Buffer.from('{"a":"é and a string of more than thirty-two bytes \\" here","b":1}'));
  assert.equal(validateText(bytes, 0, bytes.length), bytes.length);
  assert.deepEqual(parse(bytes, 0, skip(bytes, 0)), { a: 'é and a string of more than thirty-two bytes " here', b: 1 });
});
