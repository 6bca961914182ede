/**
 * Usage as it is kept: what each batch used, and what was used in each minute and day. It changes only in a seal, in its transaction.
 *  U1  Every row of a seal's tally is counted once under its batch and once in its minute and in its day.
 *  U2  Usage outlives its batch: deleting one changes no report.
 *  U3  A day is the UTC day of the seal by the catalog's clock; prices are dated by it.
 */
import type { UsageKey, UsageRow } from '../domain/tally.ts';

/** Usage of one day, and the second that day began. */
export type DatedUsage = UsageRow & { readonly day: number };

/** What a report can be broken down by. */
export type Dimension = 'workspaceId' | 'keyId' | Exclude<keyof UsageKey, 'wasted'>;

export type ReportQuery = {
  /** Seconds since 1970, both on the border of a bucket. */
  readonly from: number;
  /** The first second that is not meant. */
  readonly to: number;
  /** A minute, an hour or a day. */
  readonly widthSeconds: 60 | 3_600 | 86_400;
  readonly groupBy: readonly Dimension[];
  /** Only rows whose value is one of these. */
  readonly only: Readonly<Partial<Record<'workspaceId' | 'keyId' | 'model', readonly string[]>>>;
};

/** One group of one bucket. Dimensions that were not asked for hold the value of any row of the group. */
export type ReportRow = UsageRow & {
  /** The second its bucket begins. */
  readonly start: number;
  readonly workspaceId: string;
  readonly keyId: string;
};

/** What an upstream of one's own costs, in picodollars a token; null where it has no price. In force from a day on. */
export type OwnPrice = {
  readonly upstream: string;
  readonly day: number;
  readonly price: {
    readonly input: number;
    readonly output: number;
    readonly cacheRead: number;
    readonly cacheWrite: number;
  } | null;
};

export interface Usages {
  /** What a batch used, deleted or not; null when the workspace never had such a batch. */
  ofBatch(workspaceId: string, batchId: string): Promise<readonly DatedUsage[] | null>;
  /** Oldest bucket first; wasted attempts are rows of their own. */
  report(query: ReportQuery): Promise<readonly ReportRow[]>;
  /** Every price ever configured, oldest first. */
  ownPrices(): Promise<readonly OwnPrice[]>;
  /** Keeps the configured prices, in force from today on, where they are not those kept last. */
  keepOwnPrices(prices: readonly Omit<OwnPrice, 'day'>[]): Promise<void>;
}
