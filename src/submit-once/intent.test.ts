/** Every transition of an intent, as a table: what each event makes of each state, and which are faults of the caller. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  afterPost,
  afterRestart,
  type Ending,
  givenUp,
  gone,
  type Intent,
  type IntentState,
  isUnclear,
  mayFollow,
  mayPlan,
  planned,
  proveBy,
  repeating,
  sending,
} from './intent.ts';

const NONCE = 'abcdefghij234567';
const first = planned({ nonce: NONCE, chunk: 3, requests: 10, bytes: 100 });
const sent = sending(first, 1_000);
const unclear = afterPost(sent, { kind: 'unclear', message: 'cut' }, 2_000);
const provisional: Intent = { ...unclear, state: 'provisional', candidates: ['b1', 'b2'] };
const committed = afterPost(sent, { kind: 'created', batch: { id: 'b0' } }, 2_000);
const refused = afterPost(sent, { kind: 'refused', status: 409, message: 'no' }, 2_000);
const aborted = afterPost(sent, { kind: 'incomplete', message: 'cut' }, 2_000);
const all: Readonly<Record<IntentState, Intent>> = {
  planned: first,
  sending: sent,
  unclear,
  provisional,
  committed,
  refused,
  aborted,
};
const states = Object.keys(all) as IntentState[];

const own = { customId: `${NONCE}-0`, batchId: 'b1' };
const foreign = { customId: 'qqqqqqqqqqqqqqqq-0', batchId: 'b1' };
const nobody = { customId: null, batchId: 'b1' };
const created: Ending = { kind: 'created', batch: { id: 'b9' } };
const refusal: Ending = { kind: 'refused', status: 429, message: 'slowly' };
const incomplete: Ending = { kind: 'incomplete', message: 'cut' };
const open: Ending = { kind: 'unclear', message: '500' };

/** null: it throws, because no caller may ask for it. */
const table: readonly {
  what: string;
  of: (intent: Intent) => Intent;
  to: Readonly<Record<IntentState, IntentState | null>>;
}[] = [
  { what: 'sending', of: (intent) => sending(intent, 5), to: only({ planned: 'sending' }) },
  { what: 'repeating', of: repeating, to: only({ unclear: 'sending', provisional: 'sending' }) },
  { what: 'created', of: (intent) => afterPost(intent, created, 5), to: only({ sending: 'committed' }) },
  { what: 'refused', of: (intent) => afterPost(intent, refusal, 5), to: only({ sending: 'refused' }) },
  { what: 'incomplete', of: (intent) => afterPost(intent, incomplete, 5), to: only({ sending: 'aborted' }) },
  { what: 'no clear answer', of: (intent) => afterPost(intent, open, 5), to: only({ sending: 'unclear' }) },
  { what: 'a restart', of: (intent) => afterRestart(intent, 5), to: same({ planned: 'aborted', sending: 'unclear' }) },
  {
    what: 'its own line',
    of: (intent) => proveBy(intent, own),
    to: same({ unclear: 'committed', provisional: 'committed' }),
  },
  { what: "another's line", of: (intent) => proveBy(intent, foreign), to: same({}) },
  { what: 'no line', of: (intent) => proveBy(intent, nobody), to: same({}) },
  { what: 'a batch that is gone', of: (intent) => gone(intent, 'b1'), to: same({}) },
  {
    what: 'a person gives it up',
    of: (intent) => givenUp(intent, 'said so'),
    to: only({ unclear: 'aborted', provisional: 'aborted' }),
  },
];

function only(to: Partial<Record<IntentState, IntentState>>): Record<IntentState, IntentState | null> {
  return Object.fromEntries(states.map((state) => [state, to[state] ?? null])) as Record<
    IntentState,
    IntentState | null
  >;
}

function same(to: Partial<Record<IntentState, IntentState>>): Record<IntentState, IntentState | null> {
  return { ...(Object.fromEntries(states.map((state) => [state, state])) as Record<IntentState, IntentState>), ...to };
}

