/**
 * Packs the requests of one upload into segments, and segments into blobs, within fixed memory.
 *
 *  P1  A segment holds requests of one model, and of one family where there are breakpoints.
 *  P2  At most OPEN_SEGMENTS_MAX segments are open, together at most `openBytesMax` (one request larger than that is its own segment).
 *  P3  A family too small to be worth a segment falls back into its model's common one: many families never mean many tiny segments.
 *  P4  What is small as a whole needs no blob: its segments carry their bytes themselves, for the catalog's own commit.
 */
import { encodeSegmentIndex } from '../bytes/segment-index.ts';
import {
  BLOB_BYTES_TARGET,
  FAMILY_REQUESTS_MIN,
  INLINE_SEGMENTS_BYTES_MAX,
  OPEN_BYTES_MAX,
  OPEN_SEGMENTS_MAX,
  SEGMENT_BYTES_MAX,
  SEGMENT_REQUESTS_MAX,
} from '../domain/limits.ts';
import type { IndexEntry, Segment } from '../domain/segment.ts';
import type { ReadRequest } from '../dialects/dialect.ts';

export type PackedSegment = Omit<Segment, 'batchId'>;
/** A blob ready to be written: its parts one after another. Its buffers return to the pool with `recycle`. */
export type Pack = { readonly key: string; readonly parts: readonly Uint8Array[]; readonly recycle: () => void };

type Open = {
  readonly model: string;
  readonly family: string | null;
  readonly entries: IndexEntry[];
  buffer: Buffer;
  bytes: number;
};

const firstBufferBytes = 64 * 1024;
const SPARE_BUFFERS_MAX = 8;

export class Packer {
  readonly segments: PackedSegment[] = [];
  /** Less than OPEN_BYTES_MAX while many uploads share the memory. */
  openBytesMax = OPEN_BYTES_MAX;
  readonly #keyPrefix: string;
  readonly #emit: (pack: Pack) => void;
  /** Least recently used first. */
  readonly #open = new Map<string, Open>();
  readonly #spare: Buffer[] = [];
  #openBytes = 0;
  #packs = 0;
  #closed: { buffer: Buffer; parts: Uint8Array[] }[] = [];
  #closedBytes = 0;

  constructor(keyPrefix: string, emit: (pack: Pack) => void) {
    this.#keyPrefix = keyPrefix;
    this.#emit = emit;
  }

  add(request: ReadRequest): void {
    const family = request.entry.breakpoints[0] ?? null;
    let segment = this.#segmentFor(request.model, family);
    const full =
      segment.entries.length >= SEGMENT_REQUESTS_MAX || segment.bytes + request.params.length > SEGMENT_BYTES_MAX;
    if (full && segment.entries.length > 0) {
      this.#close(segment);
      segment = this.#segmentFor(request.model, family);
    }
    this.#append(segment, request.entry, request.params);
    while (this.#openBytes > this.openBytesMax) this.#close(this.#largest());
  }

  end(): void {
    for (const segment of this.#open.values()) this.#close(segment);
    if (this.#packs === 0 && this.#closedBytes <= INLINE_SEGMENTS_BYTES_MAX) this.#keepInline();
    else this.#flush();
  }

  #segmentFor(model: string, family: string | null): Open {
    const key = openKey(model, family);
    let segment = this.#open.get(key);
    if (segment) {
      this.#open.delete(key);
    } else {
      while (this.#open.size >= OPEN_SEGMENTS_MAX) this.#evict();
      segment = {
        model,
        family,
        entries: [],
        buffer: this.#spare.pop() ?? Buffer.allocUnsafeSlow(firstBufferBytes),
        bytes: 0,
      };
    }
    this.#open.set(key, segment);
    return segment;
  }

  /**
   * One step towards room for another open segment: the least recently used is closed, or, when it is a family too small to be
   * worth a segment, becomes or joins its model's common one. A step that frees no place leaves a common segment the next can join or close.
   */
  #evict(): void {
    const victim = this.#open.values().next().value!;
    if (victim.family === null || victim.entries.length >= FAMILY_REQUESTS_MIN) return this.#close(victim);
    this.#open.delete(openKey(victim.model, victim.family));
    const common = this.#open.get(openKey(victim.model, null));
    const fits =
      common &&
      common.entries.length + victim.entries.length <= SEGMENT_REQUESTS_MAX &&
      common.bytes + victim.bytes <= SEGMENT_BYTES_MAX;
    if (common && fits) return this.#join(common, victim);
    if (common) this.#close(common);
    this.#open.set(openKey(victim.model, null), { ...victim, family: null });
  }

  #join(common: Open, victim: Open): void {
    this.#openBytes -= victim.bytes;
    for (const entry of victim.entries)
      this.#append(common, entry, victim.buffer.subarray(entry.offset, entry.offset + entry.length));
    this.#giveBuffer(victim.buffer);
    // What is joined is in use: otherwise it would grow old between joins and be closed after a dozen requests.
    this.#open.delete(openKey(common.model, null));
    this.#open.set(openKey(common.model, null), common);
  }

  #append(segment: Open, entry: IndexEntry, params: Uint8Array): void {
    const end = segment.bytes + params.length;
    if (end > segment.buffer.length) segment.buffer = this.#grown(segment.buffer, segment.bytes, end);
    segment.buffer.set(params, segment.bytes);
    segment.entries.push({ ...entry, offset: segment.bytes, length: params.length });
    segment.bytes = end;
    this.#openBytes += params.length;
  }

