/** What the engine's tests share: a world whose time only the test moves, blobs in memory, a log in memory, held spans. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { encodeSegmentIndex, SegmentIndex } from '../bytes/segment-index.ts';
import { StorageFullError } from '../domain/errors.ts';
import type { Batch } from '../domain/batch.ts';
import { noCounts } from '../domain/outcome.ts';
import { bitmap, type IndexEntry, type Segment } from '../domain/segment.ts';
import { BlobMissingError, type BlobListing, type BlobRange, type Blobs } from '../ports/blobs.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Log } from '../ports/log.ts';
import type { World } from '../ports/world.ts';
import { openSqliteCatalog } from '../stores/sqlite/catalog.ts';
import type { NightshiftEvent } from '../telemetry/events.ts';
import type { CallResult, Upstream } from '../upstreams/upstream.ts';
import { readFrames } from '../bytes/frame.ts';
import { Bodies, BodyBudget } from './bodies.ts';
import type { CreateBatch } from './contract.ts';
import { createRun, type BatchRun, type HeldSpan, type Outcome } from './held.ts';

/** Lets everything that waits for nothing but promises go on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

type Timer = { readonly atMs: number; readonly callback: () => void };

export class FakeWorld implements World {
  readonly events: NightshiftEvent[] = [];
  readonly clock = { wallMs: () => this.#wallAheadMs + this.#nowMs, monotonicMs: () => this.#nowMs };
  readonly timers = {
    after: (ms: number, callback: () => void) => this.#after(ms, callback),
    turn: (callback: () => void) => void setImmediate(callback),
  };
  readonly chance = { next: () => 0.5, bytes: (count: number) => this.#bytes(count) };
  #nowMs = 0;
  #wallAheadMs = 1_800_000_000_000;
  #timers: Timer[] = [];
  #drawn = 0;

  readonly send = () => Promise.reject(new Error('nothing is sent here'));

  emit(event: NightshiftEvent): void {
    this.events.push(event);
  }

  kinds(): string[] {
    return this.events.map(({ kind }) => kind);
  }

  get timersPending(): number {
    return this.#timers.length;
  }

  jumpWall(ms: number): void {
    this.#wallAheadMs += ms;
  }

  /** Moves time, calling every timer at its moment and letting promises go on after each. */
  async move(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const due = this.#timers.filter(({ atMs }) => atMs <= endMs).toSorted((left, right) => left.atMs - right.atMs);
      const next = due[0];
      if (!next) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
      await settle();
    }
    this.#nowMs = endMs;
  }

  #after(ms: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, callback };
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((other) => other !== timer));
  }

  #bytes(count: number): Uint8Array {
    this.#drawn += 1;
    return Uint8Array.from({ length: count }, (_, at) => (at * 37 + (this.#drawn >> ((at % 4) * 8)) * 11) & 0xff);
  }
}

type Stored = { readonly bytes: Buffer; readonly modifiedMs: number };

/** `before` may wait or throw: a slow, failing or full store. */
export class MemoryBlobs implements Blobs {
  readonly stored = new Map<string, Stored>();
  readonly reads: { readonly key: string; readonly range: BlobRange }[] = [];
  readonly #wallMs: () => number;
  before: (what: 'put' | 'get' | 'delete' | 'list', key: string) => Promise<void> | void = () => undefined;

  constructor(wallMs: () => number = () => 0) {
    this.#wallMs = wallMs;
  }

  keys(): string[] {
    return [...this.stored.keys()].toSorted();
  }

  async put(key: string, parts: readonly Uint8Array[]): Promise<void> {
    await this.before('put', key);
    const bytes = Buffer.concat(parts);
    if (!(this.stored.get(key)?.bytes.equals(bytes) ?? true)) throw new Error(`blob ${key} has other bytes`);
    this.stored.set(key, { bytes, modifiedMs: this.#wallMs() });
  }

  async get(key: string, range: BlobRange): Promise<Uint8Array> {
    this.reads.push({ key, range });
    await this.before('get', key);
    const blob = this.stored.get(key);
    if (!blob) throw new BlobMissingError(key);
    if (range.end > blob.bytes.length) throw new Error(`blob ${key} is shorter than ${range.end}`);
    return new Uint8Array(blob.bytes.subarray(range.start, range.end));
  }

  async delete(keys: readonly string[]): Promise<void> {
    await this.before('delete', keys[0] ?? '');
    for (const key of keys) this.stored.delete(key);
  }

  async list(query: { prefix: string; after: string | null; limit: number }): Promise<readonly BlobListing[]> {
    await this.before('list', query.prefix);
    const keys = this.keys().filter((key) => key.startsWith(query.prefix) && key > (query.after ?? ''));
    return keys.slice(0, query.limit).map((key) => {
      const { bytes, modifiedMs } = this.stored.get(key)!;
      return { key, bytes: bytes.length, modifiedMs };
    });
  }

  async close(): Promise<void> {}
}

type LogFile = { readonly number: number; bytes: Buffer };

/** A log whose syncs the test answers, with files as small as a test wants. */
export class FakeLog implements Log {
  #files: LogFile[] = [{ number: 1, bytes: Buffer.alloc(0) }];
  readonly removed: number[] = [];
  /** Syncs under way, oldest first; each covers what was appended before it. */
  readonly syncs: { readonly bytes: number; readonly resolve: () => void; readonly reject: (error: Error) => void }[] =
    [];
  full = false;
  rotateFull = false;
  /** What `size` says of the current file; null for its true size. */
  sizeTold: number | null = null;
  /** Syncs resolve at once when nobody holds them. */
  holdSyncs = true;

  get appended(): number {
    return this.#files.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  async scan(visit: (file: number, payload: Uint8Array) => void): Promise<void> {
    for (const { number, bytes } of this.#files) {
      readFrames(bytes, 0, (start, end) => visit(number, bytes.subarray(start, end)));
    }
  }

  append(frames: Uint8Array): number {
    if (this.full) throw new StorageFullError('the journal');
    const file = this.#files.at(-1)!;
    file.bytes = Buffer.concat([file.bytes, frames]);
    return file.number;
  }

  sync(): Promise<void> {
    if (!this.holdSyncs) return Promise.resolve();
    return new Promise((resolve, reject) => this.syncs.push({ bytes: this.appended, resolve, reject }));
  }

  size(): number {
    return this.sizeTold ?? this.#files.at(-1)!.bytes.length;
  }

  async rotate(): Promise<number> {
    if (this.rotateFull) throw new StorageFullError('the next journal file');
    const closed = this.#files.at(-1)!.number;
    this.#files.push({ number: closed + 1, bytes: Buffer.alloc(0) });
    return closed;
  }

  files(): readonly number[] {
    return this.#files.map(({ number }) => number);
  }

  /** Like a file of a disk: it goes a moment later, and cannot go twice. */
  async remove(file: number): Promise<void> {
    if (!this.files().includes(file)) return;
    await Promise.resolve();
    if (this.removed.includes(file)) throw new Error(`ENOENT: file ${file} is gone already`);
    this.removed.push(file);
    this.#files = this.#files.filter(({ number }) => number !== file);
  }

  async close(): Promise<void> {}
}

export function batchOf(changes: Partial<Batch> = {}): Batch {
  return {
    id: 'msgbatch_a',
    workspaceId: 'wrkspc_a',
    keyId: 'apikey_a',
    dialect: 'anthropic',
    version: '2023-06-01',
    betas: [],
    state: 'running',
    createdAt: 1,
    expiresAt: 2e15,
    archivesAt: 3e15,
    cancelAt: null,
    endedAt: null,
    archivedAt: null,
    requests: 100,
    counts: noCounts,
    resultBytes: 0,
    ...changes,
  };
}

export function entryOf(changes: Partial<IndexEntry> = {}): IndexEntry {
  return {
    ordinal: 0,
    offset: 0,
    length: 0,
    customId: 'id',
    maxTokens: 0,
    tokenEstimate: 1,
    breakpoints: [],
    fault: null,
    ...changes,
  };
}

export type SpanShape = {
  readonly run?: BatchRun;
  readonly segment?: number;
  readonly lengths?: readonly number[];
  readonly maxTokens?: number;
  readonly epoch?: number;
  readonly from?: number;
  readonly to?: number;
  readonly blobs?: Blobs;
};

let lastSpan = 0;

/** A held span of a segment whose requests have these lengths, as `Spans` would open it. */
export function spanOf(shape: SpanShape = {}): HeldSpan {
  const { run = createRun(batchOf()), lengths = [1, 1, 1], epoch = 1 } = shape;
  const { index, segment } = segmentOf(lengths, {
    number: shape.segment ?? 0,
    batchId: run.batch.id,
    maxTokens: shape.maxTokens ?? 0,
  });
  const { from = 0, to = lengths.length } = shape;
  const lease = { batchId: run.batch.id, segment: segment.number, from, to, epoch };
  const bodies = new Bodies({ blobs: shape.blobs ?? new MemoryBlobs(), segment, index, budget: new BodyBudget() });
  const done = bitmap(lengths.length);
  lastSpan += 1;
  const span = {
    id: lastSpan,
    run,
    lane: 'local\nmodel-a',
    lease,
    segment,
    index,
    bodies,
    done,
    open: to - from,
    unsealed: 0,
    lost: false,
  };
  run.spans.add(span);
  return span;
}

export function segmentOf(
  lengths: readonly number[],
  {
    number = 0,
    batchId = 'msgbatch_a',
    maxTokens = 0,
    offset = 0,
  }: { number?: number; batchId?: string; maxTokens?: number; offset?: number } = {},
): { index: SegmentIndex; segment: Segment } {
  let bytes = 0;
  const entries = lengths.map((length, item) => {
    const entry = entryOf({
      ordinal: number * 1_000 + item,
      offset: bytes,
      length,
      customId: `id-${number}-${item}`,
      maxTokens,
    });
    bytes += length;
    return entry;
  });
  const encoded = encodeSegmentIndex(entries);
  const place: Pick<Segment, 'source' | 'offset' | 'bytes' | 'indexOffset' | 'indexBytes'> = {
    source: { kind: 'blob', key: `wrkspc_a/${batchId}/s-0` },
    offset,
    bytes,
    indexOffset: offset + bytes,
    indexBytes: encoded.length,
  };
  return {
    index: new SegmentIndex(encoded),
    segment: { batchId, number, ...place, model: 'model-a', family: null, requests: lengths.length },
  };
}

export function blobOf({ source }: Pick<Segment, 'source'>): string {
  return source.kind === 'blob' ? source.key : assert.fail('the segment is inline');
}

export function outcomeOf(span: HeldSpan, item: number, changes: Partial<Outcome> = {}): Outcome {
  const line = Buffer.from(`{"custom_id":"${span.index.customId(item)}"}\n`);
  return {
    span,
    item,
    kind: 'succeeded',
    line,
    usage: null,
    model: 'model-a',
    upstream: 'local',
    billing: 'own',
    tier: 'standard',
    file: -1,
    ...changes,
  };
}

export function upstreamOf(call: Upstream['call']): Upstream {
  const settings = { concurrency: 4, requestsPerMinute: null, tokensPerMinute: null };
  const notAsked = () => Promise.reject(new Error('the engine asks for calls of batches only'));
  const rest = { open: notAsked, countTokens: notAsked, models: notAsked };
  return { name: 'local', billing: 'own', tier: 'standard', ...settings, call, ...rest };
}

export const messageResult: CallResult = {
  end: {
    kind: 'message',
    message: Buffer.from('{"type":"message"}'),
    model: 'model-a',
    usage: {
      inputTokens: 1,
      outputTokens: 2,
      cacheCreationInputTokens: 0,
      cacheReadInputTokens: 0,
      cacheCreation1hInputTokens: 0,
    },
  },
  status: 200,
  headroom: null,
};

/** The real catalog, in a file of its own, by the world's clock. */
export async function openCatalog(test: TestContext, world: World): Promise<Catalog> {
  const catalog = openSqliteCatalog({ path: join(await scratchFolder(test), 'catalog.sqlite'), clock: world.clock });
  test.after(() => catalog.close());
  return catalog;
}

export function paramsText(model = 'model-a', content = 'hi'): string {
  return JSON.stringify({ model, max_tokens: 16, messages: [{ role: 'user', content }] });
}

/** The body of a create call, in chunks of a few bytes less than a page. */
export async function* bodyOf(requests: readonly string[], chunkBytes = 4_000): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(`{"requests":[${requests.join(',')}]}`);
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

export function requestsOf(count: number, model?: string): string[] {
  return Array.from({ length: count }, (_, at) => `{"custom_id":"id-${at}","params":${paramsText(model)}}`);
}

export function createOf(changes: Partial<CreateBatch> = {}): CreateBatch {
  return {
    workspaceId: 'wrkspc_a',
    keyId: 'apikey_a',
    version: '2023-06-01',
    betas: [],
    body: bodyOf(requestsOf(3)),
    format: 'json',
    resent: false,
    idempotencyKey: null,
    signal: new AbortController().signal,
    ...changes,
  };
}
