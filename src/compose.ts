/** The composition root: from a configuration to a running server. The one file that sees everything. */
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { UpstreamConfig } from './config/file.ts';
import type { Config } from './config.ts';
import { createAnthropicDialect } from './dialects/anthropic.ts';
import { StartError } from './domain/errors.ts';
import { newId } from './domain/id.ts';
import { startNode, type Node } from './engine/node.ts';
import { createApp } from './http/app.ts';
import { listen, type Listening } from './http/listen.ts';
import type { Directory } from './ports/directory.ts';
import type { World } from './ports/world.ts';
import { createSimulator } from './simulator/simulator.ts';
import { openFileBlobs } from './stores/files/blobs.ts';
import { openDataFolder, type DataFolder } from './stores/files/data-folder.ts';
import { folderSync, writeSmallFile } from './stores/files/durable.ts';
import { openFileLog } from './stores/files/log.ts';
import type { SqliteStores } from './stores/sqlite/stores.ts';
import { openWorkerStores } from './stores/sqlite/worker-stores.ts';
import type { NightshiftEvent } from './telemetry/events.ts';
import { createLog } from './telemetry/log.ts';
import { createMetrics } from './telemetry/metrics.ts';
import { createAnthropicUpstream } from './upstreams/anthropic.ts';
import { createRouter, type Router } from './upstreams/router.ts';
import { createSend } from './upstreams/send.ts';
import { createSimulatedSend } from './upstreams/simulated.ts';
import type { Upstream } from './upstreams/upstream.ts';
import { systemWorld } from './world.ts';

export type StartedServer = {
  readonly url: string;
  /** The first key: its value when it was made just now, and the file that keeps it. */
  readonly key: { readonly value: string | null; readonly path: string | null; readonly firstStart: boolean };
  readonly upstreams: readonly string[];
  stop(reason: string): Promise<void>;
};

export type StartOptions = {
  readonly config: Config;
  readonly version: string;
  /** Something that cannot be has happened; whoever started the server ends the process. */
  readonly onFatal: (error: unknown) => void;
};

export async function startServer(options: StartOptions): Promise<StartedServer> {
  const closers: (() => Promise<void> | void)[] = [];
  const closeAll = async () => {
    for (const close of closers.reverse()) await close();
  };
  try {
    return await start(options, closers, closeAll);
  } catch (error) {
    await closeAll().catch(() => undefined);
    throw error;
  }
}

async function start(
  options: StartOptions,
  closers: (() => Promise<void> | void)[],
  closeAll: () => Promise<void>,
): Promise<StartedServer> {
  const { config, version, onFatal } = options;
  const telemetry = createTelemetry(config);
  const { emit } = telemetry;
  const sender = createSend({ connections: Math.max(...config.upstreams.map(({ concurrency }) => concurrency)) });
  const world = systemWorld({ send: sender.send, emit });
  closers.push(
    () => telemetry.close(),
    () => sender.close(),
  );

  const stores = await openStores({ config, world, onFatal });
  closers.push(() => stores.close());
  const key = await firstKey({ config, directory: stores.directory, folder: stores.folder });
  const upstreams = createUpstreams(config, world);
  const weights = new Map((await stores.directory.workspaces()).map(({ id, weight }) => [id, weight]));
  const dialect = createAnthropicDialect();
  const node = await startNode({
    node: stores.folder.nodeId,
    catalog: stores.catalog,
    blobs: stores.blobs,
    log: stores.log,
    world,
    dialect,
    onFatal,
    upstreamFor: routerOf(config, upstreams),
    weightOf: (workspaceId) => weights.get(workspaceId) ?? 1,
    windowMs: config.windowMs,
    retentionMs: config.retentionMs,
    graceMs: config.cancelGraceMs,
  });
  telemetry.watch(node);

  const app = createApp({
    service: node.service,
    directory: stores.directory,
    dialect,
    world,
    version,
    publicUrl: config.publicUrl,
    httpRequestsPerMinute: config.httpRequestsPerMinute,
    metrics: () => telemetry.render(),
  });
  const server = await listen({ app, host: config.host, port: config.port, world });
  emit({ kind: 'started', url: server.url, version, recoverMs: performance.now() });
  return {
    url: server.url,
    key,
    upstreams: config.upstreams.map(describeUpstream),
    stop: once((reason: string) => stop({ reason, server, node, config, emit, closeAll })),
  };
}

type Stopping = {
  readonly reason: string;
  readonly server: Listening;
  readonly node: Node;
  readonly config: Config;
  readonly emit: World['emit'];
  readonly closeAll: () => Promise<void>;
};

/** Callers first: while they are answered the node drains; then what it holds is sealed; then the stores close. */
async function stop({ reason, server, node, config, emit, closeAll }: Stopping): Promise<void> {
  emit({ kind: 'stopping', reason });
  const { drainMs } = config;
  await Promise.all([server.close({ drainMs }), node.stop({ drainMs })]);
  emit({ kind: 'stopped' });
  await closeAll();
}

type Stores = Pick<SqliteStores, 'catalog' | 'directory'> & {
  readonly folder: DataFolder;
  readonly blobs: Awaited<ReturnType<typeof openFileBlobs>>;
  readonly log: Awaited<ReturnType<typeof openFileLog>>;
  close(): Promise<void>;
};

