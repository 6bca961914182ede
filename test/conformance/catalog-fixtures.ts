/** What every catalog is tested with: a store that can be opened again, a clock that tests move, and small batches. */
import assert from 'node:assert/strict';
import type { Batch } from '../../src/domain/batch.ts';
import { noCounts, type Counts } from '../../src/domain/outcome.ts';
import { bitmap, setBit, type Lease } from '../../src/domain/segment.ts';
import type { UsageRow } from '../../src/domain/tally.ts';
import type { Acceptance, Catalog, HeldSpan, Seal, Sealed } from '../../src/ports/catalog.ts';

export type EventRow = { readonly sequence: number; readonly kind: string; readonly at: number };

/** One empty store. `open` gives views of it, as several processes have them; the others read what no method of the port shows. */
export type CatalogStore = {
  open(clock: FakeClock): Promise<Catalog>;
  events(batchId: string): Promise<readonly EventRow[]>;
  usage(batchId: string): Promise<readonly UsageRow[]>;
  /** Of all segments together. */
  inlineBytes(): Promise<number>;
  /** Closes every view and deletes the store. */
  destroy(): Promise<void>;
};

export type CatalogSubject = { readonly name: string; create(): Promise<CatalogStore> };

export class FakeClock {
  #wallMs = 1_800_000_000_000;

  wallMs(): number {
    return this.#wallMs;
  }

  move(ms: number): void {
    this.#wallMs += ms;
  }
}

export type Scene = { readonly store: CatalogStore; readonly catalog: Catalog; readonly clock: FakeClock };

export async function withCatalog(subject: CatalogSubject, body: (scene: Scene) => Promise<void>): Promise<void> {
  const store = await subject.create();
  const clock = new FakeClock();
  try {
    await body({ store, clock, catalog: await store.open(clock) });
  } finally {
    await store.destroy();
  }
}

export const leaseMs = 60_000;

let batchesMade = 0;

export type SegmentShape = { readonly requests: number; readonly model?: string; readonly inline?: Uint8Array };

export function acceptance(
  changes: Partial<Acceptance> = {},
  shapes: readonly SegmentShape[] = [{ requests: 4 }],
): Acceptance {
  const id = `msgbatch_${String(++batchesMade).padStart(8, '0')}`;
  return {
    id,
    workspaceId: 'wrkspc_a',
    keyId: 'apikey_a',
    dialect: 'anthropic',
    version: '2023-06-01',
    betas: ['one-beta', 'two-beta'],
    requests: shapes.reduce((sum, shape) => sum + shape.requests, 0),
    windowMs: 3_600_000,
    retentionMs: 86_400_000,
    segments: shapes.map(({ requests, model = 'model-a', inline }, number) => ({
      number,
      source: inline ? { kind: 'inline', bytes: inline } : { kind: 'blob', key: `wrkspc_a/${id}/segments-0` },
      offset: number * 1_000,
      bytes: 900,
      indexOffset: number * 1_000 + 900,
      indexBytes: 100,
      model,
      family: number === 0 ? 'family-hash' : null,
      requests,
    })),
    fingerprint: `fingerprint of ${id}`,
    resend: null,
    idempotencyKey: null,
    ...changes,
  };
}

export async function acceptBatch(
  catalog: Catalog,
  changes: Partial<Acceptance> = {},
  shapes?: readonly SegmentShape[],
): Promise<Batch> {
  const accepted = await catalog.accept(acceptance(changes, shapes));
  assert.equal(accepted.kind, 'accepted');
  return accepted.kind === 'accepted' ? accepted.batch : assert.fail();
}

export function bitsOf(requests: number, items: readonly number[]): Uint8Array {
  const bits = bitmap(requests);
  for (const item of items) setBit(bits, item);
  return bits;
}

export function allItems({ from, to }: { readonly from: number; readonly to: number }): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

export function usageRow(changes: Partial<UsageRow> = {}): UsageRow {
  return {
    model: 'model-a',
    upstream: 'local',
    billing: 'own',
    tier: 'standard',
    band: 0,
    wasted: false,
    requests: 1,
    inputTokens: 10,
    outputTokens: 20,
    cacheCreationInputTokens: 3,
    cacheReadInputTokens: 4,
    cacheCreation1hInputTokens: 1,
    ...changes,
  };
}

export type Done = { readonly lease: Lease; readonly requests: number; readonly items: readonly number[] };

export type SealChanges = {
  readonly counts?: Counts;
  readonly usage?: readonly UsageRow[];
  readonly bytes?: number;
};

/** A seal of succeeded items, 100 bytes a line unless told otherwise. */
export function sealOf(node: string, done: readonly Done[], changes: SealChanges = {}): Seal {
  const lines = done.reduce((sum, { items }) => sum + items.length, 0);
  const batchId = done[0]!.lease.batchId;
  const bytes = changes.bytes ?? lines * 100;
  return {
    node,
    batchId,
    chunk: {
      bytes,
      lines,
      blob: `wrkspc_a/${batchId}/chunk`,
      blobOffset: 16,
      indexOffset: 16 + bytes,
      indexBytes: lines * 8,
    },
    leases: done.map(({ lease, requests, items }) => ({ lease, done: bitsOf(requests, items) })),
    tally: { counts: changes.counts ?? { ...noCounts, succeeded: lines }, usage: changes.usage ?? [] },
  };
}

/** Seals items of a held span, all of it unless told which. */
export function sealSpan(
  catalog: Catalog,
  { node, span, items = allItems(span.lease) }: { node: string; span: HeldSpan; items?: readonly number[] },
): Promise<Sealed> {
  return catalog.seal(sealOf(node, [{ lease: span.lease, requests: span.segment.requests, items }]));
}

export function claimAll(catalog: Catalog, node: string, batchId: string): Promise<readonly HeldSpan[]> {
  return catalog.claim({ node, batchId, model: null, limit: 1_000, leaseMs });
}

export async function finish(catalog: Catalog, batchId: string): Promise<void> {
  for (const span of await claimAll(catalog, 'finisher', batchId)) await sealSpan(catalog, { node: 'finisher', span });
}
