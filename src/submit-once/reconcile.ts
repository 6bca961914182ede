/**
 * Finds out what became of unclear POSTs from a list of batches: first the candidates by time and count, then the proof by custom_id.
 *
 * Assumed, each with its bound: once this side has closed its connection a batch can still come to exist for at most `flightMs` (F) and is
 * listed at most `visibleMs` (V) later; a body cut short never makes a batch; the counts of a batch sum to its requests, or to 0 while a
 * server does not tell them yet. So an intent is aborted only by a walk through the list that began after closed + F + V (and what the
 * clocks may differ), reached back beyond the send, and showed nothing that is not a proved stranger. Where the first assumption fails, `sweep` sees the duplicate.
 */
import { nonceOf } from './custom-id.ts';
import { type Intent, isUnclear, proveBy } from './intent.ts';

export type Bounds = {
  readonly flightMs: number;
  readonly visibleMs: number;
  /** How far the two clocks may differ in spite of the correction. */
  readonly skewMs: number;
  /** How long a server that announces `idempotency` surely knows a key. */
  readonly keyKeptMs: number;
  /** How long after its send a batch of an aborted intent is still looked for. */
  readonly sweepMs: number;
};

/** As much of a RemoteBatch as matters here. */
export type SeenBatch = {
  readonly id: string;
  readonly status: 'in_progress' | 'canceling' | 'ended';
  readonly createdAtMs: number;
  readonly archivedAtMs: number | null;
  readonly counts: Readonly<Record<string, number>>;
};

export type Listing = {
  readonly batches: readonly SeenBatch[];
  /** When the walk began, by the server's clock as its answers told it (so that a local clock that jumped aborts nothing). */
  readonly begunAtMs: number;
  /** Every batch made since then and listed is in it; -Infinity when the walk went to the list's end. */
  readonly reachesMs: number;
};

/**
 * What to do for one unclear intent; `intent` is what to store (the same object where nothing changed). Store those of all decisions before
 * acting on any: a line read for one may settle another, and an intent stored after a wait must be the ledger's, not this one.
 */
export type Decision = { readonly intent: Intent } & (
  | { readonly kind: 'wait' } /** nothing to be done: for a candidate to end, or for the time to pass */
  | { readonly kind: 'read'; readonly batchIds: readonly string[] } /** read any one line of each, then `provenBy` */
  | {
      readonly kind: 'look';
      readonly batchIds: readonly string[];
    } /** not listed any more: retrieve each; 404 → `gone` */
  | {
      readonly kind: 'unreadable';
      readonly batchIds: readonly string[];
    } /** its results are gone: a person decides, `givenUp` */
  | { readonly kind: 'repeat' } /** the server knows keys: `repeating`, and the same POST again */
  | { readonly kind: 'aborted' } /** no batch exists: the chunk may have a new intent */
);

/** A batch that may be a second purchase; read a line of it when it has ended, then `provenBy`. */
export type Suspect = { readonly nonce: string; readonly batchId: string; readonly ended: boolean };

/** How far back a walk must reach for these intents; null when none needs one. */
export function walkBackTo(intents: readonly Intent[], bounds: Bounds): number | null {
  const sent = intents.filter(isUnclear).map((intent) => windowOf(intent, bounds).fromMs);
  return sent.length === 0 ? null : sent.reduce((a, b) => Math.min(a, b));
}

/** One decision for each unclear intent among `intents`, which are all of the run. */
export function reconcile(question: {
  readonly intents: readonly Intent[];
  readonly listing: Listing;
  readonly bounds: Bounds;
  readonly nowMs: number;
  /** The server announces that it knows idempotency keys. */
  readonly idempotent: boolean;
}): Decision[] {
  const { listing, bounds } = question;
  const claimed = claimedBy(question.intents);
  const seen = new Map(listing.batches.map((batch) => [batch.id, batch]));
  return question.intents.filter(isUnclear).map((intent): Decision => {
    if (question.idempotent && question.nowMs < intent.sentAtMs! + bounds.keyKeptMs) {
      return { kind: 'repeat', intent };
    }
    return decide(withCandidates({ intent, seen, claimed, bounds }), { seen, listing, bounds });
  });
}

/** All intents that one line of an ended batch changes, as they now are. `asked`: the nonces whose decision or suspicion had it read. */
export function provenBy(
  intents: readonly Intent[],
  line: { readonly batchId: string; readonly customId: string | null; readonly asked?: readonly string[] },
): Intent[] {
  const { batchId, customId, asked = [] } = line;
  const named = customId === null ? null : nonceOf(customId);
  return intents.flatMap((intent) => {
    const concerned = intent.nonce === named || intent.candidates.includes(batchId) || asked.includes(intent.nonce);
    const next = concerned ? proveBy(intent, { batchId, customId }) : intent;
    return next === intent ? [] : [next];
  });
}

