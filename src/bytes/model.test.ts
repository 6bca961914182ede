/** Only the value of `model` changes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spliceModel } from './model.ts';

const splice = (text: string) => Buffer.from(spliceModel(Buffer.from(text), 'qwen3:8b "x"')).toString();

test('the model is replaced and every other byte stays', () => {
  assert.equal(
    splice('{"a": 1e400, "model" : "claude",\n"b":[{"model":"no"}]}'),
    '{"a": 1e400, "model" : "qwen3:8b \\"x\\"",\n"b":[{"model":"no"}]}',
  );
});

test('of duplicate and escaped keys the last one is replaced', () => {
  assert.equal(splice('{"model":"a","mod\\u0065l":"b"}'), '{"model":"a","mod\\u0065l":"qwen3:8b \\"x\\""}');
});

test('params without a model stay as they are', () => {
  assert.equal(splice('{"x":"model"}'), '{"x":"model"}');
});
