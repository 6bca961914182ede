/**
 * The lane that fetches: an ended batch is downloaded, kept as it came, and applied to its rows exactly once.
 *
 *   ended ─► raw/ID.jsonl.zst.part ─► raw/ID.jsonl.zst (kept) ─► lines applied in groups, with a mark ─► done
 */
import { rm } from 'node:fs/promises';
import { ApiError, type RemoteBatch } from '../contract.ts';
import type { BatchRecord } from '../ledger/ledger.ts';
import { ADOPTED } from '../ledger/writer.ts';
import type { Applied } from '../ledger/records.ts';
import { adoptedSeqs } from './adopted-rows.ts';
import { HALVED_REQUESTS_MIN, LEDGER_GROUP_ROWS, REFUSED_WAIT_MS_MAX } from '../limits.ts';
import { RawWriter, readRaw } from '../results/raw.ts';
import { seqOfNonce, verdictOf } from '../results/verdict.ts';
import { rawPath } from './folder.ts';
import type { Lanes } from './parts.ts';
import { fateOf } from './policy.ts';
import { isPastDeadline } from './deadline.ts';
import { asRunError } from './trouble.ts';
import { stopsByErrorRate } from './breaker.ts';

/** Why a download has no rest to wait for. */
type Gone = 'gone';

export class Collector {
  readonly #lanes: Lanes;
  readonly #taken = new Set<string>();
  readonly #etags = new Map<string, string>();

  constructor(lanes: Lanes) {
    this.#lanes = lanes;
  }

