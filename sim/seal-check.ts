/** What every seal must keep, checked as it takes effect: exactly one honest, durable line a request, and counts that are their sum. */
import { decodeChunkIndex } from '../src/bytes/chunk-index.ts';
import { countsTotal, type Counts, type OutcomeKind } from '../src/domain/outcome.ts';
import type { Usage } from '../src/domain/tally.ts';
import type { Seal, Sealed } from '../src/ports/catalog.ts';
import type { Database } from '../src/stores/sqlite/database.ts';
import type { BlobDisk } from './disk.ts';
import type { BatchTruth, JournalRecord, Ledger } from './ledger.ts';
import type { Life, SimWorld } from './world.ts';

type Parts = {
  readonly world: SimWorld;
  readonly ledger: Ledger;
  readonly disk: BlobDisk;
  readonly database: Database;
  readonly life: Life;
  readonly seal: Seal;
  readonly sealed: Sealed;
};

type Line = {
  readonly custom_id: string;
  readonly result: {
    readonly type: OutcomeKind;
    readonly message?: { readonly id: string };
    readonly error?: { readonly error: { type: string; message: string } };
  };
};

export function checkSeal(parts: Parts): void {
  const { world, ledger, disk, seal, sealed } = parts;
  if (sealed.kind !== 'sealed') return;
  const batch = ledger.batches.get(seal.batchId);
  const blob = disk.stored.get(seal.chunk.blob)?.bytes;
  if (!batch) return world.violate('isolation', `a seal of the unknown batch ${seal.batchId}`);
  if (!blob || disk.unsettled.has(seal.chunk.blob))
    return world.violate('accepted survives', `${seal.batchId} was sealed before its chunk was durable`);
  if (batch.endedMs !== null) return world.violate('immutable results', `${batch.id} was sealed after its end`);
  const text = blob.toString('utf8', 0, seal.chunk.bytes);
  const texts = text.split('\n').slice(0, -1);
  if (!text.endsWith('\n') || texts.length !== seal.chunk.lines)
    return world.violate('one line each', `a chunk of ${batch.id} does not hold its ${seal.chunk.lines} lines`);
  const ordinals = decodeChunkIndex(
    blob.subarray(seal.chunk.indexOffset, seal.chunk.indexOffset + seal.chunk.indexBytes),
  );
  for (const [at, lineText] of texts.entries()) {
    checkLine(parts, { batch, text: lineText, ordinal: ordinals[at]!.ordinal });
    if (world.violation) return;
  }
  batch.text.push(text);
  checkCounts(parts, batch);
}

function checkLine(parts: Parts, made: { batch: BatchTruth; text: string; ordinal: number }): void {
  const { world, ledger, seal, life } = parts;
  const { batch, text, ordinal } = made;
  const line = JSON.parse(text) as Line;
  const customId = line.custom_id;
  const place = batch.places.get(customId);
  const name = `${batch.id} ${customId}`;
  if (!place || place.ordinal !== ordinal)
    return world.violate('honest lines', `${name} is not request ${ordinal} of its batch`);
  if (batch.lines.has(customId)) return world.violate('one line each', `${name} has a second line`);
  const claim = ledger.claimOf(batch, customId);
  const lease = seal.leases.find(
    ({ lease: { segment, from, to } }) => segment === place.segment && from <= place.item && place.item < to,
  )?.lease;
  if (!claim || !lease || lease.epoch !== claim.epoch || claim.node !== life.node) {
    return world.violate(
      'one line each',
      `${name} was sealed under epoch ${lease?.epoch} by ${life.node}, but ${claim?.node} holds epoch ${claim?.epoch}`,
    );
  }
  const records = (batch.records.get(customId) ?? []).filter(
    (known) => known.state !== 'lost' && known.life.node === life.node,
  );
  const record = records.find((known) => known.line === `${text}\n`) ?? null;
  if (!record && records.some(({ epoch }) => epoch === claim.epoch)) {
    return world.violate('a paid answer is kept', `${name} has another line than its journal: ${text}`);
  }
  checkHonest(parts, { batch, line, record });
  const call = line.result.type === 'succeeded' ? ledger.callById.get(line.result.message!.id) : undefined;
  batch.lines.set(customId, { kind: line.result.type, text, usage: call?.answer?.usage ?? null });
}

