/** Reads the whole input once, before anything is sent: every row gets its place, its request's hash and its chunk, or the reason it has none. */
import type { Prompt, Rendered, RunEvent, Source, SourceRow } from '../contract.ts';
import type { Ledger } from '../ledger/writer.ts';
import type { NewItem } from '../ledger/records.ts';
import {
  CHUNK_BYTES_CAP,
  CHUNK_BYTES_DEFAULT,
  CHUNK_REQUESTS_DEFAULT,
  CHUNK_REQUESTS_MAX,
  CHUNKS_TARGET,
  LEDGER_GROUP_ROWS,
} from '../limits.ts';
import { type ChunkLimits, tooLarge } from '../plan/chunks.ts';
import { bytesInBody, type CutRow, cutRows } from './body.ts';
import { RunError } from './errors.ts';
import { readSpec, type RunFolder, writeSpec } from './folder.ts';
import { requestHash } from './rows.ts';
import { SeenRequests } from './seen.ts';
import type { BatchingSpec, RunSpec, SpecChange } from './spec.ts';
import { specChanges } from './spec.ts';
import type { World } from './world.ts';

export type PlanParts = {
  readonly folder: RunFolder;
  readonly ledger: Ledger;
  readonly spec: RunSpec;
  readonly source: Source;
  readonly prompt: Prompt;
  readonly world: World;
  readonly onEvent?: (event: RunEvent) => void;
  /** Every request as it is planned, for estimates; duplicates are not among them. */
  readonly onRequest?: (request: { readonly seq: number; readonly params: Uint8Array }) => void;
};

export type Planned =
  | { readonly kind: 'planned'; readonly spec: RunSpec; readonly facts: PlanFacts }
  /** The run was planned before, and nothing that matters has changed: it goes on. */
  | { readonly kind: 'same'; readonly spec: RunSpec; readonly facts: PlanFacts }
  /** It was sent already, and asked for otherwise: nothing was touched. */
  | { readonly kind: 'changed'; readonly spec: RunSpec; readonly changes: readonly SpecChange[] };

export type PlanFacts = {
  readonly rows: number;
  readonly requests: number;
  readonly chunks: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly skipped: number;
  /** Rows with a column cut. */
  readonly cutRows: number;
  readonly bodyBytes: number;
  readonly largestRequests: number;
  readonly largestBytes: number;
};

export async function planRun(parts: PlanParts): Promise<Planned> {
  const { folder, ledger, source } = parts;
  const spec = { ...parts.spec, input: { ...parts.spec.input, identity: await source.identity() } };
  const frozen = ledger.read.fact('plannedAtMs') === null ? null : readSpec(folder);
  const facts = planFacts(ledger);
  if (frozen !== null && facts !== null) {
    const changes = specChanges(frozen, spec);
    if (changes.length === 0) return { kind: 'same', spec: frozen, facts };
    if (ledger.wasSent()) return { kind: 'changed', spec: frozen, changes };
  }
  return { kind: 'planned', spec, facts: await readAll({ ...parts, spec }) };
}

export function planFacts(ledger: Pick<Ledger, 'read'>): PlanFacts | null {
  const text = ledger.read.fact('plan');
  return text === null ? null : (JSON.parse(text) as PlanFacts);
}

async function readAll(parts: PlanParts): Promise<PlanFacts> {
  const { folder, ledger, spec, source, world } = parts;
  ledger.clearPlan();
  writeSpec(folder, spec);
  const reading = new Reading(parts);
  for await (const rows of source.rows()) {
    for (const row of rows) {
      const added = reading.add(row);
      if (added !== undefined) await added;
    }
  }
  reading.flush();
  const salt = Math.floor(world.random() * 1_000_000);
  const chunks = cutRows(reading.sized.rows(), {
    limits: chunkLimits(spec.batching, reading.sized),
    salt,
    kind: 'plan',
  });
  const facts: PlanFacts = {
    ...reading.counts,
    chunks: chunks.length,
    bodyBytes: chunks.reduce((sum, { bytes }) => sum + bytes, 0),
    largestRequests: chunks.reduce((most, { seqs }) => Math.max(most, seqs.length), 0),
    largestBytes: chunks.reduce((most, { bytes }) => Math.max(most, bytes), 0),
  };
  const nowMs = world.nowMs();
  ledger.finishPlan({
    chunks,
    facts: {
      plan: JSON.stringify(facts),
      plannedAtMs: String(nowMs),
      requests: String(facts.requests),
      salt: String(salt),
    },
  });
  const { rows, requests, duplicates, rejected } = facts;
  parts.onEvent?.({ atMs: nowMs, kind: 'planned', rows, requests, chunks: chunks.length, duplicates, rejected });
  return facts;
}

