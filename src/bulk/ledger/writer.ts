/**
 * The ledger of a run in the hands of the one process that owns it. Every method is one transaction, on the disk when it returns; none
 * decides anything: it stores what the loop decided, and refuses what would contradict what is stored.
 */
import type { RemoteBatch } from '../contract.ts';
import type { World } from '../run/world.ts';
import { type Intent, mayFollow, mayPlan } from '../../submit-once/intent.ts';
import { Database } from './database.ts';
import type { BatchState } from './ledger.ts';
import { type Self, Ownership } from './owner.ts';
import { Moves } from './moves.ts';
import { Reader } from './reader.ts';
import {
  type AgainCut,
  type Applied,
  type ChunkHead,
  type ChunkRows,
  type ChunkState,
  type NewChunk,
  type NewItem,
  type Origin,
  originsOf,
  type PlanEnd,
} from './records.ts';
import { numberOf } from './schema.ts';
import { Tally } from './tally.ts';
import { type StoredChange, UsageSum } from './writes.ts';

/** In place of a nonce, for batches that another run made. */
export const ADOPTED = 'adopted';

export class Ledger {
  readonly read: Reader;
  readonly #database: Database;
  readonly #owner: Ownership;
  readonly #tally: Tally;
  readonly #moves: Moves;
  readonly #world: World;

