/** `nightshift cost`: what was used and what it costs, read from the catalog, also while the server runs. */
import type { Command } from 'commander';
import { readAt } from '../config/read.ts';
import { duration, oneOf } from '../config/values.ts';
import { StartError } from '../domain/errors.ts';
import type { Billing } from '../domain/tally.ts';
import { accountOf, add, nothing, tokensOf, type Account, type Dated, type OwnPrice } from '../money/cost.ts';
import { priceList } from '../money/price-list.ts';
import { promptTokens } from '../money/prices.ts';
import { amountJson, amountText } from '../money/words.ts';
import type { Directory, Workspace } from '../ports/directory.ts';
import type { Dimension, ReportRow, Usages } from '../ports/usage.ts';
import { addCommonFlags, inDirectory, print, printJson, printTable, say, type CommonFlags } from './in-directory.ts';

const help = `
Standard is every token at the list price of a realtime call, batch is half of it, batch+cache is half of it with the cache as it was used:
what the official batches would have billed. Spent is what the upstreams ask for, by their billing: standard (list price), own (the price in
the configuration, if there is one) or simulated (nothing). A price that is not known is unknown, never 0.

Examples:
  nightshift cost                          the last 30 days, by model
  nightshift cost --since 24h --by workspace
  nightshift cost --batch msgbatch_01… --json
`;

const groups = ['model', 'workspace', 'day', 'upstream'] as const;
type Group = (typeof groups)[number];

type Flags = CommonFlags & { readonly batch?: string; readonly since: string; readonly by: string };

export function addCostCommand(program: Command): void {
  const command = program
    .command('cost')
    .summary('what was used, and what it costs')
    .description('Adds up usage and cost of sealed results, from the data folder; the server may be running.')
    .option('--batch <id>', 'only this batch, deleted or not')
    .option('--since <duration>', 'how far back: 24h, 7d; from a day on in whole days (UTC)', '30d')
    .option('--by <group>', groups.join(', '), 'model')
    .addHelpText('after', help);
  addCommonFlags(command).action(cost);
}

async function cost(flags: Flags): Promise<void> {
  const by = readAt(oneOf(groups), { source: '--by', value: flags.by });
  const sinceMs = readAt(duration({ minMs: 1_000 }), { source: '--since', value: flags.since });
  await inDirectory(flags, async (directory, usage) => {
    const workspaces = await directory.workspaces();
    const used =
      flags.batch === undefined
        ? await usedSince(usage, { by, sinceMs })
        : await usedBy(usage, { batchId: flags.batch, workspaces });
    const costs = costsOf(used, { by, workspaces, ownPrices: await usage.ownPrices() });
    if (flags.json === true) return printJson(jsonOf(costs));
    if (costs.length === 0) return say('Nothing was used.');
    printCosts(costs, by);
  });
}

type Used = Dated & { readonly workspaceId: string };

const DAY_MS = 86_400_000;
const DAY_SECONDS = 86_400;
const MINUTE_SECONDS = 60;

async function usedSince(usage: Usages, { by, sinceMs }: { by: Group; sinceMs: number }): Promise<readonly Used[]> {
  const widthSeconds = sinceMs >= DAY_MS ? DAY_SECONDS : MINUTE_SECONDS;
  const nowSeconds = Math.floor(Date.now() / 1_000);
  const fromSeconds = Math.max(0, nowSeconds - Math.ceil(sinceMs / 1_000));
  const groupBy: Dimension[] = ['model', 'upstream', 'billing', 'band'];
  if (by === 'workspace') groupBy.push('workspaceId');
  const rows = await usage.report({
    from: fromSeconds - (fromSeconds % widthSeconds),
    to: nowSeconds + DAY_SECONDS,
    widthSeconds,
    groupBy,
    only: {},
  });
  return rows.map((row: ReportRow) => ({ ...row, day: row.start - (row.start % DAY_SECONDS) }));
}

async function usedBy(
  usage: Usages,
  { batchId, workspaces }: { batchId: string; workspaces: readonly Workspace[] },
): Promise<readonly Used[]> {
  for (const { id: workspaceId } of workspaces) {
    const rows = await usage.ofBatch(workspaceId, batchId);
    if (rows !== null) return rows.map((row) => ({ ...row, workspaceId }));
  }
  throw new StartError(`there never was a batch ${batchId}`, { hint: 'Is it in another data folder? See --data.' });
}

