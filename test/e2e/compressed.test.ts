/** Compressed bodies in both directions over real sockets, and bodies made to burst. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { batchClient, oneLineEach } from '../support/batch-client.ts';
import { rows } from '../support/rows.ts';
import { startServer, type Server } from '../support/server.ts';

const compress = { gzip: gzipSync, zstd: zstdCompressSync } as const;
const inflate = { gzip: gunzipSync, zstd: zstdDecompressSync } as const;
const encodings = ['gzip', 'zstd'] as const;
const MiB = 1024 * 1024;

test('compressed bodies', async (t) => {
  const server = await startServer(t);
  const client = batchClient(server);

  for (const encoding of encodings) {
    await t.test(`${encoding}: a batch, and its results as few bytes`, async () => {
      const { ids, body } = rows(2_000);
      const headers = { 'content-encoding': encoding };
      const { id } = await client.create({ body: new Uint8Array(compress[encoding](body)), headers });
      await client.ended(id);
      oneLineEach(await client.results(id), ids);
      const plain = await raw(server, { path: `/${id}/results` });
      const packed = await raw(server, { path: `/${id}/results`, headers: { 'accept-encoding': encoding } });
      assert.equal(packed.headers['content-encoding'], encoding);
      assert.equal(packed.headers.vary, 'accept-encoding');
      assert.notEqual(packed.headers.etag, plain.headers.etag);
      assert.ok(packed.body.length < plain.body.length / 4, `${packed.body.length} of ${plain.body.length} bytes`);
      assert.deepEqual(inflate[encoding](packed.body), plain.body);

      const head = await raw(server, {
        path: `/${id}/results`,
        method: 'HEAD',
        headers: { 'accept-encoding': encoding },
      });
      assert.deepEqual([head.headers.etag, head.body.length], [packed.headers.etag, 0]);
      const range = { 'accept-encoding': encoding, range: 'bytes=100-199' };
      const part = await raw(server, { path: `/${id}/results`, headers: range });
      assert.deepEqual([part.status, part.body], [206, plain.body.subarray(100, 200)]);
    });

    await t.test(`${encoding}: what would burst is refused when it is too large, in little memory`, async () => {
      // One frame of spaces, again and again: 2 GiB of JSON that never goes on.
      const spaces = compress[encoding](Buffer.alloc(64 * MiB, ' '));
      const bomb = Buffer.concat([compress[encoding]('{"requests":['), ...Array.from({ length: 32 }, () => spaces)]);
      const peakBefore = peakMiB(server);
      const refused = await raw(server, {
        path: '',
        method: 'POST',
        headers: { 'content-encoding': encoding },
        body: bomb,
      });
      assert.equal(refused.status, 413);
      const { error } = JSON.parse(refused.body.toString()) as { error: { type: string; details: object } };
      assert.equal(error.type, 'request_too_large');
      assert.deepEqual(error.details, { error_code: 'request_body_too_large_after_decoding' });
      const grownMiB = peakMiB(server) - peakBefore;
      assert.ok(grownMiB < 64, `grew by ${grownMiB} MiB`);
    });
  }

  await t.test('a body that turns out bad early is answered, though most of it is still to come', async () => {
    const noise = Buffer.from(crypto.getRandomValues(new Uint8Array(65_536))).toString('base64');
    const body = gzipSync(`[1,${JSON.stringify(noise.repeat(100))}]`, { level: 0 });
    const refused = await raw(server, { path: '', method: 'POST', headers: { 'content-encoding': 'gzip' }, body });
    assert.equal(refused.status, 400);
    assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
  });

  await t.test('one body is one create, compressed or not', async () => {
    const { body } = rows(3, { from: 9_000 });
    const key = { 'idempotency-key': 'compressed-or-not' };
    const plain = await client.create({ body, headers: key });
    for (const encoding of encodings) {
      const headers = { ...key, 'content-encoding': encoding };
      const again = await client.create({ body: new Uint8Array(compress[encoding](body)), headers });
      assert.equal(again.id, plain.id);
    }
    await client.ended(plain.id);
  });

  await t.test('what a library asks for by itself is plain on one machine, with its length', async () => {
    const id = (await client.list())[0]?.id ?? '';
    const accepted = { 'accept-encoding': 'gzip, deflate, br, zstd' };
    const plain = await raw(server, { path: `/${id}/results`, headers: accepted });
    assert.deepEqual([plain.status, plain.headers['content-encoding']], [200, undefined]);
    assert.equal(plain.headers['content-length'], String(plain.body.length));
  });

  await t.test('a long list is compressed too', async () => {
    const plain = await raw(server, { path: '' });
    const packed = await raw(server, { path: '', headers: { 'accept-encoding': 'gzip;q=0.5, zstd;q=0.9' } });
    assert.equal(packed.headers['content-encoding'], 'zstd');
    assert.deepEqual(JSON.parse(zstdDecompressSync(packed.body).toString()), JSON.parse(plain.body.toString()));
  });

  assert.ok(!server.log().includes('failure'), server.log());
});

type Asked = {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
};
type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer };

/** Without a client that decodes by itself. */
async function raw(server: Server, { path, method = 'GET', headers = {}, body }: Asked): Promise<Answer> {
  const usual = { 'x-api-key': server.key, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' };
  const outgoing = request(`${server.url}/v1/messages/batches${path}`, { method, headers: { ...usual, ...headers } });
  outgoing.end(body);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: await buffer(incoming) };
}

function peakMiB({ pid }: Server): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
