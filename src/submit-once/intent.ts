/**
 * The life of one POST that makes a batch, written down before it begins, so that no row is ever bought twice.
 *
 *   planned ──► sending ──► committed            the answer named the batch, or a result line proved it
 *      │           │ ├────► refused              the API said that it made none
 *      │           │ └────► aborted              nothing exists: never sent, cut before its last byte, or never seen in time
 *      ▼           ▼
 *   aborted     unclear ◄─► provisional          it may exist; provisional: there are batches that may be it
 *                  │             │
 *                  └─────────────┴──► committed | aborted
 *
 * 1. A nonce names one POST. It is stored as `sending` before the first byte leaves, and is never sent again
 *    (except by `repeating`, to a server that knows its key and answers with the first batch).
 * 2. A chunk gets a new intent only when all its earlier ones are refused or aborted (`mayPlan`).
 * 3. An intent is aborted only when no batch of it exists (see reconcile.ts for the last of the three ways).
 * 4. Time and count make a candidate; only a custom_id proves it.
 *
 * All times are the server's: our clock plus `clockAheadMs()`. Nothing here waits or stores: the caller stores what is returned.
 */
import { nonceOf } from './custom-id.ts';

export type IntentState = 'planned' | 'sending' | 'committed' | 'refused' | 'aborted' | 'unclear' | 'provisional';

export type Intent = {
  /** 16 characters of base32; begins every custom_id of this POST, and is its Idempotency-Key. */
  readonly nonce: string;
  readonly chunk: number;
  /** Requests in the body: with the time, what makes a listed batch a candidate. */
  readonly requests: number;
  readonly bytes: number;
  readonly state: IntentState;
  /** How often it was sent: more than once only to a server that knows its key. */
  readonly posts: number;
  /** Just before the first byte of the first POST; null while planned. */
  readonly sentAtMs: number | null;
  /** When this side gave up on the last POST's connection, or found it given up; null before. */
  readonly closedAtMs: number | null;
  /** The batch, once committed. */
  readonly batchId: string | null;
  readonly proof: 'answer' | 'custom_id' | null;
  /** Batches that may be this one's, seen in a list and not disproved; they outlive a list that misses them. */
  readonly candidates: readonly string[];
  /** Batches proved to be another's, or gone. */
  readonly disproved: readonly string[];
  /** Further batches proved to carry this nonce: bought twice. Empty unless an assumption of the protocol fails. */
  readonly duplicates: readonly string[];
  /** The last thing learned, in words. */
  readonly why: string | null;
};

/** As much of a PostEnd as matters here. */
export type Ending =
  | { readonly kind: 'created'; readonly batch: { readonly id: string } }
  | { readonly kind: 'refused'; readonly status: number; readonly message: string }
  | { readonly kind: 'incomplete'; readonly message: string }
  | { readonly kind: 'unclear'; readonly message: string };

/** Whether the chunk of these intents (all it ever had) may get a new one. */
export function mayPlan(intentsOfChunk: readonly Intent[]): boolean {
  return intentsOfChunk.every((intent) => intent.state === 'refused' || intent.state === 'aborted');
}

/**
 * Whether a ledger may store `next` over `before` (null: nothing yet). A last guard: what was decided of an intent as it once was must
 * not undo what has been learned since, while somebody waited for an answer.
 */
export function mayFollow(before: Intent | null, next: Intent): boolean {
  if (before === null) {
    return next.state === 'planned';
  }
  const isLater = next.posts === before.posts + (next.state === 'sending' && before.state !== 'sending' ? 1 : 0);
  const keepsBatch = before.batchId === null || before.batchId === next.batchId;
  return isLater && keepsBatch && (next.state === before.state || NEXT[before.state].includes(next.state));
}

const NEXT: Readonly<Record<IntentState, readonly IntentState[]>> = {
  planned: ['sending', 'aborted'],
  sending: ['committed', 'refused', 'aborted', 'unclear', 'provisional'],
  unclear: ['provisional', 'committed', 'aborted', 'sending'],
  provisional: ['unclear', 'committed', 'aborted', 'sending'],
  committed: [],
  refused: [],
  aborted: [],
};

/** The first thing stored of a POST. */
export function planned(about: {
  readonly nonce: string;
  readonly chunk: number;
  readonly requests: number;
  readonly bytes: number;
}): Intent {
  return {
    ...about,
    state: 'planned',
    posts: 0,
    sentAtMs: null,
    closedAtMs: null,
    batchId: null,
    proof: null,
    candidates: [],
    disproved: [],
    duplicates: [],
    why: null,
  };
}

