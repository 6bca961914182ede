import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SegmentIndex } from '../bytes/segment-index.ts';
import {
  BLOB_BYTES_TARGET,
  INLINE_SEGMENTS_BYTES_MAX,
  OPEN_BYTES_MAX,
  OPEN_SEGMENTS_MAX,
  SEGMENT_BYTES_MAX,
  SEGMENT_REQUESTS_MAX,
} from '../domain/limits.ts';
import { Packer, type Pack, type PackedSegment } from './packer.ts';
import { entryOf } from './support.ts';

type Added = { readonly model: string; readonly family: string | null; readonly bytes: number };

const MiB = 1024 * 1024;

function familyHash(number: number): string {
  return number.toString(16).padStart(16, '0');
}

/** Bytes that say whose they are, at both ends and between. */
function paramsOf(ordinal: number, bytes: number): Buffer {
  const params = Buffer.alloc(bytes, ordinal % 251);
  if (bytes >= 8) params.writeUInt32LE(ordinal, bytes - 4);
  if (bytes >= 4) params.writeUInt32LE(ordinal, 0);
  return params;
}

/** Packs are written late, as a slow disk would: a few at a time are open, then copied and their buffers recycled. */
function pack(
  requests: readonly Added[],
  lateWrites: number,
): { segments: readonly PackedSegment[]; blobs: Map<string, Buffer> } {
  const blobs = new Map<string, Buffer>();
  const writing: Pack[] = [];
  const write = (): void => {
    const { key, parts, recycle } = writing.shift()!;
    assert.ok(!blobs.has(key), 'each blob is emitted once');
    blobs.set(key, Buffer.concat(parts));
    recycle();
  };
  const packer = new Packer('w/b', (made) => {
    writing.push(made);
    while (writing.length > lateWrites) write();
  });
  requests.forEach(({ model, family, bytes }, ordinal) => {
    const breakpoints = family === null ? [] : [family, familyHash(9_999)];
    packer.add({
      entry: entryOf({ ordinal, length: bytes, customId: `id-${ordinal}`, breakpoints }),
      model,
      params: paramsOf(ordinal, bytes),
    });
  });
  packer.end();
  while (writing.length > 0) write();
  return { segments: packer.segments, blobs };
}

function check(requests: readonly Added[], { segments, blobs }: ReturnType<typeof pack>): void {
  const seen = new Set<number>();
  segments.forEach((segment, place) => {
    assert.equal(segment.number, place);
    const { source } = segment;
    const blob = source.kind === 'blob' ? blobs.get(source.key)! : Buffer.from(source.bytes);
    const index = new SegmentIndex(blob.subarray(segment.indexOffset, segment.indexOffset + segment.indexBytes));
    assert.equal(index.count, segment.requests);
    assert.ok(segment.requests <= SEGMENT_REQUESTS_MAX);
    assert.ok(segment.bytes <= SEGMENT_BYTES_MAX || segment.requests === 1);
    for (let item = 0; item < index.count; item++) {
      const ordinal = index.ordinal(item);
      assert.ok(!seen.has(ordinal), 'once');
      seen.add(ordinal);
      const { model, family, bytes } = requests[ordinal]!;
      assert.equal(segment.model, model);
      if (segment.family !== null) assert.equal(segment.family, family);
      assert.equal(index.customId(item), `id-${ordinal}`);
      assert.deepEqual(index.breakpoints(item), family === null ? [] : [family, familyHash(9_999)]);
      const start = segment.offset + index.offset(item);
      assert.ok(
        blob.subarray(start, start + index.length(item)).equals(paramsOf(ordinal, bytes)),
        `bytes of request ${ordinal}`,
      );
    }
  });
  assert.equal(seen.size, requests.length);
}

test('every request of any mix is packed once and reads back, whatever is still being written', () => {
  const size = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 1, max: 300 }) },
    { weight: 2, arbitrary: fc.integer({ min: 10_000, max: 200_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: MiB, max: 9 * MiB }) },
  );
  const run = fc.record({
    model: fc.integer({ min: 0, max: 19 }).map((number) => `model-${number}`),
    family: fc.option(fc.integer({ min: 0, max: 40 }).map(familyHash)),
    bytes: size,
    times: fc.integer({ min: 1, max: 12 }),
  });
  fc.assert(
    fc.property(fc.array(run, { minLength: 1, maxLength: 60 }), fc.integer({ min: 0, max: 3 }), (runs, lateWrites) => {
      const requests = runs.flatMap(({ times, ...request }) => {
        const copies = request.bytes >= MiB ? 1 : times;
        return Array.from({ length: copies }, () => request);
      });
      check(requests, pack(requests, lateWrites));
    }),
    { numRuns: 40 },
  );
});

test('what has not been emitted is bounded in segments and bytes at every moment', () => {
  let emitted = 0;
  let added = 0;
  const packer = new Packer('w/b', ({ parts, recycle }) => {
    emitted += parts.reduce((sum, part) => sum + part.length, 0);
    recycle();
  });
  for (let ordinal = 0; ordinal < 400; ordinal++) {
    const bytes = (ordinal * 7_919_000) % (3 * MiB);
    const breakpoints = ordinal % 3 === 0 ? [] : [familyHash(ordinal % 50)];
    packer.add({ entry: entryOf({ ordinal, breakpoints }), model: `m${ordinal % 5}`, params: Buffer.alloc(bytes) });
    added += bytes;
    // Open segments, and closed ones that wait until a blob is worth its sync.
    assert.ok(
      added - emitted <= OPEN_BYTES_MAX + BLOB_BYTES_TARGET,
      `request ${ordinal}: ${added - emitted} bytes are held`,
    );
  }
  packer.end();
});

