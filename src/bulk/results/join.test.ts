// Rows with what became of them: in either order, each once, duplicates answered, and written everywhere or nowhere.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Item, ItemState, OutputRow, RawPlace, Sink, Source, SourceRow } from '../contract.ts';
import type { BatchRecord } from '../ledger/ledger.ts';
import { errorOf } from './answer.ts';
import { exportRows, failedStates } from './export.ts';
import { joinedRows, rowsOfBatch, rowsWithoutLine, type JoinParts, type JoinQuery } from './join.ts';
import { RawWriter, readRaw } from './raw.ts';

const folder = await mkdtemp(join(tmpdir(), 'join-'));
after(() => rm(folder, { recursive: true }));
const rawPath = (batchId: string): string => join(folder, `${batchId}.jsonl.zst`);

const usage = { input_tokens: 3, output_tokens: 2 };

function succeeded(text: string, stopReason = 'end_turn'): object {
  return {
    type: 'succeeded',
    message: { model: 'm', type: 'message', content: [{ type: 'text', text }], stop_reason: stopReason, usage },
  };
}

/** Writes a batch's lines and says where each row's is. */
async function keep(batchId: string, results: readonly (readonly [number, object])[]): Promise<Map<number, RawPlace>> {
  const writer = await RawWriter.open({ path: rawPath(batchId) });
  await writer.push(
    Buffer.from(results.map(([seq, result]) => `${JSON.stringify({ custom_id: `n-${seq}`, result })}\n`).join('')),
  );
  await writer.finish();
  const places = new Map<number, RawPlace>();
  let index = 0;
  for await (const lines of readRaw({ path: rawPath(batchId), batchId }))
    for (const { place } of lines) places.set(results[index++][0], place);
  return places;
}

const error = {
  type: 'error',
  error: { type: 'invalid_request_error', message: 'prompt is too long' },
  request_id: null,
};
const first = await keep('b1', [
  [2, succeeded('{"n":2}')],
  [0, succeeded('{"n":0}')],
  [1, { type: 'errored', error }],
  [7, succeeded('half', 'max_tokens')],
]);
const second = await keep('b2', [
  [3, succeeded('no', 'refusal')],
  [8, succeeded('not json')],
]);

function item(seq: number, state: ItemState, changes: Partial<Item> = {}): Item {
  return {
    seq,
    key: `k${seq}`,
    place: { offset: seq, line: seq + 1 },
    state,
    attempt: 1,
    sameAs: null,
    fault: null,
    raw: first.get(seq) ?? second.get(seq) ?? null,
    ...changes,
  };
}

const items: readonly Item[] = [
  item(0, 'ok'),
  item(1, 'rejected'),
  item(2, 'ok', { attempt: 2 }),
  item(3, 'refused'),
  item(4, 'ok', { sameAs: 2, attempt: 2 }),
  item(5, 'rejected', { fault: 'line 6: two quotes', attempt: 0 }),
  item(6, 'skipped', { attempt: 0 }),
  item(7, 'pending'),
  item(8, 'invalid'),
  item(9, 'missing'),
];

const ledger: JoinParts['ledger'] = {
  item: (seq) => items[seq] ?? null,
  items: ({ from = 0, states, limit }) =>
    items.filter(({ seq, state }) => seq >= from && (states ?? [state]).includes(state)).slice(0, Math.min(limit, 3)),
  itemsOfBatch: (batchId) =>
    items.filter(({ raw }) => raw?.batchId === batchId).toSorted((left, right) => left.raw!.offset - right.raw!.offset),
  batches: () => [{ id: 'b1' }, { id: 'b2' }] as unknown as readonly BatchRecord[],
};

const source: Source = {
  columns: null,
  identity: async () => ({ kind: 'test', bytes: null, digest: '' }),
  async *rows() {},
  async *read(points) {
    let last = -1;
    for (const { seq, place } of points) {
      assert.ok(seq > last, 'rows are read in ascending order');
      last = seq;
      yield {
        seq,
        place,
        ...(seq === 5 ? { row: null, fault: 'line 6: two quotes' } : { row: { n: seq }, fault: null }),
      } as SourceRow;
    }
  },
  close: async () => {},
};

const prompt = {
  complaintOf: (text: string) => (text.startsWith('{') ? null : 'the answer is not JSON'),
  outputOf: (text: string) => JSON.parse(text) as unknown,
};
const parts: JoinParts = { ledger, source, prompt, rawPath };

async function joined(query: JoinQuery, changes: Partial<JoinParts> = {}): Promise<OutputRow[]> {
  const rows: OutputRow[] = [];
  for await (const group of joinedRows({ ...parts, ...changes }, query)) rows.push(...group);
  return rows;
}

