/** A Nightshift server in a process of its own, started as users start it. */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { Client } from './client.ts';
import { killed, scratchFolder, track } from './scratch.ts';

export type ServerOptions = {
  readonly upstreamUrl: string;
  readonly concurrency: number;
  readonly folder: string;
  /** Further flags, or others than the usual. */
  readonly flags?: Readonly<Record<string, string>>;
};

export const API_KEY = 'sk-nightshift-bench';

const COMMAND = new URL('../bin/nightshift.js', import.meta.url).pathname;
const START_MS_MAX = 60_000;
const STDERR_TAIL = 4_000;
/** A bench asks more often than a polite client would. */
const HTTP_REQUESTS_PER_MINUTE = 1_000_000;

export class Server {
  readonly url: string;
  readonly pid: number;
  readonly client: Client;
  readonly folder: string;
  /** From the start of the process to its line on stdout. */
  readonly startedMs: number;
  readonly #child: ChildProcess;

  constructor(options: { child: ChildProcess; url: string; folder: string; startedMs: number }) {
    this.#child = options.child;
    this.pid = options.child.pid ?? 0;
    this.url = options.url;
    this.folder = options.folder;
    this.startedMs = options.startedMs;
    this.client = new Client({ url: options.url, apiKey: API_KEY });
  }

  /** As the machine would end it: no warning, no last word. */
  async kill(): Promise<void> {
    await killed(this.#child, 'SIGKILL');
    await this.client.close();
  }
}

/** A server on an empty data folder, gone with it when the run ends. */
export function startFreshServer(
  resources: AsyncDisposableStack,
  options: Omit<ServerOptions, 'folder'>,
): Promise<Server> {
  return startServer(resources, { ...options, folder: scratchFolder(resources) });
}

export async function startServer(resources: AsyncDisposableStack, options: ServerOptions): Promise<Server> {
  const { upstreamUrl, concurrency, folder } = options;
  const flags = { '--port': '0', '--data': `${folder}/data`, '--upstream': `anthropic:${upstreamUrl}` };
  const bounds = {
    '--concurrency': String(concurrency),
    '--http-requests-per-minute': String(HTTP_REQUESTS_PER_MINUTE),
    '--log-level': 'warn',
  };
  const startedAtMs = performance.now();
  const child = spawn(
    process.execPath,
    [COMMAND, 'serve', ...Object.entries({ ...flags, ...bounds, ...options.flags }).flat()],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NIGHTSHIFT_API_KEY: API_KEY },
    },
  );
  track(child);
  const complaint = keepComplaint(child);
  const url = await listeningUrl(child, complaint);
  const server = new Server({ child, url, folder, startedMs: performance.now() - startedAtMs });
  resources.defer(() => server.kill());
  return server;
}

type Spawned = ChildProcess & { readonly stdout: Readable; readonly stderr: Readable };

/** Its last words, which are shown if it ends by itself. */
function keepComplaint(child: Spawned): () => string {
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-STDERR_TAIL);
  });
  child.once('close', (code) => {
    if (code !== null) process.stderr.write(`the server ended with ${code}\n${complaint}`);
  });
  return () => complaint;
}

function listeningUrl(child: Spawned, complaint: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (what: string): void => reject(new Error(`the server ${what}\n${complaint()}`));
    const timer = setTimeout(() => fail(`was not ready after ${START_MS_MAX} ms`), START_MS_MAX);
    child.once('error', reject);
    // Its last words on stderr may come after its exit.
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      fail(`ended with ${code ?? signal}`);
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const url = /listening on (http:\/\/\S+)/.exec(line)?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    });
  });
}
