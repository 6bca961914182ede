import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  JOURNAL_FILE_BYTES,
  JOURNAL_FILES_MAX,
  SYNC_REST_MS,
  UNSYNCED_BYTES_MAX,
  UNSYNCED_LINES_MAX,
} from '../domain/limits.ts';
import type { HeldSpan, Outcome } from './held.ts';
import { Journal } from './journal.ts';
import { FakeLog, FakeWorld, outcomeOf, settle, spanOf } from './support.ts';

type Scene = { journal: Journal; log: FakeLog; world: FakeWorld; span: HeldSpan; synced: Outcome[]; fatal: unknown[] };

function scene(): Scene {
  const world = new FakeWorld();
  const log = new FakeLog();
  const synced: Outcome[] = [];
  const fatal: unknown[] = [];
  const onFatal = (error: unknown) => void fatal.push(error);
  const journal = new Journal({ log, world, onSynced: (outcomes) => synced.push(...outcomes), onFatal });
  return { journal, log, world, synced, fatal, span: spanOf({ lengths: Array.from({ length: 900 }, () => 1) }) };
}

function write({ journal, span }: Scene, items: readonly number[]): Outcome[] {
  const outcomes = items.map((item) => outcomeOf(span, item));
  outcomes.forEach((outcome) => journal.add(outcome));
  assert.ok(journal.flush());
  return outcomes;
}

async function answerSync({ log, world }: Scene): Promise<void> {
  log.syncs.shift()!.resolve();
  await settle();
  await world.move(SYNC_REST_MS);
}

/** Writes outcomes into the current file, syncs them and begins the next file. */
async function fill(subject: Scene, items: readonly number[]): Promise<Outcome[]> {
  const outcomes = write(subject, items);
  subject.log.sizeTold = JOURNAL_FILE_BYTES;
  await answerSync(subject);
  subject.log.sizeTold = null;
  return outcomes;
}

test('outcomes are told in order, and only after a sync that began after their write', async () => {
  const subject = scene();
  const first = write(subject, [0, 1]);
  const second = write(subject, [2]);
  assert.equal(subject.log.syncs.length, 1);
  await answerSync(subject);
  assert.deepEqual(subject.synced, first);
  assert.equal(subject.log.syncs.length, 1);
  const third = write(subject, [3]);
  assert.ok(subject.log.syncs[0]!.bytes < subject.log.appended);
  await answerSync(subject);
  assert.deepEqual(subject.synced, [...first, ...second]);
  await answerSync(subject);
  assert.deepEqual(subject.synced, [...first, ...second, ...third]);
});

test('the write says which file an outcome is in; a flush of nothing appends nothing', async () => {
  const subject = scene();
  assert.ok(subject.journal.flush());
  assert.equal(subject.log.appended, 0);
  const [first] = await fill(subject, [0]);
  const [second] = write(subject, [1]);
  assert.deepEqual([first!.file, second!.file], [1, 2]);
});

test('a full disk keeps the outcomes: they are written by the flush that finds room, once', async () => {
  const subject = scene();
  const outcomes = [outcomeOf(subject.span, 0), outcomeOf(subject.span, 1)];
  subject.journal.add(outcomes[0]!);
  subject.log.full = true;
  assert.equal(subject.journal.flush(), false);
  subject.journal.add(outcomes[1]!);
  assert.equal(subject.journal.flush(), false);
  assert.equal(subject.log.appended, 0);
  subject.log.full = false;
  assert.ok(subject.journal.flush());
  await answerSync(subject);
  assert.deepEqual(subject.synced, outcomes);
  let records = 0;
  await subject.log.scan(() => (records += 1));
  assert.equal(records, 2);
});

test('any other failure of the write is thrown, and one of the sync ends the process', async () => {
  const subject = scene();
  write(subject, [0]);
  const error = new Error('input/output error');
  subject.log.syncs[0]!.reject(error);
  await settle();
  assert.deepEqual(subject.fatal, [error]);
  assert.deepEqual(subject.synced, []);
  subject.log.append = () => assert.fail('broken');
  subject.journal.add(outcomeOf(subject.span, 1));
  assert.throws(() => subject.journal.flush(), /broken/);
});

