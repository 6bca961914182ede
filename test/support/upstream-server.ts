/** Starts a real HTTP upstream in a process of its own: from a test with `startUpstream`, from a shell with `node test/support/upstream-server.ts`. */

import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { UpstreamHttp } from './upstream-http.ts';
import type { ControlCommand, ListenOptions } from './upstream-http.ts';
import type { UpstreamProfile } from './upstream-profile.ts';
import type { RowRange, RowRecord, UpstreamLast, UpstreamStats } from './upstream-record.ts';

export interface UpstreamOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** What is absent is calm: no latency, no fault. */
  readonly profile?: Partial<UpstreamProfile>;
  /** Count calls and answers per `row-<digits>`; true by default, benches may turn it off. */
  readonly record?: boolean;
  readonly hashBodies?: boolean;
  readonly captureMax?: number;
}

export interface Upstream extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  stats(): Promise<UpstreamStats>;
  /** Every row seen, or those of a range, by its marker; only where rows are recorded. */
  rows(range?: RowRange): Promise<Readonly<Record<string, RowRecord>>>;
  last(): Promise<UpstreamLast>;
  /** Replaces the whole profile and starts its clock and its draws again; what is absent is calm. */
  set(profile: Partial<UpstreamProfile>): Promise<UpstreamProfile>;
  /** Sets all counts to zero and returns what they were. */
  reset(): Promise<UpstreamStats>;
  /** Resolves when the process is gone. */
  stop(): Promise<void>;
}

type ParentMessage = { readonly id: number; readonly command: ControlCommand; readonly input: unknown };
type ChildMessage =
  | { readonly kind: 'ready'; readonly port: number }
  | { readonly kind: 'reply'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly message: string };

const CAPTURE_MAX_DEFAULT = 16;
const STOP_MS_MAX = 2_000;
/** A forgotten upstream ends by itself. */
const LIFETIME_MINUTES_DEFAULT = 60;
const PARENT_CHECK_MS = 1_000;

export async function startUpstream(options: UpstreamOptions = {}): Promise<Upstream> {
  const child = fork(import.meta.filename, argumentsOf(options), {
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const port = await readyPort(child);
  const ask = createAsk(child);
  // An upstream that nobody waits for must not keep a test alive.
  child.unref();
  child.channel?.unref();
  const stop = (): Promise<void> => stopChild(child);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: child.pid ?? 0,
    stats: () => ask('stats', {}) as Promise<UpstreamStats>,
    rows: (range) => ask('rows', range ?? {}) as Promise<Readonly<Record<string, RowRecord>>>,
    last: () => ask('last', {}) as Promise<UpstreamLast>,
    set: (profile) => ask('profile', profile) as Promise<UpstreamProfile>,
    reset: () => ask('reset', {}) as Promise<UpstreamStats>,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function argumentsOf(options: UpstreamOptions): string[] {
  const list = ['--port', String(options.port ?? 0), '--profile', JSON.stringify(options.profile ?? {})];
  list.push('--capture', String(options.captureMax ?? CAPTURE_MAX_DEFAULT));
  if (options.record === false) list.push('--no-record');
  if (options.hashBodies === true) list.push('--hash-bodies');
  return list;
}

function readyPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the upstream ended with ${code} before it was ready`)));
    child.once('message', (message: ChildMessage) => {
      child.removeAllListeners();
      if (message.kind === 'ready') resolve(message.port);
      else reject(new Error('the upstream did not say that it is ready'));
    });
  });
}

function createAsk(child: ChildProcess): (command: ControlCommand, input: unknown) => Promise<unknown> {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let lastId = 0;
  child.on('message', (message: ChildMessage) => {
    if (message.kind === 'ready') return;
    const asked = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.kind === 'reply') asked?.resolve(message.value);
    else asked?.reject(new Error(message.message));
    if (waiting.size === 0) child.channel?.unref();
  });
  child.on('exit', () => {
    for (const asked of waiting.values()) asked.reject(new Error('the upstream has ended'));
    waiting.clear();
  });
  return (command, input) => {
    if (!child.connected) return Promise.reject(new Error('the upstream has ended'));
    lastId += 1;
    const asked = Promise.withResolvers<unknown>();
    waiting.set(lastId, asked);
    child.channel?.ref();
    child.send({ id: lastId, command, input } satisfies ParentMessage);
    return asked.promise;
  };
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  const gone = once(child, 'exit');
  if (child.connected) child.disconnect();
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await gone;
  clearTimeout(timer);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      profile: { type: 'string', default: '{}' },
      seed: { type: 'string' },
      'latency-ms': { type: 'string' },
      'latency-sigma': { type: 'string' },
      fault: { type: 'string', multiple: true, default: [] },
      'no-record': { type: 'boolean', default: false },
      'hash-bodies': { type: 'boolean', default: false },
      capture: { type: 'string', default: String(CAPTURE_MAX_DEFAULT) },
      'lifetime-minutes': { type: 'string', default: String(LIFETIME_MINUTES_DEFAULT) },
    },
  });
  const profile = JSON.parse(values.profile) as Partial<UpstreamProfile>;
  const faults = Object.fromEntries(
    values.fault.map((fault) => fault.split('=')).map(([kind, share]) => [kind, Number(share)]),
  );
  const options: ListenOptions = {
    port: Number(values.port),
    record: !values['no-record'],
    hashBodies: values['hash-bodies'],
    captureMax: Number(values.capture),
    profile: {
      ...profile,
      faults: { ...profile.faults, ...faults },
      ...(values.seed === undefined ? {} : { seed: values.seed }),
      ...(values['latency-ms'] === undefined ? {} : { latencyMs: Number(values['latency-ms']) }),
      ...(values['latency-sigma'] === undefined ? {} : { latencySigma: Number(values['latency-sigma']) }),
    },
  };
  endWithParent(Number(values['lifetime-minutes']));
  const server = new UpstreamHttp(options);
  const port = await server.listen();
  process.stdout.write(`listening on http://127.0.0.1:${port}\n`);
  serveParent(server, port);
}

function serveParent(server: UpstreamHttp, port: number): void {
  if (process.send === undefined) return;
  const say = (message: ChildMessage): void => void process.send?.(message);
  process.on('message', ({ id, command, input }: ParentMessage) => {
    server.control(command, input).then(
      (value) => say({ kind: 'reply', id, value }),
      (error: unknown) => say({ kind: 'failure', id, message: error instanceof Error ? error.message : String(error) }),
    );
  });
  say({ kind: 'ready', port });
}

/** A child whose parent has died is handed to another parent, or loses its channel. */
function endWithParent(lifetimeMinutes: number): void {
  const end = (): void => process.exit(0);
  const parent = process.ppid;
  process.once('disconnect', end);
  process.once('SIGTERM', end);
  setInterval(() => process.ppid !== parent && end(), PARENT_CHECK_MS).unref();
  setTimeout(end, lifetimeMinutes * 60_000).unref();
}

if (import.meta.main) await main();
