/**
 * Blobs: immutable byte strings under keys `<workspace>/<batch>/<name>`.
 *  B1  A put that resolved survives a power loss, whole. One that was refused left nothing under its key; one that a crash cut off may
 *      leave anything there, which nobody was told of: keys are never used again.
 *  B2  A key is written once: putting it again with other bytes is refused.
 *  B3  Offsets are plaintext offsets: the header every stored blob begins with (version, codec, key id) is mapped inside the adapter.
 */
export type BlobRange = { readonly start: number; readonly end: number };

export type BlobListing = { readonly key: string; readonly bytes: number; readonly modifiedMs: number };

export interface Blobs {
  /** The parts are written one after another; they must not change until it resolves. Throws StorageFullError. */
  put(key: string, parts: readonly Uint8Array[]): Promise<void>;
  /** The bytes from `start` up to but not including `end`; throws BlobMissingError, or when the blob is shorter. */
  get(key: string, range: BlobRange): Promise<Uint8Array>;
  /** Deleting what is not there is fine. */
  delete(keys: readonly string[]): Promise<void>;
  /** Keys under a prefix in byte order, after one, at most `limit`. */
  list(query: { prefix: string; after: string | null; limit: number }): Promise<readonly BlobListing[]>;
  close(): Promise<void>;
}

export class BlobMissingError extends Error {
  readonly key: string;

  constructor(key: string, cause?: unknown) {
    super(`blob ${key} is missing`, cause === undefined ? undefined : { cause });
    this.name = 'BlobMissingError';
    this.key = key;
  }
}
