import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setBit } from '../domain/segment.ts';
import { noUsage } from '../domain/tally.ts';
import { createRun, type HeldSpan, type Outcome } from './held.ts';
import { RecordWriter, type OutcomeRecord } from './record.ts';
import { replay } from './replay.ts';
import { batchOf, FakeLog, messageResult, spanOf, upstreamOf } from './support.ts';

const run = createRun(batchOf());
const upstreamFor = () => upstreamOf(async () => messageResult);

function record(changes: Partial<OutcomeRecord> = {}): OutcomeRecord {
  return {
    batchId: 'msgbatch_a',
    segment: 0,
    item: 0,
    epoch: 1,
    outcome: 'succeeded',
    usage: {
      ...noUsage,
      inputTokens: 9,
    },
    model: 'model-a',
    upstream: 'local',
    line: Buffer.from(`line ${changes.item ?? 0}\n`),
    ...changes,
  };
}

async function logOf(...files: readonly (readonly OutcomeRecord[])[]): Promise<FakeLog> {
  const log = new FakeLog();
  log.holdSyncs = false;
  for (const [place, records] of files.entries()) {
    if (place > 0) await log.rotate();
    const writer = new RecordWriter();
    records.forEach((made) => writer.add(made));
    if (records.length > 0) log.append(writer.frames());
  }
  return log;
}

function replayed(log: FakeLog, spans: readonly HeldSpan[]): Promise<Outcome[]> {
  return replay({ log, spans, upstreamFor });
}

test('what is held and not done comes back in the order of the log, with its file', async () => {
  const span = spanOf({ run, lengths: [1, 1, 1, 1] });
  const log = await logOf([record({ item: 2 }), record({ item: 0 })], [record({ item: 3, outcome: 'errored' })]);
  const outcomes = await replayed(log, [span]);
  assert.deepEqual(
    outcomes.map(({ item, kind, file }) => [item, kind, file]),
    [
      [2, 'succeeded', 1],
      [0, 'succeeded', 1],
      [3, 'errored', 2],
    ],
  );
  assert.deepEqual(
    outcomes.map(({ line }) => Buffer.from(line).toString()),
    ['line 2\n', 'line 0\n', 'line 3\n'],
  );
  assert.deepEqual(
    outcomes.map(({ usage }) => usage?.inputTokens ?? null),
    [9, 9, null],
  );
  assert.deepEqual([span.open, span.unsealed], [1, 3]);
});

test('what is sealed already, or stands twice in the log, counts once', async () => {
  const span = spanOf({ run });
  setBit(span.done, 1);
  const log = await logOf([record({ item: 1 }), record({ item: 0 }), record({ item: 0, outcome: 'errored' })]);
  assert.deepEqual(
    (await replayed(log, [span])).map(({ item, kind }) => [item, kind]),
    [[0, 'succeeded']],
  );
});

test('records of spans that are held elsewhere, or of other batches, are passed over', async () => {
  const span = spanOf({ run, lengths: [1, 1, 1, 1, 1, 1], from: 2, to: 4 });
  const log = await logOf([
    record({ item: 1 }),
    record({ item: 4 }),
    record({ item: 2, segment: 1 }),
    record({ item: 2, batchId: 'msgbatch_b' }),
  ]);
  assert.deepEqual(await replayed(log, [span]), []);
});

test('each record goes to the span of its segment that covers it', async () => {
  const lengths = [1, 1, 1, 1];
  const [head, tail] = [spanOf({ run, lengths, to: 2 }), spanOf({ run, lengths, from: 2 })];
  const outcomes = await replayed(await logOf([record({ item: 3 }), record({ item: 1 })]), [head, tail]);
  assert.deepEqual(
    outcomes.map(({ span, item }) => [span === head, item]),
    [
      [false, 3],
      [true, 1],
    ],
  );
});

test('an answer bought under an older epoch is kept while its request is held and open', async () => {
  const span = spanOf({ run, epoch: 5 });
  assert.equal((await replayed(await logOf([record({ item: 1, epoch: 4 })]), [span])).length, 1);
});

test('the lines do not change when the log’s buffer is used again', async () => {
  const log = await logOf([record({ item: 0 })]);
  const scan = log.scan.bind(log);
  log.scan = (visit) =>
    scan((file, payload) => {
      visit(file, payload);
      payload.fill(0);
    });
  const [outcome] = await replayed(log, [spanOf({ run })]);
  assert.equal(Buffer.from(outcome!.line).toString(), 'line 0\n');
});

test('nothing is given back before the log is synced', async () => {
  const log = await logOf([record()]);
  log.holdSyncs = true;
  let done = false;
  const replaying = replayed(log, [spanOf({ run })]).then(() => (done = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(done, false);
  log.syncs[0]!.resolve();
  await replaying;
});
