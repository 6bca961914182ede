/** Calls of the batch API's client as tests make them, against a fake. */
import type { TestContext } from 'node:test';
import { type ApiOptions, httpBatchApi } from '../../src/bulk/api/api.ts';
import type { ApiWorld } from '../../src/bulk/api/connection.ts';
import type { PostEnd } from '../../src/bulk/contract.ts';
import type { FakeBatches } from './fake-batches.ts';

export const world: ApiWorld = {
  nowMs: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms).unref();
    return () => clearTimeout(timer);
  },
};
/** A signal that never stops anything. */
export const never = new AbortController().signal;

export function apiOf(
  t: TestContext,
  fake: FakeBatches,
  options: Partial<ApiOptions> = {},
): ReturnType<typeof httpBatchApi> {
  const api = httpBatchApi({ baseUrl: fake.url, apiKey: fake.key, world, ...options });
  t.after(() => api.close());
  return api;
}

export function bodyFor(count: number, text = 'hello'): Buffer {
  const requests = Array.from({ length: count }, (_, index) => ({
    custom_id: `aaaaaaaaaaaaaaaa-${index.toString(36)}`,
    params: { model: 'm', max_tokens: 5, messages: [{ role: 'user', content: `${text} ${index}` }] },
  }));
  return Buffer.from(JSON.stringify({ requests }));
}

export async function* piecesOf(body: Buffer, size = 10_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
}

export type Api = ReturnType<typeof httpBatchApi>;
export function post(api: Api, body: Buffer, signal: AbortSignal = never): Promise<PostEnd> {
  return api.post({ bytes: body.length, body: piecesOf(body), idempotencyKey: 'k', signal });
}

export async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
