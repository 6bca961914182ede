/** The client of the batch API against our own server: a thousand requests, their results in two parts, and a POST repeated by its key. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { startServer } from '../../../test/support/server.ts';
import { until } from '../../../test/support/until.ts';
import { systemWorld } from '../run/world.ts';
import { httpBatchApi } from './api.ts';
import { walkList } from './walk.ts';

const signal = new AbortController().signal;
const REQUESTS = 1_000;

async function read(body: AsyncIterable<Uint8Array>, bytesMax = Infinity): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= bytesMax) break;
  }
  return Buffer.concat(pieces).subarray(0, bytesMax);
}

test('1,000 requests through our own server', async (t) => {
  const server = await startServer(t);
  const api = httpBatchApi({ baseUrl: server.url, apiKey: server.key, world: systemWorld });
  t.after(() => api.close());
  const requests = Array.from({ length: REQUESTS }, (_, seq) => ({
    custom_id: `abcdefghijklmnop-${seq.toString(36)}`,
    params: { model: 'claude-haiku-4-5', max_tokens: 20, messages: [{ role: 'user', content: `row ${seq}` }] },
  }));
  const body = Buffer.from(JSON.stringify({ requests }));
  const post = (): ReturnType<typeof api.post> => {
    const pieces = (async function* () {
      yield body;
    })();
    return api.post({ bytes: body.length, body: pieces, idempotencyKey: 'abcdefghijklmnop', signal });
  };
  const end = await post();
  assert.ok(end.kind === 'created', JSON.stringify(end));
  assert.ok(api.capabilities().has('idempotency'));
  const again = await post();
  assert.ok(again.kind === 'created' && again.batch.id === end.batch.id, JSON.stringify(again));

  const { id } = end.batch;
  const ended = async (): Promise<boolean> => (await api.retrieve(id, signal)).status === 'ended';
  await until({ what: 'the batch has ended', withinMs: 30_000, ask: ended });
  const walk = await walkList(api, { backToMs: 0, nowMs: () => Date.now(), signal });
  assert.deepEqual(
    walk.batches.map((batch) => batch.id),
    [id],
  );
  const whole = await api.results({ id, from: 0, etag: null, signal });
  const start = await read(whole.body, 5_000);
  const rest = await api.results({ id, from: start.length, etag: whole.etag, signal });
  assert.equal(rest.from, 5_000);
  const lines = Buffer.concat([start, await read(rest.body)])
    .toString()
    .trimEnd()
    .split('\n');
  const ids = new Set(lines.map((line) => (JSON.parse(line) as { custom_id: string }).custom_id));
  assert.equal(ids.size, REQUESTS);
  assert.equal(lines.length, REQUESTS);

  const params = Buffer.from(JSON.stringify(requests[0]!.params));
  assert.equal((await api.message(params, signal)).status, 200);
  assert.ok(((await api.countTokens(params, signal)) ?? 0) > 0);
});
