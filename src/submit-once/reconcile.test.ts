/** What a list says of an unclear intent: one case for each decision, and for each bound the moment before and after it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { afterPost, type Intent, planned, sending } from './intent.ts';
import { type Bounds, type Decision, provenBy, reconcile, type SeenBatch, sweep, walkBackTo } from './reconcile.ts';

const bounds: Bounds = { flightMs: 1_000, visibleMs: 100, skewMs: 10, keyKeptMs: 50_000, sweepMs: 5_000 };
const SENT = 10_000;
const CLOSED = 10_500;
const LISTED = CLOSED + 1_000 + 100 + 10;

function intentOf(nonce: string, requests = 7): Intent {
  const sent = sending(planned({ nonce, chunk: 1, requests, bytes: 1 }), SENT);
  return afterPost(sent, { kind: 'unclear', message: 'cut' }, CLOSED);
}

const A = intentOf('aaaaaaaaaaaaaaaa');
const B = intentOf('bbbbbbbbbbbbbbbb');

function batch(id: string, change: Partial<SeenBatch> = {}): SeenBatch {
  return {
    id,
    status: 'in_progress',
    createdAtMs: SENT + 100,
    archivedAtMs: null,
    counts: { processing: 7, succeeded: 0 },
    ...change,
  };
}

type Asked = {
  intents?: readonly Intent[];
  batches?: readonly SeenBatch[];
  begunAtMs?: number;
  reachesMs?: number;
  nowMs?: number;
  idempotent?: boolean;
};
function ask({
  intents = [A],
  batches = [],
  begunAtMs = LISTED + 1,
  reachesMs = -Infinity,
  nowMs = begunAtMs,
  idempotent = false,
}: Asked): Decision[] {
  return reconcile({ intents, listing: { batches, begunAtMs, reachesMs }, bounds, nowMs, idempotent });
}

function kindsOf(asked: Asked): string[] {
  return ask(asked).map(({ kind }) => kind);
}

test('nothing listed: it waits until nothing can come any more, and one moment longer', () => {
  assert.deepEqual(kindsOf({ begunAtMs: LISTED }), ['wait']);
  const [decision] = ask({ begunAtMs: LISTED + 1 });
  assert.equal(decision!.kind, 'aborted');
  assert.equal(decision!.intent.state, 'aborted');
});

test('a walk that does not reach back beyond the send aborts nothing', () => {
  assert.deepEqual(kindsOf({ reachesMs: SENT - 10 }), ['aborted']);
  assert.deepEqual(kindsOf({ reachesMs: SENT - 9 }), ['wait']);
  assert.equal(walkBackTo([A, B], bounds), SENT - 10);
  assert.equal(walkBackTo([], bounds), null);
});

test('a running batch of its time and count holds it, however long', () => {
  const [decision] = ask({ batches: [batch('x')], begunAtMs: LISTED * 100 });
  assert.equal(decision!.kind, 'wait');
  assert.deepEqual([decision!.intent.state, decision!.intent.candidates], ['provisional', ['x']]);
  assert.equal(ask({ intents: [decision!.intent], batches: [batch('x')] })[0]!.intent, decision!.intent);
});

test('candidates are of its time and count, with what clocks and flight allow', () => {
  const cases: readonly [Partial<SeenBatch>, boolean][] = [
    [{ createdAtMs: SENT - 10 }, true],
    [{ createdAtMs: SENT - 11 }, false],
    [{ createdAtMs: CLOSED + 1_010 }, true],
    [{ createdAtMs: CLOSED + 1_011 }, false],
    [{ counts: { processing: 8 } }, false],
    [{ counts: { processing: 3, succeeded: 4 } }, true],
    [{ counts: { processing: 0 } }, true],
  ];
  for (const [change, isCandidate] of cases) {
    assert.equal(
      ask({ batches: [batch('x', change)] })[0]!.intent.candidates.length,
      isCandidate ? 1 : 0,
      JSON.stringify(change),
    );
  }
});

test('an ended candidate is read, and its line decides', () => {
  const ended = batch('x', { status: 'ended' });
  const [decision] = ask({ batches: [ended, batch('y')] });
  assert.deepEqual([decision!.kind, 'batchIds' in decision! && decision.batchIds], ['read', ['x']]);
  const [proved] = provenBy([decision!.intent], { batchId: 'x', customId: `${A.nonce}-1a-key` });
  assert.deepEqual([proved!.state, proved!.batchId], ['committed', 'x']);
  const [disproved] = provenBy([decision!.intent], { batchId: 'x', customId: 'someone' });
  assert.deepEqual([disproved!.state, disproved!.candidates], ['provisional', ['y']]);
  assert.deepEqual(ask({ intents: [disproved!], batches: [ended, batch('y')] })[0]!.kind, 'wait');
});

test('one line settles all that waited for its batch', () => {
  const decisions = ask({ intents: [A, B], batches: [batch('x', { status: 'ended' })] });
  assert.deepEqual(
    decisions.map(({ kind }) => kind),
    ['read', 'read'],
  );
  const settled = provenBy(
    decisions.map(({ intent }) => intent),
    { batchId: 'x', customId: `${B.nonce}-0` },
  );
  assert.deepEqual(
    settled.map(({ state }) => state),
    ['unclear', 'committed'],
  );
  assert.deepEqual(kindsOf({ intents: settled, batches: [batch('x', { status: 'ended' })] }), ['aborted']);
});

test('what another intent has by its answer is no candidate, also not one any more', () => {
  const owner: Intent = { ...B, state: 'committed', batchId: 'x', proof: 'answer' };
  const held: Intent = { ...A, state: 'provisional', candidates: ['x'] };
  for (const intent of [A, held]) {
    const decisions = ask({ intents: [intent, owner], batches: [batch('x')] });
    assert.deepEqual(
      decisions.map(({ kind, intent: { state } }) => [kind, state]),
      [['aborted', 'aborted']],
    );
  }
});

test('a candidate that is listed no more is looked for, and never forgotten', () => {
  const held: Intent = { ...A, state: 'provisional', candidates: ['x'] };
  const [decision] = ask({ intents: [held] });
  assert.deepEqual([decision!.kind, 'batchIds' in decision! && decision.batchIds], ['look', ['x']]);
});

test('a candidate whose results are gone is for a person to decide', () => {
  assert.deepEqual(kindsOf({ batches: [batch('x', { status: 'ended', archivedAtMs: 1 })] }), ['unreadable']);
  assert.deepEqual(kindsOf({ batches: [batch('x', { status: 'ended', archivedAtMs: 1 }), batch('y')] }), ['wait']);
});

test('a server that knows keys is asked again, as long as it surely knows them', () => {
  assert.deepEqual(kindsOf({ idempotent: true, nowMs: SENT + 49_999 }), ['repeat']);
  assert.deepEqual(kindsOf({ idempotent: true, nowMs: SENT + 50_000 }), ['aborted']);
});

test('settled intents need no decision', () => {
  for (const state of ['planned', 'sending', 'committed', 'refused', 'aborted'] as const) {
    assert.deepEqual(ask({ intents: [{ ...A, state }] }), []);
  }
});

test('the sweep finds a late batch of an aborted intent, and a second one of a committed', () => {
  const late = batch('late', { createdAtMs: CLOSED + 2_000, status: 'ended' });
  const listing = { batches: [late, batch('own')], begunAtMs: 0, reachesMs: 0 };
  const aborted: Intent = { ...A, state: 'aborted' };
  const committed: Intent = { ...B, state: 'committed', batchId: 'own' };
  assert.deepEqual(sweep({ intents: [aborted, committed], listing, bounds }), [
    { nonce: A.nonce, batchId: 'late', ended: true },
  ]);
  const replayed = { ...listing, batches: [batch('twin'), batch('own')] };
  assert.deepEqual(sweep({ intents: [committed], listing: replayed, bounds }), [
    { nonce: B.nonce, batchId: 'twin', ended: false },
  ]);
});

test('a suspect once read is told once, whatever its line said', () => {
  const listing = { batches: [batch('late', { status: 'ended' })], begunAtMs: 0, reachesMs: 0 };
  const aborted: Intent = { ...A, state: 'aborted' };
  const asked = [A.nonce];
  const [guilty] = provenBy([aborted], { batchId: 'late', customId: `${A.nonce}-0`, asked });
  assert.deepEqual(guilty!.duplicates, ['late']);
  const [innocent] = provenBy([aborted], { batchId: 'late', customId: 'someone', asked });
  for (const intent of [guilty!, innocent!]) assert.deepEqual(sweep({ intents: [intent], listing, bounds }), []);
});

test('the sweep leaves alone what was never sent, and what is too late to be it', () => {
  const never: Intent = { ...planned({ nonce: A.nonce, chunk: 1, requests: 7, bytes: 1 }), state: 'aborted' };
  const aborted: Intent = { ...A, state: 'aborted' };
  const batches = [batch('x', { createdAtMs: SENT - 10 + 5_001 })];
  assert.deepEqual(sweep({ intents: [never, aborted], listing: { batches, begunAtMs: 0, reachesMs: 0 }, bounds }), []);
});