/** As asked for, or the defaults, grown so that a run stays a number of batches a person can look through. */
export function chunkLimits(
  { chunkRequests, chunkBytes }: BatchingSpec,
  all: { readonly length: number; readonly bytes: number },
): ChunkLimits {
  const requests = chunkRequests ?? Math.max(CHUNK_REQUESTS_DEFAULT, Math.ceil(all.length / CHUNKS_TARGET));
  const bytes = chunkBytes ?? Math.max(CHUNK_BYTES_DEFAULT, Math.ceil(all.bytes / CHUNKS_TARGET));
  return {
    requests: Math.min(Math.max(1, requests), CHUNK_REQUESTS_MAX),
    bytes: Math.min(Math.max(1, bytes), CHUNK_BYTES_CAP),
  };
}

class Reading {
  readonly counts = { rows: 0, requests: 0, duplicates: 0, rejected: 0, skipped: 0, cutRows: 0 };
  readonly sized = new SizedRows();
  readonly #parts: PlanParts;
  readonly #seen: SeenRequests;
  #group: NewItem[] = [];

  constructor(parts: PlanParts) {
    this.#parts = parts;
    // A row of the group at hand is not in the ledger yet; rows are numbered without gaps.
    this.#seen = new SeenRequests((seq) => {
      const first = this.#group[0]?.seq ?? Infinity;
      return seq >= first ? this.#group[seq - first]!.hash : parts.ledger.hashOf(seq);
    });
  }

  add(row: SourceRow): void | Promise<void> {
    if (row.seq !== this.counts.rows)
      throw new RunError('damaged', `row ${row.seq} came where row ${this.counts.rows} was expected`);
    this.counts.rows += 1;
    if (row.fault !== null) return this.#take(row, null);
    const rendered = this.#parts.prompt.render(row);
    return rendered instanceof Promise ? rendered.then((it) => this.#take(row, it)) : this.#take(row, rendered);
  }

  flush(): void {
    if (this.#group.length > 0) this.#parts.ledger.addItems(this.#group);
    this.#group = [];
  }

  #take(row: SourceRow, rendered: Rendered | null): void {
    const { spec, prompt, onRequest } = this.#parts;
    const { item, bodyBytes } = newItem(row, { prompt, rendered });
    const sameAs = item.hash === null || !spec.batching.dedupe ? null : this.#seen.first(item.hash, row.seq);
    this.#group.push({ ...item, sameAs });
    if (item.state !== 'pending') this.counts[item.state] += 1;
    else if (sameAs !== null) this.counts.duplicates += 1;
    else {
      this.counts.requests += 1;
      this.sized.add({ seq: row.seq, bytes: bodyBytes, params: item.bytes });
    }
    if (rendered?.kind === 'request' && item.hash !== null) {
      if (rendered.cut) this.counts.cutRows += 1;
      if (sameAs === null) onRequest?.({ seq: row.seq, params: rendered.params });
    }
    if (this.#group.length >= LEDGER_GROUP_ROWS) this.flush();
  }
}

type Made = { readonly item: NewItem & { readonly hash: Buffer | null }; readonly bodyBytes: number };

/** What the ledger keeps of a row; `rendered` is null where there was nothing to render. */
export function newItem(
  row: SourceRow,
  { prompt, rendered }: { readonly prompt: Prompt; readonly rendered: Rendered | null },
): Made {
  const key = prompt.keyOf(row);
  const { seq, place } = row;
  const about = {
    seq,
    key: key === String(seq + 1) ? null : key,
    offset: place.offset,
    line: place.line,
    sameAs: null,
  };
  const unsent = (state: 'rejected' | 'skipped', fault: string | null): Made => ({
    item: { ...about, state, fault, hash: null, bytes: 0 },
    bodyBytes: 0,
  });
  if (rendered === null) return unsent('rejected', row.fault ?? 'unreadable');
  if (rendered.kind === 'skipped') return unsent('skipped', null);
  if (rendered.kind === 'rejected') return unsent('rejected', rendered.reason);
  const { params } = rendered;
  const bodyBytes = bytesInBody({ seq, key, params: params.length });
  const fault = tooLarge(bodyBytes);
  if (fault !== null) return unsent('rejected', fault);
  return {
    item: { ...about, state: 'pending', fault: null, hash: requestHash(params), bytes: params.length },
    bodyBytes,
  };
}

/** The rows to be cut, twelve bytes each: how large chunks are to be is known only when all are counted. */
class SizedRows {
  length = 0;
  bytes = 0;
  #numbers = new Uint32Array(3 * 1_024);

  add({ seq, bytes, params }: CutRow): void {
    const at = 3 * this.length;
    if (at === this.#numbers.length) {
      const grown = new Uint32Array(2 * at);
      grown.set(this.#numbers);
      this.#numbers = grown;
    }
    this.#numbers[at] = seq;
    this.#numbers[at + 1] = bytes;
    this.#numbers[at + 2] = params;
    this.length += 1;
    this.bytes += bytes;
  }

  *rows(): Generator<CutRow> {
    for (let at = 0; at < 3 * this.length; at += 3) {
      yield { seq: this.#numbers[at]!, bytes: this.#numbers[at + 1]!, params: this.#numbers[at + 2]! };
    }
  }
}
