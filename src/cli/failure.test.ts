import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError, StorageFullError } from '../domain/errors.ts';
import { explain } from './failure.ts';

test('a full disk at the start is told in two lines, not as a fault of ours', () => {
  const told = explain(new StorageFullError('the catalog /data/catalog.sqlite'));
  assert.match(told, /^error: no room left for the catalog \/data\/catalog\.sqlite\nhint: Free some space.*\n$/);
});

test('what a store refuses with a remedy is told in two lines too', () => {
  const error = new AppError('overloaded', 'the catalog is locked', { hint: 'Wait.' });
  assert.equal(explain(error), 'error: the catalog is locked\nhint: Wait.\n');
});

test('what nobody expected is told with its stack', () => {
  assert.match(explain(new TypeError('odd')), /please report it\nTypeError: odd\n\s+at /);
});
