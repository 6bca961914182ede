/** What Nightshift adds to the API, over real sockets: counts that move, results before the end, and the header that tells of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchClient, oneLineEach, type BatchView } from '../support/batch-client.ts';
import { rows } from '../support/rows.ts';
import { startServer, type Server } from '../support/server.ts';
import { until } from '../support/until.ts';

const ENDED_WITHIN_MS = 60_000;
const live = { 'nightshift-live-counts': '1' };

test('counts and results of a batch that runs', async (t) => {
  const server = await startServer(t, { flags: ['--simulator-latency', '50ms', '--concurrency', '16'] });
  const client = batchClient(server);
  const { ids, body } = rows(800);
  const { id } = await client.create({ body });
  const partial = pollPartial(server, id);
  const counts = await watchCounts(server, id);

  await t.test('live counts grow while it runs, and always sum to the requests', () => {
    const done = counts.map(doneOf);
    assert.deepEqual(
      done,
      done.toSorted((left, right) => left - right),
    );
    assert.ok(
      done.some((count) => count > 0 && count < ids.length),
      `something in between: ${done.join(' ')}`,
    );
    assert.equal(done.at(-1), ids.length);
  });

  await t.test('polled by range, the partial results are the results, byte for byte', async () => {
    const { text, steps } = await partial;
    assert.ok(steps > 1, 'they came in more than one piece');
    assert.equal(text, await client.rawResults(id));
    oneLineEach(await client.results(id), ids);
    const whole = await get(server, `/${id}/results/partial`);
    assert.equal(whole.headers.get('nightshift-complete'), 'true');
    assert.equal(await whole.text(), text);
    const results = await get(server, `/${id}/results`, { 'accept-encoding': 'identity' });
    assert.equal(whole.headers.get('etag'), results.headers.get('etag'));
    await results.body?.cancel();
  });
});

test('nobody who does not ask sees a count before the end', async (t) => {
  const server = await startServer(t, { flags: ['--simulator-latency', '1h', '--cancel-grace', '0'] });
  const client = batchClient(server);
  const { ids, body } = rows(20);
  const { id } = await client.create({ body });
  assert.equal(doneOf(await client.retrieve(id)), 0);
  const asked = await get(server, `/${id}`, { 'nightshift-live-counts': 'yes' });
  assert.equal(asked.status, 400);
  assert.match(await asked.text(), /nightshift-live-counts: must be 0 or 1/);

  const before = await get(server, `/${id}/results/partial`);
  assert.deepEqual([before.status, before.headers.get('nightshift-complete')], [200, 'false']);
  assert.equal(await before.text(), '');
  await client.cancel(id);
  await client.ended(id);
  const after = await get(server, `/${id}/results/partial`);
  assert.equal(after.headers.get('nightshift-complete'), 'true');
  const text = await after.text();
  assert.equal(text, await client.rawResults(id));
  assert.equal(text.split('\n').length, ids.length + 1);
});

test('with --live-counts they move unless a call says otherwise', async (t) => {
  const flags = ['--live-counts', '--simulator-latency', '50ms', '--concurrency', '8'];
  const server = await startServer(t, { flags });
  const client = batchClient(server);
  const { id } = await client.create({ body: rows(300).body });
  const seen: number[] = [];
  await until({
    what: 'all are counted',
    withinMs: ENDED_WITHIN_MS,
    ask: async () => {
      const [moving, still] = await Promise.all([
        client.retrieve(id),
        read(await get(server, `/${id}`, { 'nightshift-live-counts': '0' })),
      ]);
      if (still.processing_status !== 'ended') assert.equal(doneOf(still), 0);
      seen.push(doneOf(moving));
      return seen.at(-1) === 300;
    },
  });
  assert.ok(
    seen.some((count) => count > 0 && count < 300),
    seen.join(' '),
  );
});

test('every answer under /v1 tells what there is beyond the API', async (t) => {
  const server = await startServer(t);
  for (const path of ['/v1/messages/batches', '/v1/nothing']) {
    const { headers } = await fetch(`${server.url}${path}`);
    assert.equal(headers.get('nightshift-capabilities'), 'idempotency, live-counts, partial-results, range');
  }
});

/** As a client would: from what it has on, until it is told that there will be no more. */
async function pollPartial(server: Server, id: string): Promise<{ text: string; steps: number }> {
  const pieces: Buffer[] = [];
  let at = 0;
  await until({
    what: 'the results are complete',
    withinMs: ENDED_WITHIN_MS,
    ask: async () => {
      const response = await get(server, `/${id}/results/partial`, { range: `bytes=${at}-` });
      assert.ok(response.status === 206 || response.status === 204, String(response.status));
      const piece = Buffer.from(await response.arrayBuffer());
      if (piece.length > 0) pieces.push(piece);
      at += piece.length;
      return response.headers.get('nightshift-complete') === 'true';
    },
  });
  return { text: Buffer.concat(pieces).toString(), steps: pieces.length };
}

async function watchCounts(server: Server, id: string): Promise<readonly BatchView[]> {
  const views: BatchView[] = [];
  await until({
    what: 'the batch has ended',
    withinMs: ENDED_WITHIN_MS,
    ask: async () => {
      const view = await read(await get(server, `/${id}`, live));
      const { data } = (await (await get(server, '', live)).json()) as { data: BatchView[] };
      assert.equal(view.request_counts.processing + doneOf(view), 800);
      views.push(view);
      const [listed] = data;
      if (listed !== undefined) assert.ok(doneOf(listed) >= doneOf(view), 'a list is no older');
      return view.processing_status === 'ended';
    },
  });
  return views;
}

function doneOf({ request_counts: { succeeded, errored, canceled, expired } }: BatchView): number {
  return succeeded + errored + canceled + expired;
}

function get(server: Server, path: string, headers: Record<string, string> = {}): Promise<Response> {
  const usual = { 'x-api-key': server.key, 'anthropic-version': '2023-06-01' };
  return fetch(`${server.url}/v1/messages/batches${path}`, { headers: { ...usual, ...headers } });
}

async function read(response: Response): Promise<BatchView> {
  assert.equal(response.status, 200);
  return (await response.json()) as BatchView;
}
