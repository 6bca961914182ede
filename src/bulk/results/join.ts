/**
 * Every row of the input with what became of it: from the ledger's item, the line it points to in the raw files, and the row read again.
 * Nothing is kept in between, so an export can be made any time, again and in another format.
 */
import { REQUESTS_PER_BATCH_MAX } from '../../domain/limits.ts';
import type { Item, ItemState, OutputRow, Prompt, RawPlace, Source, SourceRow } from '../contract.ts';
import type { LedgerReader } from '../ledger/ledger.ts';
import { JOIN_GROUP_ROWS, RAW_FRAMES_AHEAD } from '../limits.ts';
import { answerOf, reasonOf, type LineAnswer } from './answer.ts';
import { lineAt } from './raw.ts';
import { RawFrames } from './raw-frames.ts';
import type { RowError } from './result-line.ts';

export type JoinParts = {
  readonly ledger: Pick<LedgerReader, 'item' | 'items' | 'itemsOfBatch' | 'batches'>;
  /** Null when rows are not wanted beside their answers. */
  readonly source: Source | null;
  readonly prompt: Pick<Prompt, 'complaintOf' | 'outputOf'>;
  readonly rawPath: (batchId: string) => string;
};

export type JoinQuery = {
  readonly order: 'input' | 'arrival';
  /** Rows in these states only; null for all. */
  readonly states?: readonly ItemState[] | null;
  /** The result lines themselves are wanted. */
  readonly lines?: boolean;
};

export async function* joinedRows(parts: JoinParts, query: JoinQuery): AsyncGenerator<readonly OutputRow[]> {
  const frames = new RawFrames(parts.rawPath);
  try {
    const groups = query.order === 'input' ? inInputOrder(parts, query) : inArrivalOrder(parts, query);
    for (const items of groups) yield await joinGroup(parts, { frames, items, lines: query.lines ?? false });
  } finally {
    await frames.close();
  }
}

/** The rows whose last line came with one batch, in the order of its lines: for output that follows a run. */
export async function* rowsOfBatch(
  parts: JoinParts,
  query: Omit<JoinQuery, 'order'> & { readonly batchId: string },
): AsyncGenerator<readonly OutputRow[]> {
  const frames = new RawFrames(parts.rawPath);
  try {
    for (const items of ofBatch(parts, query))
      yield await joinGroup(parts, { frames, items, lines: query.lines ?? false });
  } finally {
    await frames.close();
  }
}

/** The rows that have no line of their own: never sent, without a result, or answered by another row's. The rest of a followed output. */
export async function* rowsWithoutLine(
  parts: JoinParts,
  query: Omit<JoinQuery, 'order'>,
): AsyncGenerator<readonly OutputRow[]> {
  const frames = new RawFrames(parts.rawPath);
  try {
    for (const items of withoutLine(parts, query))
      yield await joinGroup(parts, { frames, items, lines: query.lines ?? false });
  } finally {
    await frames.close();
  }
}

function* inInputOrder({ ledger }: JoinParts, { states }: Pick<JoinQuery, 'states'>): Generator<readonly Item[]> {
  for (let from = 0; ;) {
    const items = ledger.items({
      from,
      limit: JOIN_GROUP_ROWS,
      ...(states === null || states === undefined ? {} : { states }),
    });
    if (items.length === 0) return;
    yield items;
    from = items.at(-1)!.seq + 1;
  }
}

/** Rows with a line as the lines came, then the others. A row is given once, also while a run goes on and moves it to another batch. */
function* inArrivalOrder(parts: JoinParts, query: JoinQuery): Generator<readonly Item[]> {
  const given = new Given();
  for (const { id } of parts.ledger.batches()) {
    for (const items of ofBatch(parts, { ...query, batchId: id })) yield items.filter(({ seq }) => given.add(seq));
  }
  for (const items of inInputOrder(parts, query)) {
    const rest = items.filter(({ seq }) => given.add(seq));
    if (rest.length > 0) yield rest;
  }
}

/** A set of row numbers, one bit each: ten million are little more than a megabyte. */
class Given {
  #bits = new Uint8Array(1_024);