/** Stored, durably, before the first byte is written. */
export function sending(intent: Intent, nowMs: number): Intent {
  demand(intent, ['planned']);
  return { ...intent, state: 'sending', posts: 1, sentAtMs: nowMs };
}

/** The same POST with the same key and body once more: only where `reconcile` decided `repeat`. Stored before the first byte. */
export function repeating(intent: Intent): Intent {
  demand(intent, ['unclear', 'provisional']);
  return { ...intent, state: 'sending', posts: intent.posts + 1 };
}

/** What the end of the POST means. A repeat that did not answer with the batch tells nothing of the first POST. */
export function afterPost(intent: Intent, end: Ending, nowMs: number): Intent {
  demand(intent, ['sending']);
  const closed = { ...intent, closedAtMs: nowMs };
  if (end.kind === 'created') {
    return { ...closed, state: 'committed', batchId: end.batch.id, proof: 'answer', candidates: [], why: null };
  }
  const repeated = intent.posts > 1;
  if (end.kind === 'refused' && !repeated) {
    return { ...closed, state: 'refused', why: `${end.status} ${end.message}` };
  }
  if (end.kind === 'incomplete' && !repeated) {
    return { ...closed, state: 'aborted', why: end.message };
  }
  return { ...closed, state: openState(intent), why: end.message };
}

/** For every intent found in the ledger at a start, and after waking: what was under way is now unknown. */
export function afterRestart(intent: Intent, nowMs: number): Intent {
  if (intent.state === 'planned') {
    return { ...intent, state: 'aborted', closedAtMs: nowMs, why: 'never sent' };
  }
  if (intent.state === 'sending') {
    return { ...intent, state: openState(intent), closedAtMs: nowMs, why: 'the run was interrupted while it was sent' };
  }
  return intent;
}

/** Whether a batch may exist that no answer and no line has proved. */
export function isUnclear(intent: Intent): boolean {
  return intent.state === 'unclear' || intent.state === 'provisional';
}

/**
 * What a custom_id out of an ended batch's results says of this intent; nothing where none could be read (null), because a garbled line
 * proves no stranger. Returns the intent itself where it says nothing new.
 */
export function proveBy(intent: Intent, line: { readonly batchId: string; readonly customId: string | null }): Intent {
  const { batchId, customId } = line;
  if (customId === null || intent.batchId === batchId) {
    return intent;
  }
  if (nonceOf(customId) !== intent.nonce) {
    return intent.disproved.includes(batchId)
      ? intent
      : withoutCandidate(intent, batchId, `batch ${batchId} is another's`);
  }
  if (intent.state === 'planned' || intent.state === 'sending') {
    return intent; // its answer is still to come
  }
  return isUnclear(intent) ? committedBy(intent, batchId) : duplicated(intent, batchId);
}

/** A candidate that its API no longer knows: nothing can be had of it, so it no longer holds the intent up. */
export function gone(intent: Intent, batchId: string): Intent {
  return withoutCandidate(intent, batchId, `batch ${batchId} is gone`);
}

/** By a person's order only: an unclear intent is taken for aborted although a batch of it may exist. */
export function givenUp(intent: Intent, why: string): Intent {
  demand(intent, ['unclear', 'provisional']);
  return { ...intent, state: 'aborted', disproved: [...intent.disproved, ...intent.candidates], candidates: [], why };
}

function committedBy(intent: Intent, batchId: string): Intent {
  return {
    ...intent,
    state: 'committed',
    batchId,
    proof: 'custom_id',
    candidates: [],
    why: `batch ${batchId} bears its nonce`,
  };
}

function duplicated(intent: Intent, batchId: string): Intent {
  if (intent.duplicates.includes(batchId)) {
    return intent;
  }
  return { ...intent, duplicates: [...intent.duplicates, batchId], why: `batch ${batchId} bears its nonce as well` };
}

function withoutCandidate(intent: Intent, batchId: string, why: string): Intent {
  const candidates = intent.candidates.filter((id) => id !== batchId);
  const next = { ...intent, candidates, disproved: [...intent.disproved, batchId] };
  return isUnclear(intent) ? { ...next, state: openState(next), why } : next;
}

function openState(intent: Pick<Intent, 'candidates'>): 'unclear' | 'provisional' {
  return intent.candidates.length === 0 ? 'unclear' : 'provisional';
}

function demand(intent: Intent, states: readonly IntentState[]): void {
  if (!states.includes(intent.state)) {
    throw new Error(`intent ${intent.nonce} is ${intent.state}, not ${states.join(' or ')}`);
  }
}
