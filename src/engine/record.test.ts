import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readFrames } from '../bytes/frame.ts';
import { outcomeKinds } from '../domain/outcome.ts';
import { noUsage } from '../domain/tally.ts';
import { readRecord, RecordWriter, type OutcomeRecord } from './record.ts';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const tokens = fc.oneof(fc.nat(), fc.constantFrom(0, Number.MAX_SAFE_INTEGER, 2 ** 33));
const name = fc.string({ unit: 'binary', maxLength: 256 });

const plainObjects = { noNullPrototype: true } as const;

const record: fc.Arbitrary<OutcomeRecord> = fc.record(
  {
    batchId: fc.stringMatching(/^msgbatch_[a-zA-Z0-9]{1,64}$/),
    segment: u32,
    item: u32,
    epoch: u32,
    outcome: fc.constantFrom(...outcomeKinds),
    usage: fc.record(
      {
        inputTokens: tokens,
        outputTokens: tokens,
        cacheCreationInputTokens: tokens,
        cacheReadInputTokens: tokens,
        cacheCreation1hInputTokens: tokens,
      },
      plainObjects,
    ),
    model: name,
    upstream: name,
    line: fc.uint8Array({ maxLength: 5_000 }),
  },
  plainObjects,
);

function payloadsOf(writer: RecordWriter): Buffer[] {
  const frames = Buffer.from(writer.frames());
  const payloads: Buffer[] = [];
  const read = readFrames(frames, 0, (start, end) => payloads.push(frames.subarray(start, end)));
  assert.deepEqual(read, { kind: 'complete', end: frames.length });
  return payloads;
}

function plain(value: OutcomeRecord | null): unknown {
  assert.ok(value !== null);
  return { ...value, line: [...value.line] };
}

test('records of any names, lines and token counts read back as they were, turn after turn', () => {
  const writer = new RecordWriter();
  fc.assert(
    fc.property(fc.array(record, { maxLength: 30 }), (records) => {
      writer.clear();
      assert.equal(writer.bytes, 0);
      records.forEach((made) => writer.add(made));
      assert.equal(writer.bytes, writer.frames().length);
      assert.deepEqual(
        payloadsOf(writer).map((payload) => plain(readRecord(payload))),
        records.map(plain),
      );
    }),
    { numRuns: 60 },
  );
});

const small: OutcomeRecord = {
  batchId: 'msgbatch_a',
  segment: 1,
  item: 2,
  epoch: 3,
  outcome: 'errored',
  usage: noUsage,
  model: 'modèle-日本',
  upstream: 'local',
  line: Buffer.from('{}\n'),
};

test('a line of many megabytes is written beside small ones, and the buffer shrinks again', () => {
  const writer = new RecordWriter();
  const line = new Uint8Array(20 * 1024 * 1024).fill(65);
  for (const made of [small, { ...small, line }, small]) writer.add(made);
  assert.deepEqual(
    payloadsOf(writer).map((payload) => readRecord(payload)?.line.length),
    [3, line.length, 3],
  );
  writer.clear();
  writer.add(small);
  assert.ok(writer.frames().buffer.byteLength < 5 * 1024 * 1024);
});

test('a record of an unknown version, or too short for any, is null', () => {
  const writer = new RecordWriter();
  writer.add(small);
  const [payload] = payloadsOf(writer);
  const newer = Buffer.from(payload!);
  newer[0] = 2;
  assert.equal(readRecord(newer), null);
  assert.equal(readRecord(payload!.subarray(0, 59)), null);
  assert.equal(readRecord(Buffer.alloc(0)), null);
});

test('a payload that lies anywhere in a larger buffer is read', () => {
  const writer = new RecordWriter();
  writer.add(small);
  const [payload] = payloadsOf(writer);
  const shifted = Buffer.concat([Buffer.alloc(13), payload!, Buffer.alloc(7)]).subarray(13, 13 + payload!.length);
  assert.deepEqual(plain(readRecord(shifted)), plain(small));
});
