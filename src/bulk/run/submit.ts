/**
 * The lane that sends: one chunk after another, each behind a durable intent, as the admission, the budget and the refusals allow.
 *
 *   waiting chunk ─► intent planned ─► sending ─► POST ─► committed | refused | aborted | unclear (the poll lane finds out)
 */
import { randomBytes } from 'node:crypto';
import type { PostEnd } from '../contract.ts';
import type { ChunkHead, NewChunk } from '../ledger/records.ts';
import { NAMED_ROWS_MAX } from '../limits.ts';
import { nonceFrom, NONCE_BYTES } from '../../submit-once/custom-id.ts';
import { afterPost, type Intent, planned, repeating, sending } from '../../submit-once/intent.ts';
import { type Admission, admissionOf, afterAccepted, afterRefused, hasRoom } from './admission.ts';
import { affordableRequests, expectedDollars, spentOn } from './budget.ts';
import { bodyOf, cutRows, rowsOfChunk } from './body.ts';
import { RunError } from './errors.ts';
import { keepIdentity } from './identity.ts';
import type { Lanes } from './parts.ts';
import { answerTo } from './refusal.ts';

export class Submitter {
  readonly #lanes: Lanes;
  #admission: Admission;
  /** Intents whose POST is to be repeated, by the server's promise to know their key. */
  readonly #repeats = new Map<string, Intent>();
  /** Rows named as malformed, by the chunk they were in: bounded, for each costs an upload. */
  #namedRows = 0;

  constructor(lanes: Lanes) {
    this.#lanes = lanes;
    const taught = lanes.parts.ledger.read.fact('inFlightRequests');
    const cap = lanes.parts.spec.batching.inFlightRequests ?? (taught === null ? null : Number(taught));
    this.#admission = admissionOf(cap);
  }

  repeat(intent: Intent): void {
    this.#repeats.set(intent.nonce, intent);
    this.#lanes.bell.ring();
  }

  /** Sends what there is to send, or says how long there is nothing to do; null: until something changes. */
  async step(): Promise<number | null> {
    const { parts } = this.#lanes;
    const waitMs = this.#admission.nextAtMs - parts.world.nowMs();
    const repeat = this.#repeats.values().next().value;
    if (repeat !== undefined) {
      if (waitMs > 0) return waitMs;
      this.#repeats.delete(repeat.nonce);
      await this.#post(repeating(repeat));
      return 0;
    }
    const chunk = this.#next();
    if (chunk === null || this.#lanes.halted() !== null) return null;
    const inFlight = this.inFlight();
    if (!hasRoom(this.#admission, { inFlight, requests: chunk.requests })) return null;
    if (waitMs > 0) return waitMs;
    if (!this.#fitsLimits(chunk)) return 0;
    const fit = this.#affordable(chunk, inFlight);
    if (fit >= chunk.requests) await this.#send(chunk);
    // What is in flight may turn out cheaper than expected; only when nothing is, the budget's end has come.
    else if (inFlight > 0) return null;
    else if (fit > 0) this.#cutAt(chunk, fit);
    return this.#lanes.halted() === null ? 0 : null;
  }

  /** Requests in batches that may exist and have not ended. */
  inFlight(): number {
    return inFlightRequests(this.#lanes);
  }

  /** While a warming request is out, the others wait for the cache it fills; while a canary is, for what it says. */
  #next(): ChunkHead | null {
    const { ledger } = this.#lanes.parts;
    const waiting = ledger.chunks('waiting');
    const warm = waiting.find(({ kind }) => kind === 'warm');
    if (warm !== undefined) return warm;
    if (ledger.chunks('open').some(({ kind }) => kind === 'warm' || kind === 'sync')) return null;
    return waiting.find(({ kind }) => kind !== 'sync') ?? null;
  }

  /** Cuts a chunk that is larger than a server has let through. */
  #fitsLimits(chunk: ChunkHead): boolean {
    const { ledger } = this.#lanes.parts;
    const refusedBytes = Number(ledger.read.fact('refusedBytes') ?? Infinity);
    const requestsMax = Number(ledger.read.fact('requestsMax') ?? Infinity);
    if (chunk.requests <= requestsMax && (chunk.bytes < refusedBytes || chunk.requests === 1)) return true;
    this.#cutSmaller(
      chunk,
      Math.min(requestsMax, chunk.bytes >= refusedBytes ? Math.ceil(chunk.requests / 2) : Infinity),
    );
    return false;
  }

  /** How many requests of the chunk the budget has room for. */
  #affordable(chunk: ChunkHead, inFlight: number): number {
    const { parts, halt, emit } = this.#lanes;
    const { maxCostDollars, expectedDollarsPerRequest } = parts.spec.spend;
    if (maxCostDollars === null) return chunk.requests;
    const usage = parts.ledger.read.usage();
    const spentDollars = spentOn(usage).dollars;
    const fit = affordableRequests({
      spentDollars,
      expectedDollarsPerRequest: expectedDollars(usage, expectedDollarsPerRequest),
      inFlightRequests: inFlight,
      capDollars: maxCostDollars,
    });
    if (fit < 1 && inFlight === 0) {
      emit({ kind: 'budget', spentDollars, capDollars: maxCostDollars });
      halt({
        kind: 'budget',
        message: `the budget of $${maxCostDollars} leaves no room for the rows that are pending`,
      });
    }
    return fit;
  }

  async #send(chunk: ChunkHead): Promise<void> {
    const { parts, emit, fault } = this.#lanes;
    fault('before-intent');
    const nonce = nonceFrom((parts.randomBytes ?? randomBytes)(NONCE_BYTES));
    const intent = planned({ nonce, chunk: chunk.id, requests: chunk.requests, bytes: chunk.bytes });
    parts.ledger.storeIntent(intent);
    emit({ kind: 'intent', nonce, chunk: chunk.id, requests: chunk.requests, bytes: chunk.bytes });
    fault('planned');
    await this.#post(sending(intent, this.#serverNow()));
  }