for (const { what, of, to } of table) {
  test(`${what}: every state`, () => {
    for (const state of states) {
      const expected = to[state];
      if (expected === null) assert.throws(() => of(all[state]), new RegExp(`is ${state}`));
      else assert.equal(of(all[state]).state, expected, state);
    }
  });
}

test('a ledger may store whatever these functions make of what it has, and nothing else', () => {
  assert.equal(mayFollow(null, first), true);
  for (const state of states) {
    if (state !== 'planned') assert.equal(mayFollow(null, all[state]), false, state);
    for (const { of, to } of table) {
      if (to[state] !== null) assert.equal(mayFollow(all[state], of(all[state])), true, state);
    }
  }
});

test('what was decided before a wait does not undo what was learned meanwhile', () => {
  const again = repeating(unclear);
  const settled = afterPost(again, created, 9);
  for (const stale of [unclear, provisional, aborted, first]) {
    assert.equal(mayFollow(again, stale), false, `${stale.state} over a repeat under way`);
    assert.equal(mayFollow(settled, stale), false, `${stale.state} over committed`);
  }
  assert.equal(mayFollow(settled, { ...settled, batchId: 'other' }), false);
  assert.equal(mayFollow(aborted, unclear), false);
  assert.equal(mayFollow(sent, again), false);
});

test('the first POST leaves its times; a repeat keeps that of the first and moves the end on', () => {
  assert.deepEqual([unclear.sentAtMs, unclear.closedAtMs, unclear.posts], [1_000, 2_000, 1]);
  const again = afterPost(repeating(unclear), open, 9_000);
  assert.deepEqual([again.state, again.sentAtMs, again.closedAtMs, again.posts], ['unclear', 1_000, 9_000, 2]);
});

test('a repeat that is refused, cut, or interrupted says nothing of the first POST', () => {
  for (const end of [refusal, incomplete, open]) {
    assert.equal(afterPost(repeating(unclear), end, 9).state, 'unclear');
    assert.equal(afterPost(repeating(provisional), end, 9).state, 'provisional');
  }
  assert.equal(afterRestart(repeating(provisional), 9).state, 'provisional');
  assert.equal(afterPost(repeating(provisional), created, 9).state, 'committed');
});

test('a line proves: by which batch, and how', () => {
  assert.deepEqual([committed.batchId, committed.proof], ['b0', 'answer']);
  const proved = proveBy(provisional, own);
  assert.deepEqual([proved.batchId, proved.proof, proved.candidates], ['b1', 'custom_id', []]);
});

test('the last candidate disproved makes it unclear again; a line that cannot be read disproves nothing', () => {
  const one = proveBy(provisional, foreign);
  assert.deepEqual([one.state, one.candidates, one.disproved], ['provisional', ['b2'], ['b1']]);
  assert.equal(proveBy(one, foreign), one);
  assert.equal(proveBy(one, { ...nobody, batchId: 'b2' }), one);
  assert.equal(proveBy(one, { ...foreign, batchId: 'b2' }).state, 'unclear');
  assert.deepEqual(gone(one, 'b2').disproved, ['b1', 'b2']);
});

test('an own line in a batch that should not be is a duplicate, told once', () => {
  for (const intent of [committed, aborted, refused]) {
    const told = proveBy(intent, own);
    assert.deepEqual(told.duplicates, ['b1']);
    assert.equal(told.state, intent.state);
    assert.equal(proveBy(told, own), told);
  }
  assert.equal(proveBy(committed, { ...own, batchId: 'b0' }), committed);
});

test('while its POST is under way, a line that is its own waits for the answer', () => {
  assert.equal(proveBy(sent, own), sent);
});

test('a chunk may be planned again only when nothing of it can exist', () => {
  assert.equal(mayPlan([]), true);
  for (const state of states) {
    assert.equal(mayPlan([aborted, all[state]]), state === 'refused' || state === 'aborted', state);
    assert.equal(isUnclear(all[state]), state === 'unclear' || state === 'provisional', state);
  }
});
