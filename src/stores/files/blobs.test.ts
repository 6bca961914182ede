import assert from 'node:assert/strict';
import { appendFile, mkdir, open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { blobsConformance } from '../../../test/conformance/blobs.ts';
import { scratchFolder, tinyFilesystem } from '../../../test/support/scratch-folder.ts';
import { StorageFullError } from '../../domain/errors.ts';
import type { Blobs } from '../../ports/blobs.ts';
import { openFileBlobs, type FileBlobsOptions } from './blobs.ts';
import { folderSync } from './durable.ts';
import { OpenFiles } from './open-files.ts';

blobsConformance('files', async (context) => {
  const root = await scratchFolder(context);
  return () => openFileBlobs({ root });
});

blobsConformance('files, with two handles', async (context) => {
  const root = await scratchFolder(context);
  return () => openFileBlobs({ root, handlesMax: 2 });
});

async function openScratch(
  context: TestContext,
  options: Partial<FileBlobsOptions> = {},
): Promise<{ root: string; blobs: Blobs }> {
  const root = await scratchFolder(context);
  const blobs = await openFileBlobs({ root, ...options });
  context.after(() => blobs.close());
  return { root, blobs };
}

test('folders are 0700, files 0600, and no temp file stays', async (context) => {
  const { root, blobs } = await openScratch(context);
  await blobs.put('w/b/n', [Buffer.from('x')]);
  const modeOf = async (...path: string[]) => (await stat(join(root, ...path))).mode & 0o777;
  for (const path of [['tmp'], ['blobs'], ['blobs', 'w'], ['blobs', 'w', 'b']])
    assert.equal(await modeOf(...path), 0o700);
  assert.equal(await modeOf('blobs', 'w', 'b', 'n'), 0o600);
  assert.deepEqual(await readdir(join(root, 'tmp')), []);
});

test('leftover temp files are removed at open; foreign files are told and kept', async (context) => {
  const root = await scratchFolder(context);
  await mkdir(join(root, 'tmp'));
  await writeFile(join(root, 'tmp', 'put-01234567-89ab-cdef-0123-456789abcdef.tmp'), 'left by a kill');
  await writeFile(join(root, 'tmp', 'notes.txt'), 'mine');
  const foreign: string[] = [];
  const blobs = await openFileBlobs({ root, onForeignFile: (path) => foreign.push(path) });
  context.after(() => blobs.close());
  assert.deepEqual(await readdir(join(root, 'tmp')), ['notes.txt']);
  assert.deepEqual(foreign, [join(root, 'tmp', 'notes.txt')]);
});

test('the emptied folder of a batch is removed, one with other blobs stays', async (context) => {
  const { root, blobs } = await openScratch(context);
  await blobs.put('w/b/1', [Buffer.from('x')]);
  await blobs.put('w/b/2', [Buffer.from('x')]);
  await blobs.delete(['w/b/1']);
  assert.deepEqual(await readdir(join(root, 'blobs', 'w')), ['b']);
  await blobs.delete(['w/b/2']);
  assert.deepEqual(await readdir(join(root, 'blobs', 'w')), []);
});

test('puts and deletes of one batch at once never lose a put', async (context) => {
  const { blobs } = await openScratch(context);
  for (let round = 0; round < 20; round++) {
    await blobs.put('w/b/old', [Buffer.from('x')]);
    await Promise.all([blobs.delete(['w/b/old']), blobs.put('w/b/new', [Buffer.from('kept')])]);
    assert.equal(Buffer.from(await blobs.get('w/b/new', { start: 0, end: 4 })).toString(), 'kept');
    await blobs.delete(['w/b/new']);
  }
});

test('B1 a full filesystem is a StorageFullError that leaves nothing, and puts go on when there is room', async (context) => {
  const root = await tinyFilesystem(context, 512);
  if (root === null) return;
  const blobs = await openFileBlobs({ root });
  await blobs.put('w/b/small', [Buffer.alloc(100_000)]);
  await assert.rejects(blobs.put('w/b/large', [Buffer.alloc(300_000), Buffer.alloc(300_000)]), StorageFullError);
  assert.deepEqual(await readdir(join(root, 'tmp')), []);
  assert.deepEqual(await readdir(join(root, 'blobs', 'w', 'b')), ['small']);
  await blobs.delete(['w/b/small']);
  await blobs.put('w/b/large', [Buffer.alloc(350_000)]);
  await blobs.close();
});

test('a blob cut short, or of an unknown version, is refused by name', async (context) => {
  const { root, blobs } = await openScratch(context);
  await blobs.put('w/b/cut', [Buffer.alloc(1_000)]);
  await truncate(join(root, 'blobs', 'w', 'b', 'cut'), 900);
  await assert.rejects(blobs.get('w/b/cut', { start: 0, end: 1_000 }), /blob w\/b\/cut is shorter/);
  await blobs.put('w/b/newer', [Buffer.alloc(10)]);
  const handle = await open(join(root, 'blobs', 'w', 'b', 'newer'), 'r+');
  await handle.write(Buffer.from([9]), 0, 1, 8);
  await handle.close();
  await assert.rejects(blobs.get('w/b/newer', { start: 0, end: 1 }), /blob w\/b\/newer has format version 9/);
});

test('foreign names among the blobs are not listed', async (context) => {
  const { root, blobs } = await openScratch(context);
  await blobs.put('w/b/n', [Buffer.from('x')]);
  await appendFile(join(root, 'blobs', 'README'), 'x');
  await appendFile(join(root, 'blobs', 'w', 'b', 'white space'), 'x');
  assert.deepEqual(
    (await blobs.list({ prefix: '', after: null, limit: 9 })).map(({ key }) => key),
    ['w/b/n'],
  );
});

test('a folder that cannot be synced is told once, not thrown', async () => {
  const told: string[] = [];
  const syncFolder = folderSync((folder) => told.push(folder));
  await syncFolder('/proc/self');
  await syncFolder('/proc/self');
  assert.deepEqual(told, ['/proc/self']);
  await assert.rejects(syncFolder('/no/such/folder'));
});

test('handles stay bounded, and one in use outlives its eviction', async (context) => {
  const { root, blobs } = await openScratch(context);
  const keys = ['a', 'b', 'c', 'd'].map((name) => `w/b/${name}`);
  for (const key of keys) await blobs.put(key, [Buffer.from(key)]);
  const files = new OpenFiles(2, (key) => join(root, 'blobs', key));
  const held = Promise.withResolvers<void>();
  const reading = files.with(keys[0], async ({ handle }) => {
    await held.promise;
    return (await handle.read(Buffer.alloc(99), 0, 99, 16)).bytesRead;
  });
  for (const key of keys.slice(1)) await files.with(key, async () => undefined);
  assert.equal(files.size, 2);
  await files.drop(keys[0]);
  held.resolve();
  assert.equal(await reading, keys[0].length);
  await files.close();
  assert.equal(files.size, 0);
});

test('close waits for what is under way and refuses what comes later', async (context) => {
  const { root, blobs } = await openScratch(context);
  const put = blobs.put('w/b/n', [Buffer.alloc(100_000)]);
  await blobs.close();
  await put;
  assert.equal((await readFile(join(root, 'blobs', 'w', 'b', 'n'))).length, 100_016);
  await assert.rejects(blobs.put('w/b/m', []), /closed/);
});
