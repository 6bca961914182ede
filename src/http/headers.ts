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

export function requirePlainEncoding(headers: Headers): void {
  const encoding = headers.get('content-encoding')?.trim().toLowerCase();
  if (!encoding || encoding === 'identity') return;
  throw new AppError('body_encoding_unsupported', `content-encoding: "${encoding}" is not supported`, {
    detail: 'request_body_encoding_unsupported',
  });
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
