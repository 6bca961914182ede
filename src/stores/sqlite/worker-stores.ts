/** Catalog, directory and usage of one file in one worker thread; the same ports, passed over messages. */
import { getCompileCacheDir } from 'node:module';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Catalog } from '../../ports/catalog.ts';
import type { Directory } from '../../ports/directory.ts';
import type { Usages } from '../../ports/usage.ts';
import { openSqliteStores, type SqliteOptions, type SqliteStores } from './stores.ts';
import { fromWire } from './wire-error.ts';
import type { Call, Opened, Reply, WorkerOptions } from './worker.ts';

export type WorkerOptionsOfStores = SqliteOptions & {
  /** Called once if the thread dies without having been closed; every call, open or to come, is rejected. */
  readonly onDeath: (error: Error) => void;
};

/**
 * Rejects with StartError when the file is not a catalog this program can use.
 *
 * What callers wait for and what reads a few rows is read here, on a connection of its own: in SQLite's write-ahead log readers never
 * wait for a writer, so a poll does not stand behind the sync of a seal. Everything else goes to the thread.
 */
export async function openWorkerStores(options: WorkerOptionsOfStores): Promise<SqliteStores> {
  const thread = new StoreThread(options);
  await thread.opened;
  const reader = openSqliteStores(options);
  const read = <T>(ask: () => Promise<T>): Promise<T> =>
    thread.refusal() === null ? ask() : Promise.reject(thread.refusal()!);
  const close = async () => {
    await thread.close();
    await reader.close();
  };
  const catalog: Catalog = {
    ...remote<Catalog>({ thread, store: 'catalog' }, catalogMethods),
    batch: (workspaceId, batchId) => read(() => reader.catalog.batch(workspaceId, batchId)),
    page: (query) => read(() => reader.catalog.page(query)),
    chunks: (query) => read(() => reader.catalog.chunks(query)),
    close,
  };
  const directory: Directory = {
    ...remote<Directory>({ thread, store: 'directory' }, directoryMethods),
    key: (secretHash) => read(() => reader.directory.key(secretHash)),
    workspace: (id) => read(() => reader.directory.workspace(id)),
  };
  const usage: Usages = {
    ...remote<Usages>({ thread, store: 'usage' }, usageMethods),
    ofBatch: (workspaceId, batchId) => read(() => reader.usage.ofBatch(workspaceId, batchId)),
  };
  return { catalog, directory, usage, close };
}

/** A thread does not inherit the compile cache of the process; without it stripping types costs each start a tenth of a second and 35 MB. */
function useCompileCache(): string {
  const folder = getCompileCacheDir();
  return folder === undefined ? '' : `require('node:module').enableCompileCache(${JSON.stringify(folder)});`;
}

type Waiting = { resolve(result: unknown): void; reject(error: Error): void };

/** Exported for tests of its death. */
export class StoreThread {
  readonly opened: Promise<void>;
  readonly #worker: Worker;
  readonly #options: WorkerOptionsOfStores;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #nextId = 1;
  #closing: Promise<void> | null = null;
  #death: Error | null = null;
  #isOpen = false;

  constructor(options: WorkerOptionsOfStores) {
    this.#options = options;
    const { path, firstStart, clock } = options;
    const workerData: WorkerOptions = { path, firstStart, wallMs: clock.wallMs() };
    // The compiler does not rewrite the extension in a URL: beside worker.ts in a checkout, worker.js in the package.
    const { href } = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);
    this.#worker = new Worker(`${useCompileCache()}import(${JSON.stringify(href)});`, { eval: true, workerData });
    const opened = Promise.withResolvers<void>();
    const exited = Promise.withResolvers<void>();
    this.opened = opened.promise;
    this.#exited = exited.promise;
    this.#worker.once('message', (message: Opened) => {
      if (!message.opened) {
        this.#closing = this.#exited;
        return opened.reject(fromWire(message.error));
      }
      this.#worker.on('message', (reply: Reply) => this.#settle(reply));
      this.#isOpen = true;
      return opened.resolve();
    });
    this.#worker.on('error', (error) => this.#die(error instanceof Error ? error : new Error(String(error))));
    this.#worker.on('exit', (code) => {
      if (this.#closing === null) this.#die(new Error(`the catalog's thread ended with code ${code}`));
      if (this.#death !== null) opened.reject(this.#death);
      exited.resolve();
    });
  }

  call(store: Call['store'], method: string, args: readonly unknown[]): Promise<unknown> {
    const refusal = this.refusal();
    return refusal === null ? this.#post(store, method, args) : Promise.reject(refusal);
  }

  /** Why no call can be taken any more, if so. */
  refusal(): Error | null {
    return this.#death ?? (this.#closing === null ? null : new Error('the catalog is closed'));
  }

  /** Calls made before are answered first. */
  close(): Promise<void> {
    this.#closing ??= this.#death !== null ? this.#exited : this.#post('catalog', 'close', []).then(() => this.#exited);
    return this.#closing;
  }

  /** Ends the thread as a crash would. */
  async kill(): Promise<void> {
    await this.#worker.terminate();
  }

  #post(store: Call['store'], method: string, args: readonly unknown[]): Promise<unknown> {
    const id = this.#nextId++;
    const call: Call = { id, store, method, args, wallMs: this.#options.clock.wallMs() };
    return new Promise((resolve, reject) => {
      this.#worker.postMessage(call);
      this.#waiting.set(id, { resolve, reject });
    });
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('error' in reply) waiting?.reject(fromWire(reply.error));
    else waiting?.resolve(reply.result);
  }

  #die(error: Error): void {
    if (this.#death !== null) return;
    this.#death = error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
    if (this.#isOpen) this.#options.onDeath(error);
  }
}

/** Tables and not lists, so that the compiler finds a method that is missing. */
const catalogMethods: Readonly<Record<keyof Catalog, true>> = {
  time: true,
  accept: true,
  answered: true,
  batch: true,
  page: true,
  transition: true,
  runnable: true,
  claim: true,
  held: true,
  renew: true,
  release: true,
  seal: true,
  chunks: true,
  merge: true,
  due: true,
  known: true,
  close: true,
};

const directoryMethods: Readonly<Record<keyof Directory, true>> = {
  organizationId: true,
  defaultWorkspace: true,
  workspace: true,
  workspaces: true,
  createWorkspace: true,
  updateWorkspace: true,
  archiveWorkspace: true,
  key: true,
  keys: true,
  addKey: true,
  revokeKey: true,
};

const usageMethods: Readonly<Record<keyof Usages, true>> = {
  ofBatch: true,
  report: true,
  ownPrices: true,
  keepOwnPrices: true,
};

type Remote = { readonly thread: StoreThread; readonly store: Call['store'] };

function remote<Port>({ thread, store }: Remote, methods: Readonly<Record<keyof Port & string, true>>): Port {
  const entries = Object.keys(methods).map((method) => [
    method,
    (...args: readonly unknown[]) => thread.call(store, method, args),
  ]);
  return Object.fromEntries(entries) as Port;
}
