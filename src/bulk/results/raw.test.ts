// Raw results: verbatim, found again line by line, and resumed wherever a download was cut.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { RawFrames } from './raw-frames.ts';
import { lineAt, RawWriter, readRaw, readRawLine, type RawLine } from './raw.ts';

const folder = await mkdtemp(join(tmpdir(), 'raw-'));
after(() => rm(folder, { recursive: true }));
let made = 0;
const newPath = (): string => join(folder, `${made++}.jsonl.zst`);

async function linesOf(path: string): Promise<RawLine[]> {
  const lines: RawLine[] = [];
  for await (const group of readRaw({ path, batchId: 'b' })) lines.push(...group);
  return lines;
}

async function write(path: string, bytes: Buffer, pieceBytes = 70_000): Promise<RawWriter> {
  const writer = await RawWriter.open({ path });
  for (let at = writer.from; at < bytes.length; at += pieceBytes)
    await writer.push(bytes.subarray(at, at + pieceBytes));
  return writer;
}

/** Some megabytes in lines of all lengths, so that there are frames. */
const large = Buffer.from(
  Array.from(
    { length: 6_000 },
    (_unused, index) => `{"n":${index},"t":"${'\u2028é'.repeat((index * 37) % 200)}"}\n`,
  ).join(''),
);
const largeLines = large.toString().split('\n').slice(0, -1);

test('any bytes of lines come back as they were, and each line by its place', async () => {
  const line = fc.string({ unit: 'binary', maxLength: 30 }).map((text) => JSON.stringify({ text }));
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 20 }), fc.integer({ min: 1, max: 50 }), async (lines, pieceBytes) => {
      const path = newPath();
      assert.equal(
        await (await write(path, Buffer.from(lines.map((one) => `${one}\n`).join('')), pieceBytes)).finish(),
        true,
      );
      const read = await linesOf(path);
      assert.deepEqual(
        read.map(({ bytes }) => bytes.toString()),
        lines,
      );
      for (const { bytes, place } of read) assert.deepEqual(await readRawLine({ path, place }), bytes);
    }),
    { numRuns: 25 },
  );
});

test('large results are several frames, which DuckDB reads as they are', async () => {
  const path = newPath();
  assert.equal(await (await write(path, large)).finish(), true);
  const lines = await linesOf(path);
  assert.deepEqual(
    lines.map(({ bytes }) => bytes.toString()),
    largeLines,
  );
  assert.ok(new Set(lines.map(({ place }) => place.frameOffset)).size > 1);
  const { place, bytes } = lines[5_500];
  assert.deepEqual(await readRawLine({ path, place }), bytes);
  assert.ok((await stat(path)).size < large.length / 2);
  const database = await DuckDBInstance.create();
  const connection = await database.connect();
  const counted = await connection.runAndReadAll(
    `select count(*), max(n) from read_json('${path}', format = 'newline_delimited')`,
  );
  assert.deepEqual(counted.getRows(), [[6_000n, 5_999n]]);
  connection.closeSync();
  database.closeSync();
});

test('one frame is plain zstd behind its skippable head', async () => {
  const path = newPath();
  await (await write(path, Buffer.from('{"a":1}\n'))).finish();
  const file = await readFile(path);
  assert.equal(file.readUInt32LE(0) & 0xfffffff0, 0x184d2a50);
  assert.equal(zstdDecompressSync(file.subarray(16)).toString(), '{"a":1}\n');
});

test('a download cut at any byte goes on from its last whole line', async () => {
  for (const cut of [0, 1, 500_000, 1_300_000, 1_300_001, large.length - 1]) {
    const path = newPath();
    await (await write(path, large.subarray(0, cut))).detach();
    const again = await RawWriter.open({ path });
    assert.ok(again.from <= cut && (again.from === 0 || large[again.from - 1] === 10));
    assert.ok(cut - again.from < 1_000);
    await again.detach();
    assert.equal(await (await write(path, large)).finish(), true);
    assert.deepEqual(
      (await linesOf(path)).map(({ bytes }) => bytes.toString()),
      largeLines,
    );
  }
});

test('a part file torn at any byte is kept as far as it is sound', async () => {
  const path = newPath();
  await (await write(path, large)).detach();
  const { size } = await stat(`${path}.part`);
  for (const end of [size, size - 1, size - 40_000, 20, 16, 3, 0]) {
    await truncate(`${path}.part`, end);
    const writer = await RawWriter.open({ path });
    assert.ok(end === size ? writer.from === large.length : writer.from < large.length);
    await writer.detach();
  }
  assert.equal(await (await write(path, large)).finish(), true);
  assert.equal((await linesOf(path)).length, largeLines.length);
});

test('a last line without its end counts when it is whole, and is asked for again when it is not', async () => {
  const whole = newPath();
  assert.equal(await (await write(whole, Buffer.from('{"a":1}\n{"b":2}'))).finish(), true);
  assert.equal((await linesOf(whole)).length, 2);
  const torn = newPath();
  assert.equal(await (await write(torn, Buffer.from('{"a":1}\n{"b":'))).finish(), false);
  await assert.rejects(stat(torn));
  const again = await RawWriter.open({ path: torn });
  assert.equal(again.from, 8);
  await again.restart();
  assert.equal(again.from, 0);
  await again.push(Buffer.from('{"c":3}\n'));
  assert.equal(await again.finish(), true);
  assert.deepEqual(
    (await linesOf(torn)).map(({ bytes }) => bytes.toString()),
    ['{"c":3}'],
  );
});

test('damage inside a finished file is told with its place', async () => {
  const path = newPath();
  await (await write(path, large)).finish();
  await truncate(path, 100);
  await assert.rejects(linesOf(path), /damaged raw results at byte 0/);
});

test('frames that are wanted again are kept, within a bound', async () => {
  const path = newPath();
  await (await write(path, large)).finish();
  const lines = await linesOf(path);
  const frames = new RawFrames(() => path, 3_000_000);
  for (const { place, bytes } of [...lines, ...lines.toReversed()].filter((_line, index) => index % 97 === 0)) {
    assert.deepEqual(lineAt(await frames.frame('b', place.frameOffset), place), bytes);
    assert.ok(frames.bytes <= 3_000_000);
  }
  const { frameOffset } = lines[0].place;
  assert.equal(await frames.frame('b', frameOffset), await frames.frame('b', frameOffset));
  await assert.rejects(frames.frame('b', 7), /damaged/);
  await frames.close();
});
