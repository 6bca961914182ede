import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPEN_BYTES_ALL_MAX, OPEN_BYTES_MAX, OPEN_BYTES_MIN } from '../domain/limits.ts';
import type { Acceptance, Accepted } from '../ports/catalog.ts';
import { Creates } from './overtaken.ts';
import { batchOf, settle } from './support.ts';

type Asked = {
  readonly acceptance: Acceptance;
  readonly answer: (accepted: Accepted) => void;
  readonly fail: (error: Error) => void;
};

/** A catalog whose answers the test gives. */
function scene(): { creates: Creates; asked: Asked[] } {
  const asked: Asked[] = [];
  const accept = (acceptance: Acceptance) =>
    new Promise<Accepted>((answer, fail) => void asked.push({ acceptance, answer, fail }));
  return { creates: new Creates(accept), asked };
}

function asking(changes: Partial<Acceptance> = {}): Acceptance {
  return {
    id: 'msgbatch_x',
    workspaceId: 'wrkspc_a',
    fingerprint: 'same',
    resend: null,
    idempotencyKey: null,
    ...changes,
  } as Acceptance;
}

const resend = { withinMs: 1_000 };
const first = batchOf({ id: 'msgbatch_first' });

test('a create whose re-send was accepted while it was still uploading becomes that batch', async () => {
  const { creates, asked } = scene();
  const slow = creates.begin();
  const again = creates.begin();
  const accepted = again.accept(asking({ resend }));
  await settle();
  asked[0]!.answer({ kind: 'accepted', batch: first });
  assert.equal((await accepted).kind, 'accepted');
  assert.deepEqual(await slow.accept(asking()), { kind: 'repeated', batch: first });
  assert.equal(asked.length, 1);
});

test('a create that asks while its re-send is being accepted waits for the answer', async () => {
  const { creates, asked } = scene();
  const slow = creates.begin();
  const again = creates.begin().accept(asking({ resend }));
  const late = slow.accept(asking());
  await settle();
  assert.equal(asked.length, 1);
  asked[0]!.answer({ kind: 'accepted', batch: first });
  await again;
  assert.deepEqual(await late, { kind: 'repeated', batch: first });
});

test('an accept that failed lets the next of the same content ask', async () => {
  const { creates, asked } = scene();
  const slow = creates.begin();
  const again = creates.begin().accept(asking({ resend }));
  const late = slow.accept(asking());
  const failed = assert.rejects(again, /lost/);
  await settle();
  asked[0]!.fail(new Error('lost'));
  await failed;
  await settle();
  asked[1]!.answer({ kind: 'accepted', batch: first });
  assert.equal((await late).kind, 'accepted');
});

test('other content, another key and creates that began after the re-send are creates of their own', async () => {
  const { creates, asked } = scene();
  const [other, keyed] = [creates.begin(), creates.begin()];
  const again = creates.begin().accept(asking({ resend }));
  const later = creates.begin();
  await settle();
  asked[0]!.answer({ kind: 'accepted', batch: first });
  await again;
  void other.accept(asking({ fingerprint: 'other' }));
  void keyed.accept(asking({ idempotencyKey: { key: 'k', withinMs: 1 } }));
  void later.accept(asking());
  await settle();
  assert.equal(asked.length, 4);
});

test('two equal creates that are not re-sends stay two batches', async () => {
  const { creates, asked } = scene();
  const [one, two] = [creates.begin(), creates.begin()];
  const both = [one.accept(asking()), two.accept(asking())];
  await settle();
  asked[0]!.answer({ kind: 'accepted', batch: first });
  await both[0];
  await settle();
  asked[1]!.answer({ kind: 'accepted', batch: batchOf({ id: 'msgbatch_second' }) });
  assert.equal((await both[1])?.kind, 'accepted');
});

test('uploads share the memory: one alone has its full limit, hundreds a small part each, never less than the least', () => {
  const { creates } = scene();
  const one = creates.begin();
  assert.equal(one.openBytesMax(), OPEN_BYTES_MAX);
  const others = Array.from({ length: 255 }, () => creates.begin());
  assert.equal(one.openBytesMax(), OPEN_BYTES_ALL_MAX / 256);
  others.push(...Array.from({ length: 1_000 }, () => creates.begin()));
  assert.equal(one.openBytesMax(), OPEN_BYTES_MIN);
  for (const other of others) other.end();
  assert.equal(one.openBytesMax(), OPEN_BYTES_MAX);
});
