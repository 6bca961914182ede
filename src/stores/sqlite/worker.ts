/** The thread of the catalog: it answers calls one after another, so that no sync of the disk holds up the event loop. */
import { parentPort, workerData } from 'node:worker_threads';
import { must } from '../../domain/errors.ts';
import type { FirstStart } from './directory.ts';
import { openSqliteStores, type SqliteStores } from './stores.ts';
import { toWire, type WireError } from './wire-error.ts';

/** `wallMs` is the caller's clock at the call, because functions do not pass between threads. */
export type Call = {
  readonly id: number;
  readonly store: 'catalog' | 'directory';
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
if (stores !== null) port.on('message', (call: Call) => void answer(stores, call));

function open(): SqliteStores | null {
  try {
    const opened = openSqliteStores({ path, firstStart, clock: { wallMs: () => wallMs } });
    port.postMessage({ opened: true } satisfies Opened);
    return opened;
  } catch (error) {
    port.postMessage({ opened: false, error: toWire(error) } satisfies Opened);
    return null;
  }
}

/** The stores work synchronously, so calls cannot overtake each other here. */
async function answer(target: SqliteStores, call: Call): Promise<void> {
  wallMs = call.wallMs;
  try {
    const methods = target[call.store] as unknown as Record<string, (...args: readonly unknown[]) => Promise<unknown>>;
    const result = await methods[call.method]!(...call.args);
    port.postMessage({ id: call.id, result } satisfies Reply);
  } catch (error) {
    port.postMessage({ id: call.id, error: toWire(error) } satisfies Reply);
  }
  if (call.store === 'catalog' && call.method === 'close') port.close();
}
