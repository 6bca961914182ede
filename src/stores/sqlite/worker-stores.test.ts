import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { acceptance } from '../../../test/conformance/catalog-fixtures.ts';
import { AppError, AssertionError, StartError, StorageFullError } from '../../domain/errors.ts';
import { fromWire, toWire } from './wire-error.ts';
import { openWorkerStores, StoreThread } from './worker-stores.ts';

const firstStart = { organizationId: 'organization', defaultWorkspaceId: 'wrkspc_default' };
const clock = { wallMs: () => 1_800_000_000_000 };

async function withFile(body: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-worker-'));
  try {
    await body(join(folder, 'catalog.db'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

const newKey = {
  id: 'apikey_1',
  workspaceId: firstStart.defaultWorkspaceId,
  name: 'key',
  hint: null,
  scopes: ['batches'],
  expiresAt: null,
  secretHash: 'hash',
} as const;

/** Frames of the write-ahead log that end a transaction: those with a size of the database. https://www.sqlite.org/fileformat.html#walformat */
async function commitsIn(path: string): Promise<number> {
  const log = await readFile(`${path}-wal`);
  const frameBytes = 24 + log.readUInt32BE(8);
  let commits = 0;
  for (let at = 32; at + frameBytes <= log.length; at += frameBytes) if (log.readUInt32BE(at + 4) > 0) commits += 1;
  return commits;
}

const noDeath = (error: Error) => assert.fail(error);

test('an error keeps its class and its words on the way', () => {
  const errors = [
    new AppError('not_found', 'gone', { hint: 'look', detail: 'code', headers: { 'retry-after': '1' } }),
    new StartError('no', { hint: 'yes' }),
    new StorageFullError('the blobs'),
    new StorageFullError('the catalog', undefined, { mayHold: true }),
    new AssertionError('never'),
    new TypeError('other'),
  ];
  for (const error of errors) {
    const revived = fromWire(structuredClone(toWire(error)));
    assert.equal(revived.name, error.name);
    assert.equal(revived.message, error.message);
    assert.equal(revived.stack, error.stack);
    if (error instanceof TypeError) continue;
    assert.equal(revived.constructor, error.constructor);
    assert.deepEqual(Object.entries(revived), Object.entries(error));
  }
});

test('a file that is refused rejects the opening, and ends the thread', () =>
  withFile(async (path) => {
    await writeFile(path, 'no database at all. '.repeat(100));
    await assert.rejects(openWorkerStores({ path, clock, firstStart, onDeath: noDeath }), StartError);
  }));

test('calls made before the close are answered, later ones are refused', () =>
  withFile(async (path) => {
    const stores = await openWorkerStores({ path, clock, firstStart, onDeath: noDeath });
    const calls = [stores.catalog.accept(acceptance()), stores.directory.organizationId()];
    const closed = [stores.catalog.close(), stores.close()];
    assert.equal((await Promise.all(calls)).length, 2);
    await Promise.all(closed);
    await assert.rejects(stores.catalog.time(), /closed/);
  }));

test('calls that come together share commits, and each stands or falls alone', () =>
  withFile(async (path) => {
    const stores = await openWorkerStores({ path, clock, firstStart, onDeath: noDeath });
    const before = await commitsIn(path);
    const good = Array.from({ length: 200 }, () => acceptance());
    const lying = acceptance({ requests: 5 }, [{ requests: 4 }]);
    const foreign = { ...newKey, workspaceId: 'wrkspc_none' };
    const calls = good.map(async (one, at) => {
      const failing: Promise<void>[] = [];
      if (at % 50 === 0) failing.push(assert.rejects(stores.catalog.accept(lying), AssertionError));
      if (at % 50 === 1) failing.push(assert.rejects(stores.directory.addKey(foreign), AppError));
      if (at % 50 === 2) failing.push(assert.rejects(stores.catalog.accept({ ...one, id: good[0]!.id }), /UNIQUE/));
      const accepted = await stores.catalog.accept(one);
      assert.equal(accepted.kind, 'accepted');
      // What a caller was told is there for the connection that reads, at once.
      assert.equal((await stores.catalog.batch(one.workspaceId, one.id))?.id, one.id);
      await Promise.all(failing);
    });
    await Promise.all(calls);
    const commits = (await commitsIn(path)) - before;
    assert.ok(commits < good.length / 4, `${commits} commits`);
    assert.equal(await stores.catalog.batch(lying.workspaceId, lying.id), null);
    await stores.close();
  }));

test('what waits when the store is closed is carried out, answered and kept', () =>
  withFile(async (path) => {
    const stores = await openWorkerStores({ path, clock, firstStart, onDeath: noDeath });
    const waiting = Array.from({ length: 100 }, () => acceptance());
    const calls = waiting.map((one) => stores.catalog.accept(one));
    const closed = stores.close();
    await assert.rejects(stores.catalog.accept(acceptance()), /closed/);
    assert.equal(new Set((await Promise.all(calls)).map(({ kind }) => kind)).size, 1);
    await closed;
    const again = await openWorkerStores({ path, clock, firstStart, onDeath: noDeath });
    const ids = waiting.map(({ id }) => id);
    assert.deepEqual(await again.catalog.known(ids), new Set(ids));
    await again.close();
  }));

test('an argument that cannot be sent rejects its call only', () =>
  withFile(async (path) => {
    const stores = await openWorkerStores({ path, clock, firstStart, onDeath: noDeath });
    await assert.rejects(stores.catalog.known([(() => 1) as unknown as string]));
    assert.deepEqual(await stores.catalog.known(['msgbatch_1']), new Set());
    await stores.close();
  }));

test('the death of the thread rejects every call, open and to come, and is told once', () =>
  withFile(async (path) => {
    const deaths: Error[] = [];
    const thread = new StoreThread({ path, clock, firstStart, onDeath: (error) => deaths.push(error) });
    await thread.opened;
    const open = assert.rejects(
      thread.call('catalog', 'accept', [acceptance({}, Array(20_000).fill({ requests: 1 }))]),
    );
    await thread.kill();
    await open;
    await assert.rejects(thread.call('catalog', 'time', []), /thread ended/);
    await thread.close();
    assert.equal(deaths.length, 1);
  }));
