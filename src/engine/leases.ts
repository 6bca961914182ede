/**
 * The leases of the spans this node holds. They count from before they were asked for, by the monotonic clock; when one may have run
 * out, sending stops, and what others have taken over meanwhile is lost.
 */
import { LEASE_MS } from '../domain/limits.ts';
import type { Lease } from '../domain/segment.ts';
import type { Catalog, Live } from '../ports/catalog.ts';
import type { World } from '../ports/world.ts';
import type { HeldSpan } from './held.ts';

export type LeasesDeps = {
  readonly node: string;
  readonly catalog: Catalog;
  readonly world: World;
  /** The spans held now. */
  readonly held: () => readonly HeldSpan[];
  readonly onLost: (span: HeldSpan) => void;
  /** What the catalog says of a batch this node holds a part of. */
  readonly onLive: (live: Live) => void;
};

/** Sending stops this long before a lease could run out. */
const marginMs = 5_000;
const retryMs = 1_000;

export class Leases {
  readonly #deps: LeasesDeps;
  /** Before the first renewal nothing is known of what a former process left. */
  #untilMs = -Infinity;
  #renewAtMs = 0;
  #renewedWallMs = Infinity;
  #renewing = false;

  constructor(deps: LeasesDeps) {
    this.#deps = deps;
  }

  /** Spans were claimed; `alone` when nothing else is held. */
  claimed(askedMs: number, alone: boolean): void {
    this.#untilMs = Math.min(alone ? Infinity : this.#untilMs, askedMs + LEASE_MS);
  }

  hold(nowMs: number): boolean {
    return nowMs < this.#untilMs - marginMs;
  }

  isDue(nowMs: number): boolean {
    return nowMs >= this.#renewAtMs;
  }

  /** Never rejects: a catalog that cannot be reached is asked again, and sending stops by itself before the leases run out. */
  async renew(): Promise<void> {
    if (this.#renewing) return;
    this.#renewing = true;
    const { catalog, node, world, held, onLost, onLive } = this.#deps;
    const askedMs = world.clock.monotonicMs();
    const before = held();
    try {
      const renewed = await catalog.renew({ node, leaseMs: LEASE_MS });
      const ours = new Set(renewed.map(({ batchId }) => batchId));
      // All leases of a batch that is not named have passed on: what is open in them is bought by another node.
      for (const span of before) if (span.open > 0 && !ours.has(span.lease.batchId)) onLost(span);
      if (this.#mayHaveRunOut(askedMs)) await this.#loseTaken(before);
      renewed.forEach(onLive);
      this.#untilMs = askedMs + LEASE_MS;
      this.#renewAtMs = askedMs + LEASE_MS / 3;
    } catch (error) {
      this.#renewAtMs = askedMs + retryMs;
      world.emit({ kind: 'failure', where: 'renew leases', error, requestId: null });
    } finally {
      this.#renewing = false;
    }
  }

  /** By either clock: after a pause of this process, or a jump of the wall clock, others may have taken some of our spans over. */
  #mayHaveRunOut(askedMs: number): boolean {
    const wallMs = this.#deps.world.clock.wallMs();
    const ranOut = askedMs >= this.#untilMs || wallMs >= this.#renewedWallMs + LEASE_MS;
    this.#renewedWallMs = wallMs;
    return ranOut;
  }

  async #loseTaken(spans: readonly HeldSpan[]): Promise<void> {
    const { catalog, node, onLost } = this.#deps;
    const ours = new Set((await catalog.held(node)).map(({ lease }) => placeOf(lease)));
    for (const span of spans) if (span.open > 0 && !ours.has(placeOf(span.lease))) onLost(span);
  }
}

export function placeOf({ batchId, segment, from }: Lease): string {
  return `${batchId}/${segment}/${from}`;
}
