/** Clients: they create, poll, cancel, download and delete, break off and send again, and hold the service to what it told them. */
import { createHash } from 'node:crypto';
import type { Batch } from '../src/domain/batch.ts';
import { AppError, StorageFullError } from '../src/domain/errors.ts';
import { countsTotal } from '../src/domain/outcome.ts';
import type { Results, Service } from '../src/engine/contract.ts';
import { drawBody, streamBody, type DrawnBody } from './bodies.ts';
import { NodeDown, type Host } from './host.ts';
import type { Creation, Ledger } from './ledger.ts';
import type { Random } from './random.ts';
import type { Life, SimWorld } from './world.ts';

export type WorkloadParts = {
  readonly world: SimWorld;
  readonly ledger: Ledger;
  readonly random: Random;
  readonly hosts: readonly Host[];
  readonly workspaces: readonly string[];
  readonly horizonMs: number;
};

const sendsMax = 12;

/** One client from its create to its last download. It ends by itself; its promise never rejects. */
export class Client {
  readonly #parts: WorkloadParts;
  readonly #random: Random;
  readonly #creation: Creation;
  readonly #body: DrawnBody;
  #host: Host;
  #digest: string | null = null;
  #lastTotal = 0;

  constructor(parts: WorkloadParts, token: string) {
    this.#parts = parts;
    this.#random = parts.random.fork();
    this.#body = drawBody(this.#random, token);
    const idempotencyKey = this.#random.chance(0.2) ? `once-${token}` : null;
    this.#creation = {
      token,
      workspaceId: this.#random.pick(parts.workspaces),
      rows: this.#body.rows,
      idempotencyKey,
      told: new Set(),
    };
    this.#host = this.#random.pick(parts.hosts);
    parts.ledger.creations.set(token, this.#creation);
  }

  async run(): Promise<void> {
    const { world, horizonMs } = this.#parts;
    await world.sleep(this.#random.between(0, horizonMs * 0.7));
    const batchId = await this.#create();
    if (batchId === null) return;
    const cancelAtMs = this.#random.chance(0.25) ? world.nowMs + this.#random.latency(horizonMs / 10) : Infinity;
    await this.#follow(batchId, cancelAtMs);
  }

  // Creating.

  async #create(): Promise<string | null> {
    const { world } = this.#parts;
    const goesAway = this.#random.chance(0.1);
    for (let sends = 0; sends < sendsMax && !world.violation; sends++) {
      const batchId = await this.#send(sends > 0, !goesAway && this.#random.chance(0.9));
      if (batchId !== null) return batchId;
      if (goesAway) return null;
      this.#host = this.#random.pick(this.#parts.hosts);
      await world.sleep(this.#random.between(20_000, 60_000));
    }
    return null;
  }

  async #send(resent: boolean, whole: boolean): Promise<string | null> {
    const { world, ledger } = this.#parts;
    const { token, workspaceId, idempotencyKey } = this.#creation;
    const controller = new AbortController();
    const pieces = this.#random.integer(1, 6);
    const breaksOffAt = whole ? null : this.#random.integer(0, pieces - 1);
    const slow = this.#random.pick([0, 1, 500]);
    const pause = () => world.sleep(this.#random.between(0, slow));
    const before = ledger.batchOfToken.get(token);
    try {
      const { batch } = await this.#host.call((service) =>
        service.create({
          workspaceId,
          keyId: `key_${token}`,
          version: '2023-06-01',
          betas: [],
          format: 'json',
          resent,
          idempotencyKey,
          body: streamBody({
            text: this.#body.text,
            pieces,
            breaksOffAt,
            pause,
            onBreak: () => controller.abort(),
          }),
          signal: controller.signal,
        }),
      );
      return this.#told(batch);
    } catch (error) {
      if (error instanceof NodeDown) return null;
      if (!breaksOff(error)) world.violate('no fatal error', `a create failed: ${String(error)}`);
      // The node lives and says no: nothing may be left that runs.
      if (!before && ledger.batchOfToken.has(token))
        world.violate('refused leaves nothing', `a create of ${token} failed (${String(error)}) and left a batch`);
      return null;
    }
  }

