/**
 * Weighted fair queueing: the share that has had least for its weight is served first.
 *
 * Each share carries a virtual time, which grows by 1/weight with every request. A share that joins, new or returning, starts at
 * the smallest virtual time of those that wait: it is next, but has no claim on the past. Urgent shares go before all others,
 * nearest deadline first; being urgent costs no virtual time, because it is not the share's own choice.
 */
import { Heap } from './heap.ts';
import type { HeapEntry } from './heap.ts';

export type Share = HeapEntry & {
  virtualTime: number;
  /** When it was last served, in serves; among equals the one served longest ago is next, and a newcomer (0) before all. */
  served: number;
  urgent: boolean;
  deadlineMs: number;
};

export function newShare(): Share {
  return { heapIndex: -1, virtualTime: 0, served: 0, urgent: false, deadlineMs: Infinity };
}

export class Shares<T extends Share> {
  readonly #waiting = new Heap<T>(goesBefore);
  /** The virtual time of what was served last: where a newcomer starts if nobody waits. */
  #virtualTime = 0;
  #serves = 0;

  get size(): number {
    return this.#waiting.size;
  }

  next(): T | null {
    return this.#waiting.first();
  }

  join(share: T): void {
    share.virtualTime = Math.max(share.virtualTime, this.#minimum());
    this.#waiting.add(share);
  }

  leave(share: T): void {
    this.#waiting.remove(share);
  }

  /** The share has been given one request of this cost. */
  serve(share: T, cost: number): void {
    share.served = ++this.#serves;
    if (!share.urgent) {
      this.#virtualTime = Math.max(this.#virtualTime, share.virtualTime);
      share.virtualTime += cost;
    }
    this.#waiting.moved(share);
  }

  /**
   * Its weight has changed, and one request costs so much more or less: what it has had ahead of the others counts at the new cost,
   * so that a workspace raised from 0.001 does not first wait until the others have had a thousand requests.
   */
  reweigh(share: T, factor: number): void {
    share.virtualTime = this.#virtualTime + (share.virtualTime - this.#virtualTime) * factor;
    if (share.heapIndex >= 0) this.#waiting.moved(share);
  }

  setUrgency(share: T, urgency: { urgent: boolean; deadlineMs: number }): void {
    const wasUrgent = share.urgent;
    share.urgent = urgency.urgent;
    share.deadlineMs = urgency.deadlineMs;
    if (share.heapIndex < 0) return;
    // What passed while it was urgent is not made good: it comes back like one that returns.
    if (wasUrgent && !share.urgent) share.virtualTime = Math.max(share.virtualTime, this.#virtualTime);
    this.#waiting.moved(share);
  }

  #minimum(): number {
    const first = this.#waiting.first();
    return first === null || first.urgent ? this.#virtualTime : Math.max(this.#virtualTime, first.virtualTime);
  }
}

function goesBefore(left: Share, right: Share): boolean {
  if (left.urgent !== right.urgent) return left.urgent;
  if (left.urgent && left.deadlineMs !== right.deadlineMs) return left.deadlineMs < right.deadlineMs;
  if (left.virtualTime !== right.virtualTime) return left.virtualTime < right.virtualTime;
  return left.served < right.served;
}
