/** What the headers of a request mean: version, betas, format of the body, idempotency. */
import { AppError } from '../domain/errors.ts';
import { IDEMPOTENCY_KEY_LENGTH_MAX } from '../domain/limits.ts';

const versions: ReadonlySet<string> = new Set(['2023-01-01', '2023-06-01', '2026-10-21']);

export function readVersion(headers: Headers): string {
  const version = headers.get('anthropic-version')?.trim();
  if (!version) throw new AppError('invalid_request', 'anthropic-version: header is required');
  if (!versions.has(version)) {
    throw new AppError('invalid_request', `anthropic-version: "${version}" is not a valid version`);
  }
  return version;
}

/** Two would be read one way by a proxy and another way here. Names and values take turns. */
export function requireOneHost(rawHeaders: readonly string[]): void {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  if (hosts > 1) throw new AppError('invalid_request', 'host: header is given more than once');
}

/** A comma list, possibly from repeated headers: in order, each once. Any value is accepted, as new betas appear every month. */
export function readBetas(headers: Headers): readonly string[] {
  const names = (headers.get('anthropic-beta') ?? '').split(',').map((name) => name.trim());
  return [...new Set(names.filter((name) => name !== ''))];
}

const lineTypes: ReadonlySet<string> = new Set(['application/x-jsonl', 'application/jsonl', 'application/x-ndjson']);

/** Everything that is not lines is read as JSON: curl's `--data` says it is a form, and the official API takes it too. */
export function readFormat(headers: Headers): 'json' | 'lines' {
  const type = (headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  return lineTypes.has(type) ? 'lines' : 'json';
}

/** Null when the call does not say. */
export function readLiveCounts(headers: Headers): boolean | null {
  const value = headers.get('nightshift-live-counts')?.trim();
  if (value === undefined) return null;
  if (value === '1' || value === '0') return value === '1';
  throw new AppError('invalid_request', 'nightshift-live-counts: must be 0 or 1');
}

/** Every SDK counts its retries here; 0 is a first attempt. */
export function isResent(headers: Headers): boolean {
  return Number(headers.get('x-stainless-retry-count') ?? '0') >= 1;
}

const idempotencyKeyPattern = new RegExp(`^[\\x21-\\x7e]{1,${IDEMPOTENCY_KEY_LENGTH_MAX}}$`);

export function readIdempotencyKey(headers: Headers): string | null {
  const key = headers.get('idempotency-key');
  if (key === null) return null;
  if (idempotencyKeyPattern.test(key)) return key;
  throw new AppError(
    'invalid_request',
    `idempotency-key: must be 1 to ${IDEMPOTENCY_KEY_LENGTH_MAX} visible ASCII characters`,
  );
}

/** Version, trace, span and flags. */
const TRACEPARENT_LENGTH = 55;
const traceparentPattern = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:$|-)/;

/** W3C Trace Context: whoever sends what is none has no trace, and no error either. Versions to come may have more parts. */
export function readTraceparent(headers: Headers): string | null {
  const value = headers.get('traceparent')?.trim() ?? '';
  if (!traceparentPattern.test(value) || (value.startsWith('00') && value.length > TRACEPARENT_LENGTH)) return null;
  return value.slice(0, TRACEPARENT_LENGTH);
}
