/** Bugs planted on purpose, at least three for each promise: a simulation that does not find them proves nothing by finding none. */
import { StorageFullError } from '../src/domain/errors.ts';
import type { Batch } from '../src/domain/batch.ts';
import type { Blobs } from '../src/ports/blobs.ts';
import type { Catalog, Seal } from '../src/ports/catalog.ts';
import type { Plant } from './plant.ts';

export type PlantedBug = {
  readonly name: string;
  readonly promise: string;
  /** Found within a few seeds, so that every test run can look for it. */
  readonly quick?: boolean;
  /** Fresh for each history. */
  readonly plant: () => Plant;
};

/** True once in so many calls. */
function every(count: number): () => boolean {
  let calls = 0;
  return () => (calls += 1) % count === 0;
}

function catalogPlant(change: (catalog: Catalog) => Partial<Catalog>): () => Plant {
  return () => ({ catalog: (catalog) => ({ ...catalog, ...change(catalog) }) });
}

/** The methods of a class are not its own properties, so they are named one by one. */
function innerPlant(change: (catalog: Catalog, run: (sql: string, parameters: Record<string, string>) => void) => Partial<Catalog>): () => Plant {
  return () => ({
    innerCatalog: (catalog, database) => overlay(catalog, change(catalog, (sql, parameters) => void database.run(sql, parameters))),
  });
}

function overlay(catalog: Catalog, changed: Partial<Catalog>): Catalog {
  return new Proxy(catalog, {
    get(target, name) {
      const own = (changed as Record<PropertyKey, unknown>)[name];
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function blobsPlant(change: (blobs: Blobs) => Partial<Blobs>): () => Plant {
  return () => ({ blobs: (blobs) => ({ ...blobs, ...change(blobs) }) });
}

function sealPlant(change: (seal: Seal) => Seal): () => Plant {
  return catalogPlant((catalog) => ({ seal: (seal) => catalog.seal(change(seal)) }));
}

const accepted: readonly PlantedBug[] = [
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
      return { blobs: (blobs) => ({ ...blobs, put: (key, parts) => (now() ? Promise.resolve() : blobs.put(key, parts)) }) };
    },
  },
  {
    name: 'garbage collection takes every batch for unknown',
    promise: 'accepted survives',
    plant: catalogPlant(() => ({ known: () => Promise.resolve(new Set<string>()) })),
  },
];

const lines: readonly PlantedBug[] = [
  {
    name: 'a seal under a stale epoch is taken',
    promise: 'one line each',
    plant: () => {
      const current = new Map<string, { epoch: number; node: string }>();
      return {
        innerCatalog: (catalog) =>
          overlay(catalog, {
            claim: async (query) => {
              const spans = await catalog.claim(query);
              for (const { lease } of spans) current.set(`${lease.batchId}/${lease.segment}`, { epoch: lease.epoch, node: query.node });
              return spans;
            },
            seal: (seal) => {
              const known = seal.leases.map(({ lease }) => current.get(`${lease.batchId}/${lease.segment}`)!);
              const leases = seal.leases.map(({ lease, done }, at) => ({ lease: { ...lease, epoch: known[at]!.epoch }, done }));
              return catalog.seal({ ...seal, node: known[0]!.node, leases }).then((sealed) => sealed);
            },
          }),
      };
    },
  },
  {
    name: 'a chunk holds its last line twice',
    promise: 'one line each',
    quick: true,
    plant: blobsPlant((blobs) => ({
      put: (key, parts) => {
        if (!key.includes('/r-')) return blobs.put(key, parts);
        const last = Buffer.from(parts[0]!).toString('utf8').split('\n').at(-2)!;
        return blobs.put(key, [Buffer.from(`${Buffer.from(parts[0]!).toString('utf8')}${last}\n`), ...parts.slice(1)]);
      },
    })),
  },
  {
    name: 'a chunk loses the end of its last line',
    promise: 'one line each',
    plant: blobsPlant((blobs) => ({
      put: (key, [first, ...rest]) => blobs.put(key, key.includes('/r-') ? [first!.subarray(0, -1), Buffer.from(' '), ...rest] : [first!, ...rest]),
    })),
  },
];

const honest: readonly PlantedBug[] = [
  {
    name: 'a line carries the custom_id before it',
    promise: 'honest lines',
    quick: true,
    plant: () => {
      let before = '';
      return {
        dialect: (dialect) => ({
          ...dialect,
          succeededLine: (customId, message) => {
            const line = dialect.succeededLine(before || customId, message);
            before = customId;
            return line;
          },
        }),
      };
    },
  },
  {
    name: 'a garbled answer counts as a refusal',
    promise: 'honest lines',
    plant: () => ({
      upstream: (upstream) => ({
        ...upstream,
        call: async (call) => {
          const result = await upstream.call(call);
          return result.end.kind === 'perhaps_paid' ? { ...result, end: { kind: 'refused', error: result.end.error } } : result;
        },
      }),
    }),
  },
  {
    name: 'a faulty request is sent',
    promise: 'honest lines',
    plant: () => ({
      dialect: (dialect) => ({
        ...dialect,
        readRequest: (element, ordinal, context) => {
          const read = dialect.readRequest(element, ordinal, context);
          return { ...read, entry: { ...read.entry, fault: null } };
        },
      }),
    }),
  },
];

const journal: readonly PlantedBug[] = [
  { name: 'a sync is skipped', promise: 'durable before shown', quick: true, plant: () => ({ log: (log) => ({ ...log, sync: () => Promise.resolve() }) }) },
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
  { name: 'the journal is not replayed', promise: 'bought once', quick: true, plant: () => ({ log: (log) => ({ ...log, scan: (_visit) => log.scan(() => undefined) }) }) },
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
      held: async (node) => (await catalog.held(node)).map((span) => ({ ...span, done: new Uint8Array(span.done.length) })),
    })),
  },
  { name: 'a call is hedged', promise: 'bought once', plant: () => ({ send: (send) => (request) => (send(request).catch(() => undefined), send(request)) }) },
];