  /** False when it was there already. */
  add(seq: number): boolean {
    const byte = Math.floor(seq / 8);
    if (byte >= this.#bits.length) {
      const larger = new Uint8Array(Math.max(byte + 1, 2 * this.#bits.length));
      larger.set(this.#bits);
      this.#bits = larger;
    }
    const bit = 1 << (seq % 8);
    if ((this.#bits[byte] & bit) !== 0) return false;
    this.#bits[byte] |= bit;
    return true;
  }
}

function* ofBatch(
  { ledger }: JoinParts,
  { batchId, states }: { readonly batchId: string; readonly states?: JoinQuery['states'] },
): Generator<readonly Item[]> {
  const items = ledger.itemsOfBatch(batchId, { limit: REQUESTS_PER_BATCH_MAX });
  const wanted = states === null || states === undefined ? items : items.filter(({ state }) => states.includes(state));
  for (let at = 0; at < wanted.length; at += JOIN_GROUP_ROWS) yield wanted.slice(at, at + JOIN_GROUP_ROWS);
}

function* withoutLine(parts: JoinParts, query: Pick<JoinQuery, 'states'>): Generator<readonly Item[]> {
  for (const items of inInputOrder(parts, query)) {
    const bare = items.filter(({ raw }) => raw === null);
    if (bare.length > 0) yield bare;
  }
}

type Group = { readonly frames: RawFrames; readonly items: readonly Item[]; readonly lines: boolean };

async function joinGroup(parts: JoinParts, { frames, items, lines }: Group): Promise<readonly OutputRow[]> {
  // A row whose request was another's, too, has that one's answer.
  const owners = items.map((item) =>
    item.raw === null && item.sameAs !== null ? (parts.ledger.item(item.sameAs) ?? item) : item,
  );
  const [answers, rows] = await Promise.all([
    readAnswers(frames, { items: owners, lines }),
    readRows(parts.source, items),
  ]);
  return items.map((item, index) =>
    outputRow(parts, { item, owner: owners[index], row: rows?.get(item.seq) ?? null, read: answers[index] }),
  );
}

type Read = { readonly answer: LineAnswer; readonly line: Uint8Array | null };

type Joined = { readonly item: Item; readonly owner: Item; readonly row: SourceRow | null; readonly read: Read | null };

function outputRow({ prompt }: JoinParts, { item, owner, row, read }: Joined): OutputRow {
  const { state } = item;
  // The line of a row that is to be sent again is that of an attempt that did not do.
  const answer = state === 'pending' || state === 'sent' || state === 'missing' ? null : (read?.answer ?? null);
  const text = answer?.text ?? null;
  return {
    seq: item.seq,
    key: item.key,
    row: row?.row ?? null,
    state,
    text,
    output: state === 'ok' && text !== null ? prompt.outputOf(text) : null,
    error: errorFor(prompt, { item: owner, fault: item.fault ?? row?.fault ?? null, state, answer }),
    stopReason: answer?.stopReason ?? null,
    model: answer?.model ?? null,
    usage: answer?.usage ?? null,
    attempts: owner.attempt,
    batchId: owner.raw?.batchId ?? null,
    line: answer === null ? null : (read?.line ?? null),
  };
}

function errorFor(
  prompt: JoinParts['prompt'],
  { item, fault, state, answer }: { item: Item; fault: string | null; state: ItemState; answer: LineAnswer | null },
): RowError | null {
  if (state === 'ok' || state === 'pending' || state === 'sent' || state === 'skipped') return null;
  if (answer !== null && answer.error !== null) return answer.error;
  if (state === 'invalid')
    return { type: 'schema', message: prompt.complaintOf(answer?.text ?? '') ?? 'it did not fit the schema' };
  if (state === 'rejected') return { type: 'not_sent', message: fault ?? item.fault ?? 'it cannot be sent' };
  return reasonOf(state, answer?.stopReason ?? null);
}

type Wanted = { readonly place: RawPlace; readonly index: number };

/** Each frame is unpacked once for the group, some of them at once on other threads; of a frame only what was read out of it stays. */
async function readAnswers(
  frames: RawFrames,
  { items, lines }: { readonly items: readonly Item[]; readonly lines: boolean },
): Promise<(Read | null)[]> {
  const reads: (Read | null)[] = items.map(() => null);
  const byFrame = [...wantedByFrame(items).values()];
  const load = (index: number): Promise<Buffer> | null => {
    const place = byFrame[index]?.[0]?.place;
    return place === undefined ? null : frames.frame(place.batchId, place.frameOffset);
  };
  const ahead = Array.from({ length: RAW_FRAMES_AHEAD }, (_unused, index) => load(index));
  for (const [index, wanted] of byFrame.entries()) {
    const plain = (await ahead.shift())!;
    ahead.push(load(index + RAW_FRAMES_AHEAD));
    for (const { place, index: at } of wanted) {
      const line = lineAt(plain, place);
      reads[at] = { answer: answerOf(line), line: lines ? new Uint8Array(line) : null };
    }
  }
  return reads;
}

function wantedByFrame(items: readonly Item[]): Map<string, Wanted[]> {
  const byFrame = new Map<string, Wanted[]>();
  for (const [index, { raw }] of items.entries()) {
    if (raw === null) continue;
    const name = `${raw.batchId} ${raw.frameOffset}`;
    const wanted = byFrame.get(name);
    if (wanted === undefined) byFrame.set(name, [{ place: raw, index }]);
    else wanted.push({ place: raw, index });
  }
  return byFrame;
}

async function readRows(source: Source | null, items: readonly Item[]): Promise<Map<number, SourceRow> | null> {
  if (source === null) return null;
  const points = items.map(({ seq, place }) => ({ seq, place })).toSorted((left, right) => left.seq - right.seq);
  const rows = new Map<number, SourceRow>();
  for await (const row of source.read(points)) rows.set(row.seq, row);
  return rows;
}
