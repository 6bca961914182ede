// Chunks against the bodies they become: exact bytes, every row once and in order, counts that tell siblings apart.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  bodyClose,
  bodyOpen,
  ChunkCutter,
  requestBytes,
  requestHead,
  requestTail,
  tooLarge,
  type Chunk,
  type ChunkLimits,
  type SizedRow,
} from './chunks.ts';

function cutAll(rows: readonly SizedRow[], limits: ChunkLimits, salt = 0): Chunk[] {
  const cutter = new ChunkCutter({ limits, salt });
  return [...rows.map((row) => cutter.add(row)), cutter.end()].filter((chunk) => chunk !== null);
}

test('the bytes of a chunk are those of the body as JSON would write it', () => {
  const request = fc.record({
    custom_id: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
    params: fc.record({ model: fc.string(), text: fc.string({ unit: 'binary' }) }),
  });
  const limits = fc.record({ requests: fc.integer({ min: 1, max: 12 }), bytes: fc.integer({ min: 40, max: 900 }) });
  fc.assert(
    fc.property(fc.array(request, { maxLength: 60 }), limits, fc.nat(), (requests, bounds, salt) => {
      const rows = requests.map(({ custom_id: id, params }, seq) => ({
        seq,
        bytes: requestBytes({ customId: id.length, params: Buffer.byteLength(JSON.stringify(params)) }),
      }));
      const chunks = cutAll(rows, bounds, salt);
      assert.deepEqual(
        chunks.flatMap(({ seqs }) => seqs),
        rows.map(({ seq }) => seq),
      );
      for (const { seqs, bytes } of chunks) {
        const body = JSON.stringify({ requests: seqs.map((seq) => requests[seq]) });
        assert.equal(bytes, Buffer.byteLength(body));
        const parts = seqs.map(
          (seq) => requestHead(requests[seq].custom_id) + JSON.stringify(requests[seq].params) + requestTail,
        );
        assert.equal(bodyOpen + parts.join(',') + bodyClose, body);
        assert.ok(seqs.length <= bounds.requests);
        assert.ok(seqs.length === 1 || bytes <= bounds.bytes);
      }
    }),
  );
});

test('siblings differ in their counts, whether count or bytes cut them', () => {
  const rows = Array.from({ length: 20_000 }, (_unused, seq) => ({ seq, bytes: 100 }));
  for (const limits of [
    { requests: 1_000, bytes: 1e9 },
    { requests: 1e6, bytes: 101_000 },
  ]) {
    const counts = cutAll(rows, limits, 7)
      .slice(0, -1)
      .map(({ seqs }) => seqs.length);
    assert.equal(new Set(counts).size, counts.length);
    assert.ok(counts.every((count) => count > 940 && count <= 1_000));
  }
  assert.notDeepEqual(
    cutAll(rows, { requests: 1_000, bytes: 1e9 }, 1),
    cutAll(rows, { requests: 1_000, bytes: 1e9 }, 2),
  );
});

test('a row larger than a chunk is alone, and one no batch takes is told and refused', () => {
  const rows = [10, 5_000, 10].map((bytes, seq) => ({ seq, bytes }));
  assert.deepEqual(
    cutAll(rows, { requests: 10, bytes: 1_000 }).map(({ seqs }) => seqs),
    [[0], [1], [2]],
  );
  assert.equal(tooLarge(1_000), null);
  assert.match(tooLarge(40_000_000)!, /40,000,000 bytes, and no more than 33,554,432/);
  assert.throws(() => cutAll([{ seq: 3, bytes: 40_000_000 }], { requests: 1, bytes: 1 }), /row 3/);
});
