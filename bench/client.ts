/** A small client of the batch API: the same for a Nightshift and for what it is compared with. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import type { Dispatcher } from 'undici';
import { bodyBlocks, bodyLength } from './bodies.ts';
import type { Rows } from './bodies.ts';

export type RequestCounts = {
  readonly processing: number;
  readonly succeeded: number;
  readonly errored: number;
  readonly canceled: number;
  readonly expired: number;
};

export type Batch = {
  readonly id: string;
  readonly processing_status: string;
  readonly request_counts: RequestCounts;
  readonly created_at: string;
  readonly ended_at: string | null;
};

const POLL_MS = 20;
const CONNECTIONS = 4;

export class Client {
  readonly #pool: Pool;
  readonly #headers: Readonly<Record<string, string>>;

  constructor({ url, apiKey }: { url: string; apiKey: string }) {
    this.#pool = new Pool(url, { connections: CONNECTIONS, headersTimeout: 0, bodyTimeout: 0 });
    this.#headers = { 'x-api-key': apiKey, 'anthropic-version': '2023-06-01' };
  }

  /** Generates the rows while it sends them. */
  create(rows: Rows): Promise<Batch> {
    return this.createFrom(bodyBlocks(rows), bodyLength(rows));
  }

  createFrom(blocks: Iterable<Buffer>, length: number): Promise<Batch> {
    return this.createEncoded({ blocks, length, encoding: 'identity' });
  }

  async createEncoded({ blocks, length, encoding }: Encoded): Promise<Batch> {
    const headers = {
      'content-type': 'application/json',
      'content-length': String(length),
      ...(encoding === 'identity' ? {} : { 'content-encoding': encoding }),
    };
    return JSON.parse(
      await this.#text({ method: 'POST', path: '/v1/messages/batches', headers, body: blocks }),
    ) as Batch;
  }

  async retrieve(id: string): Promise<Batch> {
    return JSON.parse(await this.#text({ method: 'GET', path: `/v1/messages/batches/${id}` })) as Batch;
  }

  async list(limit: number): Promise<readonly Batch[]> {
    const text = await this.#text({ method: 'GET', path: `/v1/messages/batches?limit=${limit}` });
    return (JSON.parse(text) as { data: Batch[] }).data;
  }

  async cancel(id: string): Promise<void> {
    await this.#text({ method: 'POST', path: `/v1/messages/batches/${id}/cancel` });
  }

  /** Resolves with the ended batch; asks every 20 ms. */
  async ended(id: string): Promise<Batch> {
    for (;;) {
      const batch = await this.retrieve(id);
      if (batch.processing_status === 'ended') return batch;
      await sleep(POLL_MS);
    }
  }

  async results(id: string): Promise<AsyncIterable<Buffer>> {
    return this.download(`/v1/messages/batches/${id}/results`);
  }

  async download(path: string): Promise<AsyncIterable<Buffer>> {
    return (await this.#request({ method: 'GET', path })).body as AsyncIterable<Buffer>;
  }

  async get(path: string): Promise<string> {
    return this.#text({ method: 'GET', path });
  }

  async ready(): Promise<void> {
    await this.#text({ method: 'GET', path: '/readyz' });
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #text(options: Sent): Promise<string> {
    return (await this.#request(options)).body.text();
  }

  async #request({ method, path, headers = {}, body = null }: Sent): Promise<Dispatcher.ResponseData> {
    const options = { method, path, headers: { ...this.#headers, ...headers } };
    const answer = await this.#pool.request(body === null ? options : { ...options, body: body as unknown as Buffer });
    if (answer.statusCode === 200) return answer;
    throw new Error(`${method} ${path} was answered ${answer.statusCode}: ${await answer.body.text()}`);
  }
}

type Encoded = { readonly blocks: Iterable<Buffer>; readonly length: number; readonly encoding: string };

/** undici sends any iterable of buffers, though its types name only some of them. */
type Sent = {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Iterable<Buffer> | null;
};

export async function countBytes(pieces: AsyncIterable<Buffer>): Promise<number> {
  let length = 0;
  for await (const piece of pieces) length += piece.length;
  return length;
}
