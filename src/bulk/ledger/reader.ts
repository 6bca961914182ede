/** Reads a ledger: by the owner through its own connection, by everybody else through one that cannot write. */
import type { Item, ItemState, RawPlace, RemoteBatch } from '../contract.ts';
import type { Dated } from '../../money/cost.ts';
import { Database } from './database.ts';
import type {
  AttemptRecord,
  BatchRecord,
  BatchState,
  ErrorGroup,
  IntentCounts,
  ItemQuery,
  LedgerReader,
  OwnerRecord,
  StateCounts,
} from './ledger.ts';
import { ownerOf } from './owner.ts';
import { numberOf, states } from './schema.ts';

const itemColumns = `seq, key, place_offset, place_line, state, attempt, same_as, fault, batch, frame, at, size`;

type ItemRow = {
  seq: number;
  key: string | null;
  place_offset: number;
  place_line: number | null;
  state: number;
  attempt: number;
  same_as: number | null;
  fault: string | null;
} & PlaceRow;

type PlaceRow = { batch: number | null; frame: number | null; at: number | null; size: number | null };

type BatchRow = {
  number: number;
  id: string;
  chunk: number;
  nonce: string;
  requests: number;
  state: BatchState;
  proved: number;
  remote: string;
  lines: number;
};

type UsageRow = {
  batch: number;
  day: number;
  model: string;
  tier: string;
  band: number;
  requests: number;
  input: number;
  output: number;
  cache_write: number;
  cache_read: number;
  cache_write_1h: number;
};

/** For processes that do not own the run. Closing closes the file. */
export function readLedger(path: string): LedgerReader {
  return new Reader(new Database(path, { mayCreate: false }));
}

export class Reader implements LedgerReader {
  readonly #database: Database;
  /** Batch ids by number: they never change. */
  readonly #ids = new Map<number, string>();

  constructor(database: Database) {
    this.#database = database;
  }

  rows(): number {
    return Object.values(this.counts()).reduce((sum, rows) => sum + rows, 0);
  }