async function openStores({
  config,
  world,
  onFatal,
}: {
  config: Config;
  world: World;
  onFatal: (error: unknown) => void;
}): Promise<Stores> {
  const reports = { onForeignFile: (path: string) => world.emit({ kind: 'foreign_file', path }) };
  const folder = await openDataFolder(config.data, reports);
  const closers: (() => Promise<void> | void)[] = [() => folder.close()];
  const close = async () => {
    for (const closeOne of closers.reverse()) await closeOne();
  };
  try {
    const blobs = await openFileBlobs({ root: folder.root, ...reports });
    closers.push(() => blobs.close());
    const path = join(folder.root, 'catalog.sqlite');
    await refuseLostCatalog(path, blobs);
    const bytes = (count: number) => world.chance.bytes(count);
    const firstStart = { organizationId: crypto.randomUUID(), defaultWorkspaceId: newId('wrkspc', bytes) };
    const stores = await openWorkerStores({ path, clock: world.clock, firstStart, onDeath: onFatal });
    closers.push(() => stores.close());
    const log = await openFileLog({
      folder: folder.journal,
      ...reports,
      onTornTail: (torn) => world.emit({ kind: 'torn_tail', ...torn }),
    });
    closers.push(() => log.close());
    return { folder, blobs, log, catalog: stores.catalog, directory: stores.directory, close };
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
}

/** Requests without a catalog are batches nobody would ever run: that is never started over silently. */
async function refuseLostCatalog(path: string, blobs: Stores['blobs']): Promise<void> {
  const isThere = await readFile(path).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  const [first] = await blobs.list({ prefix: '', after: null, limit: 1 });
  if (!first) return;
  throw new StartError(`${path} is missing, but there are requests and results of its batches beside it`, {
    hint: `Restore ${path} from a backup, or name another folder with --data. To give these batches up, remove the folder "blobs".`,
  });
}

/** NIGHTSHIFT_API_KEY, or a key made at the first start and kept in DATA/first-key. */
async function firstKey({
  config,
  directory,
  folder,
}: {
  config: Config;
  directory: Directory;
  folder: DataFolder;
}): Promise<StartedServer['key']> {
  const workspace = await directory.defaultWorkspace();
  const path = join(folder.root, 'first-key');
  const add = (secret: string) =>
    directory.addKey({
      id: newId('apikey', randomBytes),
      workspaceId: workspace.id,
      name: 'first key',
      secretHash: sha256(secret),
    });
  if (config.apiKey !== null) {
    await add(config.apiKey);
    return { value: null, path: null, firstStart: false };
  }
  const kept = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new StartError(`${path} cannot be read: ${error.message}`, {
      hint: 'Make it readable for this user, or set NIGHTSHIFT_API_KEY.',
      cause: error,
    });
  });
  const value = kept?.trim() || `sk-nightshift-${randomBytes(24).toString('base64url')}`;
  if (!kept?.trim()) await writeSmallFile(path, `${value}\n`, folderSync(undefined));
  await add(value);
  return { value: kept?.trim() ? null : value, path, firstStart: !kept?.trim() };
}

function createUpstreams(config: Config, world: World): ReadonlyMap<string, Upstream> {
  const upstreams = config.upstreams.map((upstream): [string, Upstream] => {
    const send =
      upstream.protocol === 'simulator'
        ? createSimulatedSend({ simulator: createSimulator(upstream.simulator), timers: world.timers })
        : world.send;
    const { name, apiKey, billing, concurrency, requestsPerMinute, tokensPerMinute } = upstream;
    const url = upstream.url ?? 'simulator:';
    const wallMs = () => world.clock.wallMs();
    return [
      name,
      createAnthropicUpstream({
        name,
        url,
        apiKey,
        billing,
        concurrency,
        requestsPerMinute,
        tokensPerMinute,
        send,
        wallMs,
      }),
    ];
  });
  return new Map(upstreams);
}

function routerOf(config: Config, upstreams: ReadonlyMap<string, Upstream>): Router {
  const [fallback] = upstreams.values();
  if (!fallback)
    throw new StartError('no upstream is configured', {
      hint: 'Name one with --upstream, such as --upstream simulator.',
    });
  const routes = config.models.map((rule) => ({ ...rule, upstream: upstreams.get(rule.upstream) ?? fallback }));
  return createRouter({ routes, fallback });
}

function describeUpstream(upstream: UpstreamConfig): string {
  return upstream.protocol === 'simulator' ? 'simulator' : `${upstream.protocol} at ${upstream.url}`;
}

type Telemetry = {
  emit(event: NightshiftEvent): void;
  watch(node: Node): void;
  render(): Promise<{ contentType: string; body: string }>;
  close(): void;
};

function createTelemetry(config: Config): Telemetry {
  let pending = () => 0;
  const log = createLog({ level: config.logLevel, format: config.logFormat, color: config.logColor });
  const metrics = createMetrics({ pending: () => pending() });
  return {
    emit(event) {
      metrics.observe(event);
      log.observe(event);
    },
    watch: (node) => void (pending = () => node.stats().pending),
    render: () => metrics.render(),
    close: () => log.close(),
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function once<T>(action: (argument: T) => Promise<void>): (argument: T) => Promise<void> {
  let running: Promise<void> | null = null;
  return (argument) => (running ??= action(argument));
}
