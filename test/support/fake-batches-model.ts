/**
 * A run of the submit-once protocol on a virtual clock, over the real functions, against an API that lies in every way the protocol allows:
 * it commits late, lists late, answers 500 after it committed, shares its workspace with strangers whose batches have our count;
 * and the client dies at every step. Chunks all have the same count on purpose.
 */
import { customIdOf, nonceFrom, NONCE_BYTES } from '../../src/submit-once/custom-id.ts';
import {
  afterPost,
  afterRestart,
  type Ending,
  gone,
  type Intent,
  isUnclear,
  mayFollow,
  mayPlan,
  planned,
  repeating,
  sending,
} from '../../src/submit-once/intent.ts';
import { type Bounds, type Listing, provenBy, reconcile, sweep, walkBackTo } from '../../src/submit-once/reconcile.ts';

export type ModelOptions = {
  readonly seed: number;
  readonly chunks: number;
  /** Part of the POSTs with a fault; chance to die at each step. */
  readonly faults: number;
  readonly crashes: number;
  /** Strangers' batches an hour, and the part of them with our count. */
  readonly strangersPerHour: number;
  readonly strangersAlike: number;
  /** The server knows keys. */
  readonly idempotent?: boolean;
  /** Takes every unclear POST for one that made nothing: the variant that must fail. */
  readonly naive?: boolean;
  /** A batch is made up to so many times the flight bound after its connection ended: above 1 the assumption is broken. */
  readonly lateBy?: number;
};

export type ModelReport = {
  /** Batches of ours beyond one for a chunk, and those of them that the sweep told of. */
  readonly duplicates: number;
  readonly duplicatesSeen: number;
  readonly lost: number;
  readonly wrongAdoptions: number;
  /** Aborted or refused intents of which a batch exists. */
  readonly unsound: number;
};

const minute = 60_000;
const hour = 60 * minute;
export const modelBounds: Bounds = {
  flightMs: 15 * minute,
  visibleMs: 2 * minute,
  skewMs: minute,
  keyKeptMs: 20 * hour,
  sweepMs: 24 * hour,
};
const REQUESTS = 100;
const TICK_MS = 3 * minute;
const START_MS = Date.UTC(2026, 0, 1);
const END_MS = START_MS + 20 * 24 * hour;

type Batch = {
  id: string;
  nonce: string | null;
  requests: number;
  createdAtMs: number;
  listedAtMs: number;
  endsAtMs: number;
};

class Died extends Error {}

export function runModel(options: ModelOptions): ModelReport {
  const random = randomFrom(options.seed);
  const server = new ModelServer(options, random);
  const client = new ModelClient(options, { server, random });
  while (!client.isDone && server.nowMs < END_MS) {
    try {
      client.restart();
      while (!client.isDone && server.nowMs < END_MS) client.tick();
    } catch (error) {
      if (!(error instanceof Died)) throw error;
      server.advance(random() * 5 * minute);
    }
  }
  client.sweepOn();
  return reportOf(options, { server, client });
}

function reportOf(
  { chunks }: ModelOptions,
  { server, client }: { server: ModelServer; client: ModelClient },
): ModelReport {
  const intents = [...client.ledger.values()];
  const own = server.existing().filter((batch) => batch.nonce !== null);
  const byNonce = Map.groupBy(own, (batch) => batch.nonce!);
  const chunkOf = new Map(intents.map((intent) => [intent.nonce, intent.chunk]));
  const byChunk = Map.groupBy(own, (batch) => chunkOf.get(batch.nonce!)!);
  const adopted = new Map(own.map((batch) => [batch.id, batch.nonce]));
  const found = new Set(intents.flatMap((intent) => intent.duplicates));
  const unsound = intents.filter((intent) => mayPlan([intent])).flatMap((intent) => byNonce.get(intent.nonce) ?? []);
  return {
    duplicates: [...byChunk.values()].reduce((sum, batches) => sum + batches.length - 1, 0),
    duplicatesSeen: unsound.filter((batch) => found.has(batch.id)).length,
    lost: chunks - client.done.size,
    wrongAdoptions: intents.filter((intent) => intent.batchId !== null && adopted.get(intent.batchId) !== intent.nonce)
      .length,
    unsound: unsound.length,
  };
}

class ModelServer {
  nowMs = START_MS;
  readonly batches: Batch[] = [];
  readonly #options: ModelOptions;
  readonly #random: () => number;
  #strangerAtMs: number;

