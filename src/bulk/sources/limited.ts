/**
 * Some of a source's rows: a sample by chance (the same for the same seed), then the first so many. They are counted anew from 0
 * and keep their places, so that they are read again from the source itself.
 */
import type { Place, Source, SourceIdentity, SourceRow } from '../contract.ts';
import { identityOfTexts } from './identity.ts';

export type Part = {
  readonly limit: number | null;
  /** So many rows, each with the same chance. Choosing them takes one pass over the source more. */
  readonly sample: number | null;
  readonly seed: number;
};

export function limited(source: Source, part: Part): Source {
  return part.limit === null && part.sample === null ? source : new LimitedSource(source, part);
}

class LimitedSource implements Source {
  readonly #source: Source;
  readonly #part: Part;

  constructor(source: Source, part: Part) {
    this.#source = source;
    this.#part = part;
  }

  get columns(): readonly string[] | null {
    return this.#source.columns;
  }

  async identity(): Promise<SourceIdentity> {
    const { digest, ...rest } = await this.#source.identity();
    return identityOfTexts([digest, JSON.stringify([this.#part.limit, this.#part.sample, this.#part.seed])], rest);
  }

  async *rows(): AsyncGenerator<readonly SourceRow[]> {
    const limit = this.#part.limit ?? Infinity;
    const least = this.#part.sample === null ? null : await this.#sampleBound(this.#part.sample);
    let seq = 0;
    for await (const group of this.#source.rows()) {
      const kept: SourceRow[] = [];
      for (const one of group) {
        if (seq >= limit) break;
        if (least !== null && drawOf(one.seq, this.#part.seed) > least) continue;
        kept.push({ ...one, seq });
        seq += 1;
      }
      if (kept.length > 0) yield kept;
      if (seq >= limit) return;
    }
  }

  read(points: readonly { readonly seq: number; readonly place: Place }[]): AsyncIterable<SourceRow> {
    return this.#source.read(points);
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  /** The draw up to which rows belong to the sample; draws are distinct, so that exactly so many do. */
  async #sampleBound(size: number): Promise<number> {
    let rows = 0;
    for await (const group of this.#source.rows()) rows += group.length;
    if (size >= rows) return Infinity;
    if (size === 0) return -1;
    const draws = new Float64Array(rows);
    for (let seq = 0; seq < rows; seq += 1) draws[seq] = drawOf(seq, this.#part.seed);
    return draws.sort()[size - 1]!;
  }
}

/** A number that looks like chance and is another for each row and seed: a hash of both, the row itself breaking ties. */
function drawOf(seq: number, seed: number): number {
  let hash = Math.imul(seq ^ Math.imul(seed | 0, 0x9e3779b1), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13) ^ seed, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 16), 0x27d4eb2f);
  return ((hash ^ (hash >>> 15)) >>> 9) * 0x40000000 + (seq % 0x40000000);
}
