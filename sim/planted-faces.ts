/** Bugs of creates, ends, results and walls between workspaces. */
import { StorageFullError } from '../src/domain/errors.ts';
import type { Batch } from '../src/domain/batch.ts';
import { blobsPlant, catalogPlant, every, innerPlant, workspacePlant, type PlantedBug } from './planting.ts';

export const endsBugs: readonly PlantedBug[] = [
  {
    name: 'a cancel is answered and not done',
    promise: 'cancel and expiry',
    plant: () => ({
      service: (service) => ({
        ...service,
        cancel: async (workspaceId, batchId) => {
          const batch = await service.retrieve(workspaceId, batchId);
          return batch?.state === 'running' ? { ...batch, state: 'canceling' } : batch;
        },
      }),
    }),
  },
  {
    name: 'a batch expires too early',
    promise: 'cancel and expiry',
    quick: true,
    plant: () => {
      const made: Batch[] = [];
      return {
        catalog: (catalog) => ({
          ...catalog,
          accept: async (acceptance) => {
            const answer = await catalog.accept(acceptance);
            if (answer.kind === 'accepted') made.push(answer.batch);
            return answer;
          },
          due: async (query) => (query.kind === 'expire' ? made.splice(0) : catalog.due(query)),
        }),
      };
    },
  },
  {
    name: 'what was canceled says it expired',
    promise: 'cancel and expiry',
    plant: () => ({
      dialect: (dialect) => ({
        ...dialect,
        failedLine: (customId, outcome, error) =>
          dialect.failedLine(customId, outcome === 'canceled' ? 'expired' : outcome, error),
      }),
    }),
  },
  {
    name: 'a restarted node does not see that a batch is canceling',
    promise: 'cancel and expiry',
    plant: catalogPlant((catalog) => ({
      held: async (node) =>
        (await catalog.held(node)).map((span) => ({ ...span, batch: { ...span.batch, state: 'running' } })),
      renew: async (query) => (await catalog.renew(query)).map((live) => ({ ...live, state: 'running' })),
    })),
  },
  {
    name: 'a claim forgets a span',
    promise: 'every batch ends',
    quick: true,
    plant: catalogPlant((catalog) => ({ claim: async (query) => (await catalog.claim(query)).slice(1) })),
  },
  {
    name: 'free work is never found',
    promise: 'every batch ends',
    plant: catalogPlant(() => ({ runnable: () => Promise.resolve([]) })),
  },
  {
    name: 'the twentieth sync never returns',
    promise: 'every batch ends',
    plant: () => {
      const now = every(20);
      return { log: (log) => ({ ...log, sync: () => (now() ? new Promise<void>(() => undefined) : log.sync()) }) };
    },
  },
];

export const resultsBugs: readonly PlantedBug[] = [
  {
    name: 'a range loses its first byte',
    promise: 'immutable results',
    plant: () => ({
      service: (service) => ({
        ...service,
        results: async (workspaceId, batchId) => {
          const found = await service.results(workspaceId, batchId);
          return typeof found === 'string'
            ? found
            : { ...found, read: ({ start, end }) => found.read({ start: start > 0 ? start + 1 : 0, end }) };
        },
      }),
    }),
  },
  {
    name: 'chunks come in the wrong order',
    promise: 'immutable results',
    quick: true,
    plant: catalogPlant((catalog) => ({ chunks: async (query) => (await catalog.chunks(query)).toReversed() })),
  },
  {
    name: 'a merge changes a byte',
    promise: 'immutable results',
    plant: blobsPlant((blobs) => ({
      put: (key, [first, ...rest]) =>
        blobs.put(key, key.includes('/m-') ? [Buffer.from(first!).fill(32, 0, 1), ...rest] : [first!, ...rest]),
    })),
  },
];

export const isolationBugs: readonly PlantedBug[] = [
  {
    name: 'a batch is found by its id alone',
    promise: 'isolation',
    quick: true,
    plant: workspacePlant((catalog, ownerOf) => ({
      batch: (workspaceId, batchId) => catalog.batch(ownerOf(batchId) ?? workspaceId, batchId),
    })),
  },
  {
    name: 'a list shows another workspace',
    promise: 'isolation',
    plant: catalogPlant((catalog) => ({
      page: async (query) => {
        const pages = await Promise.all(
          ['wrkspc_1', 'wrkspc_2'].map((workspaceId) => catalog.page({ ...query, workspaceId })),
        );
        return { batches: pages.flatMap((page) => page?.batches ?? []), hasMore: false };
      },
    })),
  },
  {
    name: 'a delete tells that another workspace has the batch',
    promise: 'isolation',
    plant: () => ({
      service: (service) => ({
        ...service,
        results: async (workspaceId, batchId) => {
          const found = await service.results(workspaceId, batchId);
          return found === 'unknown' ? 'unavailable' : found;
        },
      }),
    }),
  },
];

export const createsBugs: readonly PlantedBug[] = [
  {
    name: 'a re-send is not recognized',
    promise: 're-sent once',
    quick: true,
    plant: catalogPlant((catalog) => ({
      accept: (acceptance) => catalog.accept({ ...acceptance, resend: null, idempotencyKey: null }),
    })),
  },
  {
    name: 'an answer counts as written before it is',
    promise: 're-sent once',
    plant: innerPlant((catalog) => ({
      accept: async (acceptance) => {
        const answer = await catalog.accept(acceptance);
        if (answer.kind === 'accepted') await catalog.answered(answer.batch.id);
        return answer;
      },
    })),
  },
  {
    name: 'the body is not part of what is the same',
    promise: 're-sent once',
    plant: catalogPlant((catalog) => ({
      accept: (acceptance) => catalog.accept({ ...acceptance, fingerprint: acceptance.id }),
    })),
  },
  {
    name: 'a refused create leaves its batch',
    promise: 'refused leaves nothing',
    quick: true,
    plant: () => {
      const now = every(5);
      return {
        service: (service) => ({
          ...service,
          create: async (request) => {
            const created = await service.create(request);
            if (now()) throw new StorageFullError('anything');
            return created;
          },
        }),
      };
    },
  },
  {
    name: 'the catalog says no and does it',
    promise: 'refused leaves nothing',
    plant: () => {
      const now = every(4);
      return {
        catalog: (catalog) => ({
          ...catalog,
          accept: async (acceptance) => {
            const answer = await catalog.accept(acceptance);
            if (now()) throw new StorageFullError('anything');
            return answer;
          },
        }),
      };
    },
  },
];
