import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { REQUEST_BYTES_MAX } from '../domain/limits.ts';
import { cut, mutated, oracle, sizes, stringText, valueText } from './json.arbitrary.ts';
import { BodyError, EnvelopeSlicer, LineSlicer, type BodyFault } from './slice.ts';

type Sliced = { readonly elements: string[]; readonly fault: BodyFault | null };

function slice(Slicer: typeof EnvelopeSlicer | typeof LineSlicer, chunks: readonly Uint8Array[]): Sliced {
  const elements: string[] = [];
  const slicer = new Slicer((bytes, ordinal) => {
    assert.equal(ordinal, elements.length);
    elements.push(Buffer.from(bytes).toString('utf8'));
  });
  try {
    for (const chunk of chunks) slicer.push(chunk);
    slicer.end();
    return { elements, fault: null };
  } catch (error) {
    assert.ok(error instanceof BodyError, String(error));
    return { elements, fault: error.fault };
  }
}

const sliceText = (body: string, size = body.length + 1): Sliced =>
  slice(EnvelopeSlicer, cut(Buffer.from(body), [size]));

const space = fc.constantFrom('', ' ', '\n', '\r\n  ');
const list = fc.tuple(fc.array(valueText, { maxLength: 6 }), space);
const key = fc.constantFrom('"requests"', '"requ\\u0065sts"');
const bodyText = fc
  .tuple(list, key, space)
  .map(
    ([[items, inner], name, outer]) =>
      `${outer}{${outer}${name}${outer}:${inner}[${inner}${items.join(`${inner},${inner}`)}${outer}]${inner}}${outer}`,
  );
const oddBody = fc.oneof(
  bodyText,
  bodyText.map((body) => body.replace('{', '{"requests":[],')),
  fc.tuple(bodyText, stringText).map(([body, name]) => body.replace('{', `{${name}:1,`)),
  valueText,
  valueText.map((value) => `{"requests":${value}}`),
);

test('the requests of a body come out byte for byte, however it was cut', () => {
  fc.assert(
    fc.property(list, space, sizes, ([items, inner], outer, chunkSizes) => {
      const body = Buffer.from(
        `${outer}{"requests":${inner}[${inner}${items.join(`${inner},${outer}`)}${outer}]${inner}}${outer}`,
      );
      assert.deepEqual(slice(EnvelopeSlicer, cut(body, chunkSizes)), { elements: items, fault: null });
      assert.deepEqual(slice(EnvelopeSlicer, [new Uint8Array(body)]), { elements: items, fault: null });
    }),
    { numRuns: 500 },
  );
});

/** A body that has `requests` twice parses, but is refused, so shape is judged on the entries. */
function wellShaped(bytes: Buffer): unknown[] | null {
  const parsed = oracle(bytes)?.value;
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return null;
  const { requests } = parsed as { requests?: unknown };
  return Object.keys(parsed).length === 1 && Array.isArray(requests) ? requests : null;
}

test('a body is accepted exactly when JSON.parse accepts it and it has the shape', () => {
  fc.assert(
    fc.property(mutated(oddBody), sizes, (body, chunkSizes) => {
      const { elements, fault } = slice(EnvelopeSlicer, cut(body, chunkSizes));
      const requests = wellShaped(body);
      if (fault?.kind === 'duplicate_key') return;
      assert.equal(fault === null, requests !== null, JSON.stringify(fault));
      if (fault === null)
        assert.deepEqual(
          elements.map((element) => JSON.parse(element)),
          requests,
        );
    }),
    { numRuns: 1_000 },
  );
});

test('how a body is cut makes no difference to what comes of it', () => {
  fc.assert(
    fc.property(mutated(oddBody), sizes, (body, chunkSizes) => {
      const { elements, fault } = slice(EnvelopeSlicer, [body]);
      const inPieces = slice(EnvelopeSlicer, cut(body, chunkSizes));
      assert.deepEqual(inPieces.elements, elements);
      assert.equal(inPieces.fault?.kind, fault?.kind);
      // A request that was never closed is only noticed at the end when it was gathered.
      const isUnclosed = inPieces.fault?.kind === 'not_json' && inPieces.fault.message.startsWith('Unexpected end');
      if (!isUnclosed) assert.deepEqual(inPieces.fault, fault);
    }),
    { numRuns: 500 },
  );
});

