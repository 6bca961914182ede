/**
 * A segment: an immutable run of requests of one batch and one model (and, where prompts share one, one cacheable prefix).
 * Segments are rows of the catalog; requests are not. A request is named by its segment's number and its *item*, its place there.
 */

export type Segment = {
  readonly batchId: string;
  readonly number: number;
  /** What holds it, and where: request bytes, then the index. Offsets count in the blob's plaintext, or in the inline bytes. */
  readonly source: SegmentSource;
  readonly offset: number;
  readonly bytes: number;
  readonly indexOffset: number;
  readonly indexBytes: number;
  readonly model: string;
  /** The hash of the shortest cacheable prefix its requests share, or null. */
  readonly family: string | null;
  readonly requests: number;
};

/** A blob, perhaps shared with other segments; or, for a small batch, the bytes themselves, which the catalog keeps in the row. */
export type SegmentSource =
  | { readonly kind: 'blob'; readonly key: string }
  | { readonly kind: 'inline'; readonly bytes: Uint8Array };

/** A part of a segment, items `from` up to but not including `to`: the unit that is leased. */
export type Span = {
  readonly batchId: string;
  readonly segment: number;
  readonly from: number;
  readonly to: number;
};

/** A span under a lease; the epoch only grows, and the catalog refuses a seal under an older one. */
export type Lease = Span & { readonly epoch: number };

/** What the index says of one request; bodies are never needed to claim, cancel, expire or look up. */
export type IndexEntry = {
  readonly ordinal: number;
  /** Where the params are, from the start of the segment's request bytes. */
  readonly offset: number;
  readonly length: number;
  readonly customId: string;
  readonly maxTokens: number;
  readonly tokenEstimate: number;
  /** Hashes of the cacheable prefixes up to each breakpoint, shortest first; at most four. */
  readonly breakpoints: readonly string[];
  /** Set when the params can never be sent: becomes the request's errored line. */
  readonly fault: { readonly type: string; readonly message: string } | null;
};

export function testBit(bits: Uint8Array, item: number): boolean {
  return ((bits[item >> 3] ?? 0) & (1 << (item & 7))) !== 0;
}

export function setBit(bits: Uint8Array, item: number): void {
  bits[item >> 3] = (bits[item >> 3] ?? 0) | (1 << (item & 7));
}

export function bitmap(items: number): Uint8Array {
  return new Uint8Array((items + 7) >> 3);
}
