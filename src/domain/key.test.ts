import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hintOf, inOrder, keyState, maySatisfy, scopes, type NeededScope, type Scope } from './key.ts';

test('a scope opens what it names; whoever may make batches may read them; any key opens what asks for none', () => {
  const rows: Readonly<Record<Scope, readonly NeededScope[]>> = {
    batches: ['batches', 'results:read', 'any'],
    messages: ['messages', 'any'],
    'results:read': ['results:read', 'any'],
    admin: ['admin', 'any'],
  };
  for (const [held, opened] of Object.entries(rows)) {
    for (const needed of [...scopes, 'any'] as const) {
      assert.equal(maySatisfy([held as Scope], needed), opened.includes(needed), `${held} for ${needed}`);
    }
  }
  assert.equal(maySatisfy([], 'any'), true);
  assert.equal(maySatisfy([], 'batches'), false);
});

test('a key is good until the moment it expires, and revoked for good', () => {
  assert.equal(keyState({ revokedAt: null, expiresAt: null }, 5), 'active');
  assert.equal(keyState({ revokedAt: null, expiresAt: 6 }, 5), 'active');
  assert.equal(keyState({ revokedAt: null, expiresAt: 5 }, 5), 'expired');
  assert.equal(keyState({ revokedAt: 1, expiresAt: 5 }, 9), 'revoked');
});

test('a hint shows prefix and end of a long secret, and of a short one nothing', () => {
  assert.equal(hintOf('sk-nightshift-0123456789abcdef'), 'sk-nightshift-…cdef');
  assert.equal(hintOf('a-preset-key-of-another-form'), '…form');
  assert.equal(hintOf('hunter2'), '…');
});

test('scopes are kept once each, in one order', () => {
  assert.deepEqual(inOrder(['admin', 'batches', 'admin']), ['batches', 'admin']);
});
