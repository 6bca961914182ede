/** A host: the machine a node lives on. It starts it, kills it, cuts its power, stops it in order, and lets clients call it. */
import type { Dialect } from '../src/dialects/dialect.ts';
import { StorageFullError } from '../src/domain/errors.ts';
import type { Service } from '../src/engine/contract.ts';
import { startNode, type Node } from '../src/engine/node.ts';
import type { Blobs } from '../src/ports/blobs.ts';
import type { Catalog } from '../src/ports/catalog.ts';
import type { Log } from '../src/ports/log.ts';
import type { Send } from '../src/ports/world.ts';
import type { NightshiftEvent } from '../src/telemetry/events.ts';
import { createAnthropicUpstream } from '../src/upstreams/anthropic.ts';
import { catalogOf, type CatalogParts } from './catalog.ts';
import type { BlobDisk, LogDisk } from './disk.ts';
import type { Plant } from './plant.ts';
import { sendOf, type UpstreamParts } from './upstream.ts';
import { Life, worldOf, type SimWorld } from './world.ts';

export type HostParts = {
  readonly name: string;
  readonly world: SimWorld;
  readonly dialect: Dialect;
  readonly catalog: CatalogParts;
  readonly blobs: BlobDisk;
  readonly log: LogDisk;
  readonly upstream: UpstreamParts;
  readonly concurrency: number;
  readonly windowMs: number;
  readonly retentionMs: number;
  readonly graceMs: number;
  readonly plant: Plant;
};

export type Death = 'kill' | 'power loss' | 'stop';

/** The node went away while it was called, or is not there. */
export class NodeDown extends Error {
  constructor() {
    super('the node is down');
    this.name = 'NodeDown';
  }
}

export class Host {
  readonly name: string;
  readonly #parts: HostParts;
  #life: Life | null = null;
  #node: Node | null = null;
  #lives = 0;

  constructor(parts: HostParts) {
    this.#parts = parts;
    this.name = parts.name;
  }

  get up(): boolean {
    return this.#node !== null;
  }

  get life(): Life | null {
    return this.#life;
  }

  /** Begins a life; the node takes calls once it has recovered. */
  start(): void {
    if (this.#life) return;
    const { world, name } = this.#parts;
    const life = new Life({ node: name, number: (this.#lives += 1), bornMs: world.nowMs });
    this.#life = life;
    world.note(`${name} starts, life ${life.number}`);
    this.#begin(life).then(
      (node) => {
        if (!life.alive) return;
        this.#node = node;
        world.note(`${name} is ready`);
      },
      (error: unknown) => this.#failedStart(life, error),
    );
  }

  crash(how: 'kill' | 'power loss'): void {
    const life = this.#life;
    if (!life) return;
    const { world, blobs, log } = this.#parts;
    world.note(`${this.name} dies: ${how}`);
    this.#end(life);
    if (how === 'power loss') log.powerLoss();
    if (how === 'power loss') blobs.powerLoss(life);
  }

  freeze(forMs: number): void {
    const life = this.#life;
    if (!life) return;
    const { world } = this.#parts;
    world.note(`${this.name} freezes for ${Math.round(forMs)} ms`);
    life.freeze(world.nowMs);
    world.after(forMs, () => {
      world.note(`${this.name} thaws`);
      life.thaw(world);
    });
  }

  async stop(drainMs: number): Promise<void> {
    const [life, node] = [this.#life, this.#node];
    if (!life || !node) return;
    this.#parts.world.note(`${this.name} is asked to stop`);
    this.#node = null;
    // A full catalog cannot take the leases back; they run out.
    const stopped = node.stop({ drainMs }).catch((error: unknown) => this.#failedStop(error));
    await Promise.race([stopped, life.died]);
    if (!life.alive) return;
    this.#parts.world.note(`${this.name} has stopped`);
    this.#end(life);
  }

  /** Calls the node as a face would: no answer comes from a dead one. */
  async call<T>(body: (service: Service, life: Life) => Promise<T>): Promise<T> {
    const [life, node] = [this.#life, this.#node];
    if (!life || !node) throw new NodeDown();
    const down = life.died.then(() => {
      throw new NodeDown();
    });
    down.catch(() => undefined);
    const heard = new Promise<void>((resolve) => life.deliver(resolve));
    return Promise.race([
      heard.then(() => body(this.#parts.plant.service?.(node.service) ?? node.service, life)),
      down,
    ]);
  }

  stats(): ReturnType<Node['stats']> | null {
    return this.#node?.stats() ?? null;
  }

  #begin(life: Life): Promise<Node> {
    const { world, dialect, plant, concurrency, windowMs, retentionMs, graceMs, name } = this.#parts;
    const { inner, database } = this.#parts.catalog;
    const planted = catalogOf({ ...this.#parts.catalog, inner: plant.innerCatalog?.(inner, database) ?? inner }, life);
    const catalog: Catalog = plant.catalog?.(planted) ?? planted;
    const plainBlobs = this.#parts.blobs.blobsOf(life);
    const blobs: Blobs = plant.blobs?.(plainBlobs) ?? plainBlobs;
    const plainLog = this.#parts.log.logOf(life);
    const log: Log = plant.log?.(plainLog) ?? plainLog;
    const plainSend = sendOf(this.#parts.upstream, life);
    const send: Send = plant.send?.(plainSend) ?? plainSend;
    const limits = { concurrency, requestsPerMinute: null, tokensPerMinute: null };
    const upstream = createAnthropicUpstream({
      name: 'lying',
      url: 'http://lying',
      apiKey: null,
      billing: 'own',
      send,
      wallMs: () => world.wallMs(),
      ...limits,
    });
    return startNode({
      node: name,
      catalog,
      blobs,
      log,
      windowMs,
      retentionMs,
      graceMs,
      dialect: plant.dialect?.(dialect) ?? dialect,
      world: worldOf({
        world,
        life,
        send,
        emit: (event) => this.#heard(event),
      }),
      upstreamFor: () => plant.upstream?.(upstream) ?? upstream,
      weightOf: () => 1,
      onFatal: (error) => this.#fatal(life, error),
    });
  }

  #end(life: Life): void {
    life.die(this.#parts.world.nowMs);
    this.#life = null;
    this.#node = null;
  }

  #failedStart(life: Life, error: unknown): void {
    if (!life.alive) return;
    if (!(error instanceof StorageFullError))
      this.#parts.world.violate('recovery', `${this.name} did not start: ${textOf(error)}`);
    this.#end(life);
  }

  #failedStop(error: unknown): void {
    if (!(error instanceof StorageFullError))
      this.#parts.world.violate('recovery', `${this.name} did not stop: ${textOf(error)}`);
  }

  #fatal(life: Life, error: unknown): void {
    if (life.alive) this.#parts.world.violate('no fatal error', `${this.name}: ${textOf(error)}`);
  }

  #heard(event: NightshiftEvent): void {
    if (event.kind === 'failure' && !(event.error instanceof StorageFullError)) {
      this.#parts.world.note(`${this.name} failed at ${event.where}: ${textOf(event.error)}`);
    } else if (event.kind === 'seal_stale' || event.kind === 'clock_jumped' || event.kind === 'recovered') {
      this.#parts.world.note(`${this.name} ${JSON.stringify(event)}`);
    }
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
