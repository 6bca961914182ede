/** Bench 5: how long small batches of other workspaces wait for their first call while one workspace has 1,000,000 requests queued. */

import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '../../src/domain/id.ts';
import { openSqliteStores } from '../../src/stores/sqlite/stores.ts';
import type { Upstream } from '../../test/support/upstream-server.ts';
import { endBacklog, queueBacklog } from '../backlog.ts';
import { detail, percentile } from '../bench.ts';
import type { Bench, Figures, Run } from '../bench.ts';
import type { Rows } from '../bodies.ts';
import { checkResults } from '../check.ts';
import { Client } from '../client.ts';
import type { Batch } from '../client.ts';
import { startFreshServer } from '../server.ts';
import type { Server } from '../server.ts';
import { startWatchedUpstream } from '../upstream.ts';

const FIRST_SMALL_ROW = 20_000_000;
const SMALL_ROWS = 100;
const PAUSE_MS = 100;

export const fairness: Bench = {
  name: 'fairness',
  title:
    '1,000,000 requests queued by one workspace, then 50 batches of 100 from 50 others; upstream of 20 ms, 128 in flight',
  measures: [
    { name: 'p99 from accepted to first call', unit: 'ms', better: 'lower', must: 1_000, aim: 200 },
    detail('median from accepted to first call', 'ms'),
    detail('p99 from accepted to ended', 'ms'),
  ],
  run,
};

type Small = { readonly client: Client; readonly rows: Rows; readonly batch: Batch; readonly answeredAtMs: number };

async function run({ quick, resources, fail, say }: Run): Promise<Figures> {
  const upstream = await startWatchedUpstream({ resources, fail }, { profile: { latencyMs: 20 } });
  const server = await startFreshServer(resources, { upstreamUrl: upstream.url, concurrency: 128 });
  const clients = await addWorkspaces(server, quick ? 5 : 50);
  resources.defer(async () => void (await Promise.all(clients.map((client) => client.close()))));
  say('queue');
  const queued = await queueBacklog(server, { batches: 10, count: quick ? 1_000 : 100_000 });
  say('small batches');
  const smalls: Small[] = [];
  for (const [at, client] of clients.entries()) {
    const rows = { first: FIRST_SMALL_ROW + at * SMALL_ROWS, count: SMALL_ROWS, paramsBytes: 600 };
    const batch = await client.create(rows);
    smalls.push({ client, rows, batch, answeredAtMs: Date.now() });
    await sleep(PAUSE_MS);
  }
  const waits = await Promise.all(smalls.map((small) => waitOf(upstream, small)));
  say('cancel and check');
  await endBacklog(server, { queued, upstream });
  return {
    'p99 from accepted to first call': percentile(
      waits.map(({ firstCallMs }) => firstCallMs),
      0.99,
    ),
    'median from accepted to first call': percentile(
      waits.map(({ firstCallMs }) => firstCallMs),
      0.5,
    ),
    'p99 from accepted to ended': percentile(
      waits.map(({ endedMs }) => endedMs),
      0.99,
    ),
  };
}

async function waitOf(
  upstream: Upstream,
  { client, rows, batch, answeredAtMs }: Small,
): Promise<{ firstCallMs: number; endedMs: number }> {
  const ended = await client.ended(batch.id);
  await checkResults({ client, batch: ended, rows });
  const calls = Object.values(await upstream.rows({ from: rows.first, count: rows.count }));
  const firstCallAtMs = Math.min(...calls.map(({ firstCallAtMs: atMs }) => atMs));
  // A first call may come before its create is answered.
  return {
    firstCallMs: Math.max(0, firstCallAtMs - answeredAtMs),
    endedMs: Date.parse(ended.ended_at ?? '') - answeredAtMs,
  };
}

/** Beside the running server, through the catalog's file, as its design allows to other processes. */
async function addWorkspaces(server: Server, count: number): Promise<readonly Client[]> {
  const path = join(server.folder, 'data', 'catalog.sqlite');
  const firstStart = { organizationId: 'unused', defaultWorkspaceId: 'unused' };
  const stores = openSqliteStores({ path, firstStart, clock: { wallMs: Date.now } });
  const clients: Client[] = [];
  for (let at = 0; at < count; at += 1) {
    const workspace = { id: newId('wrkspc', randomBytes), name: `small ${at}`, weight: 1 };
    const apiKey = `sk-nightshift-small-${at}`;
    const secretHash = createHash('sha256').update(apiKey).digest('hex');
    await stores.directory.createWorkspace(workspace);
    await stores.directory.addKey({
      id: newId('apikey', randomBytes),
      workspaceId: workspace.id,
      name: 'bench',
      hint: null,
      scopes: ['batches'],
      expiresAt: null,
      secretHash,
    });
    clients.push(new Client({ url: server.url, apiKey }));
  }
  await stores.close();
  return clients;
}
