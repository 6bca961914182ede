/** What the ledger takes and gives besides items: chunks, origins of rows, applied lines. */
import type { Place, RemoteBatch, Verdict } from '../contract.ts';
import type { Database } from './database.ts';
import type { StoredChange } from './writes.ts';

export type NewItem = {
  readonly seq: number;
  /** Null where it is the row's number. */
  readonly key: string | null;
  readonly offset: number;
  readonly line: number | null;
  readonly hash: Uint8Array | null;
  readonly bytes: number;
  readonly state: 'pending' | 'rejected' | 'skipped';
  readonly sameAs: number | null;
  readonly fault: string | null;
};

/** plan: as first cut · again: rows of earlier attempts · part: of one that was too large · warm: a single row that fills the cache. */
export type ChunkKind = 'plan' | 'again' | 'part' | 'warm' | 'sync';
/** waiting: may be sent · open: an intent of it may have made a batch · done: its batch is · split: its rows are in other chunks. */
export type ChunkState = 'waiting' | 'open' | 'done' | 'split';

export type NewChunk = {
  readonly kind: ChunkKind;
  readonly bytes: number;
  readonly seqs: readonly number[];
  /** Bytes of each row's params. */
  readonly sizes: readonly number[];
};

export type PlanEnd = {
  readonly chunks: readonly NewChunk[];
  readonly facts: Readonly<Record<string, string>>;
};

export type ChunkHead = {
  readonly id: number;
  readonly kind: ChunkKind;
  readonly state: ChunkState;
  readonly requests: number;
  readonly bytes: number;
};

export type Origin = {
  readonly seq: number;
  readonly key: string;
  readonly place: Place;
  /** Null where the row had no request. */
  readonly hash: Uint8Array | null;
  readonly isChanged: boolean;
};

export function originsOf(database: Database, seqs: readonly number[]): readonly Origin[] {
  const [first, last] = [seqs[0] ?? 0, seqs.at(-1) ?? -1];
  const columns =
    'seq, key, place_offset, place_line, hash, exists (select 1 from change where change.seq = item.seq) as changed';
  // Neighbours are read in one go.
  if (last - first < 2 * seqs.length) {
    const wanted = new Set(seqs);
    const rows = database.all<OriginRow>(
      `select ${columns} from item where seq between ? and ? order by seq`,
      first,
      last,
    );
    return rows.filter(({ seq }) => wanted.has(seq)).map(originOf);
  }
  return seqs.map((seq) => originOf(database.get<OriginRow>(`select ${columns} from item where seq = ?`, seq)!));
}

function originOf({ seq, key, place_offset: offset, place_line: line, hash, changed }: OriginRow): Origin {
  return { seq, key: key ?? String(seq + 1), place: { offset, line }, hash, isChanged: changed === 1 };
}

type OriginRow = {
  seq: number;
  key: string | null;
  place_offset: number;
  place_line: number | null;
  hash: Uint8Array | null;
  changed: number;
};

export type AgainCut = {
  readonly chunks: readonly NewChunk[];
  readonly rejected: readonly { readonly seq: number; readonly fault: string }[];
  readonly changes: readonly { readonly seq: number; readonly change: StoredChange }[];
};

export type ChunkRows = { readonly seqs: Uint32Array; readonly sizes: Uint32Array };

/** A line applied: what it says, and what the policy makes of the row. `again` sends it once more, with `change` if there is one. */
export type Applied = {
  readonly verdict: Verdict;
  readonly again: boolean;
  readonly change: StoredChange | null;
};

export type NewBatch = {
  readonly id: string;
  readonly chunk: number;
  readonly nonce: string;
  readonly requests: number;
  readonly proved: number;
  readonly remote: RemoteBatch;
};
