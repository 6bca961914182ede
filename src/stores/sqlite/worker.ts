/** The thread of the catalog: it answers calls one after another, so that no sync of the disk holds up the event loop. */
import { parentPort, workerData } from 'node:worker_threads';
import { must } from '../../domain/errors.ts';
import type { FirstStart } from './directory.ts';
import { openSqliteStores, type LocalStores, type SqliteStores } from './stores.ts';
import { toWire, type WireError } from './wire-error.ts';

/** `wallMs` is the caller's clock at the call, because functions do not pass between threads. */
export type Call = {
  readonly id: number;
  readonly store: 'catalog' | 'directory' | 'usage';
  readonly method: string;
  readonly args: readonly unknown[];
  readonly wallMs: number;
};

export type Reply = { readonly id: number } & ({ readonly result: unknown } | { readonly error: WireError });

/** The first message: the file is open, or why not. */
export type Opened = { readonly opened: true } | { readonly opened: false; readonly error: WireError };

export type WorkerOptions = { readonly path: string; readonly firstStart: FirstStart; readonly wallMs: number };

const port = must(parentPort, 'this file runs as a worker thread');
const { path, firstStart, wallMs: startMs } = workerData as WorkerOptions;
let wallMs = startMs;

const stores = open();
let waiting: Call[] = [];
if (stores !== null) port.on('message', (call: Call) => take(stores, call));

function open(): LocalStores | null {
  try {
    const opened = openSqliteStores({ path, firstStart, clock: { wallMs: () => wallMs } });
    port.postMessage({ opened: true } satisfies Opened);
    return opened;
  } catch (error) {
    port.postMessage({ opened: false, error: toWire(error) } satisfies Opened);
    return null;
  }
}

/** Calls that came while a sync held the thread are carried out together, under one sync. */
function take(target: LocalStores, call: Call): void {
  waiting.push(call);
  if (waiting.length > 1) return;
  setImmediate(() => {
    const calls = waiting;
    waiting = [];
    const closing = calls.filter(isClose);
    carryOut(
      target,
      calls.filter((one) => !isClose(one)),
    );
    for (const one of closing) void answer(one, begin(target, one)).then(() => port.close());
  });
}

function carryOut(target: LocalStores, calls: readonly Call[]): void {
  try {
    const run = () => calls.map((call) => begin(target, call));
    const results = calls.length > 1 ? target.group(run) : run();
    for (const [at, call] of calls.entries()) void answer(call, results[at]!);
  } catch (error) {
    for (const call of calls) port.postMessage({ id: call.id, error: toWire(error) } satisfies Reply);
  }
}

/** The stores work synchronously: when this returns the call is done, its promise only carries the result. */
function begin(target: SqliteStores, call: Call): Promise<unknown> {
  wallMs = call.wallMs;
  const methods = target[call.store] as unknown as Record<string, (...args: readonly unknown[]) => Promise<unknown>>;
  const result = methods[call.method]!(...call.args);
  // It is answered after the sync; until then a failure must not count as unhandled.
  result.catch(() => undefined);
  return result;
}

async function answer(call: Call, result: Promise<unknown>): Promise<void> {
  try {
    port.postMessage({ id: call.id, result: await result } satisfies Reply);
  } catch (error) {
    port.postMessage({ id: call.id, error: toWire(error) } satisfies Reply);
  }
}

function isClose({ store, method }: Call): boolean {
  return store === 'catalog' && method === 'close';
}
