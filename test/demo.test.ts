// The demo proves something only if it can fail: its comparison must see every kind of fault, and a small run of it must pass.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { checkResults, DEMO_MODEL, makeRequests } from '../scripts/demo/rows.ts';
import { root } from './support/sources.ts';
import { renderAnswer } from './support/upstream-answer.ts';

type Comparison = Parameters<typeof checkResults>[0];
type Line = Comparison['lines'] extends AsyncIterable<infer Item> ? Item : never;

const requests = makeRequests(3, 1);
const clean = { lost: 0, doubled: 0, changed: 0 };

test('the comparison passes what is right, in any order', async () => {
  assert.deepEqual(await verdict([lineOf(2), lineOf(0), lineOf(1)]), clean);
});

test('the comparison sees a lost line, a doubled one and one that nobody asked for', async () => {
  assert.deepEqual(await verdict([lineOf(0), lineOf(1)]), { ...clean, lost: 1 });
  assert.deepEqual(await verdict([lineOf(0), lineOf(1), lineOf(2), lineOf(1)]), { ...clean, doubled: 1 });
  const stranger = { ...lineOf(2), custom_id: 'review-3' };
  assert.deepEqual(await verdict([lineOf(0), lineOf(1), lineOf(2), stranger]), { ...clean, changed: 1 });
});

test('the comparison sees the answer of another row, a cut one and an error', async () => {
  const other = { ...lineOf(1), custom_id: 'review-2' };
  assert.deepEqual(await verdict([lineOf(0), lineOf(1), other]), { ...clean, changed: 1 });
  const cut = JSON.parse(JSON.stringify(lineOf(2)).replace(' dog."', '"')) as Line;
  assert.deepEqual(await verdict([lineOf(0), lineOf(1), cut]), { ...clean, changed: 1 });
  const canceled: Line = { custom_id: 'review-2', result: { type: 'canceled' } };
  assert.deepEqual(await verdict([lineOf(0), lineOf(1), canceled]), { ...clean, changed: 1 });
});

test('the comparison sees a request that reached the model with other bytes, or never', async () => {
  const lines = [lineOf(0), lineOf(1), lineOf(2)];
  const { 'row-1': one, ...rest } = seenRows();
  assert.deepEqual(await verdict(lines, rest), { ...clean, lost: 1 });
  const twice = { ...rest, 'row-1': { hashes: [...one.hashes, 'another'] } };
  assert.deepEqual(await verdict(lines, twice), { ...clean, changed: 1 });
});

test('a small demo passes', { timeout: 60_000 }, async () => {
  const child = spawn(process.execPath, ['scripts/demo.ts', '--requests', '500', '--kills', '1', '--seed', '1'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  assert.equal(code, 0, output + errors);
  assert.match(output, /Every request has exactly one answer/);
});

test('a demo with a wrong option says so', async () => {
  const child = spawn(process.execPath, ['scripts/demo.ts', '--requests', 'many'], { cwd: root, stdio: 'pipe' });
  const [errors, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  assert.equal(errors, 'demo: --requests must be a whole number from 100 to 100000\n');
  assert.equal(code, 2);
});

async function verdict(lines: readonly Line[], upstreamRows = seenRows()): Promise<typeof clean> {
  const { lost, doubled, changed } = await checkResults({ requests, lines: stream(lines), upstreamRows });
  return { lost, doubled, changed };
}

async function* stream(lines: readonly Line[]): AsyncGenerator<Line> {
  yield* lines;
}

function lineOf(row: number): Line {
  const bodyBytes = Buffer.byteLength(JSON.stringify(requests[row].params));
  const message: unknown = JSON.parse(renderAnswer({ row: `row-${row}`, model: DEMO_MODEL, call: row, bodyBytes }));
  return { custom_id: `review-${row}`, result: { type: 'succeeded', message } } as Line;
}

function seenRows(): Record<string, { hashes: string[] }> {
  return Object.fromEntries(
    requests.map(({ params }, row) => {
      const hash = createHash('sha256').update(JSON.stringify(params)).digest('hex');
      return [`row-${row}`, { hashes: [hash] }];
    }),
  );
}
