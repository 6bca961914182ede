/** The steps that transactions of the ledger are made of: rows between states, chunks, batches. Only ever called inside one. */
import type { RawPlace, RemoteBatch } from '../contract.ts';
import type { Intent } from '../../submit-once/intent.ts';
import type { Database } from './database.ts';
import { numbersIn } from './reader.ts';
import type { Applied, ChunkRows, ChunkState, NewBatch, NewChunk, NewItem } from './records.ts';
import { numberOf } from './schema.ts';
import type { Tally } from './tally.ts';
import { noteAttempt, type StoredChange, type UsageSum } from './writes.ts';

const sent = numberOf('sent');

const moveSql = {
  bySeq: 'update item set state = ?, attempt = attempt + ? where seq = ? and state = ?',
  bySame: 'update item set state = ?, attempt = attempt + ? where same_as = ? and state = ?',
};

export class Moves {
  readonly #database: Database;
  readonly #tally: Tally;

  constructor(database: Database, tally: Tally) {
    this.#database = database;
    this.#tally = tally;
  }

  addChunk({ kind, bytes, seqs, sizes }: NewChunk): number {
    this.#database.run(
      `insert into chunk (kind, state, requests, bytes, seqs, sizes) values (?, 'waiting', ?, ?, ?, ?)`,
      kind,
      seqs.length,
      bytes,
      new Uint8Array(Uint32Array.from(seqs).buffer),
      new Uint8Array(Uint32Array.from(sizes).buffer),
    );
    return this.#database.get<{ id: number }>('select last_insert_rowid() as id')!.id;
  }

  setChunkState(id: number, state: ChunkState): void {
    this.#database.run('update chunk set state = ? where id = ?', state, id);
  }

  moveRows(chunk: number, to: 'sent' | 'pending'): number {
    const { seqs } = this.rowsOf(chunk);
    const [from, more] = to === 'sent' ? (['pending', 1] as const) : (['sent', -1] as const);
    const twins = this.#tally.hasDuplicates();
    let moved = 0;
    for (const seq of seqs) {
      const rows = this.#database.run(moveSql.bySeq, numberOf(to), more, seq, numberOf(from));
      if (twins && rows > 0) moved += this.#database.run(moveSql.bySame, numberOf(to), more, seq, numberOf(from));
      moved += rows;
    }
    this.#tally.moved({ from, to, rows: moved });
    return seqs.length;
  }

  addBatch(intent: Intent, remote: RemoteBatch): void {
    const { chunk, nonce, requests } = intent;
    this.insertBatch({ id: intent.batchId!, chunk, nonce, requests, proved: intent.proof === null ? 0 : 1, remote });
  }

  insertBatch({ id, chunk, nonce, requests, proved, remote }: NewBatch): void {
    this.#database.run(
      `insert into batch (id, chunk, nonce, requests, state, proved, remote, lines, reads) values (?, ?, ?, ?, 'running', ?, ?, 0, 0)`,
      id,
      chunk,
      nonce,
      requests,
      proved,
      JSON.stringify(remote),
    );
  }

  batchNumber(id: string): {
    readonly number: number;
    readonly mark: number;
    readonly chunk: number;
    readonly tier: 'batch' | 'standard';
  } {
    const row = this.#database.get<{ number: number; lines: number; chunk: number; nonce: string }>(
      'select number, lines, chunk, nonce from batch where id = ?',
      id,
    )!;
    return { number: row.number, mark: row.lines, chunk: row.chunk, tier: row.nonce === '' ? 'standard' : 'batch' };
  }

  apply(
    { verdict, again, change }: Applied,
    { number, nowMs, usage }: { number: number; nowMs: number; usage: UsageSum },
  ): void {
    const { seq, state, raw, error } = verdict;
    const row = this.#database.get<{ state: number; attempt: number }>(
      'select state, attempt from item where seq = ?',
      seq,
    );
    // A line that comes twice finds its row no longer waiting.
    if (row === null || row.state !== sent) return;
    const to = again ? 'pending' : state;
    let rows = this.place('seq', { seq, state: numberOf(to), number, raw, attempt: row.attempt });
    if (this.#tally.hasDuplicates())
      rows += this.place('same_as', { seq, state: numberOf(to), number, raw, attempt: row.attempt });
    this.#tally.moved({ from: 'sent', to, rows });
    if (state !== 'ok') noteAttempt(this.#database, { seq, attempt: row.attempt, state, batch: number, raw, error });
    if (verdict.usage !== null) usage.add(verdict.model ?? 'unknown', verdict.usage);
    if (again) this.sendAgain(seq, { change, nowMs });
  }

  place(
    by: 'seq' | 'same_as',
    at: { seq: number; state: number; number: number; raw: RawPlace; attempt: number },
  ): number {
    return this.#database.run(
      `update item set state = ?, attempt = ?, batch = ?, frame = ?, at = ?, size = ? where ${by} = ?`,
      at.state,
      at.attempt,
      at.number,
      at.raw.frameOffset,
      at.raw.offset,
      at.raw.bytes,
      at.seq,
    );
  }

  sendAgain(seq: number, { change, nowMs }: { readonly change: StoredChange | null; readonly nowMs: number }): void {
    this.#database.run('insert into again (seq, since_ms) values (?, ?) on conflict (seq) do nothing', seq, nowMs);
    if (change !== null) this.setChange(seq, { ...this.changeOf(seq), ...change });
    this.#tally.move(seq, 'pending');
  }

  setChange(seq: number, change: StoredChange): void {
    this.#database.run(
      'insert into change (seq, change) values (?1, ?2) on conflict (seq) do update set change = ?2',
      seq,
      JSON.stringify(change),
    );
  }

  reject(seq: number, fault: string): void {
    this.#database.run('update item set fault = ?2 where seq = ?1 or same_as = ?1', seq, fault);
    this.#tally.move(seq, 'rejected');
  }

  leaveAgain(seq: number): void {
    this.#database.run('delete from again where seq = ?', seq);
  }

  rowsOf(chunk: number): ChunkRows {
    const row = this.#database.get<{ seqs: Uint8Array; sizes: Uint8Array }>(
      'select seqs, sizes from chunk where id = ?',
      chunk,
    )!;
    return { seqs: numbersIn(row.seqs), sizes: numbersIn(row.sizes) };
  }

  changeOf(seq: number): StoredChange | null {
    const row = this.#database.get<{ change: string }>('select change from change where seq = ?', seq);
    return row === null ? null : (JSON.parse(row.change) as StoredChange);
  }

  replaceItem(item: NewItem, nowMs: number): void {
    const { seq, key, offset, line, hash, bytes, state, sameAs, fault } = item;
    // Rows that shared its old request keep the answer they have: they stand for themselves from here on.
    this.#database.run('update item set same_as = null where same_as = ?', seq);
    this.#database.run('delete from change where seq = ?', seq);
    this.leaveAgain(seq);
    this.#database.run(
      'update item set key = ?, place_offset = ?, place_line = ?, hash = ?, bytes = ?, same_as = ?, fault = ? where seq = ?',
      key,
      offset,
      line,
      hash,
      bytes,
      sameAs,
      fault,
      seq,
    );
    this.#tally.move(seq, state);
    if (state === 'pending' && sameAs === null) this.sendAgain(seq, { change: null, nowMs });
  }

  countRequests(): number {
    return this.#database.get<{ n: number }>(
      'select count(*) as n from item where hash is not null and same_as is null',
    )!.n;
  }

  /** What a new state of an intent means for its rows, its chunk and its batch. */
  followIntent(
    next: Intent,
    { before, batch }: { readonly before: Intent | null; readonly batch: RemoteBatch | null },
  ): void {
    if (before?.state === next.state) return;
    if (next.state === 'sending' && before?.state === 'planned') this.moveRows(next.chunk, 'sent');
    if (next.state === 'committed') this.addBatch(next, batch!);
    if (next.state !== 'refused' && next.state !== 'aborted') return;
    if (before !== null && before.state !== 'planned') this.moveRows(next.chunk, 'pending');
    this.setChunkState(next.chunk, 'waiting');
  }

  /** The row was in no line of its ended batch. */
  missRow(seq: number, { batch, attempt }: { readonly batch: number; readonly attempt: number }): void {
    noteAttempt(this.#database, { seq, attempt, state: 'missing', batch, raw: null, error: null });
    this.#tally.move(seq, 'missing');
  }

  cancelRows(seqs: readonly number[]): void {
    for (const seq of seqs) {
      this.leaveAgain(seq);
      this.#tally.move(seq, 'canceled');
    }
  }
}