test('in the order of the input every row is there, with its answer or why there is none', async () => {
  const rows = await joined({ order: 'input' });
  assert.deepEqual(
    rows.map(({ seq, state }) => [seq, state]),
    items.map(({ seq, state }) => [seq, state]),
  );
  const told = rows.map(({ text, error: why }) => text ?? why?.type ?? null);
  assert.deepEqual(told, [
    '{"n":0}',
    'invalid_request_error',
    '{"n":2}',
    'no',
    '{"n":2}',
    'not_sent',
    null,
    null,
    'not json',
    'missing',
  ]);
  assert.deepEqual(rows[2], {
    seq: 2,
    key: 'k2',
    row: { n: 2 },
    state: 'ok',
    text: '{"n":2}',
    output: { n: 2 },
    error: null,
    stopReason: 'end_turn',
    model: 'm',
    usage: {
      inputTokens: 3,
      outputTokens: 2,
      cacheCreationInputTokens: 0,
      cacheReadInputTokens: 0,
      cacheCreation1hInputTokens: 0,
    },
    attempts: 2,
    batchId: 'b1',
    line: null,
  });
  assert.deepEqual([rows[4].output, rows[4].attempts, rows[4].batchId], [{ n: 2 }, 2, 'b1']);
  assert.deepEqual([rows[5].row, rows[5].error], [null, { type: 'not_sent', message: 'line 6: two quotes' }]);
  assert.deepEqual(
    [rows[3].error?.type, rows[8].error, rows[8].output],
    ['refusal', { type: 'schema', message: 'the answer is not JSON' }, null],
  );
});

test('in the order of arrival rows come as their lines did, then those without one, each once', async () => {
  const rows = await joined({ order: 'arrival' });
  assert.deepEqual(
    rows.map(({ seq }) => seq),
    [2, 0, 1, 7, 3, 8, 4, 5, 6, 9],
  );
  const doubled = { ...ledger, itemsOfBatch: () => items.slice(0, 2) };
  assert.equal((await joined({ order: 'arrival' }, { ledger: doubled })).length, items.length);
});

test('states choose, lines come verbatim, and no source is read when rows are not wanted', async () => {
  const rows = await joined({ order: 'input', states: ['ok'], lines: true }, { source: null });
  assert.deepEqual(
    rows.map(({ seq, row }) => [seq, row]),
    [
      [0, null],
      [2, null],
      [4, null],
    ],
  );
  assert.equal(
    Buffer.from(rows[0].line!).toString(),
    JSON.stringify({ custom_id: 'n-0', result: succeeded('{"n":0}') }),
  );
});

test('output that follows a run takes a batch at a time, and the rest at the end', async () => {
  const seqs: number[] = [];
  for (const batchId of ['b2', 'b1'])
    for await (const group of rowsOfBatch(parts, { batchId, states: ['ok', 'refused'] }))
      seqs.push(...group.map(({ seq }) => seq));
  for await (const group of rowsWithoutLine(parts, { states: ['ok', 'rejected'] }))
    seqs.push(...group.map(({ seq }) => seq));
  assert.deepEqual(seqs, [3, 2, 0, 4, 5]);
});

function memorySink(fails: { write?: boolean; finish?: boolean } = {}) {
  const calls: string[] = [];
  const sink: Sink = {
    write: async (rows) => {
      calls.push(`write ${rows.map(({ seq }) => seq).join()}`);
      if (fails.write) throw new Error('full');
    },
    finish: async () => {
      calls.push('finish');
      if (fails.finish) throw new Error('full');
    },
    abandon: async () => void calls.push('abandon'),
  };
  return { calls, sink };
}

test('the output holds every row and the copy the failed ones', async () => {
  const [all, failed] = [memorySink(), memorySink()];
  const { rows, byState } = await exportRows(joinedRows(parts, { order: 'input' }), [
    { sink: all.sink, states: null },
    { sink: failed.sink, states: failedStates },
  ]);
  assert.deepEqual(
    [rows, byState],
    [10, { ok: 3, rejected: 2, refused: 1, skipped: 1, pending: 1, invalid: 1, missing: 1 }],
  );
  assert.deepEqual(all.calls, ['write 0,1,2', 'write 3,4,5', 'write 6,7,8', 'write 9', 'finish']);
  assert.deepEqual(failed.calls, ['write 1', 'write 3,5', 'write 8', 'write 9', 'finish']);
});

test('a target that fails leaves none of them finished', async () => {
  for (const fails of [{ write: true }, { finish: true }]) {
    const [broken, other] = [memorySink(fails), memorySink()];
    await assert.rejects(
      exportRows(joinedRows(parts, { order: 'input' }), [
        { sink: broken.sink, states: null },
        { sink: other.sink, states: null },
      ]),
      /full/,
    );
    assert.deepEqual([broken.calls.at(-1), other.calls.at(-1)], ['abandon', 'abandon']);
  }
});

test('the error of a result is read at its depth, whoever wrote it', () => {
  const inner = { type: 'invalid_request_error', message: 'prompt is too long' };
  for (const result of [
    { custom_id: 'x', result: { type: 'errored', error } },
    { type: 'errored', error },
    error,
    inner,
  ])
    assert.deepEqual(errorOf(result), inner);
  assert.equal(errorOf({ type: 'expired' })?.type, 'expired');
  for (const none of [null, 'x', {}, succeeded('x'), { custom_id: 'x', result: succeeded('x') }])
    assert.equal(errorOf(none), null);
});
