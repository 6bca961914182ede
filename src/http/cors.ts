/** Calls from web pages (CORS): allowed only from the origins the operator names; without any, no answer says a word of it. */
import { CORS_MAX_AGE_SECONDS } from '../domain/limits.ts';
import type { Reply } from './respond.ts';

/** Origins like `https://app.example`, or `*` for every one. */
export type CorsOrigins = readonly string[];

/** What every answer to a page carries, errors too, so that its script may read them. `vary` is what the answer says by itself. */
export function corsHeaders(origins: CorsOrigins, headers: Headers, vary: string | undefined): Record<string, string> {
  if (origins.length === 0) return {};
  const allowed = allowedOrigin(origins, headers.get('origin'));
  return {
    // Caches must not give one origin's answer to another, nor that of a call without an origin to a page.
    ...(!origins.includes('*') && { vary: vary === undefined ? 'origin' : `${vary}, origin` }),
    ...(allowed !== null && { 'access-control-allow-origin': allowed, 'access-control-expose-headers': exposed }),
  };
}

/** The question a browser asks before the call itself; null for anything else. */
export function preflight(origins: CorsOrigins, request: Request, methods: readonly string[]): Reply | null {
  const { headers, method } = request;
  if (method !== 'OPTIONS' || !headers.has('access-control-request-method')) return null;
  if (allowedOrigin(origins, headers.get('origin')) === null) return null;
  const wanted = headers.get('access-control-request-headers');
  return {
    status: 204,
    headers: {
      'access-control-allow-methods': methods.join(', '),
      // `*` would not cover `authorization`; SDKs and their users send headers of their own.
      ...(wanted !== null && headerNames.test(wanted) && { 'access-control-allow-headers': wanted }),
      'access-control-max-age': String(CORS_MAX_AGE_SECONDS),
    },
    body: null,
  };
}

function allowedOrigin(origins: CorsOrigins, origin: string | null): string | null {
  if (origin === null) return null;
  if (origins.includes('*')) return '*';
  return origins.includes(origin) ? origin : null;
}

const headerNames = /^[\w!#$%&'*+.^`|~-]+( *, *[\w!#$%&'*+.^`|~-]+)*$/;

/** What the SDKs and this server's own clients read; the rest of the headers stays hidden from scripts. */
const exposed = [
  'request-id',
  'retry-after',
  'retry-after-ms',
  'x-should-retry',
  'anthropic-organization-id',
  'anthropic-workspace-id',
  ...['requests', 'tokens', 'input-tokens', 'output-tokens'].flatMap((what) =>
    ['limit', 'remaining', 'reset'].map((part) => `anthropic-ratelimit-${what}-${part}`),
  ),
  'nightshift-capabilities',
  'nightshift-complete',
  'nightshift-estimate',
  'accept-ranges',
  'content-range',
  'etag',
].join(', ');
