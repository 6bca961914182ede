/** The service: what the faces may ask, carried out on catalog, blobs and engine. */
import type { Dialect } from '../dialects/dialect.ts';
import { isFinal, transitionsFrom, type Batch } from '../domain/batch.ts';
import { AppError } from '../domain/errors.ts';
import { newId } from '../domain/id.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { World } from '../ports/world.ts';
import type { CreateBatch, Service } from './contract.ts';
import type { Engine } from './engine.ts';
import { intake } from './intake.ts';
import type { Janitor } from './janitor.ts';
import { Creates } from './overtaken.ts';
import { openResults } from './results.ts';

export type ServiceDeps = {
  readonly catalog: Catalog;
  readonly blobs: Blobs;
  readonly world: World;
  readonly dialect: Dialect;
  readonly engine: Engine;
  readonly janitor: Janitor;
  readonly windowMs: number;
  readonly retentionMs: number;
  readonly readiness: () => { readonly ready: boolean; readonly reason: string | null };
};

export function createService(deps: ServiceDeps): Service {
  const { catalog, blobs, world } = deps;
  const creates = new Creates((acceptance) => catalog.accept(acceptance));
  return {
    create: (request) => create(deps, creates, request),
    // Best effort: if it is not noted, a re-send within half an hour finds this batch, which is the safe side.
    answered: (batchId) =>
      void catalog
        .answered(batchId)
        .catch((error: unknown) => world.emit({ kind: 'failure', where: 'answered', error, requestId: null })),
    message: (call) => deps.engine.calls.open(call),
    countTokens: (call) => deps.engine.calls.counts.count(call),
    retrieve: (workspaceId, batchId) => catalog.batch(workspaceId, batchId),
    page: (query) => catalog.page(query),
    cancel: (workspaceId, batchId) => cancel(deps, workspaceId, batchId),
    remove: (workspaceId, batchId) => remove(deps, workspaceId, batchId),
    async results(workspaceId, batchId) {
      const batch = await catalog.batch(workspaceId, batchId);
      if (!batch) return 'unknown';
      return isFinal(batch.state) && batch.archivedAt === null ? openResults({ catalog, blobs, batch }) : 'unavailable';
    },
    async partialResults(workspaceId, batchId) {
      const batch = await catalog.batch(workspaceId, batchId);
      if (!batch) return 'unknown';
      if (batch.archivedAt !== null) return 'unavailable';
      return { ...openResults({ catalog, blobs, batch }), complete: isFinal(batch.state) };
    },
    watched: (batchId) => deps.engine.watched(batchId),
    ready: deps.readiness,
  };
}

async function create(
  deps: ServiceDeps,
  creates: Creates,
  request: CreateBatch,
): Promise<{ batch: Batch; repeated: boolean }> {
  const { world, engine, janitor } = deps;
  const startedMs = world.clock.monotonicMs();
  const batchId = newId('msgbatch', (count) => world.chance.bytes(count));
  const underWay = creates.begin();
  janitor.uploadStarted(batchId);
  try {
    const { accepted, segments, bytes } = await intake(
      { ...deps, catalog: underWay, openBytesMax: () => underWay.openBytesMax() },
      request,
      batchId,
    );
    if (accepted.kind === 'conflict') {
      throw new AppError(
        'unprocessable',
        'Idempotency-Key: this key was used for another request. Use a new key for a new batch.',
      );
    }
    const { batch } = accepted;
    const repeated = accepted.kind === 'repeated';
    if (!repeated) {
      const spans = new Map<string, number>();
      for (const { model } of segments) spans.set(model, (spans.get(model) ?? 0) + 1);
      engine.accepted(batch, spans);
    }
    const durationMs = world.clock.monotonicMs() - startedMs;
    world.emit({
      kind: 'batch_created',
      batchId: batch.id,
      workspaceId: batch.workspaceId,
      requests: batch.requests,
      bytes,
      durationMs,
      repeated,
      traceparent: request.traceparent ?? null,
    });
    return { batch, repeated };
  } finally {
    underWay.end();
    janitor.uploadEnded(batchId);
  }
}

/** A cancel that is sent again, or comes too late, changes nothing and fails nothing. */
async function cancel(
  { catalog, engine, world }: ServiceDeps,
  workspaceId: string,
  batchId: string,
): Promise<Batch | null> {
  const known = await catalog.batch(workspaceId, batchId);
  if (!known) return null;
  const changed = await catalog.transition({ batchId, transition: 'cancel', from: transitionsFrom.cancel });
  if (!changed) return catalog.batch(workspaceId, batchId);
  world.emit({ kind: 'batch_canceling', batchId });
  engine.close(changed, 'canceled');
  return changed;
}

async function remove(
  { catalog, janitor, world }: ServiceDeps,
  workspaceId: string,
  batchId: string,
): Promise<'removed' | 'unfinished' | 'unknown'> {
  const known = await catalog.batch(workspaceId, batchId);
  if (!known) return 'unknown';
  const removed = await catalog.transition({ batchId, transition: 'delete', from: transitionsFrom.delete });
  if (!removed) return (await catalog.batch(workspaceId, batchId)) ? 'unfinished' : 'unknown';
  world.emit({ kind: 'batch_deleted', batchId });
  // The batch is gone whatever becomes of its blobs: what cannot be erased now is garbage for the janitor.
  await janitor
    .erase(removed)
    .catch((error: unknown) => world.emit({ kind: 'failure', where: 'erase', error, requestId: null }));
  return 'removed';
}
