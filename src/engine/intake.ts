/** Intake: from the bytes of a create call to a durable batch. Memory is bounded by the packer, time by the disk. */
import { createHash } from 'node:crypto';
import { BodyError, EnvelopeSlicer, LineSlicer } from '../bytes/slice.ts';
import type { Dialect } from '../dialects/dialect.ts';
import { AppError, StorageFullError } from '../domain/errors.ts';
import {
  BLOB_WRITES_MAX,
  BODY_BYTES_MAX,
  IDEMPOTENCY_WINDOW_MS,
  OPEN_BYTES_MAX,
  REQUESTS_PER_BATCH_MAX,
  RESEND_WINDOW_MS,
} from '../domain/limits.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { Acceptance, Accepted, Catalog } from '../ports/catalog.ts';
import type { CreateBatch } from './contract.ts';
import { Packer, type Pack, type PackedSegment } from './packer.ts';

export type IntakeDeps = {
  readonly catalog: Pick<Catalog, 'accept'>;
  readonly blobs: Blobs;
  readonly dialect: Dialect;
  readonly windowMs: number;
  readonly retentionMs: number;
  /** What this upload may hold open now; the limit of a single one where nobody says. */
  readonly openBytesMax?: () => number;
};

export type Intaken = {
  readonly accepted: Accepted;
  readonly segments: readonly PackedSegment[];
  readonly bytes: number;
};

/** Nothing is accepted unless this resolves; whatever it wrote before failing is deleted, or is garbage for the janitor. */
export async function intake(deps: IntakeDeps, request: CreateBatch, batchId: string): Promise<Intaken> {
  const writes = new Writes(deps.blobs);
  let asked = false;
  try {
    const packer = new Packer(`${request.workspaceId}/${batchId}`, (pack) => writes.start(pack));
    const body = await receive({ deps, request, packer, writes });
    packer.end();
    await writes.finished();
    if (request.signal.aborted)
      throw new AppError('invalid_request', 'The client went away before its batch was accepted.');
    const asking = acceptance(deps, request, { batchId, body, segments: packer.segments });
    asked = true;
    const accepted = await deps.catalog.accept(asking);
    if (accepted.kind !== 'accepted') await writes.undo();
    return { accepted, segments: packer.segments, bytes: body.bytes };
  } catch (error) {
    // An accept whose answer was lost may have been carried out: its blobs then hold requests, else they are the janitor's.
    const isRefused = error instanceof StorageFullError && !error.mayHold;
    if (!asked || isRefused) await writes.undo();
    throw error;
  }
}

type Received = { readonly bytes: number; readonly requests: number; readonly hash: string };

async function receive(parts: {
  deps: IntakeDeps;
  request: CreateBatch;
  packer: Packer;
  writes: Writes;
}): Promise<Received> {
  const { dialect, openBytesMax = () => OPEN_BYTES_MAX } = parts.deps;
  const { request, packer, writes } = parts;
  const seen = new Set<string>();
  let requests = 0;
  const take = (element: Uint8Array, ordinal: number): void => {
    requests += 1;
    // Beyond the limit requests are only counted: the refusal names their number.
    if (requests > REQUESTS_PER_BATCH_MAX) return;
    const read = dialect.readRequest(element, ordinal, request);
    if (seen.has(read.entry.customId)) throw dialect.refuse({ kind: 'duplicate', customId: read.entry.customId });
    seen.add(read.entry.customId);
    packer.add(read);
  };

  const slicer = request.format === 'json' ? new EnvelopeSlicer(take) : new LineSlicer(take);
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of request.body) {
      bytes += chunk.length;
      if (bytes > BODY_BYTES_MAX)
        throw new AppError('too_large', `Request exceeds the maximum size of ${BODY_BYTES_MAX} bytes`);
      hash.update(chunk);
      packer.openBytesMax = openBytesMax();
      slicer.push(chunk);
      if (writes.busy()) await writes.room();
    }
    slicer.end();
  } catch (error) {
    throw error instanceof BodyError ? dialect.refuse({ kind: 'body', error }) : error;
  }
  if (requests === 0) throw dialect.refuse({ kind: 'empty' });
  if (requests > REQUESTS_PER_BATCH_MAX) throw dialect.refuse({ kind: 'too_many', count: requests });
  return { bytes, requests, hash: hash.digest('hex') };
}

function acceptance(
  deps: IntakeDeps,
  request: CreateBatch,
  made: { batchId: string; body: Received; segments: readonly PackedSegment[] },
): Acceptance {
  const same = [request.keyId, made.body.hash, request.format, request.version, ...request.betas];
  return {
    id: made.batchId,
    workspaceId: request.workspaceId,
    keyId: request.keyId,
    dialect: deps.dialect.name,
    version: request.version,
    betas: request.betas,
    requests: made.body.requests,
    windowMs: deps.windowMs,
    retentionMs: deps.retentionMs,
    segments: made.segments,
    fingerprint: createHash('sha256').update(same.join('\n')).digest('hex'),
    resend: request.resent ? { withinMs: RESEND_WINDOW_MS } : null,
    idempotencyKey:
      request.idempotencyKey === null ? null : { key: request.idempotencyKey, withinMs: IDEMPOTENCY_WINDOW_MS },
  };
}

/** The blobs of one upload being written: the upload waits while too many are, and fails when one has failed. */
class Writes {
  readonly #blobs: Blobs;
  readonly #keys: string[] = [];
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | null = null;

  constructor(blobs: Blobs) {
    this.#blobs = blobs;
  }

  start(pack: Pack): void {
    this.#keys.push(pack.key);
    const write = this.#blobs.put(pack.key, pack.parts).then(pack.recycle, (error: unknown) => {
      this.#failure ??= { error };
    });
    const tracked = write.finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  busy(): boolean {
    return this.#failure !== null || this.#running.size >= BLOB_WRITES_MAX;
  }

  async room(): Promise<void> {
    while (!this.#failure && this.#running.size >= BLOB_WRITES_MAX) await Promise.race(this.#running);
    if (this.#failure) throw this.#failure.error;
  }

  async finished(): Promise<void> {
    await Promise.all(this.#running);
    if (this.#failure) throw this.#failure.error;
  }

  /** Waits for what is under way, then removes it all; what cannot be removed now is found by the janitor. */
  async undo(): Promise<void> {
    await Promise.all(this.#running);
    await this.#blobs.delete(this.#keys).catch(() => undefined);
  }
}
