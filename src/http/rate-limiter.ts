/** The buckets of all workspaces that called lately. */
import { KEY_CACHE_ENTRIES_MAX } from '../domain/limits.ts';
import type { Clock } from '../ports/world.ts';
import { fullBucket, rateState, take, type RateState } from './rate-limit.ts';
import type { Bucket, RateQuery } from './rate-limit.ts';
import { Recent } from './recent.ts';

export class RateLimiter {
  readonly #perMinute: number;
  readonly #clock: Clock;
  readonly #buckets = new Recent<string, Bucket>(KEY_CACHE_ENTRIES_MAX);

  constructor(options: { perMinute: number; clock: Clock }) {
    this.#perMinute = options.perMinute;
    this.#clock = options.clock;
  }

  /** The state without taking anything. */
  look(workspaceId: string): RateState {
    const query = this.#query();
    return rateState(this.#bucket(workspaceId, query), query);
  }

  take(workspaceId: string): { allowed: boolean; rate: RateState } {
    const query = this.#query();
    const { bucket, allowed } = take(this.#bucket(workspaceId, query), query);
    this.#buckets.set(workspaceId, bucket);
    return { allowed, rate: rateState(bucket, query) };
  }

  #query(): RateQuery {
    return { perMinute: this.#perMinute, nowMs: this.#clock.monotonicMs() };
  }

  #bucket(workspaceId: string, query: RateQuery): Bucket {
    return this.#buckets.get(workspaceId) ?? fullBucket(query);
  }
}
