/** Answers: the reply a handler gives, the error envelope, and the headers every response carries. */
import { AppError, errorCatalogue, StorageFullError, type ErrorCode } from '../domain/errors.ts';
import { STORAGE_FULL_RETRY_SECONDS } from '../domain/limits.ts';
import type { Clock } from '../ports/world.ts';
import type { Account } from './auth.ts';
import type { RateState } from './rate-limit.ts';

export type Reply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null;
  /** Of the error catalogue, where it tells an error: for the telemetry, which knows no bodies. */
  readonly code?: ErrorCode;
};

export const CAPABILITIES = 'idempotency, live-counts, partial-results, range';

export function jsonReply(value: object, options: { status?: number; headers?: Record<string, string> } = {}): Reply {
  return {
    status: options.status ?? 200,
    headers: { 'content-type': 'application/json', ...options.headers },
    body: JSON.stringify(value),
  };
}

export function errorReply(error: AppError, requestId: string): Reply {
  const { status, type } = errorCatalogue[error.code];
  const details = error.detail === null ? {} : { details: { error_code: error.detail } };
  const envelope = { type: 'error', error: { type, message: error.message, ...details }, request_id: requestId };
  return { ...jsonReply(envelope, { status, headers: { ...error.headers } }), code: error.code };
}

/** What the caller is told of any error; null for one that is nobody's business but ours. */
export function publicError(error: unknown): AppError | null {
  if (error instanceof AppError) return error;
  if (error instanceof StorageFullError) {
    return new AppError('storage_full', `storage is full${error.mayHold ? '' : '; nothing was accepted'}`, {
      cause: error,
      headers: { 'retry-after': String(STORAGE_FULL_RETRY_SECONDS) },
    });
  }
  return null;
}

export function internalError(): AppError {
  return new AppError('internal', 'Internal server error');
}

/** Calls on the whole organization belong to no workspace. */
export function accountHeaders(account: Account, path: string): Record<string, string> {
  return {
    'anthropic-organization-id': account.organizationId,
    ...(path.startsWith('/v1/organizations/') ? {} : { 'anthropic-workspace-id': account.workspaceId }),
  };
}

export function rateHeaders(rate: RateState, clock: Clock): Record<string, string> {
  const fullAtSeconds = Math.ceil((clock.wallMs() + rate.fullInMs) / 1_000);
  return {
    'anthropic-ratelimit-requests-limit': String(rate.limit),
    'anthropic-ratelimit-requests-remaining': String(rate.remaining),
    'anthropic-ratelimit-requests-reset': new Date(fullAtSeconds * 1_000).toISOString().replace('.000Z', 'Z'),
  };
}