  #told(batch: Batch): string {
    const { world, ledger } = this.#parts;
    this.#creation.told.add(batch.id);
    const truth = ledger.batches.get(batch.id);
    world.note(`client ${this.#creation.token} is told ${batch.id}`);
    if (!truth || truth.deletedMs !== null)
      world.violate('accepted survives', `${batch.id} was told but never accepted`);
    else if (truth.creation !== this.#creation) world.violate('isolation', `${batch.id} was told to another client`);
    else if (batch.requests !== this.#body.rows.size)
      world.violate('accepted survives', `${batch.id} has ${batch.requests} requests`);
    if (this.#random.chance(0.8)) this.#host.call(async (service) => service.answered(batch.id)).catch(() => undefined);
    return batch.id;
  }

  // Following.

  async #follow(batchId: string, cancelAtMs: number): Promise<void> {
    const { world } = this.#parts;
    const downloads = this.#random.integer(1, 3);
    let read = 0;
    let canceled = false;
    while (read < downloads && !world.violation) {
      await world.sleep(this.#random.between(500, 8_000));
      this.#host = this.#random.pick(this.#parts.hosts);
      const batch = await this.#call((service) => service.retrieve(this.#creation.workspaceId, batchId));
      if (batch === undefined) continue;
      if (batch === null) return this.#gone(batchId);
      this.#observe(batch);
      if (batch.state === 'ended') read += await this.#download(batch);
      else if (!canceled && world.nowMs >= cancelAtMs) canceled = await this.#cancel(batchId);
      if (this.#random.chance(0.1)) await this.#trespass(batchId);
    }
    if (this.#random.chance(0.3)) await this.#remove(batchId);
  }

  #gone(batchId: string): void {
    const truth = this.#parts.ledger.batches.get(batchId);
    if (truth?.deletedMs === null) this.#parts.world.violate('accepted survives', `${batchId} is unknown`);
  }

  #observe(batch: Batch): void {
    const { world } = this.#parts;
    const total = countsTotal(batch.counts);
    const wrong =
      total < this.#lastTotal || total > batch.requests || (batch.state === 'ended') !== (total === batch.requests);
    if (wrong)
      world.violate(
        'counts',
        `${batch.id} is ${batch.state} with ${total} of ${batch.requests}, after ${this.#lastTotal}`,
      );
    this.#lastTotal = total;
  }

  async #cancel(batchId: string): Promise<boolean> {
    const { world, ledger } = this.#parts;
    const answer = await this.#call(async (service, life) => {
      const batch = await service.cancel(this.#creation.workspaceId, batchId);
      if (batch?.state === 'canceling') ledger.batches.get(batchId)!.cancelTold.set(life, world.nowMs);
      return batch;
    });
    if (answer && answer.state === 'running')
      world.violate('cancel and expiry', `${batchId} runs after its cancel was answered`);
    return answer !== undefined;
  }

  async #download(batch: Batch): Promise<number> {
    const { world, ledger } = this.#parts;
    const text = await this.#call(async (service) => {
      const results = await service.results(batch.workspaceId, batch.id);
      return typeof results === 'string' ? results : await this.#read(results);
    });
    if (text === undefined) return 0;
    const truth = ledger.batches.get(batch.id)!;
    const gone = truth.archived || truth.deletedMs !== null;
    if (text === 'unknown' || text === 'unavailable') {
      if (!gone) world.violate('accepted survives', `the results of ${batch.id} are ${text}`);
      return 1;
    }
    const digest = createHash('sha256').update(text).digest('hex');
    this.#digest ??= digest;
    if (digest !== this.#digest)
      world.violate('immutable results', `${batch.id} was downloaded twice with other bytes`);
    if (text !== truth.text.join(''))
      world.violate('immutable results', `${batch.id} was downloaded with other bytes than were sealed`);
    return 1;
  }

  async #read(results: Results): Promise<string> {
    const start = this.#random.chance(0.3) ? this.#random.integer(0, results.bytes) : 0;
    const pieces: Uint8Array[] = [];
    for (const [from, to] of [
      [0, start],
      [start, results.bytes],
    ] as const) {
      if (from === to) continue;
      for await (const piece of results.read({ start: from, end: to })) pieces.push(piece);
    }
    return Buffer.concat(pieces).toString('utf8');
  }

  async #remove(batchId: string): Promise<void> {
    const removed = await this.#call((service) => service.remove(this.#creation.workspaceId, batchId));
    if (removed === 'unfinished') this.#parts.world.violate('counts', `${batchId} ended and is unfinished`);
  }

  /** Another workspace must not see, change or end it, nor learn that it is there. */
  async #trespass(batchId: string): Promise<void> {
    const others = this.#parts.workspaces.filter((id) => id !== this.#creation.workspaceId);
    if (others.length === 0) return;
    const other = this.#random.pick(others);
    const seen = await this.#call(async (service) => {
      const batch = await service.retrieve(other, batchId);
      const canceled = await service.cancel(other, batchId);
      const removed = await service.remove(other, batchId);
      const results = await service.results(other, batchId);
      const page = await service.page({ workspaceId: other, limit: 1_000, after: null, before: null });
      const listed = page?.batches.some((known) => known.workspaceId !== other || known.id === batchId);
      return batch !== null || canceled !== null || removed !== 'unknown' || results !== 'unknown' || listed === true;
    });
    if (seen === true)
      this.#parts.world.violate('isolation', `${other} sees ${batchId} of ${this.#creation.workspaceId}`);
  }

  /** Undefined when the node was down or had no room. */
  async #call<T>(body: (service: Service, life: Life) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#host.call(body);
    } catch (error) {
      const batchGone = error instanceof Error && error.name === 'BlobMissingError' && this.#isGone();
      if (!(error instanceof NodeDown) && !(error instanceof StorageFullError) && !batchGone) {
        this.#parts.world.violate(
          'no fatal error',
          `a call failed: ${error instanceof Error ? error.stack : String(error)}`,
        );
      }
      return undefined;
    }
  }

  /** Its bytes may go while they are read when it was archived or deleted meanwhile. */
  #isGone(): boolean {
    const truth = this.#parts.ledger.batchOfToken.get(this.#creation.token);
    return truth !== undefined && (truth.archived || truth.deletedMs !== null);
  }
}

function breaksOff(error: unknown): boolean {
  return (
    error instanceof StorageFullError ||
    error instanceof AppError ||
    (error instanceof Error && error.message === 'the socket was closed')
  );
}
