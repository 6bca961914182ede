/** What every call to the upstream must keep, checked as it is made: nothing bought twice without a reason, nothing sent after a cancel. */
import { LEASE_MS } from '../src/domain/limits.ts';
import type { BatchTruth, Call, Ledger } from './ledger.ts';

/** Another node hears of a cancel when it renews its leases, or at the latest when it could not and they have run out. */
const cancelHeardMs = LEASE_MS + 10_000;

export function checkCall(ledger: Ledger, call: Call): void {
  const { world } = ledger;
  const batch = ledger.batchOfToken.get(call.token);
  const name = `${batch?.id ?? call.token} ${call.customId}`;
  if (!batch) return world.violate('accepted survives', `${name} was sent before its batch was accepted`);
  if (batch.creation.rows.get(call.customId) === 'faulty')
    return world.violate('honest lines', `${name} can never be sent and was`);
  checkStopped(ledger, { batch, call, name });
  const before = ledger.callsOf(call.token, call.customId).at(-2);
  if (before) checkAgain(ledger, { batch, call, before, name });
}

function checkStopped({ world, faults }: Ledger, made: { batch: BatchTruth; call: Call; name: string }): void {
  const { batch, call, name } = made;
  const told = batch.cancelTold.get(call.life);
  if (told !== undefined && told < world.nowMs)
    world.violate('cancel and expiry', `${name} was sent ${world.nowMs - told} ms after its cancel was answered`);
  if (batch.canceledMs === null) return;
  if (batch.canceledMs < call.life.bornMs)
    world.violate('cancel and expiry', `${name} was sent by a node started after its cancel`);
  const deaf =
    faults.touched('catalog full', batch.canceledMs, world.nowMs) ||
    faults.touched('slow disk', batch.canceledMs, world.nowMs);
  if (!deaf && world.nowMs > batch.canceledMs + cancelHeardMs)
    world.violate('cancel and expiry', `${name} was sent long after its cancel`);
}

/** A holder whose lease was taken over hears of it at its next renewal. */
const staleMs = 30_000;

function isStale(ledger: Ledger, batch: BatchTruth, call: Call): boolean {
  const claim = ledger.claimOf(batch, call.customId);
  if (!claim || claim.node === call.life.node) return false;
  return call.sentMs < claim.atMs + staleMs || ledger.faults.touched('catalog full', claim.atMs, call.sentMs);
}

/** An earlier call must have come to nothing, or its answer must have been lost in a way the promises allow. */
function checkAgain(ledger: Ledger, made: { batch: BatchTruth; call: Call; before: Call; name: string }): void {
  const { batch, call, before, name } = made;
  if (before.state === 'unpaid' || before.state === 'perhaps' || before.state === 'aborted') return;
  if (ledger.passedOn(batch, before) || isStale(ledger, batch, call) || isStale(ledger, batch, before)) return;
  const records = batch.records.get(call.customId) ?? [];
  const record = records.findLast(({ life, atMs }) => life === before.life && atMs >= before.sentMs);
  if (!record) {
    if (!before.life.alive) return;
    return ledger.world.violate('bought once', `${name} was sent again while its call ${before.id} is ${before.state}`);
  }
  if (record.state === 'lost') return;
  ledger.world.violate(
    'bought once',
    `${name} was sent again although its answer ${before.id} is ${record.state} in the journal`,
  );
}