test('nothing about a request is changed', () => {
  const requests = [
    '{"b":1,"a":2,"1":3,"b":4}',
    '9007199254740993',
    '1e400',
    '-0',
    '"\\ud800"',
    '"\u{1f680}\u{1f680}"',
    '"\\\\\\\\\\"\\\\"',
    '{"a\\\\":"\\\\","\\"":"}]"}',
    'null',
    '[ 1 ,\t2 ]',
  ];
  const body = `{"requests":[${requests.join(', ')}]}`;
  for (let size = 1; size <= body.length; size += 1) {
    assert.deepEqual(sliceText(body, size), { elements: requests, fault: null });
  }
});

test('a fault names its kind', () => {
  const table: readonly [string, BodyFault][] = [
    ['', { kind: 'not_json', message: 'Unexpected end (byte 0)' }],
    [' \n', { kind: 'not_json', message: 'Unexpected end (byte 2)' }],
    ['\ufeff{"requests":[]}', { kind: 'not_json', message: 'Expecting value (byte 0)' }],
    ['hello', { kind: 'not_json', message: 'Expecting value (byte 0)' }],
    ['[]', { kind: 'not_an_object' }],
    ['"requests"', { kind: 'not_an_object' }],
    ['{}', { kind: 'requests_missing' }],
    ['{} x', { kind: 'not_json', message: 'Extra data (byte 3)' }],
    ['{"requests":{}}', { kind: 'requests_not_a_list' }],
    ['{"requests":null}', { kind: 'requests_not_a_list' }],
    ['{"requests":?}', { kind: 'not_json', message: 'Expecting value (byte 12)' }],
    ['{"model":1}', { kind: 'unknown_key', key: 'model' }],
    ['{"requests":[],"mod\\u0065l":1}', { kind: 'unknown_key', key: 'model' }],
    ['{"requests":[],"requests":[]}', { kind: 'duplicate_key', key: 'requests' }],
    ['{"requests":[1,]}', { kind: 'not_json', message: 'Expecting value (byte 15)' }],
    ['{"requests":[1 2]}', { kind: 'not_json', message: "Expecting ',' delimiter (byte 15)" }],
    ['{"requests":[12, {"a":1}, "b" 3]}', { kind: 'not_json', message: "Expecting ',' delimiter (byte 30)" }],
    ['{"requests":[],}', { kind: 'not_json', message: 'Expecting property name enclosed in double quotes (byte 15)' }],
    ['{"requests":[{"a":tru}]}', { kind: 'not_json', message: 'Expecting value (byte 21)' }],
    ['{"requests":[]', { kind: 'not_json', message: 'Unexpected end (byte 14)' }],
    ['{requests:[]}', { kind: 'not_json', message: 'Expecting property name enclosed in double quotes (byte 1)' }],
    ['{"requests":[]}{}', { kind: 'not_json', message: 'Extra data (byte 15)' }],
  ];
  for (const [body, fault] of table) {
    assert.deepEqual(sliceText(body).fault, fault, body);
    for (let size = 1; size <= body.length; size += 1) {
      assert.deepEqual(sliceText(body, size).fault, fault, `${body} in pieces of ${size}`);
    }
  }
});

test('invalid UTF-8 is refused in a request and in a key', () => {
  for (const body of ['{"requests":["\xff"]}', '{"\xff":1}']) {
    const bytes = Buffer.from(body, 'latin1');
    assert.equal(slice(EnvelopeSlicer, [bytes]).fault?.kind, 'not_json');
    assert.equal(slice(EnvelopeSlicer, cut(bytes, [1])).fault?.kind, 'not_json');
  }
});

