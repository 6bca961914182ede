/** For tests of the face: a world on real timers, a directory with one key, a service that remembers, a small dialect. */
import { createHash, randomBytes } from 'node:crypto';
import type { Batch } from '../domain/batch.ts';
import { scopes } from '../domain/key.ts';
import { noCounts } from '../domain/outcome.ts';
import type { Dialect } from '../dialects/dialect.ts';
import type { CreateBatch, MessageCall, Results, Service } from '../engine/contract.ts';
import type { Directory, Key } from '../ports/directory.ts';
import type { Usages } from '../ports/usage.ts';
import type { World } from '../ports/world.ts';
import type { NightshiftEvent } from '../telemetry/events.ts';
import type { HttpDeps } from './call.ts';

export const SECRET = 'sk-test-secret';
export const BATCH_ID = 'msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d';
export const AUTH = { 'x-api-key': SECRET, 'anthropic-version': '2023-06-01' } as const;

export const testKey: Key = {
  id: 'apikey_01a',
  workspaceId: 'wrkspc_01a',
  name: 'first',
  hint: null,
  scopes,
  createdAt: 0,
  expiresAt: null,
  revokedAt: null,
};

export function testBatch(changes: Partial<Batch> = {}): Batch {
  const createdAt = Date.UTC(2026, 10, 20, 10) * 1_000;
  const day = 86_400_000_000;
  return {
    id: BATCH_ID,
    workspaceId: testKey.workspaceId,
    keyId: testKey.id,
    dialect: 'anthropic',
    version: '2023-06-01',
    betas: [],
    state: 'running',
    createdAt,
    expiresAt: createdAt + day,
    archivesAt: createdAt + 29 * day,
    cancelAt: null,
    endedAt: null,
    archivedAt: null,
    requests: 1,
    counts: noCounts,
    resultBytes: 0,
    ...changes,
  };
}

export class FakeDirectory implements Directory {
  lookups = 0;
  known = new Map<string, Key>([[createHash('sha256').update(SECRET).digest('hex'), testKey]]);

  organizationId = async (): Promise<string> => '7f3b1c1e-0000-4000-8000-000000000001';
  key = async (hash: string): Promise<Key | null> => {
    this.lookups++;
    return this.known.get(hash) ?? null;
  };
  defaultWorkspace: Directory['defaultWorkspace'] = unused;
  workspace: Directory['workspace'] = unused;
  workspaces: Directory['workspaces'] = unused;
  createWorkspace = unused;
  updateWorkspace = unused;
  archiveWorkspace = unused;
  keys: Directory['keys'] = unused;
  addKey = unused;
  revokeKey = unused;
}

/** Every method can be replaced by a test. */
export class FakeService implements Service {
  created: { request: CreateBatch; bytes: Uint8Array }[] = [];
  answeredIds: string[] = [];

  create: Service['create'] = async (request) => {
    const parts: Uint8Array[] = [];
    for await (const part of request.body) parts.push(part);
    this.created.push({ request, bytes: Buffer.concat(parts) });
    return { batch: testBatch(), repeated: false };
  };
  answered: Service['answered'] = (id) => void this.answeredIds.push(id);
  messages: MessageCall[] = [];
  message: Service['message'] = async (call) => {
    this.messages.push(call);
    return { status: 200, headers: {}, body: Buffer.from('{"type":"message"}') };
  };
  countTokens: Service['countTokens'] = async () => null;
  retrieve: Service['retrieve'] = async () => testBatch();
  page: Service['page'] = async () => ({ batches: [testBatch()], hasMore: false });
  cancel: Service['cancel'] = async () => testBatch({ state: 'canceling' });
  remove: Service['remove'] = async () => 'removed';
  results: Service['results'] = async () => 'unavailable';
  partialResults: Service['partialResults'] = async () => 'unavailable';
  watchedIds: string[] = [];
  watched: Service['watched'] = (id) => void this.watchedIds.push(id);
  ready: Service['ready'] = () => ({ ready: true, reason: null });
}

export function textResults(text: string, readBytes = 7): Results {
  const bytes = new TextEncoder().encode(text);
  return {
    batch: testBatch({ state: 'ended' }),
    bytes: bytes.byteLength,
    etag: 'e1',
    async *read({ start, end }) {
      for (let at = start; at < end; at += readBytes) yield bytes.subarray(at, Math.min(end, at + readBytes));
    },
  };
}

export class TestWorld implements World {
  readonly events: NightshiftEvent[] = [];
  /** Added to the real clocks. */
  aheadMs = 0;
  readonly clock = {
    wallMs: (): number => performance.timeOrigin + performance.now() + this.aheadMs,
    monotonicMs: (): number => performance.now() + this.aheadMs,
  };
  readonly timers = {
    after: (ms: number, callback: () => void): (() => void) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
    turn: (callback: () => void): void => void setImmediate(callback),
  };
  readonly chance = { next: (): number => 0.5, bytes: (count: number): Uint8Array => randomBytes(count) };
  readonly send = unused;
  readonly #waiting = new Set<() => void>();

  emit = (event: NightshiftEvent): void => {
    this.events.push(event);
    for (const look of this.#waiting) look();
  };

  /** Resolves with the first event of a kind, past or to come. */
  event<Kind extends NightshiftEvent['kind']>(kind: Kind): Promise<Extract<NightshiftEvent, { kind: Kind }>> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.events.find((event) => event.kind === kind);
        if (found === undefined) return;
        this.#waiting.delete(look);
        resolve(found as Extract<NightshiftEvent, { kind: Kind }>);
      };
      this.#waiting.add(look);
      look();
    });
  }
}

const noUsages: Usages = {
  ofBatch: async () => [],
  report: async () => [],
  ownPrices: async () => [],
  keepOwnPrices: unused,
};

const smallDialect = {
  name: 'anthropic',
  renderBatch: (batch: Batch, { baseUrl }: { baseUrl: string }) => ({
    id: batch.id,
    type: 'message_batch',
    processing_status: { running: 'in_progress', canceling: 'canceling', ended: 'ended' }[batch.state as 'running'],
    results_url: batch.state === 'ended' ? `${baseUrl}/v1/messages/batches/${batch.id}/results` : null,
  }),
} as unknown as Dialect;

export type TestFace = HttpDeps & {
  readonly service: FakeService;
  readonly directory: FakeDirectory;
  readonly world: TestWorld;
};

export function testDeps(changes: Partial<HttpDeps> = {}): TestFace {
  return {
    service: new FakeService(),
    directory: new FakeDirectory(),
    usage: noUsages,
    dialect: smallDialect,
    world: new TestWorld(),
    version: '0.0.0-test',
    models: { names: async () => ['claude-haiku-4-5-20251001', 'qwen3:8b'], isMapped: () => false },
    publicUrl: null,
    trustedProxies: 0,
    corsOrigins: [],
    httpRequestsPerMinute: 600,
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'up 1\n' }),
    ...changes,
  } as TestFace;
}

function unused(): Promise<never> {
  return Promise.reject(new Error('not used in these tests'));
}