test('what is being synced counts as unsynced until its sync has ended', async () => {
  const subject = scene();
  const long = spanOf({ lengths: Array.from({ length: UNSYNCED_LINES_MAX }, () => 1) });
  const add = (from: number, to: number) => {
    for (let item = from; item < to; item++) subject.journal.add(outcomeOf(long, item));
    subject.journal.flush();
  };
  add(0, UNSYNCED_LINES_MAX - 1);
  assert.ok(!subject.journal.isFull());
  add(UNSYNCED_LINES_MAX - 1, UNSYNCED_LINES_MAX);
  assert.ok(subject.journal.isFull());
  await answerSync(subject);
  assert.ok(!subject.journal.isFull());
});

test('few large lines fill it, too', () => {
  const subject = scene();
  subject.journal.add(outcomeOf(subject.span, 0, { line: new Uint8Array(UNSYNCED_BYTES_MAX) }));
  subject.journal.flush();
  assert.ok(subject.journal.isFull());
});

test('a file is removed when its last outcome is sealed, unless it is the current one', async () => {
  const subject = scene();
  const [a, b] = await fill(subject, [0, 1]);
  const [c] = write(subject, [2]);
  subject.journal.sealed([a!]);
  await settle();
  assert.deepEqual(subject.log.files(), [1, 2]);
  subject.journal.sealed([b!, c!]);
  await settle();
  assert.deepEqual(subject.log.files(), [2]);
});

test('seals that end together remove a file once', async () => {
  const subject = scene();
  const [a, b] = await fill(subject, [0, 1]);
  subject.journal.sealed([a!]);
  subject.journal.sealed([b!]);
  subject.journal.sealed([]);
  await settle();
  assert.deepEqual(subject.log.removed, [1]);
  assert.deepEqual(subject.fatal, []);
});

test('lines made from the index pin nothing', async () => {
  const subject = scene();
  await fill(subject, [0]);
  subject.journal.sealed([outcomeOf(subject.span, 5)]);
  await subject.journal.removeFinished();
  assert.deepEqual(subject.log.files(), [1, 2]);
});

test('replayed outcomes pin their files until they are sealed', async () => {
  const subject = scene();
  await subject.log.rotate();
  const replayed = outcomeOf(subject.span, 0, { file: 1 });
  subject.journal.replayed([replayed]);
  await subject.journal.removeFinished();
  assert.deepEqual(subject.log.files(), [1, 2]);
  subject.journal.sealed([replayed]);
  await settle();
  assert.deepEqual(subject.log.files(), [2]);
});

test('the oldest file is named as crowded when there are too many', async () => {
  const subject = scene();
  for (let file = 1; file < JOURNAL_FILES_MAX; file++) await fill(subject, [file]);
  assert.equal(subject.journal.crowdedFile(), null);
  await fill(subject, [99]);
  assert.equal(subject.journal.crowdedFile(), 1);
});

test('a disk too full for the next file leaves the current one in use', async () => {
  const subject = scene();
  subject.log.rotateFull = true;
  const [first] = await fill(subject, [0]);
  assert.deepEqual(subject.fatal, []);
  subject.log.rotateFull = false;
  const [second] = await fill(subject, [1]);
  const [third] = write(subject, [2]);
  assert.deepEqual([first!.file, second!.file, third!.file], [1, 1, 2]);
});

test('drained resolves when all that was written is synced', async () => {
  const subject = scene();
  await subject.journal.drained();
  write(subject, [0]);
  let drained = false;
  const waiting = subject.journal.drained().then(() => (drained = true));
  await settle();
  assert.equal(drained, false);
  await answerSync(subject);
  await waiting;
  assert.equal(subject.synced.length, 1);
});
