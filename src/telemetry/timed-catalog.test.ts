import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Catalog } from '../ports/catalog.ts';
import { FakeWorld } from './fake-world.ts';
import { timedCatalog } from './timed-catalog.ts';

test('calls go through as they are, and are told with their time and whether they failed', async () => {
  const world = new FakeWorld();
  class Stub {
    readonly #batches = new Map([['b', 'found']]);
    async known(ids: readonly string[]): Promise<unknown> {
      await world.move(25);
      return ids.map((id) => this.#batches.get(id));
    }
    time(): Promise<number> {
      return Promise.reject(new Error('no catalog'));
    }
  }
  const catalog = timedCatalog(new Stub() as unknown as Catalog, world);
  assert.deepEqual(await catalog.known(['b']), ['found']);
  await assert.rejects(catalog.time(), /no catalog/);
  assert.deepEqual(world.events, [
    { kind: 'catalog_call', method: 'known', durationMs: 25, failed: false },
    { kind: 'catalog_call', method: 'time', durationMs: 0, failed: true },
  ]);
});
