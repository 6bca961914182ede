import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { frameHeaderBytes, readFrames, writeFrame, type FramesRead } from './frame.ts';

function framed(payloads: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.alloc(payloads.reduce((sum, payload) => sum + frameHeaderBytes + payload.length, 0));
  let at = 0;
  for (const payload of payloads) {
    bytes.set(payload, at + frameHeaderBytes);
    at = writeFrame(bytes, at, payload.length);
  }
  return bytes;
}

function read(bytes: Uint8Array, start = 0): { readonly payloads: string[]; readonly result: FramesRead } {
  const payloads: string[] = [];
  const result = readFrames(bytes, start, (from, to) =>
    payloads.push(Buffer.from(bytes.subarray(from, to)).toString('hex')),
  );
  return { payloads, result };
}

const payloads = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 6 });
const hex = (all: readonly Uint8Array[]): string[] => all.map((payload) => Buffer.from(payload).toString('hex'));

test('frames come back as they were written', () => {
  fc.assert(
    fc.property(payloads, (all) => {
      const bytes = framed(all);
      assert.deepEqual(read(bytes), { payloads: hex(all), result: { kind: 'complete', end: bytes.length } });
    }),
    { numRuns: 300 },
  );
});

test('a file cut at any byte gives the whole frames before the cut', () => {
  const all = ['one', 'a second payload', '3'].map((payload) => Buffer.from(payload));
  const bytes = framed(all);
  const ends = all.map((_, index) => framed(all.slice(0, index + 1)).length);
  for (let length = 0; length <= bytes.length; length += 1) {
    const whole = ends.filter((end) => end <= length).length;
    const end = ends[whole - 1] ?? 0;
    const { payloads: seen, result } = read(bytes.subarray(0, length));
    assert.equal(seen.length, whole);
    assert.deepEqual(result, end === length ? { kind: 'complete', end } : { kind: 'torn', end, reason: 'short' });
  }
});

test('a flipped bit is noticed in the frame it hit', () => {
  fc.assert(
    fc.property(payloads, fc.nat(), (all, place) => {
      const bytes = framed(all);
      const bit = place % (bytes.length * 8);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      const { payloads: seen, result } = read(bytes);
      let hit = 0;
      for (let end = 0; hit < all.length; hit += 1) {
        end += frameHeaderBytes + all[hit]!.length;
        if (end > bit >> 3) break;
      }
      assert.equal(result.kind, 'torn');
      assert.deepEqual(seen, hex(all.slice(0, hit)));
      assert.equal(result.end, framed(all.slice(0, hit)).length);
    }),
    { numRuns: 500 },
  );
});

test('zeros after the last frame are told apart from damage', () => {
  const bytes = framed([Buffer.from('one')]);
  for (const count of [1, 7, 8, 9, 4096]) {
    const { payloads: seen, result } = read(Buffer.concat([bytes, Buffer.alloc(count)]));
    assert.equal(seen.length, 1);
    assert.deepEqual(result, { kind: 'torn', end: bytes.length, reason: 'zeros' });
  }
  const zerosThenData = Buffer.concat([bytes, Buffer.alloc(16), bytes]);
  assert.deepEqual(read(zerosThenData).result, { kind: 'torn', end: bytes.length, reason: 'length' });
  const absurd = Buffer.concat([bytes, Buffer.alloc(16, 0xff)]);
  assert.deepEqual(read(absurd).result, { kind: 'torn', end: bytes.length, reason: 'length' });
});

test('reading may begin after a file header', () => {
  const bytes = Buffer.concat([Buffer.from('header'), framed([Buffer.from('one')])]);
  assert.deepEqual(read(bytes, 6).result, { kind: 'complete', end: bytes.length });
});

test('a frame no reader would accept is not written', () => {
  const target = Buffer.alloc(20);
  assert.throws(() => writeFrame(target, 0, 0), RangeError);
  assert.throws(() => writeFrame(target, 0, 13), RangeError);
  assert.equal(writeFrame(target, 0, 12), 20);
});
