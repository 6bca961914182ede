// What a catalog of version 0.1 had counted is still counted, without any money made up.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { Database } from './database.ts';
import { migrations } from './schema.ts';
import { SqliteUsages } from './usage.ts';

test('usage counted before it had days is dated by its batch, and its billing is never guessed to be a list price', async (t) => {
  const path = join(await scratchFolder(t), 'catalog.sqlite');
  const before = new Database(
    path,
    migrations.filter(({ version }) => version < 3),
  );
  const at = Date.UTC(2026, 10, 20, 10) * 1_000;
  before.run(
    `insert into batches (created_at, id, workspace_id, key_id, dialect, version, betas, state, expires_at, archives_at, requests, fingerprint)
     values (:at, 'msgbatch_a', 'wrkspc_a', 'apikey_a', 'anthropic', '2023-06-01', '[]', 'ended', :at, :at, 3, '')`,
    { at },
  );
  before.run(`insert into events (batch_id, sequence, kind, at) values ('msgbatch_a', 1, 'created', :at)`, { at });
  for (const upstream of ['upstream', 'simulator']) {
    before.run(
      `insert into usage values ('msgbatch_a', 'claude-haiku-4-5', :upstream, 'standard', 0, 0, 3, 10, 20, 0, 0, 0)`,
      { upstream },
    );
  }
  before.close();
  const database = new Database(path);
  t.after(() => database.close());
  const usage = new SqliteUsages(database, { wallMs: () => at / 1_000 });
  const day = Date.UTC(2026, 10, 20) / 1_000;
  const rows = await usage.ofBatch('wrkspc_a', 'msgbatch_a');
  assert.deepEqual(
    rows?.map(({ day: counted, billing, requests }) => [counted, billing, requests]),
    [
      [day, 'simulated', 3],
      [day, 'own', 3],
    ],
  );
  const report = await usage.report({
    from: day,
    to: day + 86_400,
    widthSeconds: 86_400,
    groupBy: ['workspaceId'],
    only: {},
  });
  assert.deepEqual(
    report.map(({ workspaceId, requests, outputTokens }) => [workspaceId, requests, outputTokens]),
    [['wrkspc_a', 6, 40]],
  );
});
