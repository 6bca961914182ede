import assert from 'node:assert/strict';
import { fdatasync, writeSync } from 'node:fs';
import {
  copyFile,
  mkdir,
  open as openFile,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { framesOf, logConformance, scanTexts } from '../../../test/conformance/log.ts';
import { scratchFolder, tinyFilesystem } from '../../../test/support/scratch-folder.ts';
import { StartError, StorageFullError } from '../../domain/errors.ts';
import type { Log } from '../../ports/log.ts';
import { LogBrokenError, openFileLog, type FileLogOptions, type LogIo, type TornTail } from './log.ts';
import { LOG_HEADER_BYTES, logFilePath, logHeader } from './log-file.ts';

logConformance('files', async (context) => {
  const folder = join(await scratchFolder(context), 'journal');
  return () => openFileLog({ folder });
});

logConformance('files, with short writes', async (context) => {
  const folder = join(await scratchFolder(context), 'journal');
  let turn = 0;
  const writeShort: LogIo['writeSync'] = (fd, bytes, position) =>
    writeSync(fd, bytes, 0, Math.min(bytes.length, [1, 5_000, 3, 600_000][turn++ % 4]), position);
  return () => openFileLog({ folder, io: { ...realIo, writeSync: writeShort } });
});

const realIo: LogIo = {
  writeSync: (fd, bytes, position) => writeSync(fd, bytes, 0, bytes.length, position),
  fdatasync: promisify(fdatasync),
};

async function scanned(options: FileLogOptions): Promise<{ log: Log; texts: string[]; torn: TornTail[] }> {
  const torn: TornTail[] = [];
  const log = await openFileLog({ onTornTail: (tail) => torn.push(tail), ...options });
  return { log, texts: await scanTexts(log), torn };
}

/** A closed log: each inner list is one file's records. */
async function written(context: TestContext, files: readonly (readonly string[])[]): Promise<string> {
  const folder = join(await scratchFolder(context), 'journal');
  const { log } = await scanned({ folder });
  for (const [index, records] of files.entries()) {
    if (index > 0) await log.rotate();
    if (records.length > 0) log.append(framesOf(...records));
  }
  await log.close();
  return folder;
}

async function flipBit(path: string, offset: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[offset] ^= 0x10;
  await writeFile(path, bytes);
}

function refusal(path: string, ...words: readonly string[]): (error: unknown) => boolean {
  return (error) =>
    error instanceof StartError &&
    error.hint.length > 20 &&
    error.message.includes(path) &&
    words.every((word) => error.message.includes(word) || error.hint.includes(word));
}

test('L3 a tail torn at any byte of the last record is cut, and the log goes on behind it', async (context) => {
  const folder = await written(context, [['first'], ['second', 'third']]);
  const path = logFilePath(folder, 2);
  const whole = await readFile(path);
  const lastStart = whole.length - framesOf('third').length;
  for (let size = lastStart + 1; size < whole.length; size++) {
    await writeFile(path, whole.subarray(0, size));
    const { log, texts, torn } = await scanned({ folder });
    assert.deepEqual(texts, ['1:first', '2:second'], `cut at ${size}`);
    assert.deepEqual(torn, [{ path, offset: lastStart, bytesCut: size - lastStart }]);
    assert.equal((await stat(path)).size, lastStart);
    log.append(framesOf('again'));
    await log.close();
    const after = await scanned({ folder });
    assert.deepEqual(after.texts, ['1:first', '2:second', '2:again']);
    assert.deepEqual(after.torn, []);
    await after.log.close();
  }
});

test('L3 a tail of zeros or garbage is cut', async (context) => {
  const folder = await written(context, [['first']]);
  const path = logFilePath(folder, 1);
  const whole = await readFile(path);
  for (const tail of [
    Buffer.alloc(1),
    Buffer.alloc(8),
    Buffer.alloc(3_000_000),
    Buffer.from('{"some":"text of an answer"}'),
    Buffer.alloc(2_000_000, 0x7b),
  ]) {
    await writeFile(path, Buffer.concat([whole, tail]));
    const { log, texts, torn } = await scanned({ folder });
    assert.deepEqual(texts, ['1:first']);
    assert.deepEqual(torn, [{ path, offset: whole.length, bytesCut: tail.length }]);
    await log.close();
  }
});

test('L3 any flipped bit in a record that others follow refuses the start, naming file, offset and remedy', async (context) => {
  const folder = await written(context, [['first', 'second', 'third']]);
  const path = logFilePath(folder, 1);
  const start = LOG_HEADER_BYTES + framesOf('first').length;
  const whole = await readFile(path);
  for (let offset = start; offset < start + framesOf('second').length; offset++) {
    await writeFile(path, whole);
    await flipBit(path, offset);
    await assert.rejects(
      scanned({ folder }),
      refusal(path, `offset ${start}`, `truncate -s ${start}`, 'Restore'),
      `bit at ${offset}`,
    );
  }
  await truncate(path, start);
  const { log, texts } = await scanned({ folder });
  assert.deepEqual(texts, ['1:first']);
  await log.close();
});

test('L3 damage is found when the next good record lies megabytes behind it', async (context) => {
  const folder = await written(context, [['first', 'x'.repeat(9_000_000), 'last']]);
  const path = logFilePath(folder, 1);
  await flipBit(path, LOG_HEADER_BYTES + framesOf('first').length + 4_000_000);
  await assert.rejects(scanned({ folder }), refusal(path, `offset ${LOG_HEADER_BYTES + framesOf('first').length}`));
});

test('L3 a file whose follower has grown must be whole: cut short it refuses the start, though nothing follows in it', async (context) => {
  const grown = Array.from({ length: 17 }, () => 'x'.repeat(1024 * 1024));
  const folder = await written(context, [['first', 'second'], grown]);
  const path = logFilePath(folder, 1);
  await truncate(path, (await stat(path)).size - 2);
  await assert.rejects(scanned({ folder }), refusal(path, 'Restore'));
});

for (const [what, newer] of [
  ['nothing', []],
  ['little', ['third']],
] as const) {
  test(`L3 power lost in a rotation: the old file may be torn while the new one holds ${what}`, async (context) => {
    const folder = await written(context, [['first', 'second'], newer]);
    const path = logFilePath(folder, 1);
    await truncate(path, (await stat(path)).size - 2);
    const { log, texts, torn } = await scanned({ folder });
    assert.deepEqual(texts, ['1:first', ...newer.map((text) => `2:${text}`)]);
    assert.equal(torn.length, 1);
    assert.equal(log.append(framesOf('fourth')), 2);
    await log.close();
  });
}

test('L4 while a rotation is under way the last of the files is still the one that is appended to', async (context) => {
  const folder = join(await scratchFolder(context), 'journal');
  const { log } = await scanned({ folder });
  log.append(framesOf('first'));
  const rotated = log.rotate();
  const seen = new Set<boolean>();
  let turning = true;
  void rotated.finally(() => (turning = false));
  while (turning) {
    seen.add(log.append(framesOf('during')) === log.files().at(-1));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual([...seen], [true]);
  await log.close();
});

test('L2 a sync after a rotation covers what was appended to the old file before and during it', async (context) => {
  const folder = join(await scratchFolder(context), 'journal');
  const synced: number[] = [];
  const io = { ...realIo, fdatasync: async (fd: number) => void (await realIo.fdatasync(fd), synced.push(fd)) };
  const { log } = await scanned({ folder, io });
  log.append(framesOf('first'));
  const rotated = log.rotate();
  log.append(framesOf('during'));
  await rotated;
  log.append(framesOf('second'));
  await log.sync();
  assert.equal(new Set(synced).size, 2, 'both files were synced');
  await log.close();
  assert.deepEqual(
    (await scanned({ folder })).texts.map((text) => text.slice(2)),
    ['first', 'during', 'second'],
  );
});

test('a file whose making was interrupted is finished', async (context) => {
  const folder = await written(context, [['first']]);
  const path = logFilePath(folder, 2);
  for (const left of [Buffer.alloc(0), logHeader(2).subarray(0, 9), Buffer.alloc(LOG_HEADER_BYTES)]) {
    await writeFile(path, left);
    const { log, texts, torn } = await scanned({ folder });
    assert.deepEqual(texts, ['1:first']);
    assert.deepEqual(torn, [{ path, offset: 0, bytesCut: left.length }]);
    assert.equal(log.append(framesOf('x')), 2);
    await log.close();
    await rm(path);
  }
});

test('a bad header, a newer version and a renamed file refuse the start by name', async (context) => {
  const folder = await written(context, [['first'], ['second']]);
  const path = logFilePath(folder, 2);
  const whole = await readFile(path);
  await flipBit(path, 2);
  await assert.rejects(scanned({ folder }), refusal(path, 'offset 0', 'move it'));
  whole.writeUInt16LE(2, 8);
  await writeFile(path, whole);
  await assert.rejects(scanned({ folder }), refusal(path, 'version 2'));
  whole.writeUInt16LE(1, 8);
  await writeFile(path, whole);
  await rename(path, logFilePath(folder, 7));
  await assert.rejects(scanned({ folder }), refusal(logFilePath(folder, 7), 'renamed'));
});

test('foreign files in the folder are told and left alone', async (context) => {
  const folder = await written(context, [['first']]);
  await copyFile(logFilePath(folder, 1), join(folder, 'journal-000000000001.log.bak'));
  await mkdir(join(folder, 'old'));
  const foreign: string[] = [];
  const { log, texts } = await scanned({ folder, onForeignFile: (path) => foreign.push(path) });
  await log.close();
  assert.deepEqual(texts, ['1:first']);
  assert.deepEqual(foreign.sort(), [join(folder, 'journal-000000000001.log.bak'), join(folder, 'old')]);
  assert.equal((await readdir(folder)).length, 3);
});

test('the folder is 0700, its files 0600', async (context) => {
  const folder = await written(context, [['first']]);
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  assert.equal((await stat(logFilePath(folder, 1))).mode & 0o777, 0o600);
});

test('L1 on a full filesystem an append is all or none, and goes on when there is room', async (context) => {
  const root = await tinyFilesystem(context, 64);
  if (root === null) return;
  await writeFile(join(root, 'ballast'), Buffer.alloc(32_768));
  const folder = join(root, 'journal');
  const { log } = await scanned({ folder });
  log.append(framesOf('small'));
  const size = log.size();
  assert.throws(() => log.append(framesOf('a'.repeat(3_000), 'b'.repeat(40_000))), StorageFullError);
  assert.equal(log.size(), size);
  assert.equal((await stat(logFilePath(folder, 1))).size, size);
  await log.sync();
  log.append(framesOf('fits'));
  await rm(join(root, 'ballast'));
  log.append(framesOf('b'.repeat(30_000)));
  await log.close();
  const again = await scanned({ folder });
  assert.deepEqual(
    again.texts.map((text) => text.slice(0, 8)),
    ['1:small', '1:fits', '1:bbbbbb'],
  );
  await writeFile(join(root, 'ballast'), Buffer.alloc(40_000)).catch(() => undefined);
  await assert.rejects(again.log.rotate(), StorageFullError);
  assert.deepEqual(again.log.files(), [1]);
  await rm(join(root, 'ballast'));
  assert.equal(await again.log.rotate(), 1);
  await again.log.close();
});

test('L1 a write that fails half-way leaves nothing of it behind a later, shorter one', async (context) => {
  const folder = join(await scratchFolder(context), 'journal');
  let room = Infinity;
  const writeUntilFull: LogIo['writeSync'] = (fd, bytes, position) => {
    if (room <= 0) throw Object.assign(new Error('injected'), { code: 'EDQUOT' });
    const count = writeSync(fd, bytes, 0, Math.min(bytes.length, room), position);
    room -= count;
    return count;
  };
  const { log } = await scanned({ folder, io: { ...realIo, writeSync: writeUntilFull } });
  log.append(framesOf('kept'));
  for (const fits of [0, 1, 8, 12, 40]) {
    room = fits;
    assert.throws(() => log.append(framesOf('lost', 'also lost', 'lost too'.repeat(9))), StorageFullError);
  }
  room = Infinity;
  log.append(framesOf('on'));
  await log.close();
  const again = await scanned({ folder });
  assert.deepEqual(again.texts, ['1:kept', '1:on']);
  assert.deepEqual(again.torn, []);
  await again.log.close();
});

test('L2 callers at once share a sync, but never one that began before their append', async (context) => {
  const folder = join(await scratchFolder(context), 'journal');
  const syncs: PromiseWithResolvers<void>[] = [];
  const io: LogIo = {
    ...realIo,
    fdatasync: () => {
      syncs.push(Promise.withResolvers());
      return syncs.at(-1)!.promise;
    },
  };
  const { log } = await scanned({ folder, io });
  const done: string[] = [];
  const sync = (name: string) => log.sync().then(() => done.push(name));
  await sync('nothing to sync');
  log.append(framesOf('a'));
  const first = [sync('a1'), sync('a2')];
  log.append(framesOf('b'));
  const second = [sync('b1'), sync('b2')];
  assert.equal(syncs.length, 1);
  syncs[0].resolve();
  await Promise.all(first);
  assert.deepEqual(done, ['nothing to sync', 'a1', 'a2']);
  assert.equal(syncs.length, 2);
  syncs[1].resolve();
  await Promise.all(second);
  assert.equal(syncs.length, 2);
  await log.close();
});

test('a sync that failed breaks the log for good', async (context) => {
  const folder = join(await scratchFolder(context), 'journal');
  let fails = true;
  const io: LogIo = {
    ...realIo,
    fdatasync: async () => {
      if (fails) throw Object.assign(new Error('injected'), { code: 'EIO' });
    },
  };
  const { log } = await scanned({ folder, io });
  log.append(framesOf('a'));
  const results = await Promise.allSettled([log.sync(), log.sync()]);
  assert.ok(results.every((result) => result.status === 'rejected' && result.reason instanceof LogBrokenError));
  fails = false;
  assert.throws(() => log.append(framesOf('b')), LogBrokenError);
  await assert.rejects(log.sync(), LogBrokenError);
  await assert.rejects(log.rotate(), LogBrokenError);
  await log.close();
  const again = await scanned({ folder });
  assert.deepEqual(again.texts, ['1:a']);
  await again.log.close();
});

test('an unreadable record length does not make the scan read beyond the file', async (context) => {
  const folder = await written(context, [['first']]);
  const path = logFilePath(folder, 1);
  const handle = await openFile(path, 'a');
  const header = Buffer.alloc(8);
  header.writeUInt32LE(40 * 1024 * 1024, 0);
  await handle.write(header);
  await handle.close();
  const { log, texts, torn } = await scanned({ folder });
  assert.deepEqual(texts, ['1:first']);
  assert.equal(torn[0].bytesCut, 8);
  await log.close();
});
