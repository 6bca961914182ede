/** A dialect reads an envelope, owns the rules of ids and limits, and renders states, results and errors. The domain's states are neutral. */
import type { BodyError } from '../bytes/slice.ts';
import type { Batch, DialectName } from '../domain/batch.ts';
import type { AppError } from '../domain/errors.ts';
import type { OutcomeKind, RequestError } from '../domain/outcome.ts';
import type { IndexEntry } from '../domain/segment.ts';

/** What the dialect makes of one element of the envelope. `entry.offset` counts from the start of `params`: it is 0 here. */
export type ReadRequest = {
  readonly entry: IndexEntry;
  readonly model: string;
  /** The very bytes of the params, inside the element given. */
  readonly params: Uint8Array;
};

/** What the params are for: a request of a batch, a synchronous call, or only to be counted. */
export type Use = 'batch' | 'message' | 'count';

export type JudgeContext = {
  readonly version: string;
  readonly betas: readonly string[];
  /** A batch, where nothing is said. */
  readonly use?: Use;
  /** Whether fields are refused that the API does not know; the dialect sets it, from the server's `--strict`. */
  readonly strict?: boolean;
};

/** What the dialect makes of the body of a synchronous call. */
export type ReadCall = { readonly model: string; readonly maxTokens: number; readonly tokenEstimate: number };

/** What can be wrong with an envelope as a whole. */
export type EnvelopeFault =
  | { readonly kind: 'body'; readonly error: BodyError }
  | { readonly kind: 'empty' }
  | { readonly kind: 'too_many'; readonly count: number }
  | { readonly kind: 'duplicate'; readonly customId: string };

export interface Dialect {
  readonly name: DialectName;
  /** The refusal of a create, in the dialect's own words. */
  refuse(fault: EnvelopeFault): AppError;
  /** Reads one element; throws AppError for faults of the envelope. Faults of the params become `entry.fault`. */
  readRequest(element: Uint8Array, ordinal: number, context: JudgeContext): ReadRequest;
  /** Reads the params of a synchronous call; throws AppError for every fault of theirs. */
  readCall(body: Uint8Array, context: JudgeContext & { readonly use: 'message' | 'count' }): ReadCall;
  /** A result line around the very bytes of an upstream's message. Lines end in a newline. */
  succeededLine(customId: string, message: Uint8Array): Uint8Array;
  failedLine(customId: string, outcome: Exclude<OutcomeKind, 'succeeded'>, error: RequestError | null): Uint8Array;
  renderBatch(batch: Batch, context: { baseUrl: string; live: boolean }): object;
}
