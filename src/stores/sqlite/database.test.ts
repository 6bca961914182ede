import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { AppError, StartError, StorageFullError } from '../../domain/errors.ts';
import { acceptBatch, FakeClock, finish } from '../../../test/conformance/catalog-fixtures.ts';
import { openSqliteCatalog } from './catalog.ts';
import { Database } from './database.ts';
import { migrations } from './schema.ts';
import { held } from './spans.ts';
import { openSqliteStores } from './stores.ts';

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
    const next = migrations.length + 1;
    const added = { version: next, name: 'note', sql: 'alter table organization add column note text' };
    new Database(path, [...migrations, added]).close();
    const again = new Database(path, [...migrations, added]);
    const row = again.get<{ id: string; note: string | null }>('select id, note from organization');
    assert.deepEqual([row?.id, row?.note], ['kept', null]);
    again.close();
    refused(path, new RegExp(`newer Nightshift \\(catalog version ${next}\\)`));
  }));

test('a migration that fails leaves the file as it was', () =>
  withFile((path) => {
    new Database(path).close();
    const bad = {
      version: migrations.length + 1,
      name: 'bad',
      sql: 'create table fine (one integer); create table broken (',
    };
    assert.throws(() => new Database(path, [...migrations, bad]));
    const database = new Database(path);
    assert.equal(database.get(`select name from sqlite_schema where name = 'fine'`), null);
    database.close();
  }));

/** A batch as version 1 wrote it, its segment in a blob. */
const rowsOfFirst = `
  insert into batches (created_at, id, workspace_id, key_id, dialect, version, betas, state, expires_at, archives_at, requests, fingerprint)
  values (1, 'msgbatch_old', 'wrkspc_a', 'apikey_a', 'anthropic', '2023-06-01', '[]', 'running', 9, 9, 1, 'f');
  insert into segments (batch_id, number, blob, blob_offset, bytes, index_offset, index_bytes, model, requests, done)
  values ('msgbatch_old', 0, 'wrkspc_a/msgbatch_old/s-000000', 5, 6, 11, 7, 'm', 1, x'00');
  insert into spans (batch_id, segment, from_item, to_item, model, epoch, node, lease_until)
  values ('msgbatch_old', 0, 0, 1, 'm', 3, 'node-a', 9)`;

test('a catalog of version 1 is migrated, and its segments are where they were', () =>
  withFile((path) => {
    new Database(path, migrations.slice(0, 1)).close();
    const first = new DatabaseSync(path);
    first.exec(rowsOfFirst);
    first.close();
    const database = new Database(path);
    const [span] = held(database, 'node-a');
    assert.deepEqual(span?.segment.source, { kind: 'blob', key: 'wrkspc_a/msgbatch_old/s-000000' });
    assert.deepEqual([span.segment.offset, span.segment.indexOffset, span.lease.epoch], [5, 11, 3]);
    database.close();
  }));

test('a workspace and a key of version 1 stay good, and may do everything', () =>
  withFile(async (path) => {
    new Database(path, migrations.slice(0, 1)).close();
    const first = new DatabaseSync(path);
    first.exec(`
      insert into organization (one, id) values (1, 'org');
      insert into workspaces (id, name, weight, is_default) values ('wrkspc_a', 'Default', 1, 1);
      insert into keys (id, workspace_id, name, secret_hash) values ('apikey_a', 'wrkspc_a', 'first key', 'aa')`);
    first.close();
    const firstStart = { organizationId: 'unused', defaultWorkspaceId: 'unused' };
    const { directory, close } = openSqliteStores({ path, clock: new FakeClock(), firstStart });
    const key = await directory.key('aa');
    assert.deepEqual(key?.scopes, ['batches', 'messages', 'results:read', 'admin']);
    assert.deepEqual([key.hint, key.expiresAt, key.revokedAt], [null, null, null]);
    assert.ok(key.createdAt > 0 && (await directory.defaultWorkspace()).createdAt > 0);
    const hinted = await directory.addKey({ ...key, secretHash: 'aa', hint: '…abcd' });
    assert.deepEqual(hinted, { ...key, hint: '…abcd' });
    await close();
  }));

