/**
 * The real SQLite catalog behind simulated time: each call takes effect and returns later, its sender may die before or between,
 * and it may have no room. What took effect is told to the ledger and checked at once.
 */
import { StorageFullError } from '../src/domain/errors.ts';
import type { Catalog } from '../src/ports/catalog.ts';
import type { Database } from '../src/stores/sqlite/database.ts';
import type { BlobDisk } from './disk.ts';
import type { Faults } from './faults.ts';
import type { Ledger, ReadSegment } from './ledger.ts';
import type { Random } from './random.ts';
import { checkSeal } from './seal-check.ts';
import { operate, type Life, type SimWorld } from './world.ts';

export type CatalogParts = {
  readonly world: SimWorld;
  readonly faults: Faults;
  readonly random: Random;
  readonly ledger: Ledger;
  readonly disk: BlobDisk;
  readonly inner: Catalog;
  /** The same database, for the checks. */
  readonly database: Database;
  /** Another machine's database: what was sent arrives although the sender died. */
  readonly remote: boolean;
};

export function catalogOf(parts: CatalogParts, life: Life): Catalog {
  const { world, faults, random, inner } = parts;
  const timed = <T>(writes: boolean, effect: () => Promise<T>): Promise<T> => {
    const meanMs = faults.active('slow disk', world.nowMs) ? 200 : 1;
    return operate({
      world,
      life,
      effectMs: random.latency(meanMs),
      returnMs: random.latency(meanMs / 2),
      survivesSender: parts.remote && random.chance(0.3),
      effect: () => {
        if (writes && faults.active('catalog full', world.nowMs)) throw new StorageFullError('the catalog');
        return effect();
      },
    });
  };
  const read = <T>(effect: () => Promise<T>) => timed(false, effect);
  const write = <T>(effect: () => Promise<T>) => timed(true, effect);
  return {
    time: () => read(() => inner.time()),
    accept: (acceptance) => write(() => accept(parts, acceptance)),
    answered: (batchId) => write(() => inner.answered(batchId)),
    batch: (workspaceId, batchId) => read(() => inner.batch(workspaceId, batchId)),
    page: (query) => read(() => inner.page(query)),
    transition: (change) => write(() => transition(parts, change)),
    runnable: (query) => read(() => inner.runnable(query)),
    claim: (query) =>
      write(async () => {
        const spans = await inner.claim(query);
        parts.ledger.claimed(query.node, spans);
        for (const { lease } of spans)
          world.note(`${query.node} claims ${lease.batchId}/${lease.segment} epoch ${lease.epoch}`);
        return spans;
      }),
    held: (node) => read(() => inner.held(node)),
    renew: (query) => write(() => inner.renew(query)),
    release: (query) => write(() => inner.release(query)),
    seal: (seal) =>
      write(async () => {
        const sealed = await inner.seal(seal);
        world.note(`${seal.node} seals ${seal.batchId}: ${sealed.kind}, ${seal.chunk.lines} lines`);
        checkSeal({ ...parts, life, seal, sealed });
        return sealed;
      }),
    chunks: (query) => read(() => inner.chunks(query)),
    merge: (change) => write(() => inner.merge(change)),
    due: (query) => read(() => inner.due(query)),
    known: (batchIds) => read(() => inner.known(batchIds)),
    close: () => Promise.resolve(),
  };
}

async function accept(
  { inner, ledger, disk, database, world }: CatalogParts,
  acceptance: Parameters<Catalog['accept']>[0],
): ReturnType<Catalog['accept']> {
  const { id } = acceptance;
  const accepted = await inner.accept(acceptance);
  world.note(`accept ${id}: ${accepted.kind}, ${acceptance.requests} requests`);
  if (accepted.kind === 'accepted') {
    ledger.accepted(accepted.batch, { acceptance, read: (segment) => readStored({ database, disk, id }, segment) });
  }
  return accepted;
}

function readStored(
  { database, disk, id }: { database: Database; disk: BlobDisk; id: string },
  { source, number }: Parameters<ReadSegment>[0],
): Uint8Array | null {
  if (source.kind === 'blob')
    return disk.unsettled.has(source.key) ? null : (disk.stored.get(source.key)?.bytes ?? null);
  const sql = 'select inline from segments where batch_id = :id and number = :number';
  return database.get<{ inline: Uint8Array | null }>(sql, { id, number })?.inline ?? null;
}

async function transition(
  { inner, ledger, world }: CatalogParts,
  change: Parameters<Catalog['transition']>[0],
): ReturnType<Catalog['transition']> {
  const batch = await inner.transition(change);
  const truth = ledger.batches.get(change.batchId);
  if (!batch || !truth) return batch;
  world.note(`${change.transition} of ${change.batchId}`);
  if (change.transition === 'cancel') truth.canceledMs = world.nowMs;
  if (change.transition === 'delete') truth.deletedMs = world.nowMs;
  if (change.transition === 'archive') truth.archived = true;
  if (change.transition !== 'cancel' && truth.endedMs === null)
    world.violate('accepted survives', `${change.transition} of ${change.batchId} before its end`);
  return batch;
}
