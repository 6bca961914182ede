/** The Message Batches API over HTTP: one method, one exchange. Nothing is retried here, because only a ledger knows what a retry costs. */
import { readFileSync } from 'node:fs';
import { ApiError, type BatchApi, type RemoteBatch } from '../contract.ts';
import { API_ANSWER_BYTES_MAX, API_ANSWER_MS, API_IDLE_MS, API_MESSAGE_BYTES_MAX } from '../limits.ts';
import { type Answer, type ApiWorld, Connection, failed, type Identity, type Query } from './connection.ts';
import { sendPost } from './post.ts';
import { isObject, parseJson, readBatch, readFailure, readPage, readRetryAfter } from './reading.ts';
import { type ResultsQuery, readResults } from './results.ts';

export type ApiOptions = {
  /** Without /v1, as the official SDKs take it; a path before it is kept. */
  readonly baseUrl: string;
  readonly apiKey?: string | null | (() => Promise<string>);
  /** Sent as `authorization: Bearer`, where there is no key. */
  readonly authToken?: string | null;
  readonly version?: string;
  readonly betas?: readonly string[];
  /** Sent with every request; they win over all of the above. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly world: ApiWorld;
};

/** What an API from here can tell beyond the contract. */
export type HttpBatchApi = BatchApi & { identity(): Identity };

export const ANTHROPIC_URL = 'https://api.anthropic.com';
export const ANTHROPIC_VERSION = '2023-06-01';

const BATCHES = '/v1/messages/batches';

export function httpBatchApi(options: ApiOptions): HttpBatchApi {
  const { baseUrl, world } = options;
  const connection = new Connection({ baseUrl, world, headers: () => headersOf(options) });
  return {
    capabilities: () => connection.capabilities,
    clockAheadMs: () => connection.clockAheadMs,
    identity: () => connection.identity,
    post: async (request) => await sendPost(connection, { ...request, path: BATCHES }),
    async list({ afterId, limit, signal }) {
      const after = afterId === null ? '' : `&after_id=${encodeURIComponent(afterId)}`;
      const page = readPage(
        await json(connection, { method: 'GET', path: `${BATCHES}?limit=${limit}${after}`, signal }),
      );
      return page ?? unreadable('a list that cannot be read');
    },
    retrieve: async (id, signal) => await batch(connection, { method: 'GET', path: pathOf(id), signal }),
    cancel: async (id, signal) => await batch(connection, { method: 'POST', path: `${pathOf(id)}/cancel`, signal }),
    results: async (query: ResultsQuery) => await readResults(connection, `${pathOf(query.id)}/results`, query),
    async message(params, signal) {
      const answer = await send(connection, { path: '/v1/messages', body: params, signal });
      return {
        status: answer.status,
        body: await connection.wholeBodyOf(answer, signal, API_MESSAGE_BYTES_MAX),
        retryAfterMs: readRetryAfter(answer.headers, connection.serverNowMs()),
      };
    },
    countTokens: async (params, signal) => await countTokens(connection, params, signal),
    async close() {
      connection.close();
    },
  };
}

/** As the official SDKs write them. */
async function headersOf(options: ApiOptions): Promise<Record<string, string>> {
  const { apiKey, authToken, betas = [] } = options;
  const key = typeof apiKey === 'function' ? await apiKey() : (apiKey ?? null);
  return {
    ...(key === null ? {} : { 'x-api-key': key }),
    ...(key !== null || authToken === undefined || authToken === null ? {} : { authorization: `Bearer ${authToken}` }),
    'anthropic-version': options.version ?? ANTHROPIC_VERSION,
    ...(betas.length === 0 ? {} : { 'anthropic-beta': betas.join(',') }),
    'user-agent': `nightshift-run/${ownVersion()}`,
    ...options.headers,
  };
}

/** Read once: from the source tree and from the built one the package's description is at another distance. */
let version: string | null = null;
function ownVersion(): string {
  version ??=
    ['../../../package.json', '../../../../package.json'].map(versionAt).find((found) => found !== null) ?? '0';
  return version;
}

function versionAt(path: string): string | null {
  try {
    const about: unknown = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
    return isObject(about) && typeof about['version'] === 'string' ? about['version'] : null;
  } catch {
    return null;
  }
}

function pathOf(id: string): string {
  return `${BATCHES}/${encodeURIComponent(id)}`;
}

async function send(
  connection: Connection,
  { path, body, signal }: { path: string; body: Uint8Array; signal: AbortSignal },
): Promise<Answer> {
  const headers = { 'content-type': 'application/json', 'content-length': String(body.length) };
  return await connection.ask({ method: 'POST', path, headers, signal }, body, API_ANSWER_MS);
}

async function batch(connection: Connection, query: Query): Promise<RemoteBatch> {
  return readBatch(await json(connection, query)) ?? unreadable('a batch that cannot be read');
}

async function json(connection: Connection, query: Query): Promise<unknown> {
  const answer = await connection.ask(query, null, API_IDLE_MS);
  const body = await connection.wholeBodyOf(answer, query.signal, API_ANSWER_BYTES_MAX);
  if (answer.status !== 200) {
    const { status, headers } = answer;
    throw new ApiError(readFailure({ status, headers, body, serverNowMs: connection.serverNowMs() }));
  }
  return parseJson(body);
}

/** The members the count takes; it refuses the others, such as max_tokens. */
const COUNTED = ['messages', 'model', 'system', 'thinking', 'tool_choice', 'tools', 'output_config', 'mcp_servers'];

/** Null wherever the API does not count: an estimate can do without. */
async function countTokens(connection: Connection, params: Uint8Array, signal: AbortSignal): Promise<number | null> {
  const whole = parseJson(params);
  if (!isObject(whole)) {
    return null;
  }
  const part = Object.fromEntries(COUNTED.flatMap((name) => (name in whole ? [[name, whole[name]]] : [])));
  const answer = await send(connection, {
    path: '/v1/messages/count_tokens',
    body: Buffer.from(JSON.stringify(part)),
    signal,
  });
  const counted = parseJson(await connection.wholeBodyOf(answer, signal, API_ANSWER_BYTES_MAX));
  return answer.status === 200 && isObject(counted) && typeof counted['input_tokens'] === 'number'
    ? counted['input_tokens']
    : null;
}

function unreadable(message: string): never {
  throw failed('unreadable_answer', `the server answered with ${message}`);
}
