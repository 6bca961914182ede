import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodedLength } from './base64.ts';

const lengthOf = (text: string): number | null => {
  const bytes = Buffer.from(`["${text}"]`);
  return decodedLength(bytes, 1, bytes.length - 1);
};

// Long ones are decoded in more than one piece.
const content = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.integer({ min: 49_140, max: 49_170 }).map((length) => new Uint8Array(length).fill(length)),
);

test('what base64 stands for is as long as what it was made of, padded or not, with slashes escaped or not', () => {
  fc.assert(
    fc.property(content, (bytes) => {
      const text = Buffer.from(bytes).toString('base64');
      assert.equal(lengthOf(text), bytes.length);
      assert.equal(lengthOf(text.replaceAll('=', '')), bytes.length);
      assert.equal(lengthOf(text.replaceAll('/', '\\/')), bytes.length);
    }),
  );
});

test('one letter of something else is found anywhere', () => {
  fc.assert(
    fc.property(
      content,
      fc.nat(),
      fc.constantFrom('-', '_', ' ', '=', '!', 'é', '\\n', '\\u0041\\u0020'),
      (bytes, at, other) => {
        const text = Buffer.from(bytes).toString('base64').replaceAll('=', '');
        fc.pre(text.length > 1);
        const place = at % (text.length - 1);
        assert.equal(lengthOf(text.slice(0, place) + other + text.slice(place + 1)), null, `${other} at ${place}`);
      },
    ),
  );
});
