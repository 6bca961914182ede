/**
 * The lane that asks: one walk through the list of batches a tick tells which have ended and what became of unclear POSTs. A failed call
 * is only trouble; a batch is lost only when the API has denied it for a while.
 */
import { ApiError, type RemoteBatch } from '../contract.ts';
import type { BatchRecord } from '../ledger/ledger.ts';
import { LOST_AFTER_MS, POLL_SHARE_OF_AGE } from '../limits.ts';
import { walkList, type Walk } from '../api/walk.ts';
import { givenUp, gone, type Intent, isUnclear, mayFollow } from '../../submit-once/intent.ts';
import { provenBy, reconcile, sweep, walkBackTo } from '../../submit-once/reconcile.ts';
import { firstCustomId } from './first-line.ts';
import { checkIdentity } from './identity.ts';
import { asRunError } from './trouble.ts';
import type { Lanes } from './parts.ts';

export class Poller {
  readonly #lanes: Lanes;
  readonly #repeat: (intent: Intent) => void;
  /** When something last changed: what has been still for long is asked for less often. */
  #changedAtMs: number;
  /** Since when the API says it does not know a batch. */
  readonly #deniedSinceMs = new Map<string, number>();
  readonly #toldUnreadable = new Set<string>();

  constructor(lanes: Lanes, repeat: (intent: Intent) => void) {
    this.#lanes = lanes;
    this.#repeat = repeat;
    this.#changedAtMs = lanes.parts.world.nowMs();
  }

  changed(): void {
    this.#changedAtMs = this.#lanes.parts.world.nowMs();
  }

  /** One tick; how long to wait for the next, null: until something was sent. */
  async step(): Promise<number | null> {
    const { parts, emit, signal } = this.#lanes;
    const running = this.#running();
    if (running.length === 0 && !parts.ledger.openIntents().some(isUnclear)) return null;
    try {
      const walk = await this.#walk(running);
      checkIdentity(parts);
      this.#see(running, walk);
      await this.#resolve(walk);
      await this.#askForUnseen(this.#running(), walk);
      await this.#sweep(walk);
      return this.#intervalMs();
    } catch (error) {
      if (signal.aborted) return null;
      const fault = asRunError(error);
      if (fault !== null) throw fault;
      if (!(error instanceof ApiError)) throw error;
      const retryInMs = Math.max(error.failure.retryAfterMs ?? 0, this.#intervalMs());
      emit({ kind: 'trouble', message: `asking for the batches failed: ${error.message}`, retryInMs });
      return retryInMs;
    }
  }

  #running(): readonly BatchRecord[] {
    return this.#lanes.parts.ledger.read.batches().filter(({ state, nonce }) => state === 'running' && nonce !== '');
  }

