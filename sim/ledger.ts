/**
 * The ledger: what really happened, as clients, disks, catalog and upstream saw it. The checks read it; the engine knows nothing of it.
 */
import { SegmentIndex } from '../src/bytes/segment-index.ts';
import type { Batch } from '../src/domain/batch.ts';
import type { OutcomeKind } from '../src/domain/outcome.ts';
import type { Usage } from '../src/domain/tally.ts';
import { readRecord } from '../src/engine/record.ts';
import type { Acceptance, HeldSpan } from '../src/ports/catalog.ts';
import type { Faults } from './faults.ts';
import type { Life, SimWorld } from './world.ts';

/** `faulty` can never be sent, `bad` is refused by the upstream whenever it is. */
export type RowKind = 'normal' | 'faulty' | 'bad';

/** One create a client wants, however often it sends it. Its token names its key and is in the text of each of its requests. */
export type Creation = {
  readonly token: string;
  readonly workspaceId: string;
  readonly rows: ReadonlyMap<string, RowKind>;
  readonly idempotencyKey: string | null;
  /** Batches clients were told of. */
  readonly told: Set<string>;
};

export type CallState = 'flying' | 'message' | 'refused' | 'unpaid' | 'perhaps' | 'aborted';

export type Call = {
  readonly id: string;
  readonly token: string;
  readonly customId: string;
  readonly life: Life;
  readonly sentMs: number;
  state: CallState;
  heardMs: number;
  answer: { readonly message: object; readonly usage: Usage } | null;
  /** The error it was answered with, as its line would say it. */
  error: { readonly type: string; readonly message: string } | null;
};

export type JournalRecord = {
  readonly batchId: string;
  readonly customId: string;
  readonly life: Life;
  readonly epoch: number;
  readonly line: string;
  readonly callId: string | null;
  readonly atMs: number;
  state: 'written' | 'synced' | 'lost';
};

export type Place = { readonly segment: number; readonly item: number; readonly ordinal: number };
export type Claim = {
  readonly segment: number;
  readonly from: number;
  readonly to: number;
  readonly epoch: number;
  readonly node: string;
  readonly atMs: number;
};
export type SealedLine = { readonly kind: OutcomeKind; readonly text: string; readonly usage: Usage | null };

export type BatchTruth = {
  readonly id: string;
  readonly creation: Creation;
  readonly workspaceId: string;
  readonly requests: number;
  readonly expiresAt: number;
  readonly places: ReadonlyMap<string, Place>;
  readonly claims: Claim[];
  readonly records: Map<string, JournalRecord[]>;
  readonly lines: Map<string, SealedLine>;
  /** Result bytes in the order of the seals. */
  text: string[];
  canceledMs: number | null;
  /** Lives that have answered a cancel, and when. */
  readonly cancelTold: Map<Life, number>;
  endedMs: number | null;
  deletedMs: number | null;
  archived: boolean;
};

/** The durable bytes a segment's offsets count in; null where there are none. */
export type ReadSegment = (segment: Acceptance['segments'][number]) => Uint8Array | null;

export class Ledger {
  readonly world: SimWorld;
  readonly faults: Faults;
  readonly creations = new Map<string, Creation>();
  readonly batches = new Map<string, BatchTruth>();
  readonly batchOfToken = new Map<string, BatchTruth>();
  /** Calls for each request, oldest first. */
  readonly calls = new Map<string, Call[]>();
  readonly callById = new Map<string, Call>();
  #lastCall = 0;

  constructor(parts: { world: SimWorld; faults: Faults }) {
    this.world = parts.world;
    this.faults = parts.faults;
  }

  callsOf(token: string, customId: string): Call[] {
    const key = `${token}/${customId}`;
    let calls = this.calls.get(key);
    if (!calls) this.calls.set(key, (calls = []));
    return calls;
  }

  called(parts: { token: string; customId: string; life: Life }): Call {
    const call: Call = {
      ...parts,
      id: `msg_${(this.#lastCall += 1)}`,
      sentMs: this.world.nowMs,
      state: 'flying',
      heardMs: Infinity,
      answer: null,
      error: null,
    };
    this.callsOf(parts.token, parts.customId).push(call);
    this.callById.set(call.id, call);
    return call;
  }

  /** A record reached a log. */
  written(payload: Uint8Array, life: Life): JournalRecord {
    const read = readRecord(payload)!;
    const line = Buffer.from(read.line).toString('utf8');
    const customId = /"custom_id":"([^"]*)"/.exec(line)?.[1] ?? '';
    const callId = /"id":"(msg_\d+)"/.exec(line)?.[1] ?? null;
    const { batchId, epoch } = read;
    const record: JournalRecord = {
      batchId,
      customId,
      life,
      epoch,
      line,
      callId,
      atMs: this.world.nowMs,
      state: 'written',
    };
    const batch = this.batches.get(batchId);
    if (!batch) {
      this.world.violate('journal', `a record names the unknown batch ${batchId}`);
      return record;
    }
    const records = batch.records.get(customId) ?? [];
    batch.records.set(customId, records);
    records.push(record);
    return record;
  }

  accepted(batch: Batch, parts: { acceptance: Acceptance; read: ReadSegment }): void {
    const creation = this.creations.get(batch.keyId.replace('key_', ''))!;
    const places = new Map<string, Place>();
    for (const segment of parts.acceptance.segments) {
      const { indexOffset, indexBytes } = segment;
      const bytes = parts.read(segment);
      if (!bytes)
        return this.world.violate('accepted survives', `${batch.id} was accepted without segment ${segment.number}`);
      const index = new SegmentIndex(bytes.subarray(indexOffset, indexOffset + indexBytes));
      for (let item = 0; item < index.count; item++) {
        places.set(index.customId(item), { segment: segment.number, item, ordinal: index.ordinal(item) });
      }
    }
    const { id, workspaceId, requests, expiresAt } = batch;
    const truth: BatchTruth = {
      id,
      creation,
      workspaceId,
      requests,
      expiresAt,
      places,
      claims: [],
      records: new Map(),
      lines: new Map(),
      text: [],
      canceledMs: null,
      cancelTold: new Map(),
      endedMs: null,
      deletedMs: null,
      archived: false,
    };
    this.batches.set(id, truth);
    const earlier = this.batchOfToken.get(creation.token);
    if (earlier) this.world.violate('re-sent once', `creation ${creation.token} became ${earlier.id} and ${id}`);
    this.batchOfToken.set(creation.token, truth);
  }

  claimed(node: string, spans: readonly HeldSpan[]): void {
    for (const { lease } of spans) {
      const { segment, from, to, epoch } = lease;
      this.batches.get(lease.batchId)?.claims.push({ segment, from, to, epoch, node, atMs: this.world.nowMs });
    }
  }

  /** Whether another node has claimed the request since a call was made. */
  passedOn(batch: BatchTruth, call: Call): boolean {
    const place = batch.places.get(call.customId)!;
    return batch.claims.some(
      ({ segment, from, to, node, atMs }) =>
        segment === place.segment &&
        from <= place.item &&
        place.item < to &&
        node !== call.life.node &&
        atMs >= call.sentMs,
    );
  }

  /** The newest claim of a request. */
  claimOf(batch: BatchTruth, customId: string): Claim | null {
    const place = batch.places.get(customId);
    if (!place) return null;
    return (
      batch.claims.findLast(
        ({ segment, from, to }) => segment === place.segment && from <= place.item && place.item < to,
      ) ?? null
    );
  }
}