  #close(segment: Open): void {
    this.#open.delete(openKey(segment.model, segment.family));
    this.#openBytes -= segment.bytes;
    if (segment.entries.length === 0) return this.#giveBuffer(segment.buffer);
    const index = encodeSegmentIndex(segment.entries);
    this.segments.push({
      number: this.segments.length,
      source: { kind: 'blob', key: this.#packKey() },
      offset: this.#closedBytes,
      bytes: segment.bytes,
      indexOffset: this.#closedBytes + segment.bytes,
      indexBytes: index.length,
      model: segment.model,
      family: segment.family,
      requests: segment.entries.length,
    });
    this.#closed.push({ buffer: segment.buffer, parts: [segment.buffer.subarray(0, segment.bytes), index] });
    this.#closedBytes += segment.bytes + index.length;
    if (this.#closedBytes >= Math.min(BLOB_BYTES_TARGET, this.openBytesMax)) this.#flush();
  }

  #flush(): void {
    if (this.#closed.length === 0) return;
    const closed = this.#closed;
    const recycle = () => closed.forEach(({ buffer }) => this.#giveBuffer(buffer));
    this.#emit({ key: this.#packKey(), parts: closed.flatMap(({ parts }) => parts), recycle });
    this.#packs += 1;
    this.#closed = [];
    this.#closedBytes = 0;
  }

  /** Nothing was emitted, so what is closed are all the segments, in their order. */
  #keepInline(): void {
    this.#closed.forEach(({ parts }, number) => {
      const segment = this.segments[number]!;
      const source = { kind: 'inline', bytes: joined(parts) } as const;
      this.segments[number] = { ...segment, source, offset: 0, indexOffset: segment.bytes };
    });
    this.#closed = [];
    this.#closedBytes = 0;
  }

  #packKey(): string {
    return `${this.#keyPrefix}/s-${String(this.#packs).padStart(6, '0')}`;
  }

  #largest(): Open {
    let largest: Open | null = null;
    for (const segment of this.#open.values()) if (!largest || segment.bytes > largest.bytes) largest = segment;
    return largest!;
  }

  #grown(buffer: Buffer, used: number, needed: number): Buffer {
    let size = buffer.length;
    while (size < needed) size *= 4;
    const grown = Buffer.allocUnsafeSlow(needed <= SEGMENT_BYTES_MAX ? Math.min(size, SEGMENT_BYTES_MAX) : needed);
    buffer.copy(grown, 0, 0, used);
    return grown;
  }

  // Buffers are used again: garbage of megabytes is collected too late to keep an upload's memory flat.
  #giveBuffer(buffer: Buffer): void {
    const isCrowded = this.openBytesMax < OPEN_BYTES_MAX;
    if (!isCrowded && buffer.length <= SEGMENT_BYTES_MAX && this.#spare.length < SPARE_BUFFERS_MAX)
      this.#spare.push(buffer);
  }
}

/** Bytes that own exactly their memory: what is sent to the catalog's thread is copied with all of the buffer it is a view of. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function openKey(model: string, family: string | null): string {
  return `${model}\n${family ?? ''}`;
}