test('erased prompts are gone from the file, small ones and such as fill pages', () =>
  withFile(async (path) => {
    const catalog = openSqliteCatalog({ path, clock: new FakeClock() });
    const sizes = [500, 30_000];
    for (const way of ['archive', 'delete'] as const) {
      for (const size of sizes) {
        const inline = new Uint8Array(Buffer.alloc(size, `a secret to ${way} in ${size} bytes, `));
        const { id } = await acceptBatch(catalog, {}, [{ requests: 1, inline }]);
        await finish(catalog, id);
        await catalog.transition({ batchId: id, transition: way, from: ['ended'] });
      }
    }
    const kept = new Uint8Array(Buffer.from('this prompt is kept'));
    await acceptBatch(catalog, {}, [{ requests: 1, inline: kept }]);
    await catalog.close();
    const text = await readFile(path, 'latin1');
    assert.ok(text.includes('this prompt is kept') && !text.includes('a secret'));
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

test('a catalog that another process keeps locked is told as a passing trouble', () =>
  withFile((path) => {
    const database = new Database(path);
    database.get('pragma busy_timeout = 1');
    const other = new DatabaseSync(path);
    other.exec('begin immediate');
    const write = () => database.run('update clock set highest = highest + 1');
    const isBusy = (error: unknown) => error instanceof AppError && error.code === 'overloaded' && error.hint !== null;
    assert.throws(() => database.write(write), isBusy);
    assert.throws(() => database.group(() => database.write(write)), isBusy);
    other.exec('rollback');
    other.close();
    assert.equal(database.write(write), 1);
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

test('in a group each transaction stands or falls alone, and all hold at once', () =>
  withFile((path) => {
    const database = new Database(path);
    const other = new Database(path);
    const count = (from: Database) => from.get<{ count: number }>('select count(*) as count from events')!.count;
    const event = (batch: string) => (database_: Database) =>
      database_.write(() => {
        database_.run('insert into events (batch_id, sequence, kind, at) values (:batch, 1, :kind, 1)', {
          batch,
          kind: 'created',
        });
        if (batch === 'bad') throw new Error('undone');
      });
    database.group(() => {
      event('one')(database);
      assert.throws(() => event('bad')(database), /undone/);
      database.writeUnsynced(() => event('two')(database));
      assert.equal(
        database.read(() => count(database)),
        2,
      );
      assert.equal(count(other), 0, 'nobody else sees what does not hold yet');
    });
    assert.equal(count(other), 2);
    assert.throws(() =>
      database.group(() => {
        event('three')(database);
        throw new Error('the group');
      }),
    );
    assert.equal(count(other), 2);
    event('four')(database);
    assert.equal(count(other), 3);
    database.close();
    other.close();
  }));

test('a disk that fills up in a group fails every call of it, and none of it is there', () =>
  withFile((path) => {
    const database = new Database(path);
    const { page_count: pages } = database.get<{ page_count: number }>('pragma page_count')!;
    database.get(`pragma max_page_count = ${pages + 2}`);
    const insert = (batch: string, kind: string) =>
      database.write(() =>
        database.run('insert into events (batch_id, sequence, kind, at) values (:batch, 1, :kind, 1)', { batch, kind }),
      );
    assert.throws(
      () =>
        database.group(() => {
          insert('small', 'created');
          assert.throws(() => insert('large', 'x'.repeat(1_000_000)), StorageFullError);
          assert.throws(() => insert('after', 'created'), StorageFullError);
        }),
      (error) => error instanceof StorageFullError && error.message.includes(path),
    );
    assert.equal(database.get(`select 1 from events where batch_id in ('small', 'large', 'after')`), null);
    database.close();
  }));
