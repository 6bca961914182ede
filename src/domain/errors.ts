/** The catalogue of errors a caller can meet: each code with its HTTP status and the API's error type. docs/errors lists the same codes. */

export const errorCatalogue = {
  invalid_request: { status: 400, type: 'invalid_request_error' },
  body_encoding_unsupported: { status: 400, type: 'invalid_request_error' },
  body_encoding_invalid: { status: 400, type: 'invalid_request_error' },
  unprocessable: { status: 422, type: 'invalid_request_error' },
  unauthenticated: { status: 401, type: 'authentication_error' },
  forbidden: { status: 403, type: 'permission_error' },
  not_found: { status: 404, type: 'not_found_error' },
  method_not_allowed: { status: 405, type: 'invalid_request_error' },
  upload_stalled: { status: 408, type: 'timeout_error' },
  too_large: { status: 413, type: 'request_too_large' },
  range_not_satisfiable: { status: 416, type: 'invalid_request_error' },
  rate_limited: { status: 429, type: 'rate_limit_error' },
  internal: { status: 500, type: 'api_error' },
  upstream_failed: { status: 500, type: 'api_error' },
  storage_full: { status: 503, type: 'api_error' },
  draining: { status: 503, type: 'api_error' },
  upstream_timeout: { status: 504, type: 'timeout_error' },
  overloaded: { status: 529, type: 'overloaded_error' },
} as const;

export type ErrorCode = keyof typeof errorCatalogue;

export type AppErrorOptions = {
  readonly cause?: unknown;
  /** For operators: what to do about it. */
  readonly hint?: string;
  /** Machine-readable detail for clients, as `error.details.error_code`. */
  readonly detail?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** An error meant for the caller: its message is sent. Every other error becomes "Internal server error". */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | null;
  readonly detail: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.hint = options.hint ?? null;
    this.detail = options.detail ?? null;
    this.headers = options.headers ?? {};
  }
}

/** A start that is refused: the message names the file and the hint the remedy. */
export class StartError extends Error {
  readonly hint: string;

  constructor(message: string, options: { hint: string; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StartError';
    this.hint = options.hint;
  }
}

/** Thrown by a store that has no room; work pauses and goes on by itself when there is. */
export class StorageFullError extends Error {
  /** What was refused may be found done after a crash. */
  readonly mayHold: boolean;

  constructor(what: string, cause?: unknown, { mayHold = false }: { readonly mayHold?: boolean } = {}) {
    super(`no room left for ${what}`, cause === undefined ? undefined : { cause });
    this.name = 'StorageFullError';
    this.mayHold = mayHold;
  }
}

export class AssertionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AssertionError';
  }
}

/** For what cannot be; stays on in production and ends the process, which restarts and recovers. */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new AssertionError(typeof message === 'string' ? message : message());
}

export function must<T>(value: T | null | undefined, message: string): T {
  if (value === null || value === undefined) throw new AssertionError(message);
  return value;
}
