/** One simulated history: drawn from a seed, run through its faults, and then, all being well again, held to every promise. */
import { createAnthropicDialect } from '../src/dialects/anthropic.ts';
import { ORPHAN_BLOB_MS, CLOCK_DISTRUST_MS } from '../src/domain/limits.ts';
import { SqliteCatalog } from '../src/stores/sqlite/catalog.ts';
import { Database } from '../src/stores/sqlite/database.ts';
import { BlobDisk, LogDisk } from './disk.ts';
import { drawFaults, Faults } from './faults.ts';
import { checkEnd, checkGarbage } from './final-check.ts';
import { Host, type HostParts } from './host.ts';
import { Ledger } from './ledger.ts';
import { nothingPlanted, type Plant } from './plant.ts';
import type { Random } from './random.ts';
import { drawMood } from './upstream.ts';
import { Client } from './workload.ts';
import type { Violation } from './world.ts';
import { SimWorld } from './world.ts';

export type Report = {
  readonly seed: number;
  readonly hash: number;
  readonly violation: Violation | null;
  readonly trace: readonly string[];
  readonly events: number;
  readonly virtualMs: number;
  readonly batches: number;
  readonly calls: number;
  readonly crashes: number;
};

const minute = 60_000;
/** A hanging call ends by its timeout of ten minutes, three times over; a jumped clock is distrusted for ten. */
const endsWithinMs = 45 * minute;