const kept: readonly PlantedBug[] = [
  {
    name: 'a good answer in twenty is thrown away',
    promise: 'a paid answer is kept',
    quick: true,
    plant: () => {
      const now = every(20);
      return {
        upstream: (upstream) => ({
          ...upstream,
          call: async (call) => {
            const result = await upstream.call(call);
            if (result.end.kind !== 'message' || !now()) return result;
            return { ...result, end: { kind: 'perhaps_paid', error: { type: 'api_error', message: 'lost' } } };
          },
        }),
      };
    },
  },
  {
    name: 'an answer in twenty is written as another outcome',
    promise: 'a paid answer is kept',
    plant: () => {
      const now = every(20);
      return {
        dialect: (dialect) => ({
          ...dialect,
          succeededLine: (customId, message) => (now() ? dialect.failedLine(customId, 'errored', null) : dialect.succeededLine(customId, message)),
        }),
      };
    },
  },
  {
    name: 'a restart lets go of what it held',
    promise: 'a paid answer is kept',
    plant: catalogPlant((catalog) => ({
      held: async (node) => {
        const spans = await catalog.held(node);
        await catalog.release({ node, leases: spans.map(({ lease }) => lease) });
        return [];
      },
    })),
  },
];

const counted: readonly PlantedBug[] = [
  {
    name: 'a seal counts a success as an error',
    promise: 'counts',
    quick: true,
    plant: sealPlant((seal) => {
      const { succeeded, errored } = seal.tally.counts;
      const counts = succeeded > 0 ? { ...seal.tally.counts, succeeded: succeeded - 1, errored: errored + 1 } : seal.tally.counts;
      return { ...seal, tally: { ...seal.tally, counts } };
    }),
  },
  {
    name: 'a batch is shown with one count too many',
    promise: 'counts',
    plant: catalogPlant((catalog) => ({
      batch: async (workspaceId, batchId) => {
        const batch = await catalog.batch(workspaceId, batchId);
        return batch && { ...batch, counts: { ...batch.counts, expired: batch.counts.expired + 1 } };
      },
    })),
  },
  {
    name: 'a count is lost in the row',
    promise: 'counts',
    plant: innerPlant((catalog, run) => ({
      seal: async (seal) => {
        const sealed = await catalog.seal(seal);
        run('update batches set succeeded = max(0, succeeded - 1) where id = :id', { id: seal.batchId });
        return sealed;
      },
    })),
  },
  {
    name: 'usage is counted twice',
    promise: 'usage once',
    quick: true,
    plant: sealPlant((seal) => ({ ...seal, tally: { ...seal.tally, usage: [...seal.tally.usage, ...seal.tally.usage] } })),
  },
  { name: 'usage is forgotten', promise: 'usage once', plant: sealPlant((seal) => ({ ...seal, tally: { ...seal.tally, usage: [] } })) },
  {
    name: 'usage counts requests twice',
    promise: 'usage once',
    plant: sealPlant((seal) => ({ ...seal, tally: { ...seal.tally, usage: seal.tally.usage.map((row) => ({ ...row, requests: row.requests + 1 })) } })),
  },
];

