/** The outcome of a request: exactly one of four, for every request ever accepted. */

export type OutcomeKind = 'succeeded' | 'errored' | 'canceled' | 'expired';

/** Their numbers in journal records and chunk indexes; never renumber. */
export const outcomeKinds: readonly OutcomeKind[] = ['succeeded', 'errored', 'canceled', 'expired'];

export type Counts = Readonly<Record<OutcomeKind, number>>;

export const noCounts: Counts = { succeeded: 0, errored: 0, canceled: 0, expired: 0 };

export function countsTotal(counts: Counts): number {
  return counts.succeeded + counts.errored + counts.canceled + counts.expired;
}

export function addCounts(left: Counts, right: Counts): Counts {
  return {
    succeeded: left.succeeded + right.succeeded,
    errored: left.errored + right.errored,
    canceled: left.canceled + right.canceled,
    expired: left.expired + right.expired,
  };
}

/** Why a request came to nothing, in the words of its line. `details` is null where the API leaves it out. */
export type RequestError = { readonly type: string; readonly message: string };
