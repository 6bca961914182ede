/**
 * Which queues claim spans, and in what order when there is not room for all.
 *
 * Room is shared by one rule: a workspace may hold, in a lane, as many spans as are still free. One alone can take half of what there
 * is, two a third each; a newcomer always finds some free, and the spans of a dead lane never use up those of another.
 */
import { CLAIM_AHEAD_REQUESTS, SPANS_HELD_MAX, SPANS_STOPPED_CLAIM } from '../domain/limits.ts';
import { Fifo } from './fifo.ts';
import { Heap } from './heap.ts';
import type { HeapEntry } from './heap.ts';
import type { LaneId } from './messages.ts';

/** A workspace in one lane, as far as claims are concerned. */
export type Claimant<Q> = HeapEntry & {
  /** Spans held, and claims on their way. */
  held: number;
  readonly waiting: Fifo<Q>;
};

export type ClaimingQueue = {
  readonly batch: { readonly id: string; readonly stopped: string | null };
  readonly spans: { readonly size: number };
  readonly ready: number;
  readonly unclaimed: number;
  claiming: number;
  claimBrought: boolean;
  claimRests: boolean;
  claimWaits: Line | null;
};

type Line = 'running' | 'stopped';

type Owner<Q> = {
  readonly claimant: Claimant<Q>;
  readonly lane: { readonly id: LaneId; readonly running: number; readonly lane: { readonly window: number } };
};

export type Claim = { readonly batchId: string; readonly lane: LaneId; readonly spans: number };

export class Claims<Q extends ClaimingQueue & { readonly workspace: Owner<Q> }> {
  readonly #claimants = new Heap<Claimant<Q>>((left, right) => left.held < right.held);
  /** Queues of stopped batches, which need no room: their spans are written off on arrival. */
  readonly #stopped = new Fifo<Q>();
  #claimsOfStopped = 0;
  #resting: Q[] = [];
  #held = 0;

  /** Spans held, and claims on their way. */
  get held(): number {
    return this.#held;
  }

  /** Puts the queue in line if it should claim; cheap enough to ask at every send. */
  consider(queue: Q): void {
    if (!wantsSpans(queue)) return;
    if (queue.batch.stopped !== null) {
      // One that stood in the other line before its batch was stopped is passed over there.
      if (queue.claimWaits !== 'stopped') this.#stopped.add(queue);
      queue.claimWaits = 'stopped';
    } else if (queue.claimWaits === null) {
      queue.claimWaits = 'running';
      const { claimant } = queue.workspace;
      claimant.waiting.add(queue);
      if (claimant.heapIndex < 0) this.#claimants.add(claimant);
    }
  }

  /** The next claim to make, or null. */
  next(): Claim | null {
    return this.#nextStopped() ?? this.#nextRunning();
  }

  /** Bounded too, so that a thousand batches that expire at once are not all read at once. */
  #nextStopped(): Claim | null {
    while (this.#claimsOfStopped < SPANS_HELD_MAX / SPANS_STOPPED_CLAIM) {
      const queue = this.#stopped.take();
      if (queue === null) return null;
      queue.claimWaits = null;
      if (!wantsSpans(queue)) continue;
      this.#claimsOfStopped += 1;
      return this.#claim(queue, SPANS_STOPPED_CLAIM);
    }
    return null;
  }

  #nextRunning(): Claim | null {
    for (;;) {
      const claimant = this.#claimants.first();
      const queue = claimant?.waiting.first() ?? null;
      if (claimant === null || queue === null) return null;
      const wanted = queue.claimWaits === 'running' && queue.batch.stopped === null && wantsSpans(queue);
      if (wanted && claimant.held > 0 && claimant.held >= SPANS_HELD_MAX - this.#held) return null;
      claimant.waiting.take();
      if (queue.claimWaits === 'running') queue.claimWaits = null;
      if (claimant.waiting.size === 0) this.#claimants.remove(claimant);
      if (wanted) return this.#claim(queue, 1);
    }
  }

  #claim(queue: Q, spans: number): Claim {
    queue.claiming = spans;
    queue.claimBrought = false;
    this.count(queue, 1);
    return { batchId: queue.batch.id, lane: queue.workspace.lane.id, spans };
  }

  /** The queue's claim has been answered. */
  answered(queue: Q): void {
    if (queue.claiming === 0) return;
    if (queue.claiming === SPANS_STOPPED_CLAIM) this.#claimsOfStopped -= 1;
    queue.claiming = 0;
    this.count(queue, -1);
    if (queue.claimBrought || queue.unclaimed === 0) return;
    queue.claimRests = true;
    this.#resting.push(queue);
  }

  tick(): void {
    const resting = this.#resting;
    this.#resting = [];
    for (const queue of resting) {
      queue.claimRests = false;
      this.consider(queue);
    }
  }

  /** Spans came or went. */
  count(queue: Q, spans: number): void {
    const { claimant } = queue.workspace;
    this.#held += spans;
    claimant.held += spans;
    if (claimant.heapIndex >= 0) this.#claimants.moved(claimant);
  }
}

/** When less is ready than its part of a window and some, so that there is always something to send and never much more. */
function wantsSpans<Q extends ClaimingQueue & { readonly workspace: Owner<Q> }>(queue: Q): boolean {
  if (queue.unclaimed === 0 || queue.claiming > 0 || queue.claimRests) return false;
  if (queue.batch.stopped !== null || queue.ready === 0) return true;
  const { lane } = queue.workspace;
  return queue.ready < (lane.lane.window + CLAIM_AHEAD_REQUESTS) / Math.max(1, lane.running);
}
