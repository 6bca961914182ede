/**
 * Bodies of one held span, read ahead by range: the block being sent from and the one after it. Leasing is not loading:
 * a span that sends nothing reads nothing.
 */
import type { SegmentIndex } from '../bytes/segment-index.ts';
import { BODIES_BYTES_MAX, BODY_READ_BYTES } from '../domain/limits.ts';
import type { Segment } from '../domain/segment.ts';
import type { Blobs } from '../ports/blobs.ts';
import { readSegment } from './read-segment.ts';

type Block = { readonly start: number; readonly end: number; readonly bytes: Uint8Array };

/** How many spans hold blocks; they share BODIES_BYTES_MAX. */
export class BodyBudget {
  readers = 0;

  blockBytes(): number {
    return Math.min(BODY_READ_BYTES, BODIES_BYTES_MAX / 2 / Math.max(1, this.readers));
  }
}

export class Bodies {
  readonly #blobs: Blobs;
  readonly #segment: Segment;
  readonly #index: SegmentIndex;
  readonly #budget: BodyBudget;
  #current: Block | null = null;
  #next: { readonly from: number; readonly block: Promise<Block> } | null = null;
  #counted = false;

  constructor(parts: { blobs: Blobs; segment: Segment; index: SegmentIndex; budget: BodyBudget }) {
    this.#blobs = parts.blobs;
    this.#segment = parts.segment;
    this.#index = parts.index;
    this.#budget = parts.budget;
  }

  /** The params of an item: at once when they were read ahead, or lie in the segment's row. */
  body(item: number): Uint8Array | Promise<Uint8Array> {
    const current = this.#current;
    if (current && item >= current.start && item < current.end) return this.#slice(current, item);
    // Nothing is read ahead of bytes that are in memory already, nor counted.
    return this.#segment.source.kind === 'inline' ? this.#read(item, item + 1) : this.#load(item);
  }

  /** Forgets what was read; requests in flight keep their own. */
  close(): void {
    this.#current = null;
    this.#next = null;
    if (this.#counted) this.#budget.readers -= 1;
    this.#counted = false;
  }

  async #load(item: number): Promise<Uint8Array> {
    if (!this.#counted) this.#budget.readers += 1;
    this.#counted = true;
    for (;;) {
      const current = this.#current;
      if (current && item >= current.start && item < current.end) return this.#slice(current, item);
      // Retries go back to an earlier item: those are read alone and leave the blocks as they are. So is what comes after the close.
      if (!this.#counted || (current && item < current.start)) return this.#read(item, item + 1);
      this.#next ??= this.#readAhead(current ? current.end : item);
      const next = this.#next;
      if (item < next.from) return this.#read(item, item + 1);
      const block = await next.block;
      if (this.#next === next) this.#advance(block);
      if (item < block.end) return this.#slice(block, item);
    }
  }

  #advance(block: Block): void {
    this.#next = null;
    this.#current = block;
    if (block.end < this.#index.count && this.#counted) this.#next = this.#readAhead(block.end);
  }

  #readAhead(from: number): { from: number; block: Promise<Block> } {
    const block = this.#readBlock(from);
    // Those who wait for it meet the error; it is only not to be an unhandled one when nobody does. The next call reads again.
    block.catch(() => {
      if (this.#next?.block === block) this.#next = null;
    });
    return { from, block };
  }

  async #readBlock(start: number): Promise<Block> {
    const bytesMax = this.#budget.blockBytes();
    const first = this.#index.offset(start);
    let end = start + 1;
    while (end < this.#index.count && this.#index.offset(end) + this.#index.length(end) - first <= bytesMax) end += 1;
    return { start, end, bytes: await this.#read(start, end) };
  }

  #read(start: number, end: number): Uint8Array | Promise<Uint8Array> {
    const from = this.#index.offset(start);
    const to = this.#index.offset(end - 1) + this.#index.length(end - 1);
    const base = this.#segment.offset;
    return readSegment(this.#blobs, this.#segment, { start: base + from, end: base + to });
  }

  #slice(block: Block, item: number): Uint8Array {
    const from = this.#index.offset(item) - this.#index.offset(block.start);
    return block.bytes.subarray(from, from + this.#index.length(item));
  }
}
