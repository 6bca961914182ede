/** Several nodes claim, release, renew, seal and lose leases in any order, against a model that knows the owner of every item. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { countsTotal } from '../../src/domain/outcome.ts';
import { testBit, type Lease } from '../../src/domain/segment.ts';
import type { Catalog, HeldSpan } from '../../src/ports/catalog.ts';
import {
  acceptBatch,
  allItems,
  leaseMs,
  sealOf,
  withCatalog,
  type CatalogSubject,
  type FakeClock,
} from './catalog-fixtures.ts';

export function catalogModelSuite(subject: CatalogSubject): void {
  test('model: whatever the nodes do, every item is done exactly once and the counts say so', () =>
    withCatalog(subject, async ({ catalog, clock }) => {
      let run = 0;
      const property = fc.asyncProperty(
        shapes,
        fc.array(step, { minLength: 5, maxLength: 40 }),
        async (requests, steps) => {
          const { id } = await acceptBatch(
            catalog,
            {},
            requests.map((count) => ({ requests: count })),
          );
          const world = new World({ catalog, clock, batchId: id, requests, run: run++ });
          for (const next of steps) await world.take(next);
          await world.finish();
        },
      );
      await fc.assert(property, { numRuns: 100 });
    }));
}

const shapes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 });
const node = fc.integer({ min: 0, max: 2 });
const pick = fc.nat({ max: 1_000 });

type Step =
  | { readonly kind: 'claim'; readonly node: number; readonly limit: number }
  | { readonly kind: 'release'; readonly pick: number; readonly cut: number }
  | { readonly kind: 'seal'; readonly pick: number; readonly mask: number }
  | { readonly kind: 'renew'; readonly node: number }
  | { readonly kind: 'wait'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('claim' as const), node, limit: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const), pick, cut: pick }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('seal' as const), pick, mask: fc.nat({ max: 2 ** 20 - 1 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('renew' as const), node }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, leaseMs / 2, leaseMs) }),
  },
);

/** Times are the catalog's microseconds: they may be a little ahead of the fake clock. */
type Item = { done: boolean; epoch: number; node: string | null; until: number };

type WorldOptions = {
  readonly catalog: Catalog;
  readonly clock: FakeClock;
  readonly batchId: string;
  readonly requests: readonly number[];
  readonly run: number;
};

class World {
  readonly #options: WorldOptions;
  readonly #items: Item[][];
  /** Every lease ever given, old ones too: nodes try them all. */
  readonly #leases: { readonly node: string; readonly lease: Lease }[] = [];

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#items = options.requests.map((count) =>
      Array.from({ length: count }, () => ({ done: false, epoch: 0, node: null, until: 0 })),
    );
  }

  async take(next: Step): Promise<void> {
    const known = 'pick' in next ? this.#leases[next.pick % Math.max(1, this.#leases.length)] : undefined;
    switch (next.kind) {
      case 'claim':
        return this.#claim(this.#name(next.node), next.limit);
      case 'renew':
        return this.#renew(this.#name(next.node));
      case 'wait':
        return this.#options.clock.move(next.ms);
      case 'release':
        return known && this.#release(known, next.cut);
      case 'seal':
        return (
          known &&
          this.#seal(
            known,
            allItems(known.lease).filter((_, index) => ((next.mask >> index) & 1) === 1),
          )
        );
    }
  }

  /** Everything left is claimed and sealed once its leases have run out; then the batch must have ended. */
  async finish(): Promise<void> {
    this.#options.clock.move(leaseMs * 2);
    const first = this.#leases.length;
    await this.#claim(this.#name(0), 1_000);
    for (const known of this.#leases.slice(first)) {
      await this.#seal(
        known,
        allItems(known.lease).filter((item) => !this.#items[known.lease.segment]![item]!.done),
      );
    }
    const batch = await this.#options.catalog.batch('wrkspc_a', this.#options.batchId);
    assert.equal(batch?.state, 'ended');
    assert.ok(this.#items.flat().every((item) => item.done));
  }

  #name(index: number): string {
    return `run-${this.#options.run}-node-${index}`;
  }

  async #claim(by: string, limit: number): Promise<void> {
    const { catalog, batchId } = this.#options;
    const now = await catalog.time();
    const spans = await catalog.claim({ node: by, batchId, model: null, limit, leaseMs });
    for (const span of spans) this.#given({ by, now }, span);
    const free = this.#items.flat().some((item) => !item.done && item.until <= now);
    if (spans.length < limit) assert.ok(!free, 'a claim that finds too little leaves nothing free');
  }

  #given({ by, now }: { by: string; now: number }, { lease, done }: HeldSpan): void {
    const items = this.#items[lease.segment]!;
    for (const [index, item] of items.entries()) assert.equal(testBit(done, index), item.done);
    for (const index of allItems(lease)) {
      const item = items[index]!;
      assert.ok(item.until <= now, 'only what nobody holds is leased');
      assert.ok(lease.epoch > item.epoch, 'the epoch of an item grows');
      Object.assign(item, { epoch: lease.epoch, node: by, until: now + leaseMs * 1_000 });
    }
    assert.ok(!allItems(lease).every((index) => items[index]!.done), 'a span has work left');
    this.#leases.push({ node: by, lease });
  }

  async #renew(by: string): Promise<void> {
    await this.#options.catalog.renew({ node: by, leaseMs });
    const until = (await this.#options.catalog.time()) + leaseMs * 1_000;
    for (const item of this.#items.flat()) if (item.node === by) item.until = until;
  }

  async #release({ node: by, lease }: { node: string; lease: Lease }, cut: number): Promise<void> {
    const { catalog } = this.#options;
    const from = lease.from + (cut % (lease.to - lease.from));
    await catalog.release({ node: by, leases: [{ ...lease, from }] });
    const items = this.#items[lease.segment]!;
    const isHeld = (index: number) => items[index]!.node === by && items[index]!.epoch === lease.epoch;
    // Found only while the lease still reaches to its end and some item of that last span is not done.
    const held = (await catalog.held(by)).map((span) => span.lease);
    assert.ok(
      !held.some(
        (left) =>
          left.segment === lease.segment && left.epoch === lease.epoch && left.to === lease.to && left.from <= from,
      ),
    );
    if (!isHeld(lease.to - 1)) return;
    for (let index = from; index < lease.to; index++) {
      if (isHeld(index)) Object.assign(items[index]!, { node: null, until: 0 });
    }
  }

  async #seal({ node: by, lease }: { node: string; lease: Lease }, done: readonly number[]): Promise<void> {
    const { catalog, batchId, requests } = this.#options;
    if (done.length === 0) return;
    const items = this.#items[lease.segment]!;
    const allowed = done.every((index) => {
      const item = items[index]!;
      return item.node === by && item.epoch === lease.epoch && !item.done;
    });
    const sealed = await catalog.seal(sealOf(by, [{ lease, requests: requests[lease.segment]!, items: done }]));
    assert.equal(sealed.kind, allowed ? 'sealed' : 'stale');
    if (allowed) for (const index of done) items[index]!.done = true;
    const batch = await catalog.batch('wrkspc_a', batchId);
    const total = this.#items.flat().filter((item) => item.done).length;
    assert.equal(countsTotal(batch!.counts), total);
    assert.equal(batch!.resultBytes, total * 100);
    assert.equal(batch!.state === 'ended', total === batch!.requests);
  }
}