  /** `pagesMax`: as on a disk with little room, for tests. */
  constructor(
    path: string,
    { world, self, pagesMax }: { readonly world: World; readonly self?: Self; readonly pagesMax?: number },
  ) {
    this.#world = world;
    this.#database = new Database(path, { mayCreate: true, ...(pagesMax === undefined ? {} : { pagesMax }) });
    try {
      this.#owner = new Ownership(this.#database, path, {
        nowMs: world.nowMs(),
        ...(self === undefined ? {} : { self }),
      });
    } catch (error) {
      this.#database.close();
      throw error;
    }
    this.read = new Reader(this.#database);
    this.#tally = new Tally(this.#database);
    this.#moves = new Moves(this.#database, this.#tally);
  }

  // The plan.

  /** Begins the plan anew: what an interrupted one left is dropped. Refused once anything was sent. */
  clearPlan(): void {
    this.#write(() => {
      if (this.wasSent()) throw new Error('the run has begun already');
      for (const table of ['item', 'chunk', 'fact', 'tally', 'again', 'change'])
        this.#database.run(`delete from ${table}`);
    });
  }

  addItems(items: readonly NewItem[]): void {
    const insert = this.#database.statement(
      `insert into item (seq, key, place_offset, place_line, hash, bytes, state, attempt, same_as, fault) values (?, ?, ?, ?, ?, ?, ?, 0, ?, ?)`,
    );
    this.#write(() => {
      for (const item of items) {
        const { seq, key, offset, line, hash, bytes, sameAs, fault } = item;
        insert.run(seq, key, offset, line, hash, bytes, numberOf(item.state), sameAs, fault);
        this.#tally.add(item.state, 1);
      }
    });
  }

  hashOf(seq: number): Uint8Array | null {
    return this.#database.get<{ hash: Uint8Array | null }>('select hash from item where seq = ?', seq)?.hash ?? null;
  }

  /** The chunks and all facts of the plan at once: with them it is whole. */
  finishPlan({ chunks, facts }: PlanEnd): void {
    this.#write(() => {
      for (const chunk of chunks) this.#moves.addChunk(chunk);
      for (const [name, value] of Object.entries(facts)) this.#setFact(name, value);
    });
  }

  setFact(name: string, value: string): void {
    this.#write(() => this.#setFact(name, value));
  }

  /** Whether any POST was ever begun: before, a plan may be thrown away. */
  wasSent(): boolean {
    return this.#database.get('select 1 from batch union all select 1 from intent limit 1') !== null;
  }

  /** What is needed to make rows' requests again (ascending), and to see that they are the same ones. */
  originsOf(seqs: readonly number[]): readonly Origin[] {
    return originsOf(this.#database, seqs);
  }

  // Chunks.

  chunks(state: ChunkState): readonly ChunkHead[] {
    return this.#database.all<ChunkHead>(
      'select id, kind, state, requests, bytes from chunk where state = ? order by id',
      state,
    );
  }

  chunk(id: number): ChunkHead | null {
    return this.#database.get<ChunkHead>('select id, kind, state, requests, bytes from chunk where id = ?', id);
  }

  rowsOf(chunk: number): ChunkRows {
    return this.#moves.rowsOf(chunk);
  }

  /** A chunk nothing was bought of makes room for smaller ones of the same rows. */
  splitChunk(id: number, parts: readonly NewChunk[]): void {
    this.#write(() => {
      if (!mayPlan(this.intentsOf(id))) throw new Error(`chunk ${id} may have made a batch`);
      this.#moves.setChunkState(id, 'split');
      for (const part of parts) this.#moves.addChunk(part);
    });
  }

  /** Some rows of a chunk can never be sent: they are rejected, and the others go into chunks of their own. */
  rejectFrom(
    id: number,
    {
      seqs,
      fault,
      rest,
    }: { readonly seqs: readonly number[]; readonly fault: string; readonly rest: readonly NewChunk[] },
  ): void {
    this.#write(() => {
      if (!mayPlan(this.intentsOf(id))) throw new Error(`chunk ${id} may have made a batch`);
      this.#moves.setChunkState(id, 'split');
      for (const part of rest) this.#moves.addChunk(part);
      for (const seq of seqs) this.#moves.reject(seq, fault);
    });
  }

  /** Cuts waiting rows into chunks; those that can no longer be rendered are rejected with the reason. */
  cutAgain({ chunks, rejected, changes }: AgainCut): readonly number[] {
    return this.#write(() => {
      for (const { seq, change } of changes) this.#moves.setChange(seq, change);
      const ids = chunks.map((chunk) => {
        for (const seq of chunk.seqs) this.#moves.leaveAgain(seq);
        return this.#moves.addChunk(chunk);
      });
      for (const { seq, fault } of rejected) {
        this.#moves.leaveAgain(seq);
        this.#moves.reject(seq, fault);
      }
      return ids;
    });
  }

  changeOf(seq: number): StoredChange | null {
    return this.#moves.changeOf(seq);
  }

  /** Rows that are final so far are sent again because a person says so. */
  sendAgain(rows: readonly { readonly seq: number; readonly change: StoredChange | null }[]): void {
    const nowMs = this.#world.nowMs();
    this.#write(() => {
      for (const { seq, change } of rows) {
        this.#database.run('update item set fault = null where seq = ?1 or same_as = ?1', seq);
        this.#moves.sendAgain(seq, { change, nowMs });
      }
    });
  }

  /** Rows of chunks that were never sent wait by themselves, to be cut anew. */
  dissolveWaiting(): void {
    this.#write(() => {
      for (const { id } of this.chunks('waiting')) {
        this.#moves.setChunkState(id, 'split');
        for (const seq of this.rowsOf(id).seqs)
          this.#moves.sendAgain(seq, { change: null, nowMs: this.#world.nowMs() });
      }
    });
  }

  /** Rows whose request is another one now: they are sent again, and what they were is kept as earlier attempts. */
  replaceItems(items: readonly NewItem[]): void {
    this.#write(() => {
      for (const item of items) this.#moves.replaceItem(item, this.#world.nowMs());
    });
  }

  /** After rows were replaced: the plan's counts as they are now. */
  recount(plan: string): void {
    this.#write(() => {
      this.#setFact('requests', String(this.#moves.countRequests()));
      this.#setFact('plan', plan);
    });
  }

  // Intents.

  intents(): readonly Intent[] {
    return this.#intents('select intent from intent');
  }

  intentsOf(chunk: number): readonly Intent[] {
    return this.#intents('select intent from intent where chunk = ?', chunk);
  }

  openIntents(): readonly Intent[] {
    return this.#intents(`select intent from intent where state in ('planned', 'sending', 'unclear', 'provisional')`);
  }

  /** Stores an intent and what follows for its rows, its chunk and its batch. `batch` is needed where it is committed. */
  storeIntent(next: Intent, batch: RemoteBatch | null = null): void {
    this.#write(() => {
      const before = this.#intents('select intent from intent where nonce = ?', next.nonce)[0] ?? null;
      if (!mayFollow(before, next))
        throw new Error(`intent ${next.nonce} is ${before?.state ?? 'new'} and cannot become ${next.state}`);
      if (before === null) {
        if (!mayPlan(this.intentsOf(next.chunk))) throw new Error(`chunk ${next.chunk} may have made a batch already`);
        this.#moves.setChunkState(next.chunk, 'open');
      }
      this.#database.run(
        'insert into intent (nonce, chunk, state, intent) values (?1, ?2, ?3, ?4) on conflict (nonce) do update set state = ?3, intent = ?4',
        next.nonce,
        next.chunk,
        next.state,
        JSON.stringify(next),
      );
      this.#moves.followIntent(next, { before, batch });
    });
  }

  // Batches.

  setBatch(
    id: string,
    change: { readonly remote?: RemoteBatch; readonly state?: BatchState; readonly proved?: boolean },
  ): void {
    this.#write(() => {
      const { remote, state, proved } = change;
      if (remote !== undefined)
        this.#database.run('update batch set remote = ? where id = ?', JSON.stringify(remote), id);
      if (state !== undefined) this.#database.run('update batch set state = ? where id = ?', state, id);
      if (proved !== undefined) this.#database.run('update batch set proved = ? where id = ?', proved ? 1 : 0, id);
    });
  }

  /** To be downloaded once more, from the first byte. */
  rereadBatch(id: string): void {
    this.#write(() =>
      this.#database.run(`update batch set state = 'ended', reads = reads + 1, lines = 0 where id = ?`, id),
    );
  }

  attemptOf(seq: number): number {
    return this.#database.get<{ attempt: number }>('select attempt from item where seq = ?', seq)?.attempt ?? 0;
  }

  /** Whether the row still waits for the answer of this chunk's batch. */
  isSent(seq: number): boolean {
    return (
      this.#database.get<{ state: number }>('select state from item where seq = ?', seq)?.state === numberOf('sent')
    );
  }

  /** Lines of a batch, exactly once: the mark moves in the same transaction. */
  applyLines(batchId: string, { lines, upTo }: { readonly lines: readonly Applied[]; readonly upTo: number }): void {
    const nowMs = this.#world.nowMs();
    this.#write(() => {
      const { number, mark, tier } = this.#moves.batchNumber(batchId);
      if (upTo <= mark) return;
      const usage = new UsageSum({ batch: number, nowMs, tier });
      for (const applied of lines) this.#moves.apply(applied, { number, nowMs, usage });
      usage.write(this.#database);
      this.#database.run('update batch set lines = ? where number = ?', upTo, number);
    });
  }

  /** Every line is applied: rows it had no line for come to `absent`, and the chunk is done. */
  finishBatch(
    id: string,
    absent: readonly { readonly seq: number; readonly again: boolean }[],
    state: 'done' | 'strange' | 'lost',
  ): void {
    const nowMs = this.#world.nowMs();
    this.#write(() => {
      const { number, chunk } = this.#moves.batchNumber(id);
      for (const { seq, again } of absent) {
        if (!this.isSent(seq)) continue;
        this.#moves.missRow(seq, { batch: number, attempt: this.attemptOf(seq) });
        if (again) this.#moves.sendAgain(seq, { change: null, nowMs });
      }
      this.#database.run('update batch set state = ? where number = ?', state, number);
      this.#moves.setChunkState(chunk, 'done');
    });
  }

  // Calls without a batch.

  /** A pseudo-batch for answers of the Messages API: its chunk's rows count as sent from here on. */
  beginSync(id: string, { chunk, remote }: { readonly chunk: number; readonly remote: RemoteBatch }): void {
    this.#write(() => {
      const requests = this.#moves.moveRows(chunk, 'sent');
      this.#moves.setChunkState(chunk, 'open');
      this.#moves.insertBatch({ id, chunk, nonce: '', requests, proved: 1, remote });
    });
  }

  /** Rows asked one by one whose answers never came wait again, as if they had not been sent. */
  finishSync(id: string): void {
    const nowMs = this.#world.nowMs();
    this.#write(() => {
      const { number, chunk } = this.#moves.batchNumber(id);
      for (const seq of this.rowsOf(chunk).seqs) {
        if (!this.isSent(seq)) continue;
        this.#database.run('update item set attempt = attempt - 1 where seq = ?', seq);
        this.#moves.sendAgain(seq, { change: null, nowMs });
      }
      this.#database.run(`update batch set state = 'done' where number = ?`, number);
      this.#moves.setChunkState(chunk, 'done');
    });
  }

  /** A batch made by another run of these rows: those of them that have no answer yet take it. */
  adoptBatch(remote: RemoteBatch, rows: NewChunk): void {
    this.#write(() => {
      const chunk = this.#moves.addChunk(rows);
      this.#moves.setChunkState(chunk, 'open');
      for (const seq of rows.seqs) {
        this.#moves.leaveAgain(seq);
        this.#tally.move(seq, 'pending');
      }
      this.#moves.moveRows(chunk, 'sent');
      this.#moves.insertBatch({ id: remote.id, chunk, nonce: ADOPTED, requests: rows.seqs.length, proved: 1, remote });
      this.#database.run(`update batch set state = 'kept', reads = 1 where id = ?`, remote.id);
    });
  }

  /** Nothing more is to be sent: rows that are in no batch are canceled. */
  cancelPending(): number {
    return this.#write(() => {
      const waiting = this.chunks('waiting');
      const seqs = [...this.read.again().seqs, ...waiting.flatMap(({ id }) => [...this.rowsOf(id).seqs])];
      for (const { id } of waiting) this.#moves.setChunkState(id, 'split');
      this.#moves.cancelRows(seqs);
      return seqs.length;
    });
  }

  // Life.

  beat(): void {
    this.#owner.beat(this.#world.nowMs());
  }

  close(): void {
    this.#owner.release();
    this.#database.close();
  }

  /** As a kill -9 leaves it, for tests. */
  crash(): void {
    this.#owner.forget();
    this.#database.close();
  }

  #write<T>(body: () => T): T {
    return this.#database.write(() => {
      this.#owner.check();
      return this.#tally.during(body);
    });
  }

  #intents(sql: string, ...parameters: (string | number)[]): Intent[] {
    return this.#database.all<{ intent: string }>(sql, ...parameters).map(({ intent }) => JSON.parse(intent) as Intent);
  }

  #setFact(name: string, value: string): void {
    this.#database.run(
      'insert into fact (name, value) values (?1, ?2) on conflict (name) do update set value = ?2',
      name,
      value,
    );
  }
}
