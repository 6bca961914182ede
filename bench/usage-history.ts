/** A catalog with the usage of many batches, counted by the store's own functions: accept, claim and seal, in one transaction. */

import { mkdirSync } from 'node:fs';
import { noCounts } from '../src/domain/outcome.ts';
import { bitmap, setBit } from '../src/domain/segment.ts';
import type { UsageRow } from '../src/domain/tally.ts';
import { accept } from '../src/stores/sqlite/accept.ts';
import { CatalogClock } from '../src/stores/sqlite/clock.ts';
import { Database } from '../src/stores/sqlite/database.ts';
import { seal } from '../src/stores/sqlite/seal.ts';
import { claim } from '../src/stores/sqlite/spans.ts';

export type History = { readonly inputTokens: number; readonly outputTokens: number };

type Options = { readonly folder: string; readonly batches: number; readonly days: number; readonly endMs: number };

const WORKSPACES = 5;
const KEYS = 4;
const MODELS = ['claude-haiku-5-5', 'claude-haiku-4-5', 'claude-sonnet-5-5', 'claude-opus-5-5', 'qwen3:8b'];
const YEAR_MS = 365 * 86_400_000;

/** Batches at even distances until now, each of two models. */
export function usageHistory({ folder, batches, days, endMs }: Options): History {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const database = new Database(`${folder}/catalog.sqlite`);
  const startMs = endMs - (days - 1) * 86_400_000;
  let wallMs = startMs;
  const clock = new CatalogClock(database, { wallMs: () => wallMs });
  let [inputTokens, outputTokens] = [0, 0];
  database.write(() => {
    for (let batch = 0; batch < batches; batch += 1) {
      wallMs = startMs + ((endMs - startMs) * batch) / batches;
      const usage = [rowOf(batch, 0), rowOf(batch, 1)];
      for (const row of usage) {
        inputTokens += row.inputTokens;
        outputTokens += row.outputTokens;
      }
      runBatch({ database, clock, batch, usage });
    }
  });
  database.close();
  return { inputTokens, outputTokens };
}

function rowOf(batch: number, which: number): UsageRow {
  return {
    model: MODELS[(batch + which * 2) % MODELS.length]!,
    upstream: 'upstream',
    billing: 'own',
    tier: 'standard',
    band: (batch + which) % 2,
    wasted: false,
    requests: 500,
    inputTokens: 1_000 + batch,
    outputTokens: 500 + which,
    cacheCreationInputTokens: 100,
    cacheReadInputTokens: 1_000,
    cacheCreation1hInputTokens: 50,
  };
}

type Running = {
  readonly database: Database;
  readonly clock: CatalogClock;
  readonly batch: number;
  readonly usage: readonly UsageRow[];
};

function runBatch({ database, clock, batch, usage }: Running): void {
  const id = `msgbatch_01${String(batch).padStart(22, '0')}`;
  const workspaceId = `wrkspc_01bench${batch % WORKSPACES}`;
  const place = { offset: 0, bytes: 1, indexOffset: 1, indexBytes: 1 };
  const segment = { number: 0, source: { kind: 'blob', key: `${workspaceId}/${id}/s-0` }, ...place } as const;
  accept(database, clock, {
    id,
    workspaceId,
    keyId: `apikey_01bench${batch % (WORKSPACES * KEYS)}`,
    dialect: 'anthropic',
    version: '2023-06-01',
    betas: [],
    requests: 1,
    windowMs: YEAR_MS,
    retentionMs: YEAR_MS,
    segments: [{ ...segment, model: MODELS[batch % MODELS.length]!, family: null, requests: 1 }],
    fingerprint: id,
    resend: null,
    idempotencyKey: null,
  });
  const [span] = claim(database, clock, { node: 'bench', batchId: id, model: null, limit: 1, leaseMs: 60_000 });
  const done = bitmap(1);
  setBit(done, 0);
  seal(database, clock, {
    node: 'bench',
    batchId: id,
    chunk: { blob: `${workspaceId}/${id}/r-0`, blobOffset: 0, bytes: 1, lines: 1, indexOffset: 1, indexBytes: 1 },
    leases: [{ lease: span!.lease, done }],
    tally: { counts: { ...noCounts, succeeded: 1 }, usage },
  });
}
