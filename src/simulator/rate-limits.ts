/** The limits of an organization as token buckets that refill all the time, and the headers that tell what is left in them. */
import { rateLimited, type ApiError } from './faults.ts';

export type RateLimits = {
  readonly requestsPerMinute: number;
  /** Requests that a bucket holds: what can be sent at once before the rate counts. */
  readonly requestsAtOnce: number;
  readonly inputTokensPerMinute: number;
  readonly outputTokensPerMinute: number;
};

type Bucket = { readonly size: number; readonly perMs: number; left: number; atMs: number | null };

const MINUTE_MS = 60_000;

export function createRateLimits(limits: RateLimits) {
  const requests = bucketOf(limits.requestsPerMinute, limits.requestsAtOnce);
  const input = bucketOf(limits.inputTokensPerMinute);
  const output = bucketOf(limits.outputTokensPerMinute);

  const headersAt = (nowMs: number): Readonly<Record<string, string>> => {
    for (const bucket of [requests, input, output]) refill(bucket, nowMs);
    return {
      ...headersOf('requests', requests, { limit: limits.requestsPerMinute, nowMs, round: 1 }),
      ...headersOf('input-tokens', input, { limit: limits.inputTokensPerMinute, nowMs, round: 1_000 }),
      ...headersOf('output-tokens', output, { limit: limits.outputTokensPerMinute, nowMs, round: 1_000 }),
    };
  };

  const turnedAway = (message: string, { waitMs, nowMs }: { waitMs: number; nowMs: number }): ApiError => {
    const error = rateLimited(message, Math.max(1, Math.ceil(waitMs / 1_000)));
    return { ...error, headers: { ...headersAt(nowMs), ...error.headers } };
  };

  return {
    turnAway({ nowMs, inputTokens }: { readonly nowMs: number; readonly inputTokens: number }): ApiError | null {
      for (const bucket of [requests, input, output]) refill(bucket, nowMs);
      // A request larger than the bucket passes when the bucket is full: it would never pass otherwise.
      const wanted = Math.min(inputTokens, input.size);
      const waits = [
        { what: `${limits.requestsPerMinute} requests`, waitMs: waitFor(requests, 1) },
        { what: `${limits.inputTokensPerMinute.toLocaleString('en-US')} input tokens`, waitMs: waitFor(input, wanted) },
        { what: `${limits.outputTokensPerMinute.toLocaleString('en-US')} output tokens`, waitMs: waitFor(output, 1) },
      ];
      const longest = waits.reduce((one, other) => (other.waitMs > one.waitMs ? other : one));
      if (longest.waitMs > 0) {
        const message = `This request would exceed your organization's rate limit of ${longest.what} per minute.`;
        return turnedAway(message, { waitMs: longest.waitMs, nowMs });
      }
      requests.left -= 1;
      input.left -= inputTokens;
      return null;
    },
    account({ nowMs, outputTokens }: { readonly nowMs: number; readonly outputTokens: number }) {
      output.left -= outputTokens;
      return headersAt(nowMs);
    },
  };
}

function bucketOf(perMinute: number, size = perMinute): Bucket {
  return { size, perMs: perMinute / MINUTE_MS, left: size, atMs: null };
}

/** A wall clock may be set back: then nothing is refilled for once. */
function refill(bucket: Bucket, nowMs: number): void {
  const elapsedMs = Math.max(0, nowMs - (bucket.atMs ?? nowMs));
  bucket.left = Math.min(bucket.size, bucket.left + elapsedMs * bucket.perMs);
  bucket.atMs = nowMs;
}

function waitFor(bucket: Bucket, amount: number): number {
  return Math.max(0, (amount - bucket.left) / bucket.perMs);
}

type Telling = { readonly limit: number; readonly nowMs: number; readonly round: number };

function headersOf(name: string, bucket: Bucket, { limit, nowMs, round }: Telling): Record<string, string> {
  const left = Math.max(0, Math.floor(bucket.left / round) * round);
  const fullMs = nowMs + (bucket.size - bucket.left) / bucket.perMs;
  return {
    [`anthropic-ratelimit-${name}-limit`]: String(limit),
    [`anthropic-ratelimit-${name}-remaining`]: String(left),
    [`anthropic-ratelimit-${name}-reset`]: new Date(fullMs).toISOString().replace(/\.\d+Z$/, 'Z'),
  };
}