const ends: readonly PlantedBug[] = [
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
        failedLine: (customId, outcome, error) => dialect.failedLine(customId, outcome === 'canceled' ? 'expired' : outcome, error),
      }),
    }),
  },
  {
    name: 'a restarted node does not see that a batch is canceling',
    promise: 'cancel and expiry',
    plant: catalogPlant((catalog) => ({
      held: async (node) => (await catalog.held(node)).map((span) => ({ ...span, batch: { ...span.batch, state: 'running' } })),
      renew: async (query) => (await catalog.renew(query)).map((live) => ({ ...live, state: 'running' })),
    })),
  },
  { name: 'a claim forgets a span', promise: 'every batch ends', quick: true, plant: catalogPlant((catalog) => ({ claim: async (query) => (await catalog.claim(query)).slice(1) })) },
  { name: 'free work is never found', promise: 'every batch ends', plant: catalogPlant(() => ({ runnable: () => Promise.resolve([]) })) },
  {
    name: 'the twentieth sync never returns',
    promise: 'every batch ends',
    plant: () => {
      const now = every(20);
      return { log: (log) => ({ ...log, sync: () => (now() ? new Promise<void>(() => undefined) : log.sync()) }) };
    },
  },
];

const results: readonly PlantedBug[] = [
  {
    name: 'a range loses its first byte',
    promise: 'immutable results',
    plant: () => ({
      service: (service) => ({
        ...service,
        results: async (workspaceId, batchId) => {
          const found = await service.results(workspaceId, batchId);
          return typeof found === 'string' ? found : { ...found, read: ({ start, end }) => found.read({ start: start > 0 ? start + 1 : 0, end }) };
        },
      }),
    }),
  },
  { name: 'chunks come in the wrong order', promise: 'immutable results', quick: true, plant: catalogPlant((catalog) => ({ chunks: async (query) => (await catalog.chunks(query)).toReversed() })) },
  {
    name: 'a merge changes a byte',
    promise: 'immutable results',
    plant: blobsPlant((blobs) => ({
      put: (key, [first, ...rest]) => blobs.put(key, key.includes('/m-') ? [Buffer.from(first!).fill(32, 0, 1), ...rest] : [first!, ...rest]),
    })),
  },
];

function workspacePlant(change: (catalog: Catalog, ownerOf: (batchId: string) => string | undefined) => Partial<Catalog>): () => Plant {
  return () => {
    const owners = new Map<string, string>();
    return {
      catalog: (catalog) => ({
        ...catalog,
        accept: (acceptance) => {
          owners.set(acceptance.id, acceptance.workspaceId);
          return catalog.accept(acceptance);
        },
        ...change(catalog, (batchId) => owners.get(batchId)),
      }),
    };
  };
}

const isolation: readonly PlantedBug[] = [
  {
    name: 'a batch is found by its id alone',
    promise: 'isolation',
    quick: true,
    plant: workspacePlant((catalog, ownerOf) => ({ batch: (workspaceId, batchId) => catalog.batch(ownerOf(batchId) ?? workspaceId, batchId) })),
  },
  {
    name: 'a list shows another workspace',
    promise: 'isolation',
    plant: catalogPlant((catalog) => ({
      page: async (query) => {
        const pages = await Promise.all(['wrkspc_1', 'wrkspc_2'].map((workspaceId) => catalog.page({ ...query, workspaceId })));
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

const creates: readonly PlantedBug[] = [
  { name: 'a re-send is not recognized', promise: 're-sent once', quick: true, plant: catalogPlant((catalog) => ({ accept: (acceptance) => catalog.accept({ ...acceptance, resend: null, idempotencyKey: null }) })) },
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
  { name: 'the body is not part of what is the same', promise: 're-sent once', plant: catalogPlant((catalog) => ({ accept: (acceptance) => catalog.accept({ ...acceptance, fingerprint: acceptance.id }) })) },
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

const cleaning: readonly PlantedBug[] = [
  { name: 'a delete deletes nothing', promise: 'garbage goes', quick: true, plant: blobsPlant(() => ({ delete: () => Promise.resolve() })) },
  { name: 'blobs are not listed', promise: 'garbage goes', plant: blobsPlant(() => ({ list: () => Promise.resolve([]) })) },
  { name: 'every batch counts as known', promise: 'garbage goes', plant: catalogPlant(() => ({ known: (batchIds) => Promise.resolve(new Set(batchIds)) })) },
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
        run(`insert into events (batch_id, sequence, kind, at) select :batchId, max(sequence) + 1, 'created', 0 from events where batch_id = :batchId`, { batchId });
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

export const plantedBugs: readonly PlantedBug[] = [
  ...[...accepted, ...lines, ...honest, ...journal, ...kept],
  ...[...counted, ...ends, ...results, ...isolation, ...creates, ...cleaning],
];
