/** `nightshift cost RUN`: what was planned and what it came to, by model or batch. */
import type { Dated } from '../../money/cost.ts';
import { accountOf, add, nothing, tokensOf, type Amount } from '../../money/cost.ts';
import { priceList } from '../../money/price-list.ts';
import { promptTokens } from '../../money/prices.ts';
import { amountJson, amountText } from '../../money/words.ts';
import { exits, type Exit } from './exits.ts';
import type { Given } from './read-flags.ts';
import { isSimulated, money, snapshotOf, spentOn } from './snapshot.ts';
import { number, print, printJson, table } from './talk.ts';
import { findRun, withLedger } from './where.ts';

type Group = { readonly name: string; readonly rows: readonly Dated[] };

export async function runCost(given: Given): Promise<Exit> {
  const run = findRun(given);
  const { values } = given;
  const { groups, snapshot } = await withLedger(run, (ledger) => ({
    snapshot: snapshotOf({ ledger, spec: run.spec, nowMs: Date.now() }),
    groups:
      values.by === 'batch'
        ? ledger.usageByBatch().map(({ batchId, usage }): Group => ({ name: batchId, rows: usage }))
        : [
            ...Map.groupBy(ledger.usage(), ({ model, tier }) => `${model}${tier === 'batch' ? '' : ' (Messages API)'}`),
          ].map(([name, rows]): Group => ({ name, rows })),
  }));
  const all = groups.flatMap(({ rows }) => rows);
  const whole = { spent: spentOn(all, run.spec), ...listed(all) };
  if (values.json) {
    printJson({
      run: run.name,
      currency: 'USD',
      price_list: priceList.asOf,
      expected: snapshot.expectedDollars,
      ...jsonOf(whole),
      costs: groups.map(({ name, rows }) => ({
        group: name,
        ...tokens(rows),
        spent: amountJson(spentOn(rows, run.spec)),
        ...listedJson(rows),
      })),
    });
    return exits.done;
  }
  const heads = [values.by === 'batch' ? 'BATCH' : 'MODEL', 'REQUESTS', 'TOKENS IN', 'CACHE READ', 'OUT', 'SPENT'];
  const lines = groups.map(({ name, rows }) => {
    const { requests, prompt_tokens: prompt, cache_read_tokens: read, output_tokens: out } = tokens(rows);
    return [name, number(requests), number(prompt), number(read), number(out), amountText(spentOn(rows, run.spec))];
  });
  print(table([heads, ...lines]));
  print('');
  print(
    `spent      ${amountText(whole.spent)}${isSimulated(run.spec) ? ' (simulated: nobody was paid)' : ''}${snapshot.expectedDollars === null ? '' : `; ≈ $${money(snapshot.expectedDollars)} was planned`}`,
  );
  print(
    `the same   standard ${amountText(whole.standard)}, batch ${amountText(whole.batch)}, batch with cache ${amountText(whole.billed)}  (list prices of ${priceList.asOf})`,
  );
  return exits.done;
}

type Listed = { readonly standard: Amount; readonly batch: Amount; readonly billed: Amount };

function listed(rows: readonly Dated[]): Listed {
  const { standard, batch, billed } = accountOf(rows);
  return { standard: add(nothing, standard), batch, billed };
}

function listedJson(rows: readonly Dated[]): object {
  const { standard, batch, billed } = listed(rows);
  return { standard: amountJson(standard), batch: amountJson(batch), batch_with_cache: amountJson(billed) };
}

function jsonOf({ spent, standard, batch, billed }: Listed & { readonly spent: Amount }): object {
  return {
    spent: amountJson(spent),
    standard: amountJson(standard),
    batch: amountJson(batch),
    batch_with_cache: amountJson(billed),
  };
}

function tokens(
  rows: readonly Dated[],
): Record<'requests' | 'prompt_tokens' | 'cache_read_tokens' | 'output_tokens', number> {
  const sum = (part: (row: Dated) => number): number => rows.reduce((all, row) => all + part(row), 0);
  return {
    requests: sum((row) => row.requests),
    prompt_tokens: sum(promptTokens),
    cache_read_tokens: sum((row) => tokensOf(row).cacheRead),
    output_tokens: sum((row) => tokensOf(row).output),
  };
}
