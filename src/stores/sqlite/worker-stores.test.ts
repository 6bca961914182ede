import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
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

const noDeath = (error: Error) => assert.fail(error);

test('an error keeps its class and its words on the way', () => {
  const errors = [
    new AppError('not_found', 'gone', { hint: 'look', detail: 'code', headers: { 'retry-after': '1' } }),
    new StartError('no', { hint: 'yes' }),
    new StorageFullError('the blobs'),
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
