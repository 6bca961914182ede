/** The composition root: from a configuration to a running server. The one file that sees everything. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { UpstreamConfig } from './config/file.ts';
import type { Config } from './config.ts';
import { createAnthropicDialect } from './dialects/anthropic.ts';
import { must, StartError } from './domain/errors.ts';
import { newId } from './domain/id.ts';
import { startNode, type Node } from './engine/node.ts';
import { Weights } from './engine/weights.ts';
import { firstKey, type FirstKey } from './first-key.ts';
import { createApp } from './http/app.ts';
import { listen, type Listening } from './http/listen.ts';
import { rateOf } from './money/prices.ts';
import type { OwnPrice } from './ports/usage.ts';
import type { Send, World } from './ports/world.ts';
import { priceList } from './money/price-list.ts';
import { createSimulator } from './simulator/simulator.ts';
import { openFileBlobs } from './stores/files/blobs.ts';
import { openDataFolder, type DataFolder } from './stores/files/data-folder.ts';
import { openFileLog } from './stores/files/log.ts';
import type { SqliteStores } from './stores/sqlite/stores.ts';
import { openWorkerStores } from './stores/sqlite/worker-stores.ts';
import { createTelemetry } from './telemetry/telemetry.ts';
import { timedCatalog } from './telemetry/timed-catalog.ts';
import { createAnthropicUpstream } from './upstreams/anthropic.ts';
import { ModelList } from './upstreams/model-list.ts';
import { createOpenAiUpstream } from './upstreams/openai.ts';
import { createRouter, type Route, type Router } from './upstreams/router.ts';
import { createSend } from './upstreams/send.ts';
import { createSimulatedSend } from './upstreams/simulated.ts';
import type { Upstream } from './upstreams/upstream.ts';
import { systemWorld } from './world.ts';

export type StartedServer = {
  readonly url: string;
  readonly key: FirstKey;
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
  const telemetry = createTelemetry({ ...config, version });
  const { emit } = telemetry;
  const sender = createSend({ connections: Math.max(...config.upstreams.map(({ concurrency }) => concurrency)) });
  // Connections of their own: batches of many models may wait for those of an upstream, and who waits for a call must not wait behind them.
  // Each belongs to a caller that is connected itself, and lanes bound the calls.
  const callSender = createSend({ connections: null });
  const world = systemWorld({ send: sender.send, emit });
  closers.push(
    () => telemetry.close(),
    () => sender.close(),
    () => callSender.close(),
  );

  const stores = await openStores({ config, world, onFatal });
  closers.push(() => stores.close(), telemetry.trace({ world, node: stores.folder.nodeId }));
  const key = await firstKey({ preset: config.apiKey, directory: stores.directory, root: stores.folder.root });
  if (key.revoked) emit({ kind: 'first_key_useless', reason: 'revoked' });
  await stores.usage.keepOwnPrices(config.upstreams.map(ownPriceOf));
  const upstreams = createUpstreams(config, world, callSender.send);
  const weights = new Weights({ directory: stores.directory, world });
  await weights.read();
  closers.push(() => weights.stop());
  const dialect = createAnthropicDialect({ strict: config.strict });
  const node = await startNode({
    node: stores.folder.nodeId,
    catalog: timedCatalog(stores.catalog, world),
    blobs: stores.blobs,
    log: stores.log,
    world,
    dialect,
    onFatal,
    upstreamFor: routerOf(config, upstreams),
    weightOf: (workspaceId) => weights.of(workspaceId),
    windowMs: config.windowMs,
    retentionMs: config.retentionMs,
    graceMs: config.cancelGraceMs,
    messagesConcurrency: config.messagesConcurrency,
  });
  telemetry.watch(node);
  weights.watch((workspaceId, weight) => {
    node.setWeight({ workspaceId, weight });
    emit({ kind: 'weight_changed', workspaceId, weight });
  });

  const app = createApp({
    service: node.service,
    directory: stores.directory,
    usage: stores.usage,
    dialect,
    world,
    version,
    ...faceOptions(config),
    models: createModelList({ config, upstreams, world }),
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

/** What the face takes from the configuration as it is. */
function faceOptions(config: Config): Pick<Config, FaceOption> {
  const { publicUrl, trustedProxies, corsOrigins, httpRequestsPerMinute, liveCounts, strict } = config;
  return { publicUrl, trustedProxies, corsOrigins, httpRequestsPerMinute, liveCounts, strict };
}