test('at most so many segments are open: the end closes no more', () => {
  const packer = new Packer('w/b', ({ recycle }) => recycle());
  for (let ordinal = 0; ordinal < 500; ordinal++) {
    packer.add({ entry: entryOf({ ordinal }), model: `model-${ordinal % 97}`, params: Buffer.alloc(10) });
  }
  const before = packer.segments.length;
  packer.end();
  assert.ok(packer.segments.length - before <= OPEN_SEGMENTS_MAX);
});

test('a hundred thousand families of one request each make few segments', () => {
  const requests = Array.from({ length: 100_000 }, (_, ordinal) => ({
    model: 'm',
    family: familyHash(ordinal),
    bytes: 20,
  }));
  const packed = pack(requests, 0);
  check(requests, packed);
  assert.ok(packed.segments.length <= 130, `${packed.segments.length} segments`);
});

test('small families of several models fall back into a common segment of each', () => {
  const requests = Array.from({ length: 12_000 }, (_, ordinal) => ({
    model: `m${ordinal % 3}`,
    family: familyHash(ordinal),
    bytes: 20,
  }));
  const { segments } = pack(requests, 0);
  assert.ok(segments.length <= 12 + OPEN_SEGMENTS_MAX + 3, `${segments.length} segments`);
});

test('a large family keeps segments of its own beside many small ones', () => {
  const requests = Array.from({ length: 6_000 }, (_, ordinal) => ({
    model: 'm',
    family: ordinal % 2 === 0 ? familyHash(77_777) : familyHash(ordinal),
    bytes: 20,
  }));
  const { segments } = pack(requests, 0);
  const own = segments.filter(({ family }) => family === familyHash(77_777));
  assert.equal(
    own.reduce((sum, { requests: count }) => sum + count, 0),
    3_000,
  );
  assert.equal(own.length, 3);
});

test('a request of 30 MiB is a segment of its own, between small ones of the same model', () => {
  const requests = [10, 30 * MiB, 10, 30 * MiB, 12].map((bytes) => ({ model: 'm', family: null, bytes }));
  const packed = pack(requests, 1);
  check(requests, packed);
  assert.deepEqual(
    packed.segments.filter(({ bytes }) => bytes > SEGMENT_BYTES_MAX).map(({ requests: count }) => count),
    [1, 1],
  );
});

test('full segments close at a thousand requests and the blob is emitted when it is worth it', () => {
  const requests = Array.from({ length: 2_500 }, () => ({ model: 'm', family: null, bytes: 10_000 }));
  const { segments, blobs } = pack(requests, 0);
  assert.deepEqual(
    segments.map(({ requests: count }) => count),
    [838, 838, 824],
  );
  assert.equal(blobs.size, 3);
});

/** Every request its own model, so that each is a segment; an index of one such request takes this many bytes. */
const indexBytes = 24 + 8 * 4 + 'id-0'.length;

test('what is small as a whole is kept inline, each segment with bytes of its own, and nothing is emitted', () => {
  const half = INLINE_SEGMENTS_BYTES_MAX / 2 - indexBytes;
  const requests = [half, half].map((bytes, at) => ({ model: `m${at}`, family: null, bytes }));
  const packed = pack(requests, 0);
  check(requests, packed);
  assert.equal(packed.blobs.size, 0);
  for (const { source, offset, bytes, indexOffset, indexBytes: length } of packed.segments) {
    assert.deepEqual([offset, indexOffset], [0, bytes]);
    // A view of a larger buffer would take all of it along to the catalog's thread.
    assert.ok(source.kind === 'inline' && source.bytes.buffer.byteLength === bytes + length);
  }
});

test('one byte more, of all segments together, and all of them are in a blob', () => {
  const half = INLINE_SEGMENTS_BYTES_MAX / 2 - indexBytes;
  const requests = [half, half + 1].map((bytes, at) => ({ model: `m${at}`, family: null, bytes }));
  const packed = pack(requests, 0);
  check(requests, packed);
  assert.equal(packed.blobs.size, 1);
  assert.ok(packed.segments.every(({ source }) => source.kind === 'blob'));
});

test('after a blob was emitted a small rest is one, too', () => {
  const requests = [SEGMENT_BYTES_MAX, 10].map((bytes) => ({ model: 'm', family: null, bytes }));
  const packed = pack(requests, 0);
  check(requests, packed);
  assert.deepEqual([...packed.blobs.keys()], ['w/b/s-000000', 'w/b/s-000001']);
});

test('nothing added is nothing emitted', () => {
  const { segments, blobs } = pack([], 0);
  assert.deepEqual([segments.length, blobs.size], [0, 0]);
});

test('an upload that shares the memory with others keeps no more open than its share, and writes blobs as small', () => {
  const packs: Pack[] = [];
  const packer = new Packer('w/b', (made) => void packs.push(made));
  packer.openBytesMax = MiB;
  for (let ordinal = 0; ordinal < 200; ordinal++) {
    const bytes = 100_000;
    packer.add({
      entry: entryOf({ ordinal, length: bytes }),
      model: `m${ordinal % 16}`,
      params: paramsOf(ordinal, bytes),
    });
  }
  assert.ok(packs.length >= 8, 'what was closed has been written');
  packer.end();
  const sizes = packs.map(({ parts }) => parts.reduce((sum, { length }) => sum + length, 0));
  assert.ok(Math.max(...sizes) < 2.2 * MiB);
  assert.equal(
    packer.segments.reduce((sum, { requests }) => sum + requests, 0),
    200,
  );
});