/**
 * Batches that should not exist if the assumptions hold: one of an intent given up as aborted, or a second one of a committed intent
 * (something between replayed the POST). A proved one is in `duplicates`: kept as a spare copy, and its cost is told.
 */
export function sweep(question: {
  readonly intents: readonly Intent[];
  readonly listing: Listing;
  readonly bounds: Bounds;
}): Suspect[] {
  const { intents, listing, bounds } = question;
  const claimed = claimedBy(intents);
  const unclaimed = listing.batches.filter((batch) => !claimed.has(batch.id) && batch.archivedAtMs === null);
  return intents.filter(isSwept).flatMap((intent) => {
    const { fromMs, toMs } = windowOf(intent, bounds);
    const untilMs = intent.state === 'aborted' ? fromMs + bounds.sweepMs : toMs;
    return unclaimed
      .filter((batch) => couldBe(intent, batch) && isWithin(batch, { fromMs, toMs: untilMs }))
      .map((batch) => ({ nonce: intent.nonce, batchId: batch.id, ended: batch.status === 'ended' }));
  });
}

function decide(
  intent: Intent,
  { seen, listing, bounds }: { seen: ReadonlyMap<string, SeenBatch>; listing: Listing; bounds: Bounds },
): Decision {
  const unlisted = intent.candidates.filter((id) => !seen.has(id));
  const listed = intent.candidates.flatMap((id) => seen.get(id) ?? []);
  const ended = listed.filter((batch) => batch.status === 'ended');
  const readable = idsOf(ended.filter((batch) => batch.archivedAtMs === null));
  if (readable.length > 0) {
    return { kind: 'read', intent, batchIds: readable };
  }
  if (unlisted.length > 0) {
    return { kind: 'look', intent, batchIds: unlisted };
  }
  if (ended.length > 0 && ended.length === listed.length) {
    return { kind: 'unreadable', intent, batchIds: idsOf(ended) };
  }
  if (intent.candidates.length > 0) {
    return { kind: 'wait', intent };
  }
  const surelyListedMs = intent.closedAtMs! + bounds.flightMs + bounds.visibleMs + bounds.skewMs;
  const complete = listing.reachesMs <= windowOf(intent, bounds).fromMs;
  return complete && listing.begunAtMs > surelyListedMs
    ? { kind: 'aborted', intent: { ...intent, state: 'aborted', why: 'no batch of it was ever listed' } }
    : { kind: 'wait', intent };
}

/** Those it had and those newly seen, without what another intent has proved to be its own. */
function withCandidates({
  intent,
  seen,
  claimed,
  bounds,
}: {
  intent: Intent;
  seen: ReadonlyMap<string, SeenBatch>;
  claimed: ReadonlySet<string>;
  bounds: Bounds;
}): Intent {
  const window = windowOf(intent, bounds);
  const fresh = [...seen.values()].filter(
    (batch) => couldBe(intent, batch) && isWithin(batch, window) && !intent.candidates.includes(batch.id),
  );
  const candidates = [...intent.candidates, ...idsOf(fresh)].filter((id) => !claimed.has(id));
  if (fresh.length === 0 && candidates.length === intent.candidates.length) {
    return intent;
  }
  return candidates.length === 0
    ? { ...intent, state: 'unclear', candidates, why: "every batch that might be it is another's" }
    : { ...intent, state: 'provisional', candidates, why: `may be ${candidates.join(' or ')}` };
}

function couldBe(intent: Intent, batch: SeenBatch): boolean {
  const told = Object.values(batch.counts).reduce((sum, count) => sum + count, 0);
  const counts = told === intent.requests || told === 0;
  return counts && !intent.disproved.includes(batch.id) && !intent.duplicates.includes(batch.id);
}

function isWithin(batch: SeenBatch, { fromMs, toMs }: { fromMs: number; toMs: number }): boolean {
  return batch.createdAtMs >= fromMs && batch.createdAtMs <= toMs;
}

/** When a batch of this intent can have been made. Only for one that was sent. */
function windowOf(intent: Intent, { flightMs, skewMs }: Bounds): { fromMs: number; toMs: number } {
  return { fromMs: intent.sentAtMs! - skewMs, toMs: intent.closedAtMs! + flightMs + skewMs };
}

function isSwept(intent: Intent): boolean {
  return (intent.state === 'aborted' || intent.state === 'committed') && intent.sentAtMs !== null;
}

function claimedBy(intents: readonly Intent[]): ReadonlySet<string> {
  return new Set(intents.flatMap((intent) => (intent.batchId === null ? [] : [intent.batchId])));
}

function idsOf(batches: readonly SeenBatch[]): string[] {
  return batches.map((batch) => batch.id);
}
