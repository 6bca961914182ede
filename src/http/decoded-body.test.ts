import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { AppError } from '../domain/errors.ts';
import { BODY_BYTES_MAX } from '../domain/limits.ts';
import { decodedBody, readBodyEncoding, type BodyEncoding } from './decoded-body.ts';

const compress = { gzip: gzipSync, zstd: zstdCompressSync } as const;
const encodings = ['gzip', 'zstd'] as const;
const text = Buffer.from('{"custom_id":"a","params":{}}\n'.repeat(20_000));
/** A frame that holds no data, as parallel compressors write them. */
const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);

async function* cut(body: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < body.length; at += pieceBytes) yield body.subarray(at, at + pieceBytes);
}

type Coded = { encoding: BodyEncoding; body: Uint8Array; pieceBytes?: number; bytesMax?: number };

async function decode({ encoding, body, pieceBytes = 65_536, bytesMax = BODY_BYTES_MAX }: Coded): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of decodedBody({ encoding, source: cut(body, pieceBytes), bytesMax })) pieces.push(piece);
  return Buffer.concat(pieces);
}

function invalid(reason: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, 'body_encoding_invalid');
    assert.equal(error.detail, 'request_body_encoding_invalid');
    assert.match(error.message, reason);
    return true;
  };
}

test('what was compressed comes back, however it is cut and in however many frames', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...encodings),
      fc.array(fc.uint8Array({ maxLength: 2_000 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 500 }),
      async (encoding, parts, pieceBytes) => {
        const body = Buffer.concat(parts.map((part) => compress[encoding](part)));
        assert.deepEqual(await decode({ encoding, body, pieceBytes }), Buffer.concat(parts));
      },
    ),
    { numRuns: 60 },
  );
  for (const encoding of encodings) {
    assert.deepEqual(await decode({ encoding, body: compress[encoding](text) }), text);
  }
  const parallel = Buffer.concat([skippable, compress.zstd(text), skippable, compress.zstd(text)]);
  assert.deepEqual(await decode({ encoding: 'zstd', body: parallel }), Buffer.concat([text, text]));
});

test('a body that is cut short, broken or something else is refused, wherever the fault lies', async () => {
  for (const encoding of encodings) {
    const body = compress[encoding](text);
    for (const pieceBytes of [1, 65_536]) {
      const refused = (bytes: Uint8Array, reason: RegExp): Promise<void> =>
        assert.rejects(decode({ encoding, body: bytes, pieceBytes }), invalid(reason));
      await refused(body.subarray(0, -1), /unexpected end of file/);
      await refused(body.subarray(0, 12), /unexpected end of file/);
      await refused(new Uint8Array(0), /unexpected end of file/);
      await refused(Buffer.concat([body, body.subarray(0, 30)]), /unexpected end of file/);
      await refused(Buffer.from('{"requests":[]}'), /./);
      await refused(Buffer.concat([body, Buffer.from('and something else')]), /./);
    }
  }
});

test('a window larger than the standard one is refused before memory is taken for it', async () => {
  const large = Buffer.alloc(20 << 20, 'a long way back');
  const { ZSTD_c_windowLog, ZSTD_c_enableLongDistanceMatching } = constants;
  const body = zstdCompressSync(large, { params: { [ZSTD_c_windowLog]: 27, [ZSTD_c_enableLongDistanceMatching]: 1 } });
  await assert.rejects(decode({ encoding: 'zstd', body }), invalid(/too much memory/));
});

test('frames beyond any use are refused: each costs a decoder', async () => {
  const body = Buffer.concat(Array.from({ length: 20_000 }, () => skippable));
  await assert.rejects(decode({ encoding: 'zstd', body }), invalid(/more than 10000 frames/));
});

test('a body may be as large as allowed after decompression, and not a byte more', async () => {
  for (const encoding of encodings) {
    const body = compress[encoding](text);
    assert.deepEqual(await decode({ encoding, body, bytesMax: text.length }), text);
    await assert.rejects(decode({ encoding, body, bytesMax: text.length - 1 }), (error: unknown) => {
      assert.ok(error instanceof AppError);
      assert.equal(error.code, 'too_large');
      assert.equal(error.detail, 'request_body_too_large_after_decoding');
      return true;
    });
  }
});

test('a failing source fails the body with its own error, and a reader that leaves ends the source', async () => {
  const failing = async function* (): AsyncGenerator<Uint8Array> {
    yield compress.gzip(text).subarray(0, 100);
    throw new AppError('upload_stalled', 'The request body stopped arriving.');
  };
  const body = decodedBody({ encoding: 'gzip', source: failing(), bytesMax: BODY_BYTES_MAX });
  await assert.rejects(Array.fromAsync(body), { code: 'upload_stalled' });

  const ended = Promise.withResolvers<void>();
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield compress.zstd(text);
    } finally {
      ended.resolve();
    }
  };
  for await (const piece of decodedBody({ encoding: 'zstd', source: endless(), bytesMax: BODY_BYTES_MAX })) {
    assert.ok(piece.length > 0);
    break;
  }
  await ended.promise;
});

test('the header names one known encoding, or none', () => {
  const read = (value: string): BodyEncoding | null => readBodyEncoding(new Headers({ 'content-encoding': value }));
  assert.equal(readBodyEncoding(new Headers()), null);
  for (const [value, encoding] of [
    ['identity', null],
    ['GZIP', 'gzip'],
    ['x-gzip', 'gzip'],
    [' zstd ', 'zstd'],
  ] as const) {
    assert.equal(read(value), encoding);
  }
  for (const value of ['br', 'deflate', 'gzip, zstd', 'gzip, gzip', 'none']) {
    assert.throws(() => read(value), {
      code: 'body_encoding_unsupported',
      detail: 'request_body_encoding_unsupported',
      headers: { 'accept-encoding': 'gzip, zstd' },
    });
  }
});
