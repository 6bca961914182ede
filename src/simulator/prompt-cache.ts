/**
 * Prompt caching as the API does it. What is marked is written, one entry a mark; a later request reads the longest prefix it shares.
 * 1. An entry can be read only after the answer that wrote it has begun.
 * 2. It lives five minutes or an hour from the start of the request that wrote it or last read it.
 * 3. From each mark at most twenty blocks are looked back, itself included.
 * 4. A prefix shorter than the model's least is neither written nor read.
 */
import { SIMULATED_PREFIXES_MAX } from '../domain/limits.ts';
import type { PromptBlock, Ttl } from './prompt-blocks.ts';

export type CacheUse = { readonly readTokens: number; readonly write5mTokens: number; readonly write1hTokens: number };

export type CachedCall = {
  readonly blocks: readonly PromptBlock[];
  readonly leastTokens: number;
  readonly startMs: number;
  /** When the answer begins. */
  readonly begunMs: number;
};

type Entry = { readonly lifeMs: number; readonly readableFromMs: number; untilMs: number };

const LOOKED_BACK_MAX = 20;
const livesMs: Readonly<Record<Ttl, number>> = { '5m': 5 * 60_000, '1h': 60 * 60_000 };
export const uncached: CacheUse = { readTokens: 0, write5mTokens: 0, write1hTokens: 0 };

export class PromptCache {
  /** In the order of their last use: the first is forgotten first. */
  readonly #entries = new Map<string, Entry>();

  use(call: CachedCall): CacheUse {
    const { blocks, leastTokens } = call;
    const marks = blocks
      .map((block, at) => ({ ...block, at }))
      .filter((block) => block.mark !== null && block.tokens >= leastTokens);
    if (marks.length === 0) return uncached;
    const hit = this.#longestHit(
      call,
      marks.map(({ at }) => at),
    );
    const readTokens = hit < 0 ? 0 : blocks[hit].tokens;
    let [write5mTokens, write1hTokens, written] = [0, 0, readTokens];
    for (const { at, prefix, mark, tokens } of marks) {
      if (at <= hit) {
        this.#refresh(prefix, call.startMs);
        continue;
      }
      this.#write(prefix, { ttl: mark!, call });
      if (mark === '1h') write1hTokens += tokens - written;
      else write5mTokens += tokens - written;
      written = tokens;
    }
    if (hit >= 0) this.#refresh(blocks[hit].prefix, call.startMs);
    return { readTokens, write5mTokens, write1hTokens };
  }

  #longestHit({ blocks, leastTokens, startMs }: CachedCall, marks: readonly number[]): number {
    for (const mark of marks.toReversed()) {
      for (let at = mark; at >= 0 && at > mark - LOOKED_BACK_MAX; at -= 1) {
        const { prefix, tokens } = blocks[at];
        const entry = tokens < leastTokens ? undefined : this.#entries.get(prefix);
        if (entry !== undefined && entry.readableFromMs <= startMs && entry.untilMs > startMs) return at;
      }
    }
    return -1;
  }

  #write(prefix: string, { ttl, call }: { readonly ttl: Ttl; readonly call: CachedCall }): void {
    const lifeMs = livesMs[ttl];
    const known = this.#entries.get(prefix);
    const isAlive = known !== undefined && known.untilMs > call.startMs;
    // Two that write at once: it can be read as soon as the first of them has begun to answer.
    const readableFromMs = isAlive ? Math.min(known.readableFromMs, call.begunMs) : call.begunMs;
    this.#put(prefix, { lifeMs, readableFromMs, untilMs: call.startMs + lifeMs });
  }

  #refresh(prefix: string, startMs: number): void {
    const entry = this.#entries.get(prefix);
    if (entry === undefined || entry.untilMs <= startMs || entry.readableFromMs > startMs) return;
    entry.untilMs = Math.max(entry.untilMs, startMs + entry.lifeMs);
    this.#put(prefix, entry);
  }

  #put(prefix: string, entry: Entry): void {
    this.#entries.delete(prefix);
    this.#entries.set(prefix, entry);
    if (this.#entries.size <= SIMULATED_PREFIXES_MAX) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}