type Cost = {
  readonly group: string;
  readonly billing: Billing;
  readonly account: Account;
  readonly promptTokens: number;
  readonly outputTokens: number;
};

type Grouping = {
  readonly by: Group;
  readonly workspaces: Awaited<ReturnType<Directory['workspaces']>>;
  readonly ownPrices: readonly OwnPrice[];
};

/** One for each group and billing: what is paid in different ways is not added up. */
function costsOf(used: readonly Used[], { by, workspaces, ownPrices }: Grouping): readonly Cost[] {
  const names = new Map(workspaces.map(({ id, name }) => [id, name]));
  const groupOf: Readonly<Record<Group, (row: Used) => string>> = {
    model: (row) => row.model,
    workspace: (row) => names.get(row.workspaceId) ?? row.workspaceId,
    day: (row) => new Date(row.day * 1_000).toISOString().slice(0, 10),
    upstream: (row) => row.upstream,
  };
  const grouped = Map.groupBy(used, (row) => JSON.stringify([groupOf[by](row), row.billing]));
  const costs = [...grouped.values()].map((rows): Cost => {
    const results = rows.filter(({ wasted }) => !wasted);
    return {
      group: groupOf[by](rows[0]!),
      billing: rows[0]!.billing,
      account: accountOf(rows, ownPrices),
      promptTokens: results.reduce((sum, row) => sum + promptTokens(row), 0),
      outputTokens: results.reduce((sum, row) => sum + tokensOf(row).output, 0),
    };
  });
  return costs.toSorted((left, right) => left.group.localeCompare(right.group));
}

function printCosts(costs: readonly Cost[], by: Group): void {
  const heads = [
    by.toUpperCase(),
    'BILLING',
    'REQUESTS',
    'TOKENS IN',
    'OUT',
    'SPENT',
    'STANDARD',
    'BATCH',
    'BATCH+CACHE',
  ];
  const rows = costs.map(({ group, billing, account, promptTokens: prompt, outputTokens }) => [
    group,
    billing,
    count(account.requests),
    count(prompt),
    count(outputTokens),
    amountText(account.spent[billing] ?? nothing),
    amountText(account.standard),
    amountText(account.batch),
    amountText(account.billed),
  ]);
  printTable([heads, ...rows]);
  print('');
  for (const line of totals(costs)) print(line);
}

function totals(costs: readonly Cost[]): readonly string[] {
  const accounts = costs.map(({ account }) => account);
  const sum = (part: 'standard' | 'batch' | 'billed') =>
    amountText(accounts.reduce((amount, account) => add(amount, account[part]), nothing));
  const spent = Map.groupBy(costs, ({ billing }) => billing);
  const missing = [
    ...new Set(
      accounts.flatMap((one) => [one.billed, ...Object.values(one.spent)]).flatMap(({ unpriced }) => unpriced),
    ),
  ];
  const wasted = accounts.reduce((all, account) => all + account.wasted, 0);
  return [
    ...[...spent].map(([billing, some]) => {
      const amount = some.reduce((all, { account }) => add(all, account.spent[billing] ?? nothing), nothing);
      return `spent      ${amountText(amount)}  (${billingWords[billing]})`;
    }),
    `the same   standard ${sum('standard')}, batch ${sum('batch')}, batch with cache ${sum('billed')}  (list prices of ${priceList.asOf})`,
    ...(missing.length === 0 ? [] : [`no price   ${missing.toSorted().join(', ')}`]),
    ...(wasted === 0 ? [] : [`wasted     ${count(wasted)} attempts gave no result and may have been paid`]),
  ];
}

const billingWords: Readonly<Record<Billing, string>> = {
  standard: "billing standard: the provider's list price of realtime calls",
  own: 'billing own: prices of the configuration',
  simulated: 'billing simulated: nobody was paid',
};

function jsonOf(costs: readonly Cost[]): object {
  return {
    currency: 'USD',
    price_list: priceList.asOf,
    costs: costs.map(({ group, billing, account, promptTokens: prompt, outputTokens }) => ({
      group,
      billing,
      requests: account.requests,
      wasted_attempts: account.wasted,
      prompt_tokens: prompt,
      output_tokens: outputTokens,
      spent: amountJson(account.spent[billing] ?? nothing),
      billed: amountJson(account.billed),
      standard: amountJson(account.standard),
      batch: amountJson(account.batch),
      batch_with_cache: amountJson(account.billed),
    })),
  };
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
