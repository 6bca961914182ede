/** Bugs of lines, answers and sums. */
import type { UsageRow } from '../src/domain/tally.ts';
import { blobsPlant, catalogPlant, every, innerPlant, overlay, sealPlant, type PlantedBug } from './planting.ts';

export const linesBugs: readonly PlantedBug[] = [
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
              for (const { lease } of spans)
                current.set(`${lease.batchId}/${lease.segment}`, { epoch: lease.epoch, node: query.node });
              return spans;
            },
            seal: (seal) => {
              const known = seal.leases.map(({ lease }) => current.get(`${lease.batchId}/${lease.segment}`)!);
              const leases = seal.leases.map(({ lease, done }, at) => ({
                lease: { ...lease, epoch: known[at]!.epoch },
                done,
              }));
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
      put: (key, [first, ...rest]) =>
        blobs.put(key, key.includes('/r-') ? [first!.subarray(0, -1), Buffer.from(' '), ...rest] : [first!, ...rest]),
    })),
  },
];

export const honestBugs: readonly PlantedBug[] = [
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
          return result.end.kind === 'perhaps_paid'
            ? { ...result, end: { kind: 'refused', error: result.end.error } }
            : result;
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

export const keptBugs: readonly PlantedBug[] = [
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
          succeededLine: (customId, message) =>
            now() ? dialect.failedLine(customId, 'errored', null) : dialect.succeededLine(customId, message),
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

export const countedBugs: readonly PlantedBug[] = [
  {
    name: 'a seal counts a success as an error',
    promise: 'counts',
    quick: true,
    plant: sealPlant((seal) => {
      const { succeeded, errored } = seal.tally.counts;
      const counts =
        succeeded > 0 ? { ...seal.tally.counts, succeeded: succeeded - 1, errored: errored + 1 } : seal.tally.counts;
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
    plant: sealPlant((seal) => ({
      ...seal,
      tally: { ...seal.tally, usage: [...seal.tally.usage, ...seal.tally.usage] },
    })),
  },
  {
    name: 'usage is forgotten',
    promise: 'usage once',
    plant: sealPlant((seal) => ({ ...seal, tally: { ...seal.tally, usage: [] } })),
  },
  {
    name: 'usage counts requests twice',
    promise: 'usage once',
    plant: sealPlant((seal) => ({
      ...seal,
      tally: { ...seal.tally, usage: seal.tally.usage.map((row) => ({ ...row, requests: row.requests + 1 })) },
    })),
  },
  {
    name: 'errored, canceled and expired requests are billed',
    promise: 'usage once',
    quick: true,
    plant: sealPlant((seal) => {
      const { errored, canceled, expired } = seal.tally.counts;
      const free = errored + canceled + expired;
      const [row] = seal.tally.usage;
      if (!row || free === 0) return seal;
      const usage = [...seal.tally.usage, { ...row, requests: free, inputTokens: free, outputTokens: 0 }];
      return { ...seal, tally: { ...seal.tally, usage } };
    }),
  },
  {
    name: 'a wasted attempt is billed as a result',
    promise: 'usage once',
    plant: sealPlant((seal) => ({
      ...seal,
      tally: { ...seal.tally, usage: seal.tally.usage.map((row) => ({ ...row, wasted: false })) },
    })),
  },
  {
    name: 'a minute counts a request more than its batch',
    promise: 'usage once',
    plant: innerPlant((catalog, run) => ({
      seal: async (seal) => {
        const sealed = await catalog.seal(seal);
        const sql = `update usage_buckets set requests = requests + 1 where seconds = 60 and wasted = 0 and key_id =
          (select key_id from batches where id = :id)`;
        run(sql, { id: seal.batchId });
        return sealed;
      },
    })),
  },
  {
    name: 'deleting a batch takes its usage along',
    promise: 'usage once',
    plant: innerPlant((catalog, run) => ({
      transition: async (change) => {
        const batch = await catalog.transition(change);
        if (batch && change.transition === 'delete')
          run('delete from usage where batch_id = :id', { id: change.batchId });
        return batch;
      },
    })),
  },
];

/** Changes the usage rows of every seal. */
function usagePlant(change: (row: UsageRow) => UsageRow): PlantedBug['plant'] {
  return sealPlant((seal) => ({ ...seal, tally: { ...seal.tally, usage: seal.tally.usage.map(change) } }));
}

export const billedBugs: readonly PlantedBug[] = [
  {
    name: 'a long prompt is billed as a short one',
    promise: 'billed by the rules',
    quick: true,
    plant: usagePlant((row) => ({ ...row, band: 0 })),
  },
  {
    name: 'a band is chosen for a whole seal',
    promise: 'billed by the rules',
    plant: sealPlant((seal) => {
      const band = Math.max(0, ...seal.tally.usage.map((row) => row.band));
      return { ...seal, tally: { ...seal.tally, usage: seal.tally.usage.map((row) => ({ ...row, band })) } };
    }),
  },
  {
    name: 'usage is billed under the model that was asked for',
    promise: 'billed by the rules',
    plant: usagePlant((row) => ({ ...row, model: 'model-1' })),
  },
];
