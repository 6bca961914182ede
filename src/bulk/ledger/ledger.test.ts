import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { FakeWorld } from '../run/fake-world.ts';
import { planned, sending } from '../../submit-once/intent.ts';
import { readLedger } from './reader.ts';
import { Ledger } from './writer.ts';
import type { NewItem } from './records.ts';

const world = new FakeWorld();

function place(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'nightshift-ledger-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'state.db');
}

function item(seq: number): NewItem {
  return {
    seq,
    key: `k${seq}`,
    offset: seq,
    line: null,
    hash: Buffer.alloc(16, seq),
    bytes: 100,
    state: 'pending',
    sameAs: null,
    fault: null,
  };
}

/** Another process that opens the ledger, says so, and writes without end. */
async function otherProcess(path: string): Promise<ChildProcess> {
  const script = `
    import { Ledger } from ${JSON.stringify(new URL('./writer.ts', import.meta.url).href)};
    import { systemWorld } from ${JSON.stringify(new URL('../run/world.ts', import.meta.url).href)};
    const ledger = new Ledger(${JSON.stringify(path)}, { world: systemWorld });
    console.log('open');
    for (let seq = 0; ; seq += 1_000) {
      ledger.addItems(Array.from({ length: 1_000 }, (_, index) =>
        ({ seq: seq + index, key: null, offset: 0, line: null, hash: null, bytes: 0, state: 'pending', sameAs: null, fault: null })));
      await new Promise((resolve) => setImmediate(resolve));
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout!, 'data');
  return child;
}

test('a second process is refused with the pid and host of the first; after a kill -9 it takes over a sound ledger', async (t) => {
  const path = place(t);
  const child = await otherProcess(path);
  t.after(() => child.kill('SIGKILL'));
  assert.throws(() => new Ledger(path, { world }), {
    fault: 'owned',
    message: `process ${child.pid} on ${hostname()} is working on this run`,
  });
  const reader = readLedger(path);
  assert.equal(reader.owner()?.pid, child.pid);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const ledger = new Ledger(path, { world });
  assert.equal(ledger.read.rows(), ledger.read.items({ limit: 10_000_000 }).length);
  reader.close();
  ledger.close();
  const database = new DatabaseSync(path);
  assert.deepEqual({ ...database.prepare('pragma integrity_check').get() }, { integrity_check: 'ok' });
  database.close();
});

test('one process opens a ledger once, and a closed one is free', (t) => {
  const path = place(t);
  const first = new Ledger(path, { world });
  assert.throws(() => new Ledger(path, { world }), { fault: 'owned' });
  first.close();
  new Ledger(path, { world }).close();
});

test('an owner that was overtaken can write no more', (t) => {
  const path = place(t);
  const first = new Ledger(path, { world, self: { pid: 1, started: '', boot: 'before', host: hostname() } });
  const database = new DatabaseSync(path);
  database.exec('update owner set epoch = epoch + 1, pid = 77');
  database.close();
  assert.throws(() => first.addItems([item(0)]), { fault: 'owned' });
  first.crash();
});

test('a chunk whose batch may exist gets no second intent', (t) => {
  const path = place(t);
  const ledger = new Ledger(path, { world });
  ledger.addItems([item(0), item(1)]);
  ledger.finishPlan({ chunks: [{ kind: 'plan', bytes: 10, seqs: [0, 1], sizes: [5, 5] }], facts: {} });
  const intent = planned({ nonce: 'a'.repeat(16), chunk: 1, requests: 2, bytes: 10 });
  ledger.storeIntent(intent);
  ledger.storeIntent(sending(intent, 1));
  assert.deepEqual([ledger.read.counts().sent, ledger.read.item(0)!.attempt], [2, 1]);
  assert.throws(() => ledger.storeIntent({ ...intent, nonce: 'b'.repeat(16) }), /may have made a batch/);
  assert.throws(() => ledger.splitChunk(1, []), /may have made a batch/);
  ledger.storeIntent({ ...sending(intent, 1), state: 'aborted', closedAtMs: 2 });
  assert.deepEqual([ledger.read.counts().pending, ledger.read.item(0)!.attempt], [2, 0]);
  ledger.storeIntent({ ...intent, nonce: 'b'.repeat(16) });
  ledger.close();
});

test('rows are found by number, key and state', (t) => {
  const ledger = new Ledger(place(t), { world });
  ledger.addItems([
    item(0),
    { ...item(1), key: null },
    { ...item(2), key: '2' },
    { ...item(3), state: 'rejected', fault: 'ragged' },
  ]);
  assert.deepEqual(
    ledger.read.itemsByKey('2').map(({ seq }) => seq),
    [2, 1],
  );
  assert.deepEqual(
    ledger.read.items({ states: ['rejected'], limit: 10 }).map(({ fault }) => fault),
    ['ragged'],
  );
  assert.deepEqual(ledger.read.errorGroups(), [
    { type: 'not_sent', message: 'ragged', state: 'rejected', rows: 1, sampleSeq: 3 },
  ]);
  assert.equal(ledger.read.item(9), null);
  ledger.close();
});

test('a full disk is told in words, and what was written before stays', (t) => {
  const path = place(t);
  const ledger = new Ledger(path, { world, pagesMax: 40 });
  ledger.addItems([item(0)]);
  assert.throws(() => ledger.addItems(Array.from({ length: 50_000 }, (_, index) => item(index + 1))), {
    fault: 'disk-full',
  });
  assert.equal(ledger.read.rows(), 1);
  ledger.addItems([item(1)]);
  assert.equal(ledger.read.rows(), 2);
  ledger.close();
});
