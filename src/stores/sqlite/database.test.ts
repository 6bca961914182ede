import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { AppError, StartError, StorageFullError } from '../../domain/errors.ts';
import { Database } from './database.ts';
import { migrations } from './schema.ts';

async function withFile(body: (path: string) => Promise<void> | void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-database-'));
  try {
    await body(join(folder, 'catalog.db'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

function refused(path: string, word: RegExp): void {
  assert.throws(
    () => new Database(path),
    (error) =>
      error instanceof StartError && error.message.includes(path) && word.test(error.message) && error.hint !== '',
  );
}

test('a new file gets every migration, an old one those it misses, and its rows stay', () =>
  withFile((path) => {
    const first = new Database(path);
    first.write(() => first.run(`insert into organization (one, id) values (1, 'kept')`));
    first.close();
    const added = { version: 2, name: 'note', sql: 'alter table organization add column note text' };
    new Database(path, [...migrations, added]).close();
    const again = new Database(path, [...migrations, added]);
    const row = again.get<{ id: string; note: string | null }>('select id, note from organization');
    assert.deepEqual([row?.id, row?.note], ['kept', null]);
    again.close();
    refused(path, /newer Nightshift \(catalog version 2\)/);
  }));

test('a migration that fails leaves the file as it was', () =>
  withFile((path) => {
    new Database(path).close();
    const bad = { version: 2, name: 'bad', sql: 'create table fine (one integer); create table broken (' };
    assert.throws(() => new Database(path, [...migrations, bad]));
    const database = new Database(path);
    assert.equal(database.get(`select name from sqlite_schema where name = 'fine'`), null);
    database.close();
  }));

test('commits are durable and references are checked', () =>
  withFile((path) => {
    const database = new Database(path);
    const pragma = (name: string) => Object.values(database.get<Record<string, unknown>>(`pragma ${name}`)!)[0];
    assert.deepEqual(['journal_mode', 'synchronous', 'foreign_keys'].map(pragma), ['wal', 2, 1]);
    database.close();
  }));

test('a file that is no database is refused and not touched', () =>
  withFile(async (path) => {
    const text = 'these are notes and no database; '.repeat(100);
    await writeFile(path, text);
    refused(path, /is not a database/);
    assert.equal(await readFile(path, 'utf8'), text);
  }));

test("another program's database is refused and not touched", () =>
  withFile(async (path) => {
    const other = new DatabaseSync(path);
    other.exec('create table customers (name text)');
    other.close();
    const before = await readFile(path);
    refused(path, /another program/);
    assert.deepEqual(await readFile(path), before);
  }));

test('a damaged catalog is refused', () =>
  withFile(async (path) => {
    new Database(path).close();
    await truncate(path, Math.floor((await stat(path)).size / 2));
    refused(path, /is damaged/);
  }));

test('a file in no folder is refused', () => refused('/nonexistent-folder/catalog.db', /cannot be opened/));

test('any error rolls back, and the next transaction works', () =>
  withFile((path) => {
    const database = new Database(path);
    const insert = (id: string) => database.run('insert into organization (one, id) values (1, :id)', { id });
    assert.throws(
      () =>
        database.write(() => {
          insert('half');
          throw new AppError('invalid_request', 'no');
        }),
      AppError,
    );
    database.write(() => insert('whole'));
    assert.equal(database.get<{ id: string }>('select id from organization')?.id, 'whole');
    database.close();
  }));

test('a full disk is a StorageFullError, and work goes on when there is room', () =>
  withFile((path) => {
    const database = new Database(path);
    const { page_count: pages } = database.get<{ page_count: number }>('pragma page_count')!;
    const grow = () =>
      database.write(() =>
        database.run(`insert into events (batch_id, sequence, kind, at) values (:text, 1, 'x', 1)`, {
          text: 'x'.repeat(100_000),
        }),
      );
    database.get(`pragma max_page_count = ${pages}`);
    assert.throws(grow, (error) => error instanceof StorageFullError && error.message.includes(path));
    assert.equal(database.get<{ count: number }>('select count(*) as count from events')?.count, 0);
    database.get('pragma max_page_count = 1000000');
    grow();
    database.close();
  }));

const writer = `
  const { Database } = await import(process.argv[1]);
  const database = new Database(process.argv[2]);
  for (let count = 0; count < 50; count++) {
    database.write(() => database.run('update clock set highest = highest + 1'));
  }
  database.close();`;

test('processes that open a new file at once and write to it wait for each other', () =>
  withFile(async (path) => {
    const source = new URL('./database.ts', import.meta.url).href;
    const children = Array.from({ length: 3 }, () =>
      spawn(process.execPath, ['--input-type=module', '--eval', writer, source, path], {
        stdio: ['ignore', 'ignore', 'inherit'],
      }),
    );
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0] as number));
    assert.deepEqual(codes, [0, 0, 0]);
    const database = new Database(path);
    assert.equal(database.get<{ highest: number }>('select highest from clock')?.highest, 150);
    database.close();
  }));
