/** A disk that is really full, under a running server: nothing is half accepted, nothing is lost, and room is enough to go on. */
import assert from 'node:assert/strict';
import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { batchClient, oneLineEach } from '../support/batch-client.ts';
import { rows } from '../support/rows.ts';
import { tinyFilesystem } from '../support/scratch-folder.ts';
import { startServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { startUpstream } from '../support/upstream-server.ts';

const KiB = 1024;

test('a create that finds the disk full is refused whole, and accepted once there is room', async (t) => {
  const disk = await tinyFilesystem(t, 24 * KiB);
  if (disk === null) return;
  const server = await startServer(t, { data: path.join(disk, 'data') });
  const client = batchClient(server);
  const { ids, body } = rows(200, { content: 'A story as long as the night. '.repeat(1_000) });
  const filler = fill(disk, 2_000 * KiB);

  const refused = await client.send({ body });
  assert.equal(refused.status, 503);
  assert.ok(Number(refused.headers.get('retry-after')) > 0, 'it says when to come back');
  assert.deepEqual(await client.list(), []);
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200);

  rmSync(filler);
  const { id } = await client.create({ body });
  await client.ended(id);
  oneLineEach(await client.results(id), ids);
});

test('small creates that share commits are refused whole by a full disk, also after a kill', async (t) => {
  const disk = await tinyFilesystem(t, 24 * KiB);
  if (disk === null) return;
  const data = path.join(disk, 'data');
  const first = await startServer(t, { data });
  const filler = fill(disk, 700 * KiB);
  const answered = new Map<string, readonly string[]>();
  const sender = async (number: number): Promise<void> => {
    const { ids, body } = rows(3, { from: number * 10, content: 'A word. '.repeat(100) });
    const response = await batchClient(first).send({ body });
    if (response.status === 200) answered.set(((await response.json()) as { id: string }).id, ids);
    else assert.equal(response.status, 503, await response.text());
  };
  const CREATES = 300;
  await Promise.all(Array.from({ length: CREATES }, (_, number) => sender(number)));
  assert.ok(answered.size < CREATES, 'the disk was full before the end');
  await first.kill();
  rmSync(filler);
  const client = batchClient(await startServer(t, { data }));
  for (const { id } of await client.list()) {
    await client.ended(id);
    const lines = await client.results(id);
    oneLineEach(lines, answered.get(id) ?? lines.map(({ custom_id }) => custom_id));
    assert.equal(lines.length, 3);
    answered.delete(id);
  }
  assert.deepEqual([...answered.keys()], [], 'what was answered with 200 is there');
});

test('work that finds the disk full pauses, and goes on by itself when there is room', async (t) => {
  const disk = await tinyFilesystem(t, 24 * KiB);
  if (disk === null) return;
  const upstream = await startUpstream({ profile: { latencyMs: 5 } });
  t.after(() => upstream.stop());
  const server = await startServer(t, {
    data: path.join(disk, 'data'),
    upstream: `anthropic:${upstream.url}`,
    flags: ['--concurrency', '16'],
  });
  const client = batchClient(server);
  const { ids, body } = rows(4_000);
  // Filled from the moment the first answers come, so that it is results which find no room.
  const { id } = await client.create({ body });
  const filler = fill(disk, 400 * KiB);
  await until({
    what: 'it says that the disk is full',
    withinMs: 20_000,
    ask: async () => server.log().includes('storage full'),
  });
  await until({
    what: 'nothing is sent any more',
    withinMs: 10_000,
    ask: async () => (await upstream.stats()).inFlight === 0,
  });
  assert.equal((await client.retrieve(id)).processing_status, 'in_progress');

  rmSync(filler);
  await client.ended(id);
  oneLineEach(await client.results(id), ids);
  assert.ok(server.log().includes('storage resumed'));
  assert.equal((await upstream.stats()).rowsAnsweredAgain, 0, 'what was answered was not asked again');
});

/** Fills the disk with one file until only so many bytes are free. */
function fill(disk: string, freeBytes: number): string {
  const file = path.join(disk, 'filler');
  const handle = openSync(file, 'w');
  const { bavail, bsize } = statfsSync(disk);
  const piece = Buffer.alloc(64 * KiB);
  for (let left = bavail * bsize - freeBytes; left > 0; left -= piece.length)
    writeSync(handle, piece, 0, Math.min(left, piece.length));
  closeSync(handle);
  return file;
}