  async #post(intent: Intent): Promise<void> {
    const { parts, emit, fault, signal, bell } = this.#lanes;
    parts.ledger.storeIntent(intent);
    if (parts.ledger.read.fact('firstSentAtMs') === null)
      parts.ledger.setFact('firstSentAtMs', String(parts.world.nowMs()));
    fault('sending');
    const body = new Body(bodyOf(parts, parts.ledger.rowsOf(intent.chunk), intent.nonce));
    const end = await parts.api
      .post({ bytes: intent.bytes, body, idempotencyKey: intent.nonce, signal })
      .catch((error: unknown): PostEnd => ({
        kind: body.failure === null ? 'unclear' : 'incomplete',
        message: String(error),
      }));
    fault('posted');
    const next = afterPost(intent, end, this.#serverNow());
    parts.ledger.storeIntent(next, end.kind === 'created' ? end.batch : null);
    fault('settled');
    if (body.failure !== null) throw body.failure;
    const about = { nonce: intent.nonce, chunk: intent.chunk };
    if (end.kind === 'created') {
      this.#admission = afterAccepted(this.#admission, {
        atMs: parts.world.nowMs(),
        staggerMs: this.#lanes.pace.staggerMs,
        random: parts.world.random(),
      });
      keepIdentity(parts);
      emit({ kind: 'submitted', ...about, batchId: end.batch.id });
      bell.ring();
      return;
    }
    if (signal.aborted) return;
    if (end.kind === 'refused' && next.state === 'refused') return this.#refused(intent, end);
    this.#holdBack(null);
    if (next.state === 'aborted') {
      emit({ kind: 'trouble', message: next.why ?? 'the upload broke off', retryInMs: this.#waitMs() });
      return;
    }
    emit({ kind: 'unclear', ...about, message: next.why ?? 'no answer' });
    bell.ring();
  }

  #refused(intent: Intent, end: PostEnd & { readonly kind: 'refused' }): void {
    const { parts, emit, halt } = this.#lanes;
    const chunk = parts.ledger.chunk(intent.chunk)!;
    const answer = answerTo(end, chunk.requests);
    if (answer.kind === 'wait') this.#holdBack(end.retryAfterMs);
    const { status } = end;
    emit({
      kind: 'refused',
      chunk: chunk.id,
      status,
      message: end.message,
      retryInMs: answer.kind === 'wait' ? this.#waitMs() : 0,
    });
    switch (answer.kind) {
      case 'wait':
        return;
      case 'credit':
        return halt({ kind: 'credit', message: end.message });
      case 'authentication':
        throw new RunError('authentication', end.message);
      case 'smaller':
        return this.#refuseSize(chunk, { requestsMax: answer.requestsMax, message: end.message });
      case 'row':
        return this.#leaveOut(chunk, { index: answer.index, message: end.message });
      case 'stop':
        throw new RunError('refused', `the API refuses the batch (${status} ${end.type}): ${end.message}`);
    }
  }

  #holdBack(retryAfterMs: number | null): void {
    const { parts } = this.#lanes;
    const before = this.#admission.cap;
    const now = { atMs: parts.world.nowMs(), random: parts.world.random(), waitMs: this.#lanes.pace.refusedWaitMs };
    this.#admission = afterRefused(this.#admission, { ...now, inFlight: this.inFlight(), retryAfterMs });
    if (this.#admission.cap !== before) parts.ledger.setFact('inFlightRequests', String(this.#admission.cap));
  }

  #refuseSize(
    chunk: ChunkHead,
    { requestsMax, message }: { readonly requestsMax: number | null; readonly message: string },
  ): void {
    const { ledger } = this.#lanes.parts;
    if (requestsMax !== null) ledger.setFact('requestsMax', String(requestsMax));
    else
      ledger.setFact(
        'refusedBytes',
        String(Math.min(chunk.bytes, Number(ledger.read.fact('refusedBytes') ?? Infinity))),
      );
    if (chunk.requests === 1)
      ledger.rejectFrom(chunk.id, { seqs: [...ledger.rowsOf(chunk.id).seqs], fault: message, rest: [] });
    else this.#cutSmaller(chunk, requestsMax ?? Math.ceil(chunk.requests / 2));
  }

  #leaveOut(chunk: ChunkHead, { index, message }: { readonly index: number; readonly message: string }): void {
    const { parts } = this.#lanes;
    this.#namedRows += 1;
    if (this.#namedRows > NAMED_ROWS_MAX)
      throw new RunError('refused', `the API refuses row after row; the last: ${message}`);
    const rows = rowsOfChunk(parts, parts.ledger.rowsOf(chunk.id));
    const rest = rows.filter((_, place) => place !== index);
    parts.ledger.rejectFrom(chunk.id, { seqs: [rows[index]!.seq], fault: message, rest: this.#cut(rest, Infinity) });
  }

  #cutSmaller(chunk: ChunkHead, requests: number): void {
    const { parts } = this.#lanes;
    parts.ledger.splitChunk(chunk.id, this.#cut(rowsOfChunk(parts, parts.ledger.rowsOf(chunk.id)), requests));
  }

  #cutAt(chunk: ChunkHead, requests: number): void {
    const { parts } = this.#lanes;
    const rows = rowsOfChunk(parts, parts.ledger.rowsOf(chunk.id));
    parts.ledger.splitChunk(chunk.id, [
      ...this.#cut(rows.slice(0, requests), Infinity),
      ...this.#cut(rows.slice(requests), Infinity),
    ]);
  }

  #cut(rows: ReturnType<typeof rowsOfChunk>, requests: number): readonly NewChunk[] {
    const salt = Math.floor(this.#lanes.parts.world.random() * 1_000_000);
    return cutRows(rows, {
      limits: { requests, bytes: Infinity },
      salt: Number.isFinite(requests) ? salt : 0,
      kind: 'part',
    });
  }

  #waitMs(): number {
    return Math.max(0, this.#admission.nextAtMs - this.#lanes.parts.world.nowMs());
  }

  #serverNow(): number {
    return this.#lanes.parts.world.nowMs() + this.#lanes.parts.api.clockAheadMs();
  }
}

/** Requests in batches that may exist and have not ended. */
export function inFlightRequests({ parts }: Pick<Lanes, 'parts'>): number {
  const running = parts.ledger.read.batches().filter(({ state, nonce }) => state === 'running' && nonce !== '');
  return [...running, ...parts.ledger.openIntents()].reduce((sum, { requests }) => sum + requests, 0);
}

/** Passes a body on and remembers why it broke, if it did: the connection's end tells only that it did. */
class Body implements AsyncIterable<Uint8Array> {
  failure: Error | null = null;
  readonly #from: AsyncIterable<Uint8Array>;

  constructor(from: AsyncIterable<Uint8Array>) {
    this.#from = from;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of this.#from) yield piece;
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(String(error));
      throw error;
    }
  }
}
