/** What must be true once the faults are over and all is quiet: everything ended, summed up and cleaned away. */
import type { Database } from '../src/stores/sqlite/database.ts';
import type { BlobDisk } from './disk.ts';
import type { BatchTruth, Ledger } from './ledger.ts';
import { checkUsage } from './usage-check.ts';
import type { SimWorld } from './world.ts';

type Parts = {
  readonly world: SimWorld;
  readonly ledger: Ledger;
  readonly disk: BlobDisk;
  readonly database: Database;
};

export function checkEnd(parts: Parts): void {
  for (const batch of parts.ledger.batches.values()) {
    checkLines(parts, batch);
    checkUsage(parts, batch);
    checkEvents(parts, batch);
    checkAnswers(parts, batch);
    checkBytes(parts, batch);
  }
}

/** What the rows name is there, whole and in order, merged or not. */
function checkBytes({ world, database, disk }: Parts, batch: BatchTruth): void {
  if (batch.archived || batch.deletedMs !== null) return;
  const chunks = database.all<{ offset: number; bytes: number; blob: string; from: number }>(
    'select result_offset as offset, bytes, blob, blob_offset as "from" from chunks where batch_id = :id order by sequence',
    { id: batch.id },
  );
  let text = '';
  for (const { offset, bytes, blob, from } of chunks) {
    const stored = disk.stored.get(blob)?.bytes;
    if (!stored) return world.violate('accepted survives', `the chunk ${blob} is gone`);
    if (offset !== Buffer.byteLength(text))
      return world.violate('immutable results', `the chunk ${blob} begins at ${offset}`);
    text += stored.toString('utf8', from, from + bytes);
  }
  if (text !== batch.text.join(''))
    world.violate('immutable results', `the chunks of ${batch.id} hold other bytes than were sealed`);
}

function checkLines({ world, database }: Parts, batch: BatchTruth): void {
  if (batch.lines.size !== batch.requests)
    world.violate('every batch ends', `${batch.id} has ${batch.lines.size} of ${batch.requests} lines`);
  const row = database.get<{ state: string; succeeded: number; errored: number; canceled: number; expired: number }>(
    'select state, succeeded, errored, canceled, expired from batches where id = :id',
    { id: batch.id },
  );
  if ((row === null) !== (batch.deletedMs !== null))
    world.violate('accepted survives', `${batch.id} is ${row ? 'there' : 'gone'}`);
  if (!row) return;
  const total = row.succeeded + row.errored + row.canceled + row.expired;
  if (row.state !== 'ended' || total !== batch.requests)
    world.violate('counts', `${batch.id} is ${row.state} with ${total} of ${batch.requests}`);
}

function checkEvents({ world, database }: Parts, batch: BatchTruth): void {
  const rows = database.all<{ sequence: number; kind: string }>(
    'select sequence, kind from events where batch_id = :id order by position',
    { id: batch.id },
  );
  const expected = [
    'created',
    ...(batch.canceledMs === null ? [] : ['canceling']),
    'ended',
    ...(batch.archived ? ['archived'] : []),
    ...(batch.deletedMs === null ? [] : ['deleted']),
  ];
  const said = rows.map(({ kind }) => kind);
  const counted = rows.every(({ sequence }, at) => sequence === at + 1);
  if (said.join() !== expected.join() || !counted)
    world.violate('events once', `${batch.id} told ${said.join()} instead of ${expected.join()}`);
}

/** An answer that was heard is in the journal, unless its hearer died or had no room, or the request had passed on. */
function checkAnswers({ world, ledger }: Parts, batch: BatchTruth): void {
  for (const customId of batch.places.keys()) {
    for (const call of ledger.callsOf(batch.creation.token, customId)) {
      if (call.state !== 'message' || ledger.passedOn(batch, call)) continue;
      const record = batch.records.get(customId)?.some(({ callId }) => callId === call.id) === true;
      const noRoom =
        ledger.faults.touched('log full', call.heardMs, call.heardMs + 60_000) &&
        call.life.diedMs < call.heardMs + 60_000;
      const frozen =
        call.life.frozenAtMs.some((atMs) => atMs >= call.heardMs && atMs < call.heardMs + 10) && !call.life.alive;
      if (!record && !noRoom && !frozen && call.life.diedMs > call.heardMs) {
        world.violate(
          'a paid answer is kept',
          `the answer ${call.id} to ${batch.id} ${customId} was heard and never written`,
        );
      }
    }
  }
}

/** After retention and garbage collection only what batches own is left. */
export function checkGarbage(parts: Parts): void {
  const { world, ledger, disk } = parts;
  for (const batch of ledger.batches.values()) checkBytes(parts, batch);
  checkInline(parts);
  for (const key of disk.stored.keys()) {
    const batch = ledger.batches.get(key.split('/')[1] ?? '');
    if (!batch || batch.deletedMs !== null) return world.violate('garbage goes', `the blob ${key} has no batch`);
    if (batch.archived) return world.violate('garbage goes', `the blob ${key} is of an archived batch`);
  }
}

function checkInline({ world, ledger, database }: Parts): void {
  const rows = database.all<{ id: string }>('select batch_id as id from segments where inline is not null');
  for (const { id } of rows) {
    const batch = ledger.batches.get(id);
    if (!batch || batch.archived || batch.deletedMs !== null)
      return world.violate('garbage goes', `the catalog still holds requests of ${id}`);
  }
}