  /** One batch, from its end to its last row; false when there is none. */
  async step(): Promise<boolean> {
    const { parts, bell } = this.#lanes;
    const batch = parts.ledger.read
      .batches()
      .find(({ id, state }) => (state === 'ended' || state === 'kept') && !this.#taken.has(id));
    if (batch === undefined) return false;
    this.#taken.add(batch.id);
    try {
      await this.#collect(batch);
    } finally {
      this.#taken.delete(batch.id);
      bell.ring();
    }
    return true;
  }

  isBusy(): boolean {
    return this.#taken.size > 0;
  }

  async #collect(batch: BatchRecord): Promise<void> {
    const { parts, signal, fault } = this.#lanes;
    if (batch.state === 'ended') {
      if ((await this.#fetch(batch)) === 'gone') return this.#gone(batch);
      if (signal.aborted) return;
      fault('downloaded');
      if (await this.#isShort(batch)) {
        // A second whole reading, before anything is made of the first: places in a raw file must not move.
        parts.ledger.rereadBatch(batch.id);
        await rm(rawPath(parts.folder, batch.id), { force: true });
        return;
      }
      parts.ledger.setBatch(batch.id, { state: 'kept' });
      fault('kept');
    }
    await this.#ingest(batch);
  }

  /** Tries until it is whole; a cut download goes on where it was cut, if the server can. */
  async #fetch(batch: BatchRecord): Promise<'whole' | Gone> {
    const { emit, signal, bell } = this.#lanes;
    // Past their 29 days, results are not worth a call.
    if (batch.remote.archivedAtMs !== null) return 'gone';
    for (let tries = 0; !signal.aborted; tries += 1) {
      try {
        if (await this.#download(batch.id)) return 'whole';
        throw new ApiError({
          status: null,
          type: 'cut',
          message: 'the results ended inside a line',
          retryAfterMs: null,
        });
      } catch (error) {
        if (signal.aborted) break;
        const fault = asRunError(error);
        if (fault !== null) throw fault;
        if (!(error instanceof ApiError)) throw error;
        const { status, retryAfterMs } = error.failure;
        if (isDenied(status) && (await this.#isGone(batch.id))) return 'gone';
        const waitMs = Math.max(
          retryAfterMs ?? 0,
          Math.min(REFUSED_WAIT_MS_MAX, this.#lanes.pace.refusedWaitMs * 2 ** Math.min(tries, 8)),
        );
        emit({ kind: 'trouble', message: `downloading batch ${batch.id} failed: ${error.message}`, retryInMs: waitMs });
        await bell.pause(waitMs);
      }
    }
    return 'whole';
  }

  async #download(id: string): Promise<boolean> {
    const { parts, signal } = this.#lanes;
    const writer = await RawWriter.open({ path: rawPath(parts.folder, id) });
    try {
      const results = await parts.api.results({ id, from: writer.from, etag: this.#etags.get(id) ?? null, signal });
      if (results.from !== writer.from) await writer.restart();
      if (results.etag !== null) this.#etags.set(id, results.etag);
      for await (const piece of results.body) await writer.push(piece);
    } catch (error) {
      await writer.detach();
      throw error;
    }
    return await writer.finish();
  }

  /** The batch is unknown, or its results are past their time. */
  async #isGone(id: string): Promise<boolean> {
    const { parts, signal } = this.#lanes;
    try {
      const remote: RemoteBatch = await parts.api.retrieve(id, signal);
      parts.ledger.setBatch(id, { remote });
      return remote.archivedAtMs !== null || remote.resultsUrl === null;
    } catch (error) {
      const fault = asRunError(error);
      if (fault !== null) throw fault;
      return error instanceof ApiError && isDenied(error.failure.status);
    }
  }

  #gone(batch: BatchRecord): void {
    const { parts, emit } = this.#lanes;
    const absent = [...parts.ledger.rowsOf(batch.chunk).seqs].map((seq) => ({ seq, again: false }));
    parts.ledger.finishBatch(batch.id, absent, 'lost');
    emit({
      kind: 'trouble',
      message: `the results of batch ${batch.id} are gone: its ${batch.requests} rows are missing`,
      retryInMs: null,
    });
  }

  async #isShort(batch: BatchRecord): Promise<boolean> {
    const { parts, emit } = this.#lanes;
    let lines = 0;
    for await (const group of readRaw({ path: rawPath(parts.folder, batch.id), batchId: batch.id }))
      lines += group.length;
    if (lines >= batch.requests || parts.ledger.read.readsOf(batch.id) > 0) return false;
    emit({
      kind: 'trouble',
      message: `batch ${batch.id} has ${lines} lines for ${batch.requests} rows: read once more`,
      retryInMs: 0,
    });
    return true;
  }

  async #ingest(batch: BatchRecord): Promise<void> {
    const { parts, emit, fault, signal } = this.#lanes;
    const { ledger } = parts;
    const reading = new LineReader(this.#lanes, batch);
    const mark = ledger.read.batches().find(({ id }) => id === batch.id)!.ingestedLines;
    let upTo = 0;
    let group: Applied[] = [];
    const apply = (): void => {
      ledger.applyLines(batch.id, { lines: group, upTo });
      group = [];
      fault('applied');
    };
    for await (const lines of readRaw({ path: rawPath(parts.folder, batch.id), batchId: batch.id })) {
      for (const line of lines) {
        upTo += 1;
        const applied = reading.read(line, { isApplied: upTo <= mark });
        if (applied !== null) group.push(applied);
        if (group.length >= LEDGER_GROUP_ROWS) apply();
      }
      // Between two groups others may run; what is applied stays applied.
      if (signal.aborted) return;
    }
    if (upTo > mark) apply();
    this.#finish(batch, reading);
    fault('finished');
    emit({ kind: 'ingested', batchId: batch.id, lines: upTo, counts: ledger.read.counts() });
    stopsByErrorRate(this.#lanes);
  }

  #finish(batch: BatchRecord, reading: LineReader): void {
    const { parts, emit } = this.#lanes;
    const { ledger } = parts;
    if (batch.nonce === '') {
      ledger.finishSync(batch.id);
      this.#tell(reading);
      // The first group, where a canary was asked for, is the canary.
      if (batch.number === 1 && parts.spec.spend.canary > 0 && !parts.spec.batching.sync && reading.good === 0) {
        this.#lanes.halt({ kind: 'canary', message: `none of the ${batch.requests} rows asked first was answered` });
      }
      return;
    }
    const absent = [...reading.unseen]
      .filter((seq) => ledger.isSent(seq))
      .map((seq) => ({
        seq,
        again: reading.strangers === 0 && !ledger.read.attemptsOf(seq).some(({ state }) => state === 'missing'),
      }));
    if (absent.length > 0) {
      emit({
        kind: 'trouble',
        message: `batch ${batch.id} ended without ${absent.length} of its rows`,
        retryInMs: null,
      });
    }
    if (reading.strangers > 0) {
      const message = `batch ${batch.id} holds ${reading.strangers} lines that are not of this run; it is kept, and left alone`;
      emit({ kind: 'trouble', message, retryInMs: null });
    }
    if (reading.expired > batch.requests / 2) {
      ledger.setFact('againRequests', String(Math.max(HALVED_REQUESTS_MIN, Math.ceil(batch.requests / 2))));
    }
    ledger.finishBatch(batch.id, absent, reading.strangers > 0 ? 'strange' : 'done');
    this.#tell(reading);
  }

  #tell({ blocked, again }: LineReader): void {
    const { emit, halt } = this.#lanes;
    if (blocked !== null) halt({ kind: 'blocked', message: blocked });
    for (const [why, rows] of again) emit({ kind: 'retry', rows, why });
  }
}

/** The server's last word on what it was asked for, unlike a limit or a failure. */
function isDenied(status: number | null): boolean {
  return status !== null && status >= 400 && status < 500 && status !== 408 && status !== 429;
}

type Line = { readonly bytes: Buffer; readonly place: Applied['verdict']['raw'] };

/** Makes of each line what is applied of it, and counts what is not its rows' business. */
class LineReader {
  strangers = 0;
  expired = 0;
  /** Answers that are what was asked for, or the beginning of it. */
  good = 0;
  blocked: string | null = null;
  readonly again = new Map<string, number>();
  readonly #lanes: Lanes;
  /** Rows of the batch that no line was of so far. */
  readonly unseen: Set<number>;
  readonly #seqOf: (customId: string) => number | null;
  readonly #isPastDeadline: boolean;

  constructor(lanes: Lanes, batch: BatchRecord) {
    this.#lanes = lanes;
    const rows = new Set(lanes.parts.ledger.rowsOf(batch.chunk).seqs);
    this.unseen = new Set(rows);
    const ofNonce = seqOfBatch(lanes.parts, batch, rows);
    this.#seqOf = (customId) => {
      const seq = ofNonce(customId);
      return seq !== null && rows.has(seq) ? seq : null;
    };
    this.#isPastDeadline = isPastDeadline(lanes.parts);
  }

  read({ bytes, place }: Line, { isApplied }: { readonly isApplied: boolean }): Applied | null {
    const { parts, emit } = this.#lanes;
    const { policy, prompt } = parts.spec;
    const complaintOf = prompt.schema === null ? null : (text: string): string | null => parts.prompt.complaintOf(text);
    const read = verdictOf({ line: bytes, place, seqOf: this.#seqOf, complaintOf });
    if (read.kind === 'stranger') this.strangers += 1;
    if (read.kind === 'garbage')
      emit({ kind: 'trouble', message: `a line of ${place.batchId} cannot be read: ${read.reason}`, retryInMs: null });
    if (read.kind !== 'verdict') return null;
    const { verdict } = read;
    this.unseen.delete(verdict.seq);
    if (verdict.state === 'expired') this.expired += 1;
    if (verdict.state === 'ok' || verdict.state === 'truncated') this.good += 1;
    if (isApplied) return null;
    if (verdict.state === 'ok') return { verdict, again: false, change: null };
    const attempts = parts.ledger.read.attemptsOf(verdict.seq).filter(({ state }) => state !== 'sent');
    const attempt = parts.ledger.attemptOf(verdict.seq);
    const fate = fateOf({
      verdict,
      attempt,
      before: attempts.map(({ state }) => state),
      policy,
      isPastDeadline: this.#isPastDeadline,
    });
    if (fate.blocks) this.blocked = `${verdict.error?.type ?? ''}: ${verdict.error?.message ?? ''}`;
    if (fate.again) this.again.set(verdict.state, (this.again.get(verdict.state) ?? 0) + 1);
    return { verdict, again: fate.again, change: fate.change };
  }
}

function seqOfBatch(
  parts: Lanes['parts'],
  { nonce }: BatchRecord,
  rows: ReadonlySet<number>,
): (customId: string) => number | null {
  if (nonce === ADOPTED) return adoptedSeqs(parts.ledger, rows);
  // Calls one by one have no nonce; their lines were written here.
  return seqOfNonce(nonce === '' ? SYNC_NONCE : nonce);
}

/** In the custom_ids of answers that no batch gave. */
export const SYNC_NONCE = 'messagesapicalls';
