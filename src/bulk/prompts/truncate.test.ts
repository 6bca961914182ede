// Cuts: by characters and tokens, never inside a character.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutText, joinCuts, parseCut } from './truncate.ts';

test('flags name a column and a length in characters or tokens', () => {
  assert.deepEqual(parseCut('text=4000'), { column: 'text', characters: 4000, tokens: null });
  assert.deepEqual(parseCut('a=b=9t'), { column: 'a=b', characters: null, tokens: 9 });
  for (const wrong of ['text', 'text=', 'text=0', 'text=-1', '=5', 'text=5x'])
    assert.throws(() => parseCut(wrong), /--truncate takes/);
  assert.deepEqual(joinCuts([parseCut('a=1'), parseCut('b=2')], [parseCut('a=3')]), [parseCut('a=3'), parseCut('b=2')]);
});

test('a family, a flag and an accent are kept whole or go', () => {
  assert.equal(cutText('x👨‍👩‍👧y', { characters: 4, tokens: null }), 'x');
  assert.equal(cutText('🇩🇪🇫🇷', { characters: 3, tokens: null }), '🇩🇪');
  assert.equal(cutText('ae\u0301b', { characters: 2, tokens: null }), 'a');
  assert.equal(cutText('äöü', { characters: null, tokens: 1 }), 'ä');
  assert.equal(cutText('abc', { characters: 3, tokens: 1 }), 'abc');
});

test('what is kept is a well-formed beginning within the length', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 200 });
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 80 }), fc.boolean(), (whole, length, isTokens) => {
      const kept = cutText(whole, { characters: isTokens ? null : length, tokens: isTokens ? length : null });
      assert.ok(whole.startsWith(kept) && kept.isWellFormed());
      if (isTokens) assert.ok(Buffer.byteLength(kept) <= length * 3.2);
      else assert.ok(Array.from(kept).length <= length);
      if ((isTokens ? Buffer.byteLength(whole) : Array.from(whole).length) <= length) assert.equal(kept, whole);
    }),
  );
});
