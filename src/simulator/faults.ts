/** Everything that can go wrong with a call, by name: errors as the API writes them, and connections that fail. */

export type ApiError = {
  readonly kind: 'error';
  readonly status: number;
  readonly type: string;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
};

export type Fault =
  | ApiError
  /** The connection is reset before any answer. */
  | { readonly kind: 'reset' }
  /** No answer, ever; the caller must give up. */
  | { readonly kind: 'hang' }
  /** Half of the answer, then a reset. */
  | { readonly kind: 'cut' }
  /** A status of 200 and bytes that are no answer. */
  | { readonly kind: 'garbage'; readonly body: string }
  /** A stream that begins, then says it is overloaded; without a stream the error itself. */
  | { readonly kind: 'stream_error' };

export type FaultName = keyof typeof faults;

export function faultNamed(name: FaultName): Fault | null {
  return Object.hasOwn(faults, name) ? faults[name] : null;
}

export function apiError(status: number, type: string, message: string): ApiError {
  return { kind: 'error', status, type, message };
}

export const overloaded: ApiError = apiError(529, 'overloaded_error', 'Overloaded');
export const internal: ApiError = apiError(500, 'api_error', 'Internal server error');

export function rateLimited(message: string, retryAfterSeconds: number): ApiError {
  return {
    ...apiError(429, 'rate_limit_error', message),
    headers: { 'retry-after': String(retryAfterSeconds) },
  };
}

export function notFound(message: string): ApiError {
  return apiError(404, 'not_found_error', message);
}

export function invalid(message: string): ApiError {
  return apiError(400, 'invalid_request_error', message);
}

const asked = 'The simulator was told to answer with this error.';

const faults = {
  invalid_request: invalid(asked),
  authentication: apiError(401, 'authentication_error', 'invalid x-api-key'),
  billing: apiError(402, 'billing_error', asked),
  permission: apiError(403, 'permission_error', asked),
  not_found: notFound(asked),
  request_too_large: apiError(413, 'request_too_large', 'Request exceeds the maximum size'),
  rate_limit: rateLimited('This request would exceed your rate limit; the simulator was told to say so.', 1),
  api_error: internal,
  timeout: apiError(504, 'timeout_error', 'The request timed out'),
  overloaded,
  reset: { kind: 'reset' },
  hang: { kind: 'hang' },
  cut: { kind: 'cut' },
  garbage: { kind: 'garbage', body: '<html><body><h1>502 Bad Gateway</h1></body></html>' },
  half_json: { kind: 'garbage', body: '{"type":"message","role":"assistant","content":[{"type":"te' },
  empty: { kind: 'garbage', body: '' },
  stream_error: { kind: 'stream_error' },
} as const satisfies Readonly<Record<string, Fault>>;