  async #walk(running: readonly BatchRecord[]): Promise<Walk> {
    const { parts, pace, signal } = this.#lanes;
    const nowMs = (): number => parts.world.nowMs();
    const backToMs = Math.min(
      ...running.map(({ remote }) => remote.createdAtMs - pace.bounds.skewMs),
      walkBackTo(parts.ledger.openIntents(), pace.bounds) ?? Infinity,
    );
    return await walkList(parts.api, { backToMs, nowMs, signal });
  }

  #see(running: readonly BatchRecord[], walk: Walk): void {
    const batches: readonly RemoteBatch[] = walk.batches;
    const seen = new Map(batches.map((batch) => [batch.id, batch]));
    for (const batch of running) {
      const remote = seen.get(batch.id);
      if (remote !== undefined) this.#note(batch, remote);
    }
  }

  #note(batch: BatchRecord, remote: RemoteBatch): void {
    const { parts, emit, fault, bell } = this.#lanes;
    this.#deniedSinceMs.delete(batch.id);
    if (remote.status !== 'ended') {
      if (JSON.stringify(remote) !== JSON.stringify(batch.remote)) parts.ledger.setBatch(batch.id, { remote });
      return;
    }
    parts.ledger.setBatch(batch.id, { remote, state: 'ended' });
    fault('ended');
    emit({ kind: 'ended', batchId: batch.id, counts: remote.counts });
    this.changed();
    bell.ring();
  }

  /** Batches the walk passed by: listed late, or gone. */
  async #askForUnseen(running: readonly BatchRecord[], { batches }: Walk): Promise<void> {
    const seen = new Set(batches.map(({ id }) => id));
    for (const batch of running) {
      if (seen.has(batch.id)) continue;
      const remote = await this.#retrieve(batch.id);
      if (remote !== null) this.#note(batch, remote);
      else this.#denied(batch);
    }
  }

  #denied(batch: BatchRecord): void {
    const { parts, emit, bell } = this.#lanes;
    const nowMs = parts.world.nowMs();
    const sinceMs = this.#deniedSinceMs.get(batch.id) ?? nowMs;
    this.#deniedSinceMs.set(batch.id, sinceMs);
    const message = `the API does not know batch ${batch.id} of ${batch.requests} rows`;
    if (nowMs - sinceMs < LOST_AFTER_MS) {
      emit({ kind: 'trouble', message, retryInMs: LOST_AFTER_MS - (nowMs - sinceMs) });
      return;
    }
    // It may have been paid: only a person may have its rows bought again.
    const absent = [...parts.ledger.rowsOf(batch.chunk).seqs].map((seq) => ({ seq, again: false }));
    parts.ledger.finishBatch(batch.id, absent, 'lost');
    emit({ kind: 'trouble', message: `${message}: they are missing`, retryInMs: null });
    bell.ring();
  }

  /** Null when the API says that there is none. */
  async #retrieve(id: string): Promise<RemoteBatch | null> {
    const { parts, signal } = this.#lanes;
    try {
      return await parts.api.retrieve(id, signal);
    } catch (error) {
      if (error instanceof ApiError && error.failure.status === 404) return null;
      throw error;
    }
  }

  async #resolve(walk: Walk): Promise<void> {
    const { parts, pace } = this.#lanes;
    const decisions = reconcile({
      intents: parts.ledger.intents(),
      listing: walk,
      bounds: pace.bounds,
      nowMs: parts.world.nowMs() + parts.api.clockAheadMs(),
      idempotent: parts.api.capabilities().has('idempotency'),
    });
    // All is stored before anything is waited for: an intent may be sent again meanwhile.
    for (const { intent } of decisions) this.#store(intent, walk.batches);
    for (const decision of decisions) {
      if (decision.kind === 'repeat') this.#repeat(decision.intent);
      if (decision.kind === 'read') for (const id of decision.batchIds) await this.#prove(id, walk.batches);
      if (decision.kind === 'look')
        await this.#look(decision.intent.nonce, { ids: decision.batchIds, listed: walk.batches });
      if (decision.kind === 'unreadable') this.#unreadable(decision.intent, decision.batchIds);
    }
  }

  /** One line tells whose a batch is. */
  async #prove(batchId: string, listed: readonly RemoteBatch[]): Promise<void> {
    const { parts, signal } = this.#lanes;
    const customId = await firstCustomId(parts.api, batchId, signal);
    for (const intent of provenBy(parts.ledger.intents(), { batchId, customId })) this.#store(intent, listed);
  }

  async #look(
    nonce: string,
    { ids, listed }: { readonly ids: readonly string[]; readonly listed: readonly RemoteBatch[] },
  ): Promise<void> {
    const { ledger } = this.#lanes.parts;
    for (const id of ids) {
      const remote = await this.#retrieve(id);
      const intent = ledger.intents().find((one) => one.nonce === nonce)!;
      if (remote === null && isUnclear(intent)) this.#store(gone(intent, id), listed);
      else if (remote?.status === 'ended' && remote.archivedAtMs === null) await this.#prove(id, [...listed, remote]);
    }
  }

  #unreadable(intent: Intent, ids: readonly string[]): void {
    if (this.#toldUnreadable.has(intent.nonce)) return;
    this.#toldUnreadable.add(intent.nonce);
    const message = `whether ${ids.join(', ')} is ours cannot be read any more: the rows of submission ${intent.nonce} wait for a person to decide`;
    this.#lanes.emit({ kind: 'trouble', message, retryInMs: null });
  }

  #store(next: Intent, listed: readonly RemoteBatch[]): void {
    const { parts, emit, fault, bell } = this.#lanes;
    const before = parts.ledger.intents().find(({ nonce }) => nonce === next.nonce)!;
    if (JSON.stringify(before) === JSON.stringify(next) || !mayFollow(before, next)) return;
    const batch = next.batchId === null ? null : (listed.find(({ id }) => id === next.batchId) ?? null);
    if (next.state === 'committed' && before.state !== 'committed' && batch === null) return;
    parts.ledger.storeIntent(next, batch);
    if (next.duplicates.length > before.duplicates.length) {
      emit({ kind: 'trouble', message: `bought twice: ${next.why ?? next.duplicates.join(', ')}`, retryInMs: null });
    }
    if (next.state === before.state || (next.state !== 'committed' && next.state !== 'aborted')) return;
    fault('resolved');
    emit({
      kind: 'resolved',
      nonce: next.nonce,
      chunk: next.chunk,
      batchId: next.batchId,
      how: next.why ?? next.state,
    });
    this.changed();
    bell.ring();
  }

  /** Batches that should not exist are looked at too, so that none is paid unseen. */
  async #sweep(walk: Walk): Promise<void> {
    const { parts, pace } = this.#lanes;
    for (const { batchId, ended } of sweep({ intents: parts.ledger.intents(), listing: walk, bounds: pace.bounds })) {
      if (ended) await this.#prove(batchId, walk.batches);
    }
  }

  #intervalMs(): number {
    const { parts, pace } = this.#lanes;
    const ageMs = parts.world.nowMs() - this.#changedAtMs;
    const ms = Math.min(pace.pollMaxMs, Math.max(pace.pollMinMs, ageMs * POLL_SHARE_OF_AGE));
    return ms * (0.9 + 0.2 * parts.world.random());
  }
}

/** By a person's order: rows of a POST that can never be cleared up are sent again. */
export function giveUp(ledger: Lanes['parts']['ledger'], nonce: string): boolean {
  const intent = ledger.intents().find((one) => one.nonce === nonce);
  if (intent === undefined || !isUnclear(intent)) return false;
  ledger.storeIntent(givenUp(intent, 'given up by order'));
  return true;
}