/** Whether the outcome has a cause that really was. */
function checkHonest(parts: Parts, made: { batch: BatchTruth; line: Line; record: JournalRecord | null }): void {
  const { world, ledger } = parts;
  const { batch, line, record } = made;
  const { token, rows } = batch.creation;
  const { type, message, error } = line.result;
  const name = `${batch.id} ${line.custom_id}`;
  const calls = ledger.callsOf(token, line.custom_id);
  if (type === 'canceled') {
    if (batch.canceledMs === null) world.violate('cancel and expiry', `${name} is canceled, but nobody canceled`);
    return;
  }
  if (type === 'expired') {
    const { highest } = parts.database.get<{ highest: number }>('select highest from clock')!;
    if (Math.max(highest, world.highestWallMs * 1_000, world.wallMs() * 1_000) < batch.expiresAt)
      world.violate('cancel and expiry', `${name} is expired before its time`);
    return;
  }
  if (type === 'errored' && rows.get(line.custom_id) === 'faulty') return;
  if (record?.state !== 'synced')
    return world.violate(
      'durable before shown',
      `${name} was sealed while its record was ${record?.state ?? 'nowhere'}`,
    );
  if (type === 'succeeded') {
    const call = calls.find(({ id }) => id === message?.id);
    if (!call || call.state !== 'message')
      return world.violate('honest lines', `${name} shows an answer nobody gave: ${message?.id}`);
    if (plain(message!) !== plain(call.answer!.message))
      world.violate('honest lines', `${name} shows another text than its answer`);
    return;
  }
  const refused = calls.some((call) => call.state === 'refused' && call.error?.message === error?.error.message);
  // A call that timed out was aborted.
  const tried = calls.filter(({ state }) => state === 'perhaps' || state === 'aborted').length;
  if (!refused && tried < 3)
    world.violate('honest lines', `${name} is errored without a cause: ${JSON.stringify(error)}`);
}

/** The service tier is the one thing that is spliced. */
function plain(message: object): string {
  const copy = structuredClone(message) as { usage?: { service_tier?: string } };
  delete copy.usage?.service_tier;
  return JSON.stringify(copy);
}

function checkCounts({ world, seal, sealed }: Parts, batch: BatchTruth): void {
  if (sealed.kind !== 'sealed') return;
  const counts: Record<OutcomeKind, number> = { succeeded: 0, errored: 0, canceled: 0, expired: 0 };
  for (const { kind } of batch.lines.values()) counts[kind] += 1;
  if (!sameCounts(counts, sealed.batch.counts)) {
    world.violate(
      'counts',
      `${batch.id} has ${JSON.stringify(counts)} by its lines and ${JSON.stringify(sealed.batch.counts)} by its row`,
    );
  }
  const bits = seal.leases.reduce((sum, { done }) => sum + done.reduce((bitSum, byte) => bitSum + ones(byte), 0), 0);
  if (bits !== seal.chunk.lines || countsTotal(seal.tally.counts) !== bits)
    world.violate('counts', `${batch.id} sealed ${seal.chunk.lines} lines as ${bits} bits`);
  const whole = batch.lines.size === batch.requests;
  if (whole !== (sealed.batch.state === 'ended'))
    world.violate('counts', `${batch.id} is ${sealed.batch.state} with ${batch.lines.size} of ${batch.requests} lines`);
  if (whole) batch.endedMs = world.nowMs;
}

function sameCounts(left: Counts, right: Counts): boolean {
  return (
    left.succeeded === right.succeeded &&
    left.errored === right.errored &&
    left.canceled === right.canceled &&
    left.expired === right.expired
  );
}

function ones(byte: number): number {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
}

export function sumUsage(usages: readonly (Usage | null)[]): { inputTokens: number; outputTokens: number } {
  const sum = { inputTokens: 0, outputTokens: 0 };
  for (const usage of usages) {
    sum.inputTokens += usage?.inputTokens ?? 0;
    sum.outputTokens += usage?.outputTokens ?? 0;
  }
  return sum;
}
