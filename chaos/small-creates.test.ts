/** kill -9 while hundreds of small creates share commits: each that was answered is there whole, each other whole or not at all. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lanesOfSeed, startDraw } from '../src/simulator/draw.ts';
import { batchClient, oneLineEach, type BatchView } from '../test/support/batch-client.ts';
import { rows } from '../test/support/rows.ts';
import { scratchFolder } from '../test/support/scratch-folder.ts';
import { startServer } from '../test/support/server.ts';

const KILLS = 4;
const SENDERS = 64;
/** Each batch has its own first row, so that a line tells whose it is. */
const ROWS_BETWEEN = 10;

const seed = process.env['CHAOS_SEED'] ?? String(Date.now());
const draw = startDraw(lanesOfSeed(seed));

test('small creates that share commits survive kills', async (t) => {
  t.diagnostic(`CHAOS_SEED=${seed}`);
  const data = await scratchFolder(t);
  const answered = new Map<string, readonly string[]>();
  let sent = 0;
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const server = await startServer(t, { data, flags: ['--log-level', 'error'] });
    const client = batchClient(server);
    let alive = true;
    const sender = async (): Promise<void> => {
      while (alive) {
        const { ids, body } = rows(1 + (sent % 4), { from: sent * ROWS_BETWEEN });
        sent += 1;
        const batch = await client.create({ body }).catch((): null => null);
        if (batch !== null) answered.set(batch.id, ids);
      }
    };
    const senders = Array.from({ length: SENDERS }, sender);
    await after(200 + (draw.word() % 600));
    alive = false;
    await server.kill();
    await Promise.all(senders);
  }
  const client = batchClient(await startServer(t, { data }));
  const kept = await listed(client);
  t.diagnostic(`${sent} sent, ${answered.size} answered, ${kept.length} kept`);
  const keptIds = new Set(kept.map(({ id }) => id));
  for (const id of answered.keys()) assert.ok(keptIds.has(id), `${id} was answered`);
  assert.ok(kept.length <= sent, 'no create made two batches');
  for (const { id } of kept) {
    const { request_counts: counts } = await client.ended(id);
    const lines = await client.results(id);
    const [first = ''] = lines.map(({ custom_id }) => custom_id).toSorted(byNumber);
    const from = numberOf(first);
    const whole = rows(1 + ((from / ROWS_BETWEEN) % 4), { from }).ids;
    oneLineEach(lines, answered.get(id) ?? whole);
    assert.equal(counts.succeeded, whole.length);
  }
});

async function listed(client: ReturnType<typeof batchClient>): Promise<readonly BatchView[]> {
  const found: BatchView[] = [];
  for (let after = ''; ; after = `&after_id=${found.at(-1)?.id}`) {
    const page = (await (await client.get(`?limit=1000${after}`)).json()) as { data: BatchView[]; has_more: boolean };
    found.push(...page.data);
    if (!page.has_more) return found;
  }
}

function numberOf(id: string): number {
  return Number(id.slice('row-'.length));
}

function byNumber(left: string, right: string): number {
  return numberOf(left) - numberOf(right);
}

/** The random instant of a kill: no event to wait for is random. */
function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
