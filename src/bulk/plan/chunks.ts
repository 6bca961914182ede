/**
 * Cuts rows into the chunks that become batches: by count and by the exact bytes of the body. Cut points are salted, so that siblings differ
 * in their number of requests: the count and the time are what tells batches apart before their results can be read.
 */
import { REQUEST_BYTES_MAX } from '../../domain/limits.ts';
import { CHUNK_COUNT_SPREAD } from '../limits.ts';

export type ChunkLimits = { readonly requests: number; readonly bytes: number };

export type Chunk = {
  readonly seqs: readonly number[];
  /** Of the whole body, exactly. */
  readonly bytes: number;
};

/** A row with the bytes of its request in the body, see `requestBytes`. */
export type SizedRow = { readonly seq: number; readonly bytes: number };

export const bodyOpen = '{"requests":[';
export const bodyClose = ']}';
const frameBytes = bodyOpen.length + bodyClose.length;

/** What comes before the params of a request in a body; custom ids are plain ASCII that needs no escapes. */
export function requestHead(customId: string): string {
  return `{"custom_id":"${customId}","params":`;
}

export const requestTail = '}';

const emptyRequestBytes = requestHead('').length + requestTail.length;

export function requestBytes({ customId, params }: { customId: number; params: number }): number {
  return emptyRequestBytes + customId + params;
}

/** Why no batch can take a request of so many bytes; null when one can. */
export function tooLarge(bytes: number): string | null {
  if (bytes <= REQUEST_BYTES_MAX) return null;
  return `the request has ${bytes.toLocaleString('en-US')} bytes, and no more than ${REQUEST_BYTES_MAX.toLocaleString('en-US')} can be sent`;
}

export class ChunkCutter {
  readonly #limits: ChunkLimits;
  readonly #salt: number;
  readonly #used = new Set<number>();
  #rows: SizedRow[] = [];
  #closed = 0;
  #bytes = frameBytes;
  #requestsMax: number;

  /** `salt` is any whole number, kept with the run so that a plan made again is the same plan. */
  constructor({ limits, salt }: { readonly limits: ChunkLimits; readonly salt: number }) {
    this.#limits = limits;
    this.#salt = Math.abs(Math.trunc(salt));
    this.#requestsMax = this.#nextRequestsMax();
  }

  /** Takes the next row; returns the chunk it did not fit into any more, if that closed one. A row larger than a chunk gets its own. */
  add(row: SizedRow): Chunk | null {
    const complaint = tooLarge(row.bytes);
    if (complaint !== null) throw new RangeError(`row ${row.seq}: ${complaint}`);
    const closed = this.#isFullFor(row) ? this.#close(row) : null;
    this.#take(row);
    return closed;
  }

  /** The rest, if there is one. */
  end(): Chunk | null {
    if (this.#rows.length === 0) return null;
    const chunk = { seqs: this.#rows.map(({ seq }) => seq), bytes: this.#bytes };
    this.#rows = [];
    this.#bytes = frameBytes;
    return chunk;
  }

  #isFullFor(row: SizedRow): boolean {
    if (this.#rows.length === 0) return false;
    return this.#rows.length >= this.#requestsMax || this.#bytes + 1 + row.bytes > this.#limits.bytes;
  }

  #take(row: SizedRow): void {
    this.#bytes += row.bytes + (this.#rows.length === 0 ? 0 : 1);
    this.#rows.push(row);
  }

  /** Where bytes made the cut, a few rows are left to the next chunk if that makes the count one that no sibling has. */
  #close(next: SizedRow): Chunk {
    const count = this.#distinctCount(next);
    const left = this.#rows.slice(count);
    const rows = this.#rows.slice(0, count);
    const bytes = rows.reduce((sum, row) => sum + row.bytes, frameBytes + count - 1);
    this.#used.add(count);
    this.#closed += 1;
    this.#rows = [];
    this.#bytes = frameBytes;
    this.#requestsMax = this.#nextRequestsMax();
    for (const row of left) this.#take(row);
    return { seqs: rows.map(({ seq }) => seq), bytes };
  }

  #distinctCount(next: SizedRow): number {
    const full = this.#rows.length;
    const least = Math.max(1, full - Math.floor(full * CHUNK_COUNT_SPREAD));
    let left = frameBytes + next.bytes;
    for (let count = full; count >= least && left <= this.#limits.bytes; count -= 1) {
      if (!this.#used.has(count)) return count;
      left += this.#rows[count - 1].bytes + 1;
    }
    return full;
  }

  /** Somewhat less than the limit, and another one for each chunk until the spread is used up. */
  #nextRequestsMax(): number {
    const { requests } = this.#limits;
    const spread = Math.max(1, Math.floor(requests * CHUNK_COUNT_SPREAD));
    return Math.max(1, requests - ((this.#salt + this.#closed) % spread));
  }
}
