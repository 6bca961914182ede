/** Bugs of blobs, journal and cleaning. */
import { blobsPlant, catalogPlant, every, innerPlant, type PlantedBug } from './planting.ts';

export const acceptedBugs: readonly PlantedBug[] = [
  {
    name: 'a put resolves before it is durable',
    promise: 'accepted survives',
    quick: true,
    plant: blobsPlant((blobs) => ({ put: async (key, parts) => void blobs.put(key, parts).catch(() => undefined) })),
  },
  {
    name: 'one put in ten writes nothing',
    promise: 'accepted survives',
    plant: () => {
      const now = every(10);
      return {
        blobs: (blobs) => ({ ...blobs, put: (key, parts) => (now() ? Promise.resolve() : blobs.put(key, parts)) }),
      };
    },
  },
  {
    name: 'a small batch is accepted without its bytes',
    promise: 'accepted survives',
    quick: true,
    plant: innerPlant((catalog, run) => ({
      accept: async (acceptance) => {
        const accepted = await catalog.accept(acceptance);
        run('update segments set inline = null where batch_id = :id', { id: acceptance.id });
        return accepted;
      },
    })),
  },
  {
    name: 'garbage collection takes every batch for unknown',
    promise: 'accepted survives',
    plant: catalogPlant(() => ({ known: () => Promise.resolve(new Set<string>()) })),
  },
];

export const journalBugs: readonly PlantedBug[] = [
  {
    name: 'a sync is skipped',
    promise: 'durable before shown',
    quick: true,
    plant: () => ({ log: (log) => ({ ...log, sync: () => Promise.resolve() }) }),
  },
  {
    name: 'one append in ten is not written',
    promise: 'durable before shown',
    plant: () => {
      const now = every(10);
      return { log: (log) => ({ ...log, append: (frames) => (now() ? log.files().at(-1)! : log.append(frames)) }) };
    },
  },
  {
    name: 'a sync is only begun',
    promise: 'durable before shown',
    plant: () => ({ log: (log) => ({ ...log, sync: async () => void log.sync() }) }),
  },
  {
    name: 'the journal is not replayed',
    promise: 'bought once',
    quick: true,
    plant: () => ({ log: (log) => ({ ...log, scan: (_visit) => log.scan(() => undefined) }) }),
  },
  {
    name: 'the replay misses the first record',
    promise: 'bought once',
    plant: () => ({
      log: (log) => ({
        ...log,
        scan: (visit) => {
          let first = true;
          return log.scan((file, payload) => {
            if (!first) visit(file, payload);
            first = false;
          });
        },
      }),
    }),
  },
  {
    name: 'a restart does not read the done bits',
    promise: 'bought once',
    plant: catalogPlant((catalog) => ({
      held: async (node) =>
        (await catalog.held(node)).map((span) => ({ ...span, done: new Uint8Array(span.done.length) })),
    })),
  },
  {
    name: 'a call is hedged',
    promise: 'bought once',
    plant: () => ({ send: (send) => (request) => (send(request).catch(() => undefined), send(request)) }),
  },
];

export const cleaningBugs: readonly PlantedBug[] = [
  {
    name: 'a delete deletes nothing',
    promise: 'garbage goes',
    quick: true,
    plant: blobsPlant(() => ({ delete: () => Promise.resolve() })),
  },
  {
    name: 'blobs are not listed',
    promise: 'garbage goes',
    plant: blobsPlant(() => ({ list: () => Promise.resolve([]) })),
  },
  {
    name: 'an archived batch keeps its small segments',
    promise: 'garbage goes',
    plant: innerPlant((catalog, run) => ({
      transition: async (change) => {
        const batch = await catalog.transition(change);
        if (change.transition === 'archive' && batch)
          run(`update segments set inline = x'00' where batch_id = :id and blob = ''`, { id: batch.id });
        return batch;
      },
    })),
  },
  {
    name: 'every batch counts as known',
    promise: 'garbage goes',
    plant: catalogPlant(() => ({ known: (batchIds) => Promise.resolve(new Set(batchIds)) })),
  },
  {
    name: 'an end is not told',
    promise: 'events once',
    quick: true,
    plant: innerPlant((catalog, run) => ({
      seal: async (seal) => {
        const sealed = await catalog.seal(seal);
        run(`delete from events where batch_id = :id and kind = 'ended'`, { id: seal.batchId });
        return sealed;
      },
    })),
  },
  {
    name: 'a creation is told twice',
    promise: 'events once',
    plant: innerPlant((catalog, run) => ({
      answered: async (batchId) => {
        await catalog.answered(batchId);
        run(
          `insert into events (batch_id, sequence, kind, at) select :batchId, max(sequence) + 1, 'created', 0 from events where batch_id = :batchId`,
          { batchId },
        );
      },
    })),
  },
  {
    name: 'a cancel is not told',
    promise: 'events once',
    plant: innerPlant((catalog, run) => ({
      transition: async (change) => {
        const batch = await catalog.transition(change);
        run(`delete from events where batch_id = :id and kind = 'canceling'`, { id: change.batchId });
        return batch;
      },
    })),
  },
];
