/** What the faces (HTTP, command line) may ask of the engine. Everything else in this folder is its own business. */
import type { Batch } from '../domain/batch.ts';
import type { Page, PageQuery } from '../ports/catalog.ts';

export type CreateBatch = {
  readonly workspaceId: string;
  readonly keyId: string;
  readonly version: string;
  readonly betas: readonly string[];
  readonly body: AsyncIterable<Uint8Array>;
  readonly format: 'json' | 'lines';
  /** An SDK says this is a retry of an earlier call. */
  readonly resent: boolean;
  readonly idempotencyKey: string | null;
  /** The caller's own trace (W3C), for those who look for the batch there. */
  readonly traceparent?: string | null;
  /** Aborted when the client's socket closes: a create whose socket has closed is not accepted. */
  readonly signal: AbortSignal;
};

export type Results = {
  readonly batch: Batch;
  readonly bytes: number;
  /** Strong, over the plain bytes. */
  readonly etag: string;
  /** Bytes from `start` up to but not including `end`, pulled as they are read. */
  read(range: { start: number; end: number }): AsyncIterable<Uint8Array>;
};

/** `complete` when the batch has ended: its bytes grow no more. */
export type PartialResults = Results & { readonly complete: boolean };

/** The body of a call that asks for a count: params alone, already judged. */
export type CountCall = {
  readonly version: string;
  readonly betas: readonly string[];
  readonly model: string;
  /** The very bytes of the body. */
  readonly params: Uint8Array;
  /** Aborted when the caller leaves: what it asked for is broken off. */
  readonly signal: AbortSignal;
};

/** A synchronous call, as `POST /v1/messages` takes it. */
export type MessageCall = CountCall & {
  readonly workspaceId: string;
  readonly maxTokens: number;
  /** What it is counted as in its lane. */
  readonly tokens: number;
};

/** What the upstream answered, whatever its status. */
export type WholeAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

/** Whole; or events as they come, which throw AppError where they break off. Not reading them to the end breaks the call off. */
export type MessageAnswer = Omit<WholeAnswer, 'body'> & { readonly body: Uint8Array | AsyncIterable<Uint8Array> };

export interface Service {
  /** Resolves when the answer has begun; before that it throws AppError. */
  message(call: MessageCall): Promise<MessageAnswer>;
  /** Null where the upstream has no counting of its own. */
  countTokens(call: CountCall): Promise<WholeAnswer | null>;
  /** Throws AppError; resolves once the batch is durable. */
  create(request: CreateBatch): Promise<{ readonly batch: Batch; readonly repeated: boolean }>;
  /** The answer to a create has been written to the last byte. */
  answered(batchId: string): void;
  retrieve(workspaceId: string, batchId: string): Promise<Batch | null>;
  page(query: PageQuery): Promise<Page | null>;
  /** Null when unknown; an ended batch comes back unchanged, a canceling one with its first time. */
  cancel(workspaceId: string, batchId: string): Promise<Batch | null>;
  /** 'unfinished' when it has not ended. */
  remove(workspaceId: string, batchId: string): Promise<'removed' | 'unfinished' | 'unknown'>;
  /** 'unknown' or 'unavailable' (not ended, or archived). */
  results(workspaceId: string, batchId: string): Promise<Results | 'unknown' | 'unavailable'>;
  /** What is sealed so far: the beginning of the results, or all of them. 'unavailable' when archived. */
  partialResults(workspaceId: string, batchId: string): Promise<PartialResults | 'unknown' | 'unavailable'>;
  /** Somebody looks at a running batch: what is durable of it, however little, is sealed soon. */
  watched(batchId: string): void;
  ready(): { readonly ready: boolean; readonly reason: string | null };
}
