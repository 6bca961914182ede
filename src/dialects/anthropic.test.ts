import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringText, valueText } from '../bytes/json.arbitrary.ts';
import { BodyError, EnvelopeSlicer, type BodyFault } from '../bytes/slice.ts';
import { AppError } from '../domain/errors.ts';
import { createAnthropicDialect } from './anthropic.ts';
import type { EnvelopeFault, ReadRequest } from './dialect.ts';

const dialect = createAnthropicDialect();
const context = { version: '2023-06-01', betas: [] };
const params = '{"model":"m","max_tokens":16,"messages":[{"role":"user","content":"hi"}]}';

function read(element: string, ordinal = 0): ReadRequest {
  return dialect.readRequest(Buffer.from(element), ordinal, context);
}

function refusal(element: string, ordinal = 0): string {
  try {
    read(element, ordinal);
  } catch (error) {
    assert.ok(error instanceof AppError && error.code === 'invalid_request', String(error));
    return error.message;
  }
  return 'accepted';
}

test('a request is read: its id, model, bounds and the very bytes of its params', () => {
  const request = read(`{"custom_id":"a-1","params":${params}}`, 7);
  assert.equal(Buffer.from(request.params).toString(), params);
  assert.equal(request.model, 'm');
  assert.deepEqual(request.entry, {
    ordinal: 7,
    offset: 0,
    length: params.length,
    customId: 'a-1',
    maxTokens: 16,
    tokenEstimate: Math.ceil(params.length / 4) + 16,
    breakpoints: [],
    fault: null,
  });
});

test('faults of the envelope of one request are refused by name and place', () => {
  const pattern = "String should match pattern '^[a-zA-Z0-9_-]{1,64}$'";
  const table: readonly [element: string, message: string][] = [
    ['7', 'requests.3: Input should be a valid dictionary'],
    ['[]', 'requests.3: Input should be a valid dictionary'],
    ['null', 'requests.3: Input should be a valid dictionary'],
    ['{}', 'requests.3.custom_id: Field required'],
    [`{"params":${params}}`, 'requests.3.custom_id: Field required'],
    [`{"custom_id":7,"params":${params}}`, 'requests.3.custom_id: Input should be a valid string'],
    [`{"custom_id":null,"params":${params}}`, 'requests.3.custom_id: Input should be a valid string'],
    [`{"custom_id":"","params":${params}}`, 'requests.3.custom_id: String should have at least 1 character'],
    [
      `{"custom_id":"${'a'.repeat(65)}","params":${params}}`,
      'requests.3.custom_id: String should have at most 64 characters',
    ],
    [`{"custom_id":"${'a'.repeat(64)}","params":${params}}`, 'accepted'],
    [`{"custom_id":"${'🚀'.repeat(64)}","params":${params}}`, `requests.3.custom_id: ${pattern}`],
    [`{"custom_id":"a.b","params":${params}}`, `requests.3.custom_id: ${pattern}`],
    [`{"custom_id":"a\\n","params":${params}}`, `requests.3.custom_id: ${pattern}`],
    [`{"custom_id":"\\u0061","params":${params}}`, 'accepted'],
    ['{"custom_id":"a"}', 'requests.3.params: Field required'],
    ['{"custom_id":"a","params":null}', 'requests.3.params: Input should be a valid dictionary'],
    ['{"custom_id":"a","params":"x"}', 'requests.3.params: Input should be a valid dictionary'],
    [`{"custom_id":"a","params":{},"params":[]}`, 'requests.3.params: Input should be a valid dictionary'],
    [`{"custom_id":"a","params":${params},"foo":1}`, 'requests.3.foo: Extra inputs are not permitted'],
    [`{"f\\u006fo":{},"custom_id":"a","params":${params}}`, 'requests.3.foo: Extra inputs are not permitted'],
  ];
  for (const [element, message] of table) assert.equal(refusal(element, 3), message, element);
});

test('of a duplicate key the last one counts', () => {
  const request = read(`{"params":{"a":1},"custom_id":"a","custom_id":"b","params":${params} }`);
  assert.equal(request.entry.customId, 'b');
  assert.equal(request.entry.fault, null);
  assert.equal(Buffer.from(request.params).toString(), params);
});

test('what a caller wrote is quoted only so far', () => {
  assert.ok(refusal(`{"${'k'.repeat(10_000)}":1,"custom_id":"a","params":${params}}`).length < 400);
});

test('faults of a whole body have the words of the API', () => {
  const body = (fault: BodyFault): EnvelopeFault => ({ kind: 'body', error: new BodyError(fault) });
  const table: readonly [fault: EnvelopeFault, message: string][] = [
    [{ kind: 'empty' }, 'requests: List should have at least 1 item after validation, not 0'],
    [
      { kind: 'too_many', count: 100_001 },
      'requests: List should have at most 100000 items after validation, not 100001',
    ],
    [
      { kind: 'duplicate', customId: 'dup' },
      "requests: custom_id's must be unique within a batch. Duplicate custom_id found: dup",
    ],
    [
      body({ kind: 'not_json', message: 'Expecting value (byte 123)' }),
      'The request body is not valid JSON: Expecting value (byte 123)',
    ],
    [body({ kind: 'not_an_object' }), 'Input should be a valid dictionary'],
    [body({ kind: 'requests_missing' }), 'requests: Field required'],
    [body({ kind: 'requests_not_a_list' }), 'requests: Input should be a valid list'],
    [body({ kind: 'unknown_key', key: 'model' }), 'model: Extra inputs are not permitted'],
    [body({ kind: 'duplicate_key', key: 'requests' }), 'requests: Field may be given only once'],
  ];
  for (const [fault, message] of table) {
    const refused = dialect.refuse(fault);
    assert.deepEqual([refused.code, refused.message], ['invalid_request', message]);
  }
  const tooLarge = dialect.refuse(body({ kind: 'request_too_large', ordinal: 12 }));
  assert.equal(tooLarge.code, 'too_large');
  assert.match(tooLarge.message, /^requests\.12: .*32 MB/);
});

const space = fc.constantFrom('', ' ', '\n\t');
const fieldText = fc.oneof(
  fc.tuple(stringText, valueText),
  fc.tuple(fc.constantFrom('"model"', '"messages"', '"max_tokens"', '"system"', '"tools"'), valueText),
);
const paramsText = fc
  .array(fc.tuple(space, fieldText, space), { maxLength: 6 })
  .map(
    (fields) =>
      `{${fields.map(([before, [key, value], after]) => `${before}${key}${after}:${value}${after}`).join(',')}}`,
  );

test('any params come out byte for byte, wherever they stand and whatever they say', () => {
  fc.assert(
    fc.property(paramsText, space, fc.boolean(), (text, gap, isFirst) => {
      const id = `"custom_id"${gap}:${gap}"a"`;
      const given = `"params"${gap}:${gap}${text}`;
      const element = `{${gap}${isFirst ? given : id}${gap},${isFirst ? id : given}${gap}}`;
      const seen: ReadRequest[] = [];
      const slicer = new EnvelopeSlicer((bytes, ordinal) => seen.push(dialect.readRequest(bytes, ordinal, context)));
      slicer.push(Buffer.from(`{"requests":[${element}]}`));
      slicer.end();
      assert.equal(seen.length, 1);
      assert.equal(Buffer.from(seen[0].params).toString(), text);
      assert.equal(seen[0].entry.length, Buffer.byteLength(text));
      assert.ok(seen[0].entry.tokenEstimate >= 0 && seen[0].entry.maxTokens >= 0);
    }),
    { numRuns: 500 },
  );
});
