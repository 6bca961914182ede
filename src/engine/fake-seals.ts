/** A sealer over blobs in memory and a catalog whose seals the test answers. */
import type { Catalog, Seal, Sealed } from '../ports/catalog.ts';
import { markDone, type BatchRun, type HeldSpan, type Outcome } from './held.ts';
import { Sealer } from './sealer.ts';
import { batchOf, FakeWorld, MemoryBlobs, outcomeOf, spanOf } from './support.ts';

export type Answer = (seal: Seal) => Promise<Sealed> | Sealed;

/** A sealer over a catalog whose seals the test answers. */
export class Scene {
  readonly world = new FakeWorld();
  readonly blobs = new MemoryBlobs();
  readonly seals: Seal[] = [];
  readonly sealed: Outcome[][] = [];
  readonly stale: { readonly spans: readonly HeldSpan[]; readonly dropped: readonly Outcome[] }[] = [];
  readonly storage: boolean[] = [];
  readonly fatal: unknown[] = [];
  readonly sealer: Sealer;
  answer: Answer = () => ({ kind: 'sealed', batch: batchOf(), sequence: 0 });

  constructor() {
    const catalog: Pick<Catalog, 'seal'> = {
      seal: async (seal) => {
        this.seals.push(seal);
        return this.answer(seal);
      },
    };
    this.sealer = new Sealer({
      node: 'node-a',
      catalog: catalog as Catalog,
      blobs: this.blobs,
      world: this.world,
      onSealed: (_run, outcomes) => void this.sealed.push([...outcomes]),
      onStale: (spans, dropped) => {
        this.stale.push({
          spans,
          dropped,
        });
        for (const span of spans) span.run.spans.delete(span);
      },
      onStorage: (full) => void this.storage.push(full),
      onFatal: (error) => void this.fatal.push(error),
    });
  }

  /** Outcomes of items, marked done as the engine does. */
  add(span: HeldSpan, items: readonly number[], changes: Partial<Outcome> = {}): Outcome[] {
    const outcomes = items.map((item) => {
      markDone(span, item);
      return outcomeOf(span, item, changes);
    });
    this.sealer.add(outcomes);
    return outcomes;
  }

  lines(): number[] {
    return this.seals.map(({ chunk }) => chunk.lines);
  }
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at);
}

export function largeSpan(run?: BatchRun, requests = 10_000): HeldSpan {
  return spanOf({ lengths: range(0, requests).map(() => 1), ...(run ? { run } : {}) });
}
