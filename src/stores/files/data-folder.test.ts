import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { framesOf } from '../../../test/conformance/log.ts';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { StartError } from '../../domain/errors.ts';
import { openDataFolder } from './data-folder.ts';
import { openFileLog } from './log.ts';

function refusal(...words: readonly string[]): (error: unknown) => boolean {
  return (error) =>
    error instanceof StartError &&
    error.hint.length > 20 &&
    words.every((word) => `${error.message} ${error.hint}`.includes(word));
}

async function newPath(context: TestContext): Promise<string> {
  return join(await scratchFolder(context), 'deep', 'data');
}

test('a data folder is made private and keeps its node id', async (context) => {
  const path = await newPath(context);
  const first = await openDataFolder(path);
  assert.match(first.nodeId, /^node_01[0-9A-Za-z]{22}$/);
  assert.equal((await stat(path)).mode & 0o777, 0o700);
  for (const name of await readdir(path)) assert.equal((await stat(join(path, name))).mode & 0o777, 0o600, name);
  first.close();
  first.close();
  const second = await openDataFolder(path);
  assert.equal(second.nodeId, first.nodeId);
  assert.equal(await readFile(join(path, 'format'), 'utf8'), 'nightshift-data 1\n');
  second.close();
});

test('a second opener in this process is refused, and does not free the lock of the first', async (context) => {
  const path = await newPath(context);
  const folder = await openDataFolder(path);
  await assert.rejects(openDataFolder(path), refusal(path, 'in use by another nightshift'));
  const child = await startHolder(context, path);
  assert.equal(child.answer, 'refused');
  folder.close();
  (await openDataFolder(path)).close();
});

test('a second process is refused while the first lives; the lock is free right after a kill -9', async (context) => {
  const path = await newPath(context);
  const { child, answer } = await startHolder(context, path);
  assert.equal(answer, 'held');
  await assert.rejects(openDataFolder(path), refusal(path, 'in use by another nightshift', '--data'));
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  (await openDataFolder(path)).close();
});

async function startHolder(context: TestContext, path: string): Promise<{ child: ChildProcess; answer: string }> {
  const module = new URL('./data-folder.ts', import.meta.url).href;
  const program = `
    const { openDataFolder } = await import(${JSON.stringify(module)});
    try {
      await openDataFolder(${JSON.stringify(path)});
      process.stdout.write('held');
      process.stdin.resume();
    } catch (error) {
      process.stdout.write(error.message.includes('in use') ? 'refused' : String(error));
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  context.after(() => child.kill('SIGKILL'));
  const [answer] = await once(child.stdout!, 'data');
  return { child, answer: String(answer) };
}

test('permissions for others are taken away from our folder, and said', async (context) => {
  const path = await newPath(context);
  (await openDataFolder(path)).close();
  await chmod(path, 0o755);
  const fixed: [string, number][] = [];
  (await openDataFolder(path, { onPermissionsFixed: (...args) => fixed.push(args) })).close();
  assert.deepEqual(fixed, [[path, 0o755]]);
  assert.equal((await stat(path)).mode & 0o777, 0o700);
});

test('an open folder with other files is refused and not changed', async (context) => {
  const path = await scratchFolder(context);
  await writeFile(join(path, 'thesis.txt'), 'x');
  await chmod(path, 0o755);
  await assert.rejects(openDataFolder(path), refusal(path, 'other files'));
  assert.equal((await stat(path)).mode & 0o777, 0o755);
  assert.deepEqual(await readdir(path), ['thesis.txt']);
});

test('a file, or a folder that cannot be written, is refused with a remedy', async (context) => {
  const path = join(await scratchFolder(context), 'file');
  await writeFile(path, 'x');
  await assert.rejects(openDataFolder(path), refusal(path, 'is a file', '--data'));
  await assert.rejects(openDataFolder(join(path, 'below')), refusal('is a file'));
  await assert.rejects(openDataFolder('/proc/nightshift-data'), refusal('/proc/nightshift-data', 'cannot be used'));
});

test('a newer format, or an unreadable one, is refused, and the lock is free again', async (context) => {
  const path = await newPath(context);
  (await openDataFolder(path)).close();
  await writeFile(join(path, 'format'), 'nightshift-data 2\n');
  await assert.rejects(openDataFolder(path), refusal('format', 'version 2'));
  await writeFile(join(path, 'format'), '');
  await assert.rejects(openDataFolder(path), refusal('format', 'Restore'));
  await writeFile(join(path, 'format'), 'nightshift-data 1\n');
  (await openDataFolder(path)).close();
});

test('a lost node id is refused when the journal holds records, and made anew when it holds none', async (context) => {
  const path = await newPath(context);
  const folder = await openDataFolder(path);
  const log = await openFileLog({ folder: folder.journal });
  await log.scan(() => undefined);
  folder.close();
  await rm(join(path, 'node-id'));
  const renewed = await openDataFolder(path);
  assert.notEqual(renewed.nodeId, folder.nodeId);
  renewed.close();
  log.append(framesOf('an outcome'));
  await log.close();
  await rm(join(path, 'node-id'));
  await assert.rejects(openDataFolder(path), refusal('node-id', 'journal-000000000001.log', 'Restore'));
  await writeFile(join(path, 'node-id'), 'nonsense');
  await assert.rejects(openDataFolder(path), refusal('node-id', 'Restore'));
});

test('an empty folder that was open is closed and used', async (context) => {
  const path = join(await scratchFolder(context), 'empty');
  await mkdir(path);
  await chmod(path, 0o777);
  (await openDataFolder(path)).close();
  assert.equal((await stat(path)).mode & 0o777, 0o700);
});
