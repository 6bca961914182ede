/** The request budget of a workspace: a token bucket that refills continuously and starts full. Pure; time comes in as a number. */

export type Bucket = {
  readonly tokens: number;
  readonly atMs: number;
};

export type RateState = {
  readonly limit: number;
  /** Whole requests left. */
  readonly remaining: number;
  /** Milliseconds until the bucket is full again. */
  readonly fullInMs: number;
  /** Milliseconds until the next request is allowed: 0 when one is allowed now. */
  readonly retryInMs: number;
};

export type RateQuery = { readonly perMinute: number; readonly nowMs: number };

export function fullBucket(query: RateQuery): Bucket {
  return { tokens: query.perMinute, atMs: query.nowMs };
}

/** Takes one token if there is one. */
export function take(bucket: Bucket, query: RateQuery): { bucket: Bucket; allowed: boolean } {
  const refilled = refill(bucket, query);
  if (refilled.tokens < 1) return { bucket: refilled, allowed: false };
  return { bucket: { tokens: refilled.tokens - 1, atMs: refilled.atMs }, allowed: true };
}

export function rateState(bucket: Bucket, query: RateQuery): RateState {
  const { tokens } = refill(bucket, query);
  const perMs = query.perMinute / 60_000;
  return {
    limit: query.perMinute,
    remaining: Math.floor(tokens),
    fullInMs: (query.perMinute - tokens) / perMs,
    retryInMs: tokens >= 1 ? 0 : (1 - tokens) / perMs,
  };
}

function refill(bucket: Bucket, query: RateQuery): Bucket {
  const elapsedMs = Math.max(0, query.nowMs - bucket.atMs);
  const tokens = Math.min(query.perMinute, bucket.tokens + (elapsedMs * query.perMinute) / 60_000);
  return { tokens, atMs: Math.max(bucket.atMs, query.nowMs) };
}
