import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { StartError } from './domain/errors.ts';
import { openDirectory } from './open-directory.ts';
import { Database } from './stores/sqlite/database.ts';
import { migrations } from './stores/sqlite/schema.ts';

test('a command leaves a catalog of an earlier version to the server, and a foreign file to its owner', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'nightshift-directory-'));
  t.after(() => rm(data, { recursive: true }));
  const path = join(data, 'catalog.sqlite');
  new Database(path, migrations.slice(0, 1)).close();
  const before = await readFile(path);
  await assert.rejects(
    openDirectory(data),
    (error) => error instanceof StartError && /earlier version/.test(error.message),
  );
  assert.deepEqual(await readFile(path), before);

  new Database(path).close();
  const { directory, close } = await openDirectory(data);
  assert.equal((await directory.workspaces()).length, 1);
  await close();

  await writeFile(path, 'no database at all. '.repeat(100));
  await assert.rejects(openDirectory(data), /is not a database/);
});
