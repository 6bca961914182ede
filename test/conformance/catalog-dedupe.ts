/** When every catalog must take a create for an earlier one sent again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Acceptance } from '../../src/ports/catalog.ts';
import { acceptance, acceptBatch, finish, withCatalog, type CatalogSubject, type Scene } from './catalog-fixtures.ts';

/** Each row: a first create, what happens in between, a second create, and what it comes to. */
type DedupeCase = {
  readonly name: string;
  readonly first?: Partial<Acceptance>;
  readonly between?: (scene: Scene, id: string) => Promise<unknown>;
  readonly second: Partial<Acceptance>;
  readonly kind: 'accepted' | 'repeated' | 'conflict';
};

const resend = { withinMs: 1_800_000 };
const keyed = { idempotencyKey: { key: 'once', withinMs: 3_600_000 } };
const moved = (ms: number) => async (scene: Scene) => scene.clock.move(ms);
const erase = async ({ catalog }: Scene, batchId: string) => {
  await finish(catalog, batchId);
  await catalog.transition({ batchId, transition: 'delete', from: ['ended'] });
};

const dedupeCases: readonly DedupeCase[] = [
  { name: 'two plain creates are two batches', second: {}, kind: 'accepted' },
  { name: 'a re-send finds the unanswered first', second: { resend }, kind: 'repeated' },
  { name: 'a re-send of another body is new', second: { resend, fingerprint: 'other' }, kind: 'accepted' },
  { name: 'a re-send at the end of its time', between: moved(1_800_000), second: { resend }, kind: 'repeated' },
  { name: 'a re-send after its time is new', between: moved(1_800_001), second: { resend }, kind: 'accepted' },
  {
    name: 'a re-send of an answered create is new',
    between: ({ catalog }, id) => catalog.answered(id),
    second: { resend },
    kind: 'accepted',
  },
  {
    name: 'a re-send finds an ended batch too',
    between: ({ catalog }, id) => finish(catalog, id),
    second: { resend },
    kind: 'repeated',
  },
  { name: 'a re-send of a deleted batch is new', between: erase, second: { resend }, kind: 'accepted' },
  {
    name: 'C7: a re-send never finds another workspace',
    second: { resend, workspaceId: 'wrkspc_b' },
    kind: 'accepted',
  },
  { name: 'a key used for the same body', first: keyed, second: keyed, kind: 'repeated' },
  {
    name: 'a key is remembered after the answer',
    first: keyed,
    between: ({ catalog }, id) => catalog.answered(id),
    second: keyed,
    kind: 'repeated',
  },
  { name: 'a key used for another body', first: keyed, second: { ...keyed, fingerprint: 'other' }, kind: 'conflict' },
  {
    name: 'the key counts before the re-send',
    first: keyed,
    second: { ...keyed, resend, fingerprint: 'other' },
    kind: 'conflict',
  },
  { name: 'a key after its time is new', first: keyed, between: moved(3_600_001), second: keyed, kind: 'accepted' },
  { name: 'a key of a deleted batch is new', first: keyed, between: erase, second: keyed, kind: 'accepted' },
  {
    name: 'C7: a key belongs to its workspace',
    first: keyed,
    second: { ...keyed, workspaceId: 'wrkspc_b' },
    kind: 'accepted',
  },
  {
    name: 'a re-send under another key is another create',
    first: keyed,
    second: { resend, idempotencyKey: { key: 'two', withinMs: 1_000 } },
    kind: 'accepted',
  },
];

export function catalogDedupeSuite(subject: CatalogSubject): void {
  for (const { name, first, between, second, kind } of dedupeCases) {
    test(`create again: ${name}`, () =>
      withCatalog(subject, async (scene) => {
        const batch = await acceptBatch(scene.catalog, { fingerprint: 'same', ...first });
        await between?.(scene, batch.id);
        const again = acceptance({ fingerprint: 'same', ...second });
        const result = await scene.catalog.accept(again);
        assert.equal(result.kind, kind);
        if (result.kind === 'repeated') assert.equal(result.batch.id, batch.id);
        assert.equal((await scene.catalog.known([again.id])).size, kind === 'accepted' ? 1 : 0);
      }));
  }
}
