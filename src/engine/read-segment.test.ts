import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Segment } from '../domain/segment.ts';
import { readSegment } from './read-segment.ts';
import { blobOf, MemoryBlobs, segmentOf } from './support.ts';

const blobs = new MemoryBlobs();
const { segment } = segmentOf([4]);
const inline: Segment = { ...segment, source: { kind: 'inline', bytes: new Uint8Array([1, 2, 3, 4]) } };

test('a range of a segment is the same bytes from its blob and from its row', async () => {
  await blobs.put(blobOf(segment), [new Uint8Array([1, 2, 3, 4])]);
  for (const range of [
    { start: 0, end: 4 },
    { start: 1, end: 3 },
    { start: 2, end: 2 },
  ]) {
    assert.deepEqual(await readSegment(blobs, segment, range), readSegment(blobs, inline, range));
  }
});

test('what lies outside of inline bytes is never read as less', () => {
  for (const range of [
    { start: 0, end: 5 },
    { start: 5, end: 6 },
    { start: -1, end: 2 },
    { start: 3, end: 2 },
  ]) {
    assert.throws(() => readSegment(blobs, inline, range), /has no bytes/);
  }
});
