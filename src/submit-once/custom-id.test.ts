/** A custom_id fits the API whatever the key is, and gives back the POST and the row. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { customIdOf, nonceFrom, NONCE_BYTES, nonceOf, parseCustomId } from './custom-id.ts';
import { isRefusal } from './refusals.ts';

const nonces = fc.uint8Array({ minLength: NONCE_BYTES, maxLength: NONCE_BYTES }).map(nonceFrom);

test('any row of any key: the API takes it, and it reads back', () => {
  fc.assert(
    fc.property(nonces, fc.nat(), fc.string({ unit: 'grapheme', maxLength: 200 }), (nonce, seq, key) => {
      const customId = customIdOf({ nonce, seq, key });
      assert.match(customId, /^[A-Za-z0-9_-]{1,64}$/);
      const parsed = parseCustomId(customId);
      assert.deepEqual([parsed?.nonce, parsed?.seq], [nonce, seq]);
    }),
  );
});

test('keys are read by people as far as they fit', () => {
  const nonce = 'abcdefghij234567';
  const cases: readonly [number, string, string][] = [
    [0, 'ticket-17', `${nonce}-0-ticket-17`],
    [35, 'a b/ü.c', `${nonce}-z-a_b_c`],
    [36, '', `${nonce}-10`],
    [1, 'x'.repeat(100), `${nonce}-1-${'x'.repeat(45)}`],
  ];
  for (const [seq, key, customId] of cases) {
    assert.equal(customIdOf({ nonce, seq, key }), customId);
  }
});

test('a stranger is a stranger', () => {
  const strangers = [
    '',
    'request-1',
    'ABCDEFGHIJ234567-0',
    'abcdefghij234567',
    'abcdefghij234567-',
    'abcdefghij234567-00',
    'abcdefghij23456-0',
    `abcdefghij234567-0-${'x'.repeat(60)}`,
  ];
  for (const id of strangers) {
    assert.equal(nonceOf(id), null, id);
  }
});

test('a nonce keeps all its bits', () => {
  assert.equal(nonceFrom(new Uint8Array(10)), 'a'.repeat(16));
  assert.equal(nonceFrom(new Uint8Array(10).fill(255)), '7'.repeat(16));
  assert.equal(nonceFrom(Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 1])), `${'a'.repeat(15)}b`);
  assert.throws(() => nonceFrom(new Uint8Array(9)));
});

test('only a clear no is a refusal', () => {
  for (const status of [400, 401, 403, 404, 409, 413, 422, 429]) assert.equal(isRefusal(status), true, String(status));
  for (const status of [200, 302, 303, 408, 425, 499, 500, 502, 503, 504, 529])
    assert.equal(isRefusal(status), false, String(status));
});
