import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { compressed, compressReply, etagOf, preferredEncoding } from './compression.ts';
import { jsonReply } from './respond.ts';

const inflate = { gzip: gunzipSync, zstd: zstdDecompressSync } as const;

test('the encoding is the one the caller likes best; of equals zstd; none unless asked for', () => {
  const rows = [
    [null, null],
    ['', null],
    ['identity', null],
    ['br, deflate', null],
    ['gzip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['gzip, deflate', 'gzip'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip;q=1.0, zstd;q=0.5', 'gzip'],
    ['GZIP ; Q=0.5', 'gzip'],
    ['*', 'zstd'],
    ['*;q=0.1, zstd;q=0', 'gzip'],
    ['gzip;q=0', null],
    ['gzip;q=0, zstd;q=0.0, *', null],
    ['identity;q=0.9, gzip;q=0.5', null],
    ['identity;q=0.5, gzip;q=0.9', 'gzip'],
    ['gzip;q=nonsense', null],
    ['gzip;q=2', null],
  ] as const;
  for (const [accepted, encoding] of rows) assert.equal(preferredEncoding(accepted), encoding, String(accepted));
});

test('bytes come back as they were, and the validator is another one', async () => {
  const pieces = Array.from({ length: 300 }, (_, at) => Buffer.from(`{"custom_id":"${at}"}\n`.repeat(500)));
  for (const encoding of ['gzip', 'zstd'] as const) {
    const out = await Array.fromAsync(compressed(streamOf(pieces), encoding));
    assert.deepEqual(inflate[encoding](Buffer.concat(out)), Buffer.concat(pieces));
    assert.equal(etagOf('"batch-9"', encoding), `"batch-9-${encoding}"`);
    assert.deepEqual(
      inflate[encoding](Buffer.concat(await Array.fromAsync(compressed(streamOf([]), encoding)))).length,
      0,
    );
  }
  assert.equal(etagOf('"batch-9"', null), '"batch-9"');
});

test('a source that fails fails the compressed bytes, and a reader that leaves ends the source', async () => {
  const failing = async function* (): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(1_000);
    throw new Error('disk');
  };
  await assert.rejects(Array.fromAsync(compressed(failing(), 'zstd')), /disk/);

  const ended = Promise.withResolvers<void>();
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield crypto.getRandomValues(new Uint8Array(65_536));
    } finally {
      ended.resolve();
    }
  };
  for await (const piece of compressed(endless(), 'gzip')) {
    assert.ok(piece.length > 0);
    break;
  }
  await ended.promise;
});

test('a whole answer is compressed when it is long enough, and says that it depends on the caller', async () => {
  const long = jsonReply({ data: Array.from({ length: 200 }, (_, at) => ({ id: `msgbatch_${at}` })) });
  const packed = await compressReply(long, 'zstd');
  assert.equal(packed.headers['content-encoding'], 'zstd');
  assert.equal(packed.headers.vary, 'accept-encoding');
  assert.equal(zstdDecompressSync(packed.body as Uint8Array).toString(), long.body);
  assert.equal(packed.headers['content-length'], String((packed.body as Uint8Array).length));

  const plain = await compressReply(long, null);
  assert.deepEqual([plain.body, plain.headers.vary], [long.body, 'accept-encoding']);
  const short = jsonReply({ id: 'x' });
  assert.equal(await compressReply(short, 'gzip'), short);
});

async function* streamOf(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* pieces;
}
