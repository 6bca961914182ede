/** Starts the real command in a process of its own for one test, and ends it with the test. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { scratchFolder } from './scratch-folder.ts';
import { root } from './sources.ts';

export const testKey = 'sk-nightshift-test-key-of-the-caller';

export type ServerOptions = {
  /** The data folder; one of its own by default. */
  readonly data?: string;
  /** Further flags, such as `--window 2s`. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where every model is; the simulator by default, null where a configuration file says it. */
  readonly upstream?: string | null;
};

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type Server = {
  readonly url: string;
  readonly key: string;
  readonly pid: number;
  readonly data: string;
  /** What it wrote to standard error so far. */
  log(): string;
  signal(name: NodeJS.Signals): void;
  /** Resolves when the process is gone and all it wrote has been read. */
  readonly exited: Promise<Exit>;
  /** SIGTERM, then its end. */
  stop(): Promise<Exit>;
  /** kill -9, then its end. */
  kill(): Promise<Exit>;
};

export async function startServer(test: TestContext, options: ServerOptions = {}): Promise<Server> {
  const data = options.data ?? path.join(await scratchFolder(test), 'data');
  const child = launch({ ...options, data });
  const output = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (piece: string) => (output.stdout += piece));
  child.stderr?.setEncoding('utf8').on('data', (piece: string) => (output.stderr += piece));
  const exited = once(child, 'close').then(([code, signal]): Exit => ({ code, signal }) as Exit);
  const end = async (signal: NodeJS.Signals): Promise<Exit> => {
    child.kill(signal);
    return await exited;
  };
  test.after(() => end('SIGKILL'));
  const url = await listening(child, output);
  return {
    url,
    key: testKey,
    pid: child.pid ?? 0,
    data,
    exited,
    log: () => output.stderr,
    signal: (name) => void child.kill(name),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

/** Runs the command to its end, for starts that are refused. */
export async function runServer(
  options: ServerOptions & { readonly data: string },
): Promise<Exit & { readonly stderr: string }> {
  const child = launch(options);
  const closed = once(child, 'close');
  const stderr = child.stderr === null ? '' : await text(child.stderr);
  const [code, signal] = (await closed) as [number | null, NodeJS.Signals | null];
  return { code, signal, stderr };
}

function launch({
  data,
  flags = [],
  env = {},
  upstream = 'simulator',
}: ServerOptions & { readonly data: string }): ChildProcess {
  const command = path.join(root, 'bin', 'nightshift.js');
  const list = [
    command,
    'serve',
    '--port',
    '0',
    '--data',
    data,
    ...(upstream === null ? [] : ['--upstream', upstream]),
    ...flags,
  ];
  const environment = { ...outsideEnvironment(), NIGHTSHIFT_API_KEY: testKey, ...env };
  // Not the root of the project: a configuration file lying there must not change a test.
  return spawn(process.execPath, list, {
    env: environment,
    cwd: path.join(root, 'test'),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** What the surroundings set for Nightshift, the SDKs or proxies must not change a test. */
export function outsideEnvironment(): Record<string, string | undefined> {
  const foreign = /^(NIGHTSHIFT_|ANTHROPIC_|NODE_|(https?|all|no)_proxy$)/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

function listening(child: ChildProcess, output: { readonly stdout: string; readonly stderr: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const [, url] = /listening on (http:\/\/\S+)\n/.exec(output.stdout) ?? [];
      if (url !== undefined) resolve(url);
    };
    child.stdout?.on('data', look);
    child.once('error', reject);
    child.once('close', (code) =>
      reject(new Error(`the server ended with ${code} before it listened:\n${output.stderr}`)),
    );
  });
}
