/** Takes where to call and who is calling from any object shaped like the official SDK's client, for users of the library. */
import { ANTHROPIC_URL, type HttpBatchApi, httpBatchApi } from './api.ts';
import type { ApiWorld } from './connection.ts';
import { isObject } from './reading.ts';

/** What is read of a client; its own `fetch`, timeouts and retries are not used, because hidden retries buy twice. */
export type ClientLike = {
  readonly baseURL?: string | null;
  readonly apiKey?: string | null;
  readonly authToken?: string | null;
  readonly defaultHeaders?: unknown;
};

export function apiFromClient(client: ClientLike, world: ApiWorld): HttpBatchApi {
  // The official client keeps what it was made with; a key given as a function is asked for each time, as it does itself.
  const kept = (client as { readonly _options?: unknown })._options;
  const options = isObject(kept) ? kept : {};
  const setter = options['apiKey'];
  return httpBatchApi({
    baseUrl: client.baseURL ?? ANTHROPIC_URL,
    apiKey: typeof setter === 'function' ? (setter as () => Promise<string>) : (client.apiKey ?? null),
    authToken: client.authToken ?? null,
    headers: plainHeaders(client.defaultHeaders ?? options['defaultHeaders']),
    world,
  });
}

/** A Headers object, pairs, or a record whose null members mean "none". */
function plainHeaders(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) {
    return {};
  }
  const pairs: readonly unknown[] =
    Symbol.iterator in value ? [...(value as Iterable<unknown>)] : Object.entries(value);
  return Object.fromEntries(
    pairs.flatMap((pair) =>
      Array.isArray(pair) && typeof pair[0] === 'string' && typeof pair[1] === 'string'
        ? [[pair[0].toLowerCase(), pair[1]]]
        : [],
    ),
  );
}