type FaceOption = 'publicUrl' | 'trustedProxies' | 'corsOrigins' | 'httpRequestsPerMinute' | 'liveCounts' | 'strict';

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

type Stores = Pick<SqliteStores, 'catalog' | 'directory' | 'usage'> & {
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
    await refuseLostCatalog(path, { blobs, folder });
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
    return { folder, blobs, log, catalog: stores.catalog, directory: stores.directory, usage: stores.usage, close };
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
}

/**
 * Requests without a catalog are batches nobody would ever run: that is never started over silently. The catalog is opened before the
 * journal, so a journal shows that there was one, also where every batch was small enough to lie in it.
 */
async function refuseLostCatalog(path: string, { blobs, folder }: Pick<Stores, 'blobs' | 'folder'>): Promise<void> {
  if (existsSync(path)) return;
  const [blob] = await blobs.list({ prefix: '', after: null, limit: 1 });
  if (!blob && !existsSync(folder.journal)) return;
  throw new StartError(`${path} is missing, but there are requests, results or a journal of its batches beside it`, {
    hint: `Restore ${path} from a backup, or name another folder with --data. To give these batches up, remove the folders "blobs" and "journal".`,
  });
}

function createUpstreams(config: Config, world: World, callSend: Send): ReadonlyMap<string, Upstream> {
  const upstreams = config.upstreams.map((upstream): [string, Upstream] => {
    const { name, apiKey, billing, concurrency, requestsPerMinute, tokensPerMinute } = upstream;
    const url = upstream.url ?? 'simulator:';
    const wallMs = () => world.clock.wallMs();
    const common = { name, url, apiKey, billing, concurrency, requestsPerMinute, tokensPerMinute, wallMs };
    const make = (send: Send): Upstream =>
      upstream.protocol === 'openai'
        ? createOpenAiUpstream({ ...common, send, profile: upstream.profile, timers: world.timers })
        : createAnthropicUpstream({ ...common, send });
    // The simulator has no connections, and what it remembers of prompts it remembers for all.
    if (upstream.protocol === 'simulator') return [name, make(simulatedSend(upstream.simulator, world))];
    const { open, countTokens } = make(callSend);
    return [name, { ...make(world.send), open, countTokens }];
  });
  return new Map(upstreams);
}

function ownPriceOf({ name: upstream, prices }: UpstreamConfig): Omit<OwnPrice, 'day'> {
  if (prices === null) return { upstream, price: null };
  const { input, output, cacheRead, cacheWrite } = prices;
  const price = {
    input: rateOf(input),
    output: rateOf(output),
    cacheRead: rateOf(cacheRead),
    cacheWrite: rateOf(cacheWrite),
  };
  return { upstream, price };
}

function simulatedSend(options: UpstreamConfig['simulator'], world: World): Send {
  const simulator = createSimulator({ ...options, nowMs: () => world.clock.wallMs() });
  return createSimulatedSend({ simulator, timers: world.timers });
}

function routerOf(config: Config, upstreams: ReadonlyMap<string, Upstream>): Router {
  const [fallback] = upstreams.values();
  if (!fallback)
    throw new StartError('no upstream is configured', {
      hint: 'Name one with --upstream, such as --upstream simulator.',
    });
  return createRouter({ routes: routesOf(config, upstreams), fallback });
}

function routesOf(config: Config, upstreams: ReadonlyMap<string, Upstream>): readonly Route[] {
  return config.models.map((rule) => ({
    ...rule,
    upstream: must(upstreams.get(rule.upstream), `no upstream ${rule.upstream}`),
  }));
}

function createModelList({ config, upstreams, world }: Served): ModelList {
  return new ModelList({
    routes: routesOf(config, upstreams),
    simulated: priceList.models.filter(({ lifecycle }) => lifecycle !== 'retired').map(({ id }) => id),
    clock: world.clock,
    timers: world.timers,
  });
}

type Served = {
  readonly config: Config;
  readonly upstreams: ReadonlyMap<string, Upstream>;
  readonly world: World;
};

function describeUpstream(upstream: UpstreamConfig): string {
  return upstream.protocol === 'simulator' ? 'simulator' : `${upstream.protocol} at ${upstream.url}`;
}

function once<T>(action: (argument: T) => Promise<void>): (argument: T) => Promise<void> {
  let running: Promise<void> | null = null;
  return (argument) => (running ??= action(argument));
}
