/** Reads what the Message Batches API answers: batches, errors, and the headers that matter here. Pure. */
import type { IncomingHttpHeaders } from 'node:http';
import type { ApiFailure, RemoteBatch } from '../contract.ts';

type Json = Readonly<Record<string, unknown>>;

/** Null where it is no batch: then an answer tells nothing. */
export function readBatch(value: unknown): RemoteBatch | null {
  if (!isObject(value) || typeof value['id'] !== 'string' || value['id'] === '') {
    return null;
  }
  const status = value['processing_status'];
  const createdAtMs = timeOf(value['created_at']);
  if ((status !== 'in_progress' && status !== 'canceling' && status !== 'ended') || createdAtMs === null) {
    return null;
  }
  return {
    id: value['id'],
    status,
    createdAtMs,
    endedAtMs: timeOf(value['ended_at']),
    expiresAtMs: timeOf(value['expires_at']) ?? createdAtMs + DAY_MS,
    archivedAtMs: timeOf(value['archived_at']),
    resultsUrl: typeof value['results_url'] === 'string' ? value['results_url'] : null,
    counts: readCounts(value['request_counts']),
  };
}

export function readPage(
  value: unknown,
): { readonly batches: readonly RemoteBatch[]; readonly hasMore: boolean } | null {
  if (!isObject(value) || !Array.isArray(value['data'])) {
    return null;
  }
  const batches = value['data'].map(readBatch);
  // A batch that cannot be read might be ours: a list with one is no evidence.
  return batches.includes(null)
    ? null
    : { batches: batches as readonly RemoteBatch[], hasMore: value['has_more'] === true };
}

/** What an answer that is no success says; its type is the API's own, or by the status where a proxy answered. */
export function readFailure(answer: {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
  readonly serverNowMs: number;
}): ApiFailure & { readonly status: number } {
  const { status, headers } = answer;
  const parsed = parseJson(answer.body);
  const error = isObject(parsed) && isObject(parsed['error']) ? parsed['error'] : {};
  const told = typeof error['message'] === 'string' && error['message'] !== '';
  return {
    status,
    type:
      typeof error['type'] === 'string'
        ? error['type']
        : (TYPES[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error')),
    message: told ? (error['message'] as string) : plainMessage(status, answer.body, headers),
    retryAfterMs: readRetryAfter(headers, answer.serverNowMs),
  };
}

/** In milliseconds from now; the header holds seconds or a date. */
export function readRetryAfter(headers: IncomingHttpHeaders, serverNowMs: number): number | null {
  const exact = Number(headers['retry-after-ms'] ?? Number.NaN);
  if (Number.isFinite(exact) && exact >= 0) {
    return exact;
  }
  const value = headers['retry-after'];
  if (value === undefined || value.trim() === '') {
    return null;
  }
  const seconds = Number(value);
  const waitMs = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(value) - serverNowMs;
  return Number.isFinite(waitMs) ? Math.max(0, waitMs) : null;
}

export function readCapabilities(headers: IncomingHttpHeaders): ReadonlySet<string> | null {
  const value = headers['nightshift-capabilities'];
  if (value === undefined) {
    return null;
  }
  return new Set(
    [value]
      .flat()
      .join(',')
      .split(',')
      .map((word) => word.trim())
      .filter((word) => word !== ''),
  );
}

export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const DAY_MS = 86_400_000;
const MESSAGE_LENGTH_MAX = 200;

const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  409: 'conflict_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

function readCounts(value: unknown): RemoteBatch['counts'] {
  const counts = isObject(value) ? value : {};
  const count = (name: string): number => (typeof counts[name] === 'number' ? counts[name] : 0);
  return {
    processing: count('processing'),
    succeeded: count('succeeded'),
    errored: count('errored'),
    canceled: count('canceled'),
    expired: count('expired'),
  };
}

function timeOf(value: unknown): number | null {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}

/** A proxy's page says little, and in much HTML. */
function plainMessage(status: number, body: Uint8Array, headers: IncomingHttpHeaders): string {
  if (status >= 300 && status < 400 && headers.location !== undefined) {
    return `the server sends on to ${headers.location}; use that as the base URL`;
  }
  const text = Buffer.from(body).toString('utf8').replace(/\s+/g, ' ').trim().slice(0, MESSAGE_LENGTH_MAX);
  return text === '' || text.startsWith('<')
    ? `the server answered ${status}`
    : `the server answered ${status}: ${text}`;
}
