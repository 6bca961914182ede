/** The rows a line leaves beside its item: what it cost, and how an attempt ended that was not a first success. */
import { addUsage, type Usage } from '../../domain/tally.ts';
import { bandOf } from '../../money/prices.ts';
import type { Change, ItemState, RawPlace } from '../contract.ts';
import type { Database } from './database.ts';
import { numberOf } from './schema.ts';

/** What later attempts of a row change. The answer to be asked about again lies in a raw file; here is which attempt gave it. */
export type StoredChange = Omit<Change, 'reask'> & {
  readonly reaskOfAttempt?: number;
  /** Twice the max_tokens it had; made a number when the row is rendered for its next attempt. */
  readonly grow?: boolean;
};

const DAY_SECONDS = 86_400;

export function noteAttempt(
  database: Database,
  end: {
    readonly seq: number;
    readonly attempt: number;
    readonly state: ItemState;
    readonly batch: number;
    readonly raw: RawPlace | null;
    readonly error: { readonly type: string; readonly message: string } | null;
  },
): void {
  const { seq, attempt, state, batch, raw, error } = end;
  database.run(
    `insert into attempt (seq, attempt, state, batch, frame, at, size, error) values (?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`,
    seq,
    attempt,
    numberOf(state),
    batch,
    raw?.frameOffset ?? null,
    raw?.offset ?? null,
    raw?.bytes ?? null,
    error === null ? null : errorId(database, error),
  );
}

/** What lines of one batch cost, added up in memory and written once for a transaction. */
export class UsageSum {
  readonly #about: { readonly batch: number; readonly nowMs: number; readonly tier: 'batch' | 'standard' };
  readonly #sums = new Map<string, { readonly model: string; readonly band: number; requests: number; usage: Usage }>();

  constructor(about: { readonly batch: number; readonly nowMs: number; readonly tier: 'batch' | 'standard' }) {
    this.#about = about;
  }

  add(model: string, usage: Usage): void {
    const band = bandOf({ model, usage, atMs: this.#about.nowMs });
    const key = `${band} ${model}`;
    const sum = this.#sums.get(key);
    if (sum === undefined) {
      this.#sums.set(key, { model, band, requests: 1, usage });
      return;
    }
    sum.requests += 1;
    sum.usage = addUsage(sum.usage, usage);
  }

  write(database: Database): void {
    const { batch, nowMs, tier } = this.#about;
    const day = Math.floor(nowMs / 1_000 / DAY_SECONDS) * DAY_SECONDS;
    for (const { model, band, requests, usage } of this.#sums.values()) {
      database.run(
        `insert into usage (batch, day, model, tier, band, requests, input, output, cache_write, cache_read, cache_write_1h)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         on conflict do update set requests = requests + excluded.requests, input = input + excluded.input, output = output + excluded.output,
           cache_write = cache_write + excluded.cache_write, cache_read = cache_read + excluded.cache_read,
           cache_write_1h = cache_write_1h + excluded.cache_write_1h`,
        batch,
        day,
        model,
        tier,
        band,
        requests,
        usage.inputTokens,
        usage.outputTokens,
        usage.cacheCreationInputTokens,
        usage.cacheReadInputTokens,
        usage.cacheCreation1hInputTokens,
      );
    }
  }
}

function errorId(database: Database, { type, message }: { readonly type: string; readonly message: string }): number {
  database.run('insert into error (type, message) values (?, ?) on conflict do nothing', type, message);
  return database.get<{ id: number }>('select id from error where type = ? and message = ?', type, message)!.id;
}
