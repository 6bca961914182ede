/** The batch API as a test calls it: bare HTTP, whatever a test wants in bodies and headers, and answers as they came. */
import assert from 'node:assert/strict';
import { until } from './until.ts';

export type BatchView = {
  readonly id: string;
  readonly processing_status: 'in_progress' | 'canceling' | 'ended';
  readonly request_counts: Readonly<Record<'processing' | 'succeeded' | 'errored' | 'canceled' | 'expired', number>>;
  readonly archived_at: string | null;
  readonly ended_at: string | null;
  readonly results_url: string | null;
};

export type ResultLine = {
  readonly custom_id: string;
  readonly result: {
    readonly type: 'succeeded' | 'errored' | 'canceled' | 'expired';
    readonly message?: { readonly content: readonly { readonly text: string }[] };
    readonly error?: { readonly error: { readonly type: string; readonly message: string } };
  };
};

export type BatchClient = ReturnType<typeof batchClient>;

type Target = { readonly url: string; readonly key: string };
type Sending = { readonly body: string | Uint8Array<ArrayBuffer>; readonly headers?: Readonly<Record<string, string>> };

const ENDED_WITHIN_MS = 60_000;

export function batchClient({ url, key }: Target) {
  const batches = `${url}/v1/messages/batches`;
  const headers = { 'x-api-key': key, 'anthropic-version': '2023-06-01' };

  const get = (path: string): Promise<Response> => fetch(`${batches}${path}`, { headers });
  const send = ({ body, headers: more }: Sending): Promise<Response> =>
    fetch(batches, { method: 'POST', headers: { ...headers, 'content-type': 'application/json', ...more }, body });

  async function retrieve(id: string): Promise<BatchView> {
    return await read<BatchView>(await get(`/${id}`));
  }

  async function rawResults(id: string): Promise<string> {
    const response = await get(`/${id}/results`);
    assert.equal(response.status, 200, `results of ${id}`);
    return await response.text();
  }

  return {
    get,
    send,
    retrieve,
    rawResults,
    create: async (sending: Sending): Promise<BatchView> => await read<BatchView>(await send(sending)),
    cancel: async (id: string): Promise<BatchView> =>
      await read<BatchView>(await fetch(`${batches}/${id}/cancel`, { method: 'POST', headers })),
    remove: (id: string): Promise<Response> => fetch(`${batches}/${id}`, { method: 'DELETE', headers }),
    list: async (): Promise<readonly BatchView[]> =>
      (await read<{ data: readonly BatchView[] }>(await get('?limit=1000'))).data,
    ended: async (id: string, withinMs = ENDED_WITHIN_MS): Promise<BatchView> =>
      await until({
        what: `batch ${id} has ended`,
        withinMs,
        ask: async () => {
          const batch = await retrieve(id);
          return batch.processing_status === 'ended' && batch;
        },
      }),
    results: async (id: string): Promise<readonly ResultLine[]> => linesOf(await rawResults(id)),
  };
}

/** Exactly one line for each of these ids, whatever the order; returns them by id. */
export function oneLineEach(
  lines: readonly ResultLine[],
  ids: readonly string[],
): ReadonlyMap<string, ResultLine['result']> {
  const found = new Map(lines.map(({ custom_id, result }) => [custom_id, result]));
  assert.equal(lines.length, ids.length, 'lines and requests are as many');
  assert.equal(found.size, lines.length, 'no request has two lines');
  for (const id of ids) assert.ok(found.has(id), `${id} has a line`);
  return found;
}

function linesOf(text: string): readonly ResultLine[] {
  assert.ok(text.endsWith('\n'), 'the last line is ended too');
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => JSON.parse(line) as ResultLine);
}

async function read<T>(response: Response): Promise<T> {
  const text = await response.text();
  assert.equal(response.status, 200, `${response.url}: ${text.slice(0, 500)}`);
  return JSON.parse(text) as T;
}