  counts(): StateCounts {
    const counts = Object.fromEntries(states.map((state) => [state, 0])) as Record<ItemState, number>;
    for (const { state, items } of this.#database.all<{ state: number; items: number }>(
      'select state, items from tally',
    )) {
      counts[states[state]!] = items;
    }
    return counts;
  }

  requests(): number {
    return Number(this.fact('requests') ?? 0);
  }

  item(seq: number): Item | null {
    const row = this.#database.get<ItemRow>(`select ${itemColumns} from item where seq = ?`, seq);
    return row === null ? null : this.#item(row);
  }

  itemsByKey(key: string): readonly Item[] {
    const named = this.#database.all<ItemRow>(`select ${itemColumns} from item where key = ? order by seq`, key);
    const number = /^[1-9]\d{0,14}$/.test(key) ? Number(key) - 1 : null;
    const numbered = number === null ? null : this.item(number);
    const items = named.map((row) => this.#item(row));
    return numbered !== null && numbered.key === key && !items.some((item) => item.seq === number)
      ? [...items, numbered]
      : items;
  }

  items({ from = 0, states: wanted, limit }: ItemQuery): readonly Item[] {
    const list = wanted === undefined ? '' : `and state in (${wanted.map(numberOf).join(', ')})`;
    return this.#database
      .all<ItemRow>(`select ${itemColumns} from item where seq >= ? ${list} order by seq limit ?`, from, limit)
      .map((row) => this.#item(row));
  }

  itemsOfBatch(
    batchId: string,
    { fromOffset, limit }: { readonly fromOffset?: RawPlace; readonly limit: number },
  ): readonly Item[] {
    const batch = this.#database.get<{ number: number; seqs: Uint8Array | null }>(
      'select number, seqs from batch left join chunk on chunk.id = batch.chunk where batch.id = ?',
      batchId,
    );
    if (batch === null || batch.seqs === null) return [];
    const found: Item[] = [];
    for (const seq of numbersIn(batch.seqs)) {
      const row = this.#database.get<ItemRow>(`select ${itemColumns} from item where seq = ?`, seq);
      if (row !== null && row.batch === batch.number) found.push(this.#item(row));
    }
    const later = fromOffset === undefined ? found : found.filter(({ raw }) => orderOf(raw!, fromOffset) > 0);
    return later.sort((left, right) => orderOf(left.raw!, right.raw!)).slice(0, limit);
  }

  attemptsOf(seq: number): readonly AttemptRecord[] {
    const rows = this.#database.all<
      PlaceRow & { attempt: number; state: number; type: string | null; message: string | null }
    >(
      `select attempt, state, batch, frame, at, size, type, message from attempt left join error on error.id = attempt.error
       where seq = ? order by attempt`,
      seq,
    );
    const before = rows.map((row): AttemptRecord => {
      const error = row.type === null ? null : { type: row.type, message: row.message ?? '' };
      return { attempt: row.attempt, state: states[row.state]!, raw: this.#place(row), error };
    });
    const item = this.item(seq);
    if (item === null || item.attempt === 0 || before.at(-1)?.attempt === item.attempt) return before;
    return [
      ...before,
      { attempt: item.attempt, state: item.state, raw: item.state === 'sent' ? null : item.raw, error: null },
    ];
  }

  batches(): readonly BatchRecord[] {
    return this.#database
      .all<BatchRow>(
        'select number, id, chunk, nonce, requests, state, proved, remote, lines from batch order by number',
      )
      .map(({ proved, remote, lines, ...row }) => ({
        ...row,
        proved: proved === 1,
        remote: JSON.parse(remote) as RemoteBatch,
        ingestedLines: lines,
      }));
  }

  usage(): readonly Dated[] {
    return this.#usageRows(`select 0 as batch, day, model, tier, band, sum(requests) as requests, sum(input) as input, sum(output) as output,
      sum(cache_write) as cache_write, sum(cache_read) as cache_read, sum(cache_write_1h) as cache_write_1h
      from usage group by day, model, tier, band order by day, model, tier, band`).map(({ usage }) => usage);
  }

  usageByBatch(): readonly { readonly batchId: string; readonly usage: readonly Dated[] }[] {
    const byBatch = new Map<number, Dated[]>();
    for (const { batch, usage } of this.#usageRows(
      `select batch, day, model, tier, band, requests, input, output, cache_write, cache_read, cache_write_1h from usage order by batch`,
    )) {
      byBatch.set(batch, [...(byBatch.get(batch) ?? []), usage]);
    }
    return [...byBatch].map(([batch, usage]) => ({ batchId: this.#batchId(batch), usage }));
  }

  errorGroups(): readonly ErrorGroup[] {
    const answered = this.#database.all<Omit<ErrorGroup, 'state'> & { state: number }>(
      `select type, message, item.state as state, count(*) as rows, min(item.seq) as sampleSeq
       from attempt join item on item.seq = attempt.seq and item.attempt = attempt.attempt join error on error.id = attempt.error
       group by error.id, item.state order by rows desc`,
    );
    const unsent = this.#database.all<Omit<ErrorGroup, 'state'> & { state: number }>(
      `select 'not_sent' as type, fault as message, state, count(*) as rows, min(seq) as sampleSeq
       from item where fault is not null group by fault, state order by rows desc`,
    );
    return [...answered, ...unsent].map((group) => ({ ...group, state: states[group.state]! }));
  }

  intents(): IntentCounts {
    const count = (sql: string): number =>
      this.#database.get<{ n: number }>(`select count(*) as n from intent where ${sql}`)!.n;
    return { unclear: count(`state in ('unclear', 'provisional')`), sending: count(`state = 'sending'`) };
  }

  /** How many requests were answered, and how many of them by an error. */
  answers(): { readonly answers: number; readonly errors: number } {
    const errors = this.#database.get<{ n: number }>(
      'select count(*) as n from attempt where error is not null and state in (?, ?)',
      numberOf('errored'),
      numberOf('rejected'),
    )!.n;
    const bought = this.#database.get<{ n: number }>('select coalesce(sum(requests), 0) as n from usage')!.n;
    return { answers: bought + errors, errors };
  }

  /** Rows that wait to be sent again, and since when the first of them. */
  again(): { readonly seqs: readonly number[]; readonly sinceMs: number | null } {
    const rows = this.#database.all<{ seq: number; since_ms: number }>('select seq, since_ms from again order by seq');
    return {
      seqs: rows.map(({ seq }) => seq),
      sinceMs: rows.length === 0 ? null : Math.min(...rows.map((row) => row.since_ms)),
    };
  }

  againCount(): number {
    return this.#database.get<{ n: number }>('select count(*) as n from again')!.n;
  }

  /** How often the whole of a batch was read; a batch that lacks lines is read twice. */
  readsOf(id: string): number {
    return this.#database.get<{ reads: number }>('select reads from batch where id = ?', id)?.reads ?? 0;
  }

  owner(): OwnerRecord | null {
    return ownerOf(this.#database);
  }

  fact(name: string): string | null {
    return this.#database.get<{ value: string }>('select value from fact where name = ?', name)?.value ?? null;
  }

  close(): void {
    this.#database.close();
  }

  #usageRows(sql: string): { batch: number; usage: Dated }[] {
    return this.#database.all<UsageRow>(sql).map((row) => ({
      batch: row.batch,
      usage: {
        day: row.day,
        model: row.model,
        upstream: 'anthropic',
        billing: 'standard',
        tier: row.tier,
        band: row.band,
        wasted: false,
        requests: row.requests,
        inputTokens: row.input,
        outputTokens: row.output,
        cacheCreationInputTokens: row.cache_write,
        cacheReadInputTokens: row.cache_read,
        cacheCreation1hInputTokens: row.cache_write_1h,
      },
    }));
  }

  #item(row: ItemRow): Item {
    return {
      seq: row.seq,
      key: row.key ?? String(row.seq + 1),
      place: { offset: row.place_offset, line: row.place_line },
      state: states[row.state]!,
      attempt: row.attempt,
      sameAs: row.same_as,
      fault: row.fault,
      raw: this.#place(row),
    };
  }

  #place({ batch, frame, at, size }: PlaceRow): RawPlace | null {
    if (batch === null || frame === null || at === null || size === null) return null;
    return { batchId: this.#batchId(batch), frameOffset: frame, offset: at, bytes: size };
  }

  #batchId(number: number): string {
    const known = this.#ids.get(number);
    if (known !== undefined) return known;
    const id = this.#database.get<{ id: string }>('select id from batch where number = ?', number)!.id;
    this.#ids.set(number, id);
    return id;
  }
}

/** A list of u32 as it lies in the ledger. */
export function numbersIn(blob: Uint8Array): Uint32Array {
  return new Uint32Array(blob.buffer.slice(blob.byteOffset, blob.byteOffset + blob.byteLength));
}

function orderOf(left: RawPlace, right: RawPlace): number {
  return left.frameOffset - right.frameOffset || left.offset - right.offset;
}
