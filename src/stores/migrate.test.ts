import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StartError } from '../domain/errors.ts';
import { pendingMigrations, type Migration } from './migrate.ts';

const migrations: readonly Migration[] = [
  { version: 1, name: 'first', sql: '' },
  { version: 2, name: 'second', sql: '' },
];
const place = '/data/catalog.db';

test('what is missing is returned in order, and nothing when all is there', () => {
  assert.deepEqual(pendingMigrations({ place, version: 0, migrations }), migrations);
  assert.deepEqual(pendingMigrations({ place, version: 1, migrations }), [migrations[1]]);
  assert.deepEqual(pendingMigrations({ place, version: 2, migrations }), []);
});

test('a newer catalog is refused, naming it and the remedy', () => {
  assert.throws(
    () => pendingMigrations({ place, version: 3, migrations }),
    (error) => error instanceof StartError && error.message.includes(place) && error.hint.includes('newer program'),
  );
});

test('migrations with a gap are a mistake of ours', () => {
  const gap = [migrations[0]!, { version: 3, name: 'third', sql: '' }];
  assert.throws(() => pendingMigrations({ place, version: 0, migrations: gap }), { name: 'AssertionError' });
});
