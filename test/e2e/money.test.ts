/** Usage and cost end to end: what the lines say is what every report says, with its billing, also for missing prices and deleted batches. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { batchClient, type ResultLine } from '../support/batch-client.ts';
import { bodyOf, paramsOf, requestOf } from '../support/rows.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { outsideEnvironment, startServer, type Server } from '../support/server.ts';
import { root } from '../support/sources.ts';
import { startUpstream } from '../support/upstream-server.ts';

type Tokens = { readonly input: number; readonly output: number };
type Line = ResultLine & {
  readonly result: { readonly message?: { readonly model: string; readonly usage: Record<string, number> } };
};
type Amount = { readonly amount: string | null; readonly at_least: boolean; readonly unpriced: readonly string[] };
type UsageBody = {
  readonly requests: number;
  readonly cost: Readonly<Record<'billed' | 'standard' | 'batch' | 'batch_with_cache', Amount>> & {
    readonly spent: readonly (Amount & { readonly billing: string })[];
  };
  readonly usage: readonly { readonly uncached_input_tokens: number; readonly output_tokens: number }[];
};
type Bucket = { readonly results: readonly Record<string, unknown>[] };

const prices = { input: 0.5, output: 2 };

function request(id: string, model: string): string {
  return requestOf({ id, params: paramsOf(`row-${id.slice(4)} hello`, model) });
}

function dollars(picodollars: number): string {
  return String(Number((picodollars / 1e12).toFixed(12)));
}

async function ask<T>({ url, key }: Server, wanted: string): Promise<T> {
  const response = await fetch(`${url}${wanted}`, { headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01' } });
  assert.equal(response.status, 200, wanted);
  return (await response.json()) as T;
}

async function nightshift(...list: readonly string[]): Promise<string> {
  const bin = path.join(root, 'bin', 'nightshift.js');
  const { stdout } = await promisify(execFile)(process.execPath, [bin, ...list], { env: outsideEnvironment() });
  return stdout;
}

test('usage and cost of a batch with three billings, by every way to ask', async (t) => {
  const folder = await scratchFolder(t);
  const upstream = await startUpstream({});
  t.after(() => upstream.stop());
  const config = path.join(folder, 'config.json');
  const remote = { protocol: 'anthropic', url: upstream.url };
  await writeFile(
    config,
    JSON.stringify({
      upstreams: {
        paid: { ...remote, billing: 'standard' },
        gpu: { ...remote, prices },
        bare: { ...remote },
        simulator: { protocol: 'simulator' },
      },
      models: {
        'claude-sonnet-4-6': { upstream: 'paid' },
        'gpu-model': { upstream: 'gpu' },
        'bare-model': { upstream: 'bare' },
        '*': { upstream: 'simulator' },
      },
    }),
  );
  const server = await startServer(t, {
    data: path.join(folder, 'data'),
    upstream: null,
    flags: ['--config', config],
  });
  const client = batchClient(server);
  const models = ['claude-sonnet-4-6', 'gpu-model', 'bare-model', 'claude-haiku-4-5'];
  const requests = models.flatMap((model, at) => [0, 1].map((second) => request(`row-${at * 2 + second}`, model)));
  requests.push(requestOf({ id: 'faulty', params: '{"model":"claude-sonnet-4-6","max_tokens":"many","messages":[]}' }));
  const { id } = await client.create({ body: bodyOf(requests) });
  await client.ended(id);
  const lines = (await client.results(id)) as readonly Line[];
  const used = tokensByModel(lines);
  const body = await ask<UsageBody>(server, `/v1/messages/batches/${id}/usage`);

  await t.test('per batch: spent by billing, billed by the rules, errored requests free', () => {
    assert.equal(body.requests, 8);
    const [sonnet, gpu, haiku] = [used['claude-sonnet-4-6']!, used['gpu-model']!, used['claude-haiku-4-5']!];
    const spent = Object.fromEntries(body.cost.spent.map(({ billing, ...amount }) => [billing, amount]));
    const list = sonnet.input * 3e6 + sonnet.output * 15e6;
    assert.equal(spent['standard']?.amount, dollars(list));
    assert.deepEqual(spent['own'], {
      amount: dollars(gpu.input * 0.5e6 + gpu.output * 2e6),
      at_least: true,
      unpriced: ['upstream bare'],
    });
    assert.equal(spent['simulated']?.amount, '0');
    const all = list + haiku.input * 1e6 + haiku.output * 5e6;
    assert.equal(body.cost.standard.amount, dollars(all));
    assert.equal(body.cost.billed.amount, dollars(all / 2));
    assert.deepEqual(body.cost.billed.unpriced.toSorted(), ['bare-model', 'gpu-model']);
  });

  const today = new Date().toISOString().slice(0, 10);
  await t.test('the reports hold the same tokens and money, and the command too', async () => {
    const report = await ask<{ data: Bucket[] }>(
      server,
      `/v1/organizations/usage_report/messages?starting_at=${today}&group_by[]=model`,
    );
    const reported = report.data.flatMap(({ results }) => results);
    assert.deepEqual(
      Object.fromEntries(
        reported.map((row) => [row['model'], { input: row['uncached_input_tokens'], output: row['output_tokens'] }]),
      ),
      used,
    );
    const cost = await ask<{ data: Bucket[] }>(server, `/v1/organizations/cost_report?starting_at=${today}`);
    const paid = cost.data
      .flatMap(({ results }) => results)
      .find((row) => (row['nightshift'] as { billing: string }).billing === 'standard');
    const spent = body.cost.spent.find(({ billing }) => billing === 'standard')!;
    assert.equal(Number(paid?.['amount']), Number((Number(spent.amount) * 100).toFixed(10)));
    const told = await nightshift('cost', '--data', server.data);
    assert.match(told, /claude-haiku-4-5 +simulated +2 .* \$0 /);
    assert.match(told, /bare-model +own +2 .* unknown +unknown/);
    assert.match(told, /no price +bare-model, gpu-model, upstream bare\n/);
  });

  await t.test('a deleted batch keeps its usage, a key without the scope gets none of the reports', async () => {
    assert.equal((await client.remove(id)).status, 200);
    assert.deepEqual(await ask<UsageBody>(server, `/v1/messages/batches/${id}/usage`), body);
    const told = JSON.parse(await nightshift('cost', '--data', server.data, '--batch', id, '--json')) as {
      costs: readonly { readonly requests: number }[];
    };
    assert.equal(
      told.costs.reduce((sum, { requests: count }) => sum + count, 0),
      8,
    );
    const list = ['keys', 'create', '--name', 'small', '--data', server.data, '--scope', 'results:read'];
    const key = (await nightshift(...list)).trim();
    const response = await fetch(`${server.url}/v1/organizations/cost_report?starting_at=${today}`, {
      headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01' },
    });
    assert.equal(response.status, 403);
  });
});

function tokensByModel(lines: readonly Line[]): Readonly<Record<string, Tokens>> {
  const used: Record<string, Tokens> = {};
  for (const { result } of lines) {
    if (result.message === undefined) continue;
    const { model, usage } = result.message;
    const { input, output } = used[model] ?? { input: 0, output: 0 };
    used[model] = { input: input + usage['input_tokens']!, output: output + usage['output_tokens']! };
  }
  return used;
}