test('a request that lies in one chunk is not copied, and is emitted as soon as it is there', () => {
  const chunk = Buffer.from('{"requests":[{"a":1},{"b');
  const seen: Uint8Array[] = [];
  const slicer = new EnvelopeSlicer((bytes) => seen.push(bytes));
  slicer.push(chunk);
  assert.equal(seen.length, 1);
  assert.equal(seen[0]?.buffer, chunk.buffer);
  assert.equal(seen[0]?.byteOffset, chunk.byteOffset + 13);
});

test('a request of 10 MB passes whole', () => {
  const element = `{"text":"${'a \\" b\\\\'.repeat(1_250_000)}"}`;
  const { elements, fault } = sliceText(`{"requests":[1,${element},2]}`, 65_536);
  assert.equal(fault, null);
  assert.equal(elements.length, 3);
  assert.ok(elements[1] === element);
});

test('a request over the bound is refused before more of it is held, one at the bound passes', () => {
  const filler = Buffer.alloc(1024 * 1024, 'x');
  const counts: number[] = [];
  const slicer = new EnvelopeSlicer((bytes) => counts.push(bytes.length));
  slicer.push(Buffer.from('{"requests":[1,"'));
  for (let left = REQUEST_BYTES_MAX - 2; left > 0; left -= filler.length) slicer.push(filler.subarray(0, left));
  slicer.push(Buffer.from('","'));
  assert.deepEqual(counts, [1, REQUEST_BYTES_MAX]);
  assert.throws(
    () => {
      for (let sent = 0; sent <= REQUEST_BYTES_MAX; sent += filler.length) slicer.push(filler);
    },
    (error) => error instanceof BodyError && error.fault.kind === 'request_too_large' && error.fault.ordinal === 2,
  );
});

test('an error of the receiver passes through', () => {
  const slicer = new EnvelopeSlicer(() => {
    throw new Error('enough');
  });
  assert.throws(() => slicer.push(Buffer.from('{"requests":[1]}')), { message: 'enough' });
});

const lineValue = valueText.map((value) => value.replaceAll(/[\r\n]/g, ' '));
const ending = fc.constantFrom('\n', '\r\n', '\n\n', '\n \r\n\n');

test('the values of JSON lines come out byte for byte, however they were cut', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(lineValue, ending)), fc.boolean(), sizes, (lines, isEnded, chunkSizes) => {
      const joined = lines.map((line) => line.join('')).join('');
      const body = Buffer.from(isEnded ? joined : joined.trimEnd());
      const expected = { elements: lines.map(([value]) => value), fault: null };
      assert.deepEqual(slice(LineSlicer, cut(body, chunkSizes)), expected);
      assert.deepEqual(slice(LineSlicer, [body]), expected);
    }),
    { numRuns: 500 },
  );
});

test('JSON lines are accepted exactly when JSON.parse accepts every line', () => {
  const bodies = fc.array(fc.tuple(lineValue, ending)).map((lines) => lines.map((line) => line.join('')).join(''));
  fc.assert(
    fc.property(mutated(bodies), sizes, (body, chunkSizes) => {
      const lines = body
        .toString('latin1')
        .split('\n')
        .map((line) => Buffer.from(line, 'latin1'));
      const judged = lines.filter((line) => /[^ \t\r]/.test(line.toString('latin1'))).map(oracle);
      const { fault, elements } = slice(LineSlicer, cut(body, chunkSizes));
      assert.equal(
        fault === null,
        judged.every((line) => line !== undefined),
      );
      if (fault === null)
        assert.deepEqual(
          elements.map((element) => JSON.parse(element)),
          judged.map((line) => line?.value),
        );
    }),
    { numRuns: 500 },
  );
});

test('a bad line is named by its number', () => {
  const { elements, fault } = slice(LineSlicer, cut(Buffer.from('{"a":1}\r\n\n[1,]\n2\n'), [4]));
  assert.deepEqual(elements, ['{"a":1}']);
  assert.deepEqual(fault, { kind: 'not_json', message: 'line 3: Expecting value (byte 3)' });
});
