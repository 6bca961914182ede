/**
 * What the parts of the bulk client say to each other. Data flows one way:
 *
 *   source ── rows ──► prompt ── params ──► ledger (items, chunks) ──► run ── submit-once, api ──► batches
 *                                                                        │
 *   sink ◄── joined rows ── results ◄── raw files (verbatim) ◄── download ┘
 *
 * The ledger is the truth of a run; memory is a cache. Prompts are not kept: a row is read again from its place and rendered again.
 */
import type { Usage } from '../domain/tally.ts';

export type Row = Readonly<Record<string, unknown>>;

/** Where a row can be read again; what the numbers mean is its source's business. Places ascend as rows do. */
export type Place = { readonly offset: number; readonly line: number | null };

/** A row, or why there is none: `fault` names what is wrong with this one, and its line. */
export type SourceRow = { readonly seq: number; readonly place: Place } & (
  | { readonly row: Row; readonly fault: null }
  | { readonly row: null; readonly fault: string }
);

/** What shows that an input is still the one a run began with. */
export type SourceIdentity = { readonly kind: string; readonly bytes: number | null; readonly digest: string };

export interface Source {
  /** Known before the first row where the format has a head; null where every row has its own. */
  readonly columns: readonly string[] | null;
  identity(): Promise<SourceIdentity>;
  /** All rows from the first, in groups (a row at a time costs more than the parsing). seq counts from 0. */
  rows(): AsyncIterable<readonly SourceRow[]>;
  /** These rows again, in this order (ascending); cheap when they are neighbours. */
  read(points: readonly { readonly seq: number; readonly place: Place }[]): AsyncIterable<SourceRow>;
  close(): Promise<void>;
}

/** What a later attempt of a row changes. */
export type Change = {
  readonly model?: string;
  readonly maxTokens?: number;
  /** The answer that did not fit, and why: told to the model once. */
  readonly reask?: { readonly answer: string; readonly complaint: string };
  readonly truncate?: readonly Cut[];
};

export type Cut = { readonly column: string; readonly characters: number | null; readonly tokens: number | null };

export type Rendered =
  /** The JSON of `params`, UTF-8, one line. `cut`: a column was cut. */
  | { readonly kind: 'request'; readonly params: Uint8Array; readonly cut: boolean }
  /** It can never be sent: counted, told with its line, and in the output. */
  | { readonly kind: 'rejected'; readonly reason: string }
  | { readonly kind: 'skipped' };

export interface Prompt {
  readonly model: string | null;
  readonly maxTokens: number | null;
  /** Said once, before anything is sent: a column nothing uses, a prefix too short to cache. */
  readonly warnings: readonly string[];
  render(row: SourceRow & { readonly fault: null }, change?: Change): Rendered | Promise<Rendered>;
  /** The key a person knows the row by: its id column, else its number (from 1). */
  keyOf(row: SourceRow): string;
  /** What an answer must fit, if anything; null when it fits. */
  complaintOf(text: string): string | null;
  /** The answer as data, where a schema was asked for and it fits. */
  outputOf(text: string): unknown;
}

/** Where a row stands. Every row is in exactly one, and they sum to the rows of the input. */
export type ItemState =
  | 'pending' /** to be sent, or sent again */
  | 'sent' /** in a chunk whose batch may exist */
  | 'ok'
  | 'truncated' /** stopped by max_tokens or the context window */
  | 'refused'
  | 'incomplete' /** pause_turn */
  | 'invalid' /** does not fit the schema */
  | 'rejected' /** its own fault: invalid_request_error, or not sendable */
  | 'errored' /** api_error, overloaded, timeout: after all attempts */
  | 'expired' /** after the deadline of the run */
  | 'canceled'
  | 'missing' /** absent from an ended batch, twice read */
  | 'skipped'; /** the prompt said so */

/** A line in a raw file: the frame it is in, and where in the frame. */
export type RawPlace = {
  readonly batchId: string;
  readonly frameOffset: number;
  readonly offset: number;
  readonly bytes: number;
};

export type Item = {
  readonly seq: number;
  readonly key: string;
  readonly place: Place;
  readonly state: ItemState;
  /** How many times it was sent; 0 before the first. */
  readonly attempt: number;
  /** The row whose request is the same: bought once, answered in both places. */
  readonly sameAs: number | null;
  /** Why it was rejected before it was sent, if so. */
  readonly fault: string | null;
  /** Its last line. */
  readonly raw: RawPlace | null;
};

/** What one line of a batch's results means for its row. */
export type Verdict = {
  readonly seq: number;
  readonly state: Exclude<ItemState, 'pending' | 'sent' | 'skipped' | 'missing'>;
  readonly raw: RawPlace;
  readonly model: string | null;
  readonly usage: Usage | null;
  /** Error type and message for grouping; null for answers. */
  readonly error: { readonly type: string; readonly message: string } | null;
};

/** A batch as its API tells it. */
export type RemoteBatch = {
  readonly id: string;
  readonly status: 'in_progress' | 'canceling' | 'ended';
  readonly createdAtMs: number;
  readonly endedAtMs: number | null;
  readonly expiresAtMs: number;
  readonly archivedAtMs: number | null;
  readonly resultsUrl: string | null;
  readonly counts: Readonly<Record<'processing' | 'succeeded' | 'errored' | 'canceled' | 'expired', number>>;
};

