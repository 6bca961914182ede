/** Names the cacheable prefixes of a request, so that requests which share one can be found and run together. */
import { createHash } from 'node:crypto';
import type { Range } from './members.ts';

/** 64 bits: what the index stores, and enough to tell the prefixes of one batch apart. */
const hashLength = 16;

export type Prefixes = {
  readonly model: string;
  /** The parts of a prompt in the order a cache sees them; a part that is not there starts at -1. */
  readonly sections: readonly Readonly<Range>[];
  /** Where marked blocks end; at least one, each inside a section. */
  readonly marks: readonly number[];
};

/** A hash for each mark, shortest prefix first: over the model and the very bytes up to there, each hashed once. */
export function hashPrefixes(bytes: Buffer, { model, sections, marks }: Prefixes): readonly string[] {
  const hash = createHash('sha256').update(model);
  const hashes: string[] = [];
  for (const section of sections) {
    // A byte that occurs in no JSON text keeps the sections apart, also from one that is not there.
    hash.update('\0');
    if (section.start === -1) continue;
    let at = section.start;
    for (const end of inside(section, marks)) {
      hash.update(bytes.subarray(at, end));
      at = end;
      hashes.push(hash.copy().digest('hex').slice(0, hashLength));
      if (hashes.length === marks.length) return hashes;
    }
    hash.update(bytes.subarray(at, section.end));
  }
  return hashes;
}

function inside({ start, end }: Readonly<Range>, marks: readonly number[]): readonly number[] {
  return marks.filter((mark) => mark > start && mark < end).sort((left, right) => left - right);
}
