/** The one commit that fails and may hold all the same: its log was written, and the log's index in shared memory found the disk full. */
import assert from 'node:assert/strict';
import { closeSync, cpSync, openSync, statfsSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { scratchFolder, tinyFilesystem } from '../../../test/support/scratch-folder.ts';
import { StorageFullError } from '../../domain/errors.ts';
import { Database } from './database.ts';

const KiB = 1024;
/** https://www.sqlite.org/walformat.html: so many frames fit into the first piece of the index. */
const FRAMES_OF_FIRST_PIECE = 4_062;
const FRAME_BYTES = 24 + 4 * KiB;

test('a commit whose log is written without room for its index says that it may hold', async (t) => {
  const disk = await tinyFilesystem(t, 40 * KiB);
  if (disk === null) return;
  const path = join(disk, 'catalog.db');
  const database = new Database(path);
  // Somebody reads, so the log cannot begin anew.
  const reader = new DatabaseSync(path);
  reader.exec('begin; select * from clock');
  const insert = (batch: string, kind: string) =>
    database.write(() =>
      database.run('insert into events (batch_id, sequence, kind, at) values (:batch, 1, :kind, 1)', { batch, kind }),
    );
  const framesLeft = () => FRAMES_OF_FIRST_PIECE - Math.floor(statSync(`${path}-wal`).size / FRAME_BYTES);
  for (let number = 0; framesLeft() > 2; number += 1) {
    insert(`batch ${number}`, 'x'.repeat(framesLeft() > 1_000 ? 500 * 4 * KiB : 1));
  }
  fill(disk, 24 * KiB);
  assert.throws(
    () => insert('refused', 'x'),
    (error) => error instanceof StorageFullError && error.mayHold,
  );
  const find = `select 1 from events where batch_id = 'refused'`;
  assert.equal(database.get(find), null);

  // As a start after a crash finds it.
  const copy = join(await scratchFolder(t), 'catalog.db');
  for (const end of ['', '-wal']) cpSync(`${path}${end}`, `${copy}${end}`);
  const recovered = new Database(copy);
  assert.notEqual(recovered.get(find), null);
  recovered.close();
  reader.close();
  database.close();
});

function fill(disk: string, freeBytes: number): void {
  const handle = openSync(join(disk, 'filler'), 'w');
  const { bavail, bsize } = statfsSync(disk);
  for (let left = bavail * bsize - freeBytes; left > 0; left -= bsize) writeSync(handle, Buffer.alloc(bsize));
  closeSync(handle);
}