export async function simulate(seed: number, plant: Plant = nothingPlanted): Promise<Report> {
  const world = new SimWorld(seed);
  const onUnhandled = (error: unknown) =>
    world.violate('no fatal error', `unhandled: ${error instanceof Error ? error.stack : String(error)}`);
  process.on('unhandledRejection', onUnhandled);
  const scene = setScene(world, plant);
  try {
    await play(scene);
  } catch (error) {
    world.violate('the simulation itself', error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    for (const host of scene.hosts) host.crash('kill');
    process.off('unhandledRejection', onUnhandled);
    scene.database.close();
  }
  const { violation, trace, hash, events, nowMs } = world;
  const { batches, callById } = scene.ledger;
  return {
    seed,
    hash,
    violation,
    trace,
    events,
    virtualMs: nowMs,
    batches: batches.size,
    calls: callById.size,
    crashes: scene.crashes,
  };
}

type Scene = {
  readonly world: SimWorld;
  readonly random: Random;
  readonly faults: Faults;
  readonly ledger: Ledger;
  readonly disk: BlobDisk;
  readonly database: Database;
  readonly hosts: readonly Host[];
  readonly clients: readonly Client[];
  readonly horizonMs: number;
  crashes: number;
};

function setScene(world: SimWorld, plant: Plant): Scene {
  const random = world.random.fork();
  const horizonMs = random.pick([10_000, 30_000, 2 * minute, 5 * minute]);
  const faults = random.chance(0.2) ? new Faults([]) : drawFaults(random.fork(), horizonMs);
  const ledger = new Ledger({ world, faults });
  const disk = new BlobDisk({ world, faults, random: random.fork() });
  const database = new Database(':memory:');
  const inner = new SqliteCatalog(database, { wallMs: () => world.wallMs() });
  const hostCount = random.chance(0.4) ? 2 : 1;
  const common: Omit<HostParts, 'name' | 'log'> = {
    world,
    plant,
    blobs: disk,
    dialect: createAnthropicDialect(),
    catalog: {
      world,
      faults,
      ledger,
      disk,
      inner,
      database,
      random: random.fork(),
      remote: hostCount > 1,
    },
    upstream: {
      world,
      faults,
      ledger,
      random: random.fork(),
      mood: drawMood(random.fork()),
    },
    concurrency: random.pick([1, 4, 16, 64]),
    windowMs: random.pick([24 * 60 * minute, 24 * 60 * minute, minute, 1e4]),
    retentionMs: random.pick([29 * 24 * 60 * minute, 29 * 24 * 60 * minute, 3 * minute]),
    graceMs: random.pick([0, 1e3, 1e4]),
  };
  const sizeScale = random.pick([1, 4_096, 65_536]);
  const hosts = Array.from({ length: hostCount }, (_, at) => {
    const log = new LogDisk({ world, faults, ledger, sizeScale, random: random.fork() });
    return new Host({ ...common, name: `node-${at + 1}`, log });
  });
  const workspaces = Array.from({ length: random.integer(1, 3) }, (_, at) => `wrkspc_${at + 1}`);
  const clientParts = { world, ledger, hosts, workspaces, horizonMs, random: random.fork() };
  const clients = Array.from({ length: random.integer(2, 16) }, (_, at) => new Client(clientParts, `token${at}`));
  return { world, random, faults, ledger, disk, database, hosts, clients, horizonMs, crashes: 0 };
}

async function play(scene: Scene): Promise<void> {
  const { world, faults, hosts, clients, horizonMs, ledger } = scene;
  for (const host of hosts) host.start();
  let left = clients.length;
  for (const client of clients) {
    void client.run().then(
      () => (left -= 1),
      (error: unknown) => world.violate('the simulation itself', error instanceof Error ? error.stack! : String(error)),
    );
  }
  await trouble(scene);
  await world.run({ until: () => world.nowMs >= horizonMs, forMs: horizonMs });
  faults.end();
  world.note('all is well from here on');
  keepUp(scene);
  const ended = () => left === 0 && [...ledger.batches.values()].every(({ endedMs }) => endedMs !== null);
  const quiet = await world.run({ until: ended, forMs: endsWithinMs });
  if (world.violation) return;
  if (!quiet) world.violate('every batch ends', `after 45 minutes without faults: ${stuck(scene)}`);
  await world.run({ until: () => false, forMs: 3_000 });
  if (!world.violation) checkEnd(scene);
  if (!world.violation && scene.random.chance(0.25)) await checkCleaning(scene);
}

function stuck({ ledger, hosts }: Scene): string {
  const open = [...ledger.batches.values()].filter(({ endedMs }) => endedMs === null);
  const stats = hosts.map((host) => JSON.stringify(host.stats())).join(' ');
  return `${open.map(({ id, lines, requests }) => `${id} has ${lines.size} of ${requests}`).join(', ') || 'a client waits'}; ${stats}`;
}

/** Crashes, stops, freezes and clock jumps, at times, after so many events, or right after a step: at any await of a busy node. */
async function trouble(scene: Scene): Promise<void> {
  const { world, random, hosts, horizonMs } = scene;
  for (
    let count = random.chance(0.1) ? 0 : random.integer(1, 12);
    count > 0 && world.nowMs < horizonMs && !world.violation;
    count--
  ) {
    const host = random.pick(hosts);
    await waitForMoment(scene);
    const what = random.next();
    if (what < 0.15) world.jumpWall(random.pick([1_000, 6_000, -60_000, 70_000, 600_000]) * random.next());
    else if (what < 0.3) host.freeze(random.pick([500, 20_000, 200_000]) * random.next());
    else await lose(scene, host);
    if (random.chance(0.1)) for (const other of hosts) await lose(scene, other);
  }
}

/** Steps after which a crash is most telling. */
const steps = [
  ' puts ',
  'accept ',
  ' seals ',
  ' claims ',
  'cancel of',
  'delete of',
  'archive of',
  ' appends ',
  ' is asked to stop',
  ' is ready',
  ' is told ',
];

async function waitForMoment({ world, random, horizonMs }: Scene): Promise<void> {
  const forMs = horizonMs - world.nowMs;
  const how = random.next();
  if (how < 0.3) {
    const events = world.events + random.pick([random.integer(5, 100), random.integer(50, 2_000)]);
    await world.run({ until: () => world.events >= events, forMs });
    return;
  }
  await world.run({ until: () => false, forMs: Math.min(forMs, random.between(0, horizonMs / 5)) });
  if (how < 0.5) return;
  const step = random.pick(steps);
  world.lastNote = '';
  await world.run({ until: () => world.lastNote.includes(step), forMs: Math.max(0, horizonMs - world.nowMs) });
  if (random.chance(0.5)) await world.run({ until: () => false, forMs: random.latency(2) });
}

async function lose(scene: Scene, host: Host): Promise<void> {
  const { world, random } = scene;
  const what = random.next();
  scene.crashes += 1;
  if (what < 0.2) {
    let stopped = false;
    void host.stop(random.pick([0, 1_000, 30_000])).then(() => (stopped = true));
    // Even an orderly stop may be cut short.
    await world.run({ until: () => stopped, forMs: random.pick([100, 5_000, 120_000]) });
    host.crash('kill');
  } else {
    host.crash(what < 0.6 ? 'kill' : 'power loss');
  }
  const downMs = random.pick([0, 10, 2_000, 90_000]);
  world.after(downMs, () => host.start());
  if (random.chance(0.5)) await world.run({ until: () => host.up, forMs: downMs + random.between(0, 3_000) });
}

/** A host that is down, or could not start, is started again. */
function keepUp({ world, hosts }: Scene): void {
  for (const host of hosts) if (!host.life) host.start();
  world.after(1_000, () => keepUp({ world, hosts } as Scene));
}

/** Much later, by the wall clock: what nobody owns has been cleaned away. */
async function checkCleaning(scene: Scene): Promise<void> {
  const { world } = scene;
  world.jumpWall(ORPHAN_BLOB_MS + 10 * minute);
  await world.run({ until: () => false, forMs: CLOCK_DISTRUST_MS + 3 * minute });
  if (!world.violation) checkGarbage(scene);
}
