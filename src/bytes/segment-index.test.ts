/** The index gives back what went in, and refuses what is damaged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { IndexEntry } from '../domain/segment.ts';
import { encodeSegmentIndex, SegmentIndex } from './segment-index.ts';

const hash = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => value.toString(16).padStart(16, '0'));
const entry: fc.Arbitrary<IndexEntry> = fc.record(
  {
    ordinal: fc.nat(100_000),
    offset: fc.nat(8_000_000),
    length: fc.nat(32_000_000),
    customId: fc.stringMatching(/^[a-zA-Z0-9_-]{1,64}$/),
    maxTokens: fc.nat(300_000),
    tokenEstimate: fc.nat(8_000_000),
    breakpoints: fc.array(hash, { maxLength: 4 }),
    fault: fc.option(
      fc.record({ type: fc.constant('invalid_request_error'), message: fc.string() }, { noNullPrototype: true }),
    ),
  },
  { noNullPrototype: true },
);

test('an index gives back every field of every request', () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 50 }), (entries) => {
      const index = new SegmentIndex(encodeSegmentIndex(entries));
      assert.equal(index.count, entries.length);
      entries.forEach((expected, item) => {
        assert.deepEqual(
          {
            ordinal: index.ordinal(item),
            offset: index.offset(item),
            length: index.length(item),
            customId: index.customId(item),
            maxTokens: index.maxTokens(item),
            tokenEstimate: index.tokenEstimate(item),
            breakpoints: index.breakpoints(item),
            fault: index.fault(item),
          },
          expected,
        );
      });
    }),
    { numRuns: 200 },
  );
});

test('a flipped byte anywhere is found', () => {
  const bytes = encodeSegmentIndex(fc.sample(entry, 5));
  for (let at = 0; at < bytes.length; at++) {
    const damaged = new Uint8Array(bytes);
    damaged[at]! ^= 1;
    assert.throws(() => new SegmentIndex(damaged), `byte ${at}`);
  }
});
