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

export interface Service {
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
  /** Live counts: what is sealed so far. */
  ready(): { readonly ready: boolean; readonly reason: string | null };
}