/** How a POST of a batch ended, as far as this side can know. */
export type PostEnd =
  | { readonly kind: 'created'; readonly batch: RemoteBatch }
  /** The API says it made none: nothing exists. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly type: string;
      readonly message: string;
      readonly retryAfterMs: number | null;
    }
  /** The connection ended before the last byte of the body was handed over: nothing exists. */
  | { readonly kind: 'incomplete'; readonly message: string }
  /** All was handed over and no clear answer came: it may exist. */
  | { readonly kind: 'unclear'; readonly message: string };

export type ApiFailure = {
  readonly status: number | null;
  readonly type: string;
  readonly message: string;
  readonly retryAfterMs: number | null;
};

/** What is asked of an API that speaks the Message Batches protocol. No method retries by itself. */
export interface BatchApi {
  /** Told by an answer's headers, once one has come. */
  capabilities(): ReadonlySet<string>;
  /** The server's clock minus ours, by its last `date` header; 0 before. */
  clockAheadMs(): number;
  /** The body is streamed with its exact length on a connection of its own. */
  post(request: {
    readonly bytes: number;
    readonly body: AsyncIterable<Uint8Array>;
    readonly idempotencyKey: string;
    readonly signal: AbortSignal;
  }): Promise<PostEnd>;
  /** Newest first; throws ApiError. */
  list(query: { readonly afterId: string | null; readonly limit: number; readonly signal: AbortSignal }): Promise<{
    readonly batches: readonly RemoteBatch[];
    readonly hasMore: boolean;
  }>;
  retrieve(id: string, signal: AbortSignal): Promise<RemoteBatch>;
  cancel(id: string, signal: AbortSignal): Promise<RemoteBatch>;
  /** Results from a byte on where the server allows ranges; `from` says where they really begin (0 when it does not). */
  results(query: {
    readonly id: string;
    readonly from: number;
    readonly etag: string | null;
    readonly signal: AbortSignal;
  }): Promise<{
    readonly from: number;
    readonly etag: string | null;
    readonly length: number | null;
    readonly body: AsyncIterable<Uint8Array>;
  }>;
  /** One Messages call: the answer's bytes as they are, or its error. */
  message(
    params: Uint8Array,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly body: Uint8Array; readonly retryAfterMs: number | null }>;
  countTokens(params: Uint8Array, signal: AbortSignal): Promise<number | null>;
  close(): Promise<void>;
}

export class ApiError extends Error {
  readonly failure: ApiFailure;

  constructor(failure: ApiFailure) {
    super(`${failure.type}: ${failure.message}`);
    this.name = 'ApiError';
    this.failure = failure;
  }
}

/** One row of the output: the input's columns, and what became of it. */
export type OutputRow = {
  readonly seq: number;
  readonly key: string;
  readonly row: Row | null;
  readonly state: ItemState;
  /** The answer's text, or null. */
  readonly text: string | null;
  /** The answer as data, where a schema was asked for and it fits. */
  readonly output: unknown;
  readonly error: { readonly type: string; readonly message: string } | null;
  readonly stopReason: string | null;
  readonly model: string | null;
  readonly usage: Usage | null;
  readonly attempts: number;
  readonly batchId: string | null;
  /** The result line's own bytes, for `--format raw`; null when there is none. */
  readonly line: Uint8Array | null;
};

/** Takes rows in groups; nothing is under its final name before `finish`. */
export interface Sink {
  write(rows: readonly OutputRow[]): Promise<void>;
  finish(): Promise<void>;
  /** Leaves nothing half-made under the final name. */
  abandon(): Promise<void>;
}

/** What happens in a run, as `--progress json` tells it; one object a line. */
export type RunEvent = { readonly atMs: number } & (
  | {
      readonly kind: 'planned';
      readonly rows: number;
      readonly requests: number;
      readonly chunks: number;
      readonly duplicates: number;
      readonly rejected: number;
    }
  | {
      readonly kind: 'intent';
      readonly nonce: string;
      readonly chunk: number;
      readonly requests: number;
      readonly bytes: number;
    }
  | { readonly kind: 'submitted'; readonly nonce: string; readonly chunk: number; readonly batchId: string }
  | { readonly kind: 'unclear'; readonly nonce: string; readonly chunk: number; readonly message: string }
  | {
      readonly kind: 'resolved';
      readonly nonce: string;
      readonly chunk: number;
      readonly batchId: string | null;
      readonly how: string;
    }
  | {
      readonly kind: 'refused';
      readonly chunk: number;
      readonly status: number;
      readonly message: string;
      readonly retryInMs: number;
    }
  | { readonly kind: 'ended'; readonly batchId: string; readonly counts: RemoteBatch['counts'] }
  | {
      readonly kind: 'ingested';
      readonly batchId: string;
      readonly lines: number;
      readonly counts: Readonly<Record<ItemState, number>>;
    }
  | { readonly kind: 'retry'; readonly rows: number; readonly why: string }
  | { readonly kind: 'budget'; readonly spentDollars: number; readonly capDollars: number }
  | { readonly kind: 'trouble'; readonly message: string; readonly retryInMs: number | null }
  | { readonly kind: 'done'; readonly counts: Readonly<Record<ItemState, number>> }
);
