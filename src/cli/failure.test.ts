import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StorageFullError } from '../domain/errors.ts';
import { explain } from './failure.ts';

test('a full disk at the start is told in two lines, not as a fault of ours', () => {
  const told = explain(new StorageFullError('the catalog /data/catalog.sqlite'));
  assert.match(told, /^error: no room left for the catalog \/data\/catalog\.sqlite\nhint: Free some space.*\n$/);
});

test('what nobody expected is told with its stack', () => {
  assert.match(explain(new TypeError('odd')), /please report it\nTypeError: odd\n\s+at /);
});