  constructor(options: ModelOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
    this.#strangerAtMs = this.#nextStrangerMs();
  }

  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.#strangerAtMs <= untilMs) {
      this.nowMs = this.#strangerAtMs;
      const alike = this.#random() < this.#options.strangersAlike;
      this.#make({ nonce: null, requests: alike ? REQUESTS : 1 + Math.floor(this.#random() * 90), laterMs: 0 });
      this.#strangerAtMs = this.#nextStrangerMs();
    }
    this.nowMs = untilMs;
  }

  /** The connection ends when this returns; what is made later is made within the flight bound from here on. */
  post(nonce: string): Ending {
    this.advance(1_000 + this.#random() ** 4 * 20 * minute);
    if (this.#random() >= this.#options.faults) return this.#created(nonce);
    const laterMs = this.#random() * modelBounds.flightMs * (this.#options.lateBy ?? 1);
    const make = (later: number): Batch => this.#make({ nonce, requests: REQUESTS, laterMs: later });
    const kinds: readonly (() => Ending)[] = [
      () => ({ kind: 'incomplete', message: 'cut' }),
      () => ({ kind: 'refused', status: 429, message: 'slowly' }),
      () => ({ kind: 'refused', status: 409, message: 'a conflict' }),
      () => (make(0), { kind: 'unclear', message: 'made, then cut' }),
      () => (make(laterMs), { kind: 'unclear', message: 'cut, made late' }),
      () => ({ kind: 'unclear', message: 'cut, never made' }),
      () => (make(0), { kind: 'unclear', message: '500 after it was made' }),
      () => (make(laterMs), { kind: 'unclear', message: '504, made late' }),
      () => ({ kind: 'unclear', message: '529' }),
      () => (make(0), { kind: 'unclear', message: '200 with garbage' }),
    ];
    return kinds[Math.floor(this.#random() * kinds.length)]!();
  }

  existing(): Batch[] {
    return this.batches.filter((batch) => batch.createdAtMs <= this.nowMs);
  }

  /** A walk by a client whose clock is off by so much; now and then it comes to an end too early, and says so. */
  list(backToMs: number, clockOffMs: number): Listing {
    const reachesMs = this.#random() < 0.1 ? this.nowMs - this.#random() * hour : backToMs;
    const batches = this.batches
      .filter((batch) => batch.listedAtMs <= this.nowMs && batch.createdAtMs >= reachesMs)
      .map((batch) => ({
        id: batch.id,
        status: batch.endsAtMs <= this.nowMs ? ('ended' as const) : ('in_progress' as const),
        createdAtMs: batch.createdAtMs,
        archivedAtMs: null,
        counts: { processing: batch.requests },
      }));
    return { batches, reachesMs, begunAtMs: this.nowMs + clockOffMs };
  }

  #created(nonce: string): Ending {
    return { kind: 'created', batch: this.#make({ nonce, requests: REQUESTS, laterMs: 0 }) };
  }

  #make({ nonce, requests, laterMs }: { nonce: string | null; requests: number; laterMs: number }): Batch {
    const known =
      this.#options.idempotent === true && nonce !== null
        ? this.batches.find((batch) => batch.nonce === nonce)
        : undefined;
    if (known !== undefined) return known;
    const createdAtMs = this.nowMs + laterMs;
    const batch: Batch = {
      id: `batch-${this.batches.length}`,
      nonce,
      requests,
      createdAtMs,
      listedAtMs: createdAtMs + this.#random() * modelBounds.visibleMs,
      endsAtMs: createdAtMs + 5 * minute + this.#random() * 2 * hour,
    };
    this.batches.push(batch);
    return batch;
  }

  #nextStrangerMs(): number {
    const { strangersPerHour } = this.#options;
    return strangersPerHour === 0 ? Infinity : this.nowMs + (-Math.log(1 - this.#random()) / strangersPerHour) * hour;
  }
}

class ModelClient {
  /** All that survives a death. */
  readonly ledger = new Map<string, Intent>();
  readonly done = new Set<number>();
  readonly #options: ModelOptions;
  readonly #server: ModelServer;
  readonly #random: () => number;
  #clockOffMs = 0;
  #isMortal = true;

  constructor(options: ModelOptions, parts: { server: ModelServer; random: () => number }) {
    this.#options = options;
    this.#server = parts.server;
    this.#random = parts.random;
  }

  get isDone(): boolean {
    return this.done.size === this.#options.chunks;
  }

  restart(): void {
    this.#clockOffMs = (this.#random() - 0.5) * modelBounds.skewMs;
    for (const intent of this.ledger.values()) this.#store(afterRestart(intent, this.#nowMs()));
  }

  tick(): void {
    this.#resolve();
    this.#collect();
    for (let chunk = 0; chunk < this.#options.chunks; chunk++) {
      const had = [...this.ledger.values()].filter((intent) => intent.chunk === chunk);
      if (!this.done.has(chunk) && mayPlan(had)) this.#submit(chunk);
    }
    this.#server.advance(TICK_MS);
  }

  /** After the run, until whatever was late has come and ended. */
  sweepOn(): void {
    this.#isMortal = false;
    for (let step = 0; step < 8; step++) {
      this.#server.advance(hour);
      const intents = [...this.ledger.values()];
      const listing = { ...this.#server.list(-Infinity, 0), reachesMs: -Infinity };
      for (const { nonce, batchId, ended } of sweep({ intents, listing, bounds: modelBounds })) {
        if (ended) this.#read(batchId, [nonce]);
      }
    }
  }

  #submit(chunk: number): void {
    const bytes = Uint8Array.from({ length: NONCE_BYTES }, () => Math.floor(this.#random() * 256));
    this.#mayDie();
    const intent = this.#store(planned({ nonce: nonceFrom(bytes), chunk, requests: REQUESTS, bytes: 1_000 }));
    this.#mayDie();
    this.#send(sending(intent, this.#nowMs()));
  }

  #send(intent: Intent): void {
    this.#store(intent);
    this.#mayDie();
    const end = this.#server.post(intent.nonce);
    this.#mayDie();
    this.#store(afterPost(intent, end, this.#nowMs()));
    this.#mayDie();
  }

  #resolve(): void {
    const intents = [...this.ledger.values()];
    const backToMs = walkBackTo(intents, modelBounds);
    if (backToMs === null) return;
    if (this.#options.naive === true) {
      for (const intent of intents.filter(isUnclear)) this.#store({ ...intent, state: 'aborted' });
      return;
    }
    const listing = this.#server.list(backToMs, this.#clockOffMs);
    const idempotent = this.#options.idempotent === true;
    const decisions = reconcile({ intents, listing, bounds: modelBounds, nowMs: this.#nowMs(), idempotent });
    for (const { intent } of decisions) {
      this.#mayDie();
      this.#store(intent);
    }
    for (const decision of decisions) {
      const intent = this.ledger.get(decision.intent.nonce)!;
      if (decision.kind === 'repeat' && isUnclear(intent)) this.#send(repeating(intent));
      if (decision.kind === 'read' || decision.kind === 'look') {
        for (const batchId of decision.batchIds) this.#read(batchId, []);
      }
    }
  }

  /** One line of it, if it has ended and the download does not fail this time. */
  #read(batchId: string, asked: readonly string[]): void {
    const batch = this.#server.batches.find((one) => one.id === batchId);
    if (batch === undefined) {
      for (const intent of [...this.ledger.values()].filter((one) => one.candidates.includes(batchId)))
        this.#store(gone(intent, batchId));
      return;
    }
    if (batch.endsAtMs > this.#server.nowMs || this.#random() < 0.1) return;
    const customId = batch.nonce === null ? 'somebody-else' : customIdOf({ nonce: batch.nonce, seq: 7, key: 'row 7' });
    for (const intent of provenBy([...this.ledger.values()], { batchId, customId, asked })) {
      this.#mayDie();
      this.#store(intent);
    }
  }

  #collect(): void {
    for (const intent of this.ledger.values()) {
      const batch = this.#server.batches.find((one) => one.id === intent.batchId);
      if (intent.state === 'committed' && batch !== undefined && batch.endsAtMs <= this.#server.nowMs)
        this.done.add(intent.chunk);
    }
  }

  #store(intent: Intent): Intent {
    const before = this.ledger.get(intent.nonce) ?? null;
    if (!mayFollow(before, intent)) throw new Error(`${before?.state} to ${intent.state}`);
    this.ledger.set(intent.nonce, intent);
    return intent;
  }

  #mayDie(): void {
    if (this.#isMortal && this.#random() < this.#options.crashes) throw new Died();
  }

  #nowMs(): number {
    return this.#server.nowMs + this.#clockOffMs;
  }
}

/** Small, quick and the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = (Math.imul(seed, 0x9e37_79b1) ^ 0x5bd1_e995) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 0x1_0000_0000;
  };
}
