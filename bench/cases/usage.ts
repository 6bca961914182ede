/** Bench: the usage report of a month over a catalog with 10,000 batches, asked over HTTP as an administrator would. */

import { detail, percentile } from '../bench.ts';
import type { Bench, Figures, Run } from '../bench.ts';
import { scratchFolder } from '../scratch.ts';
import { startServer } from '../server.ts';
import { startWatchedUpstream } from '../upstream.ts';
import { usageHistory } from '../usage-history.ts';

const DAYS = 30;

export const usage: Bench = {
  name: 'usage',
  title: `usage report of ${DAYS} days over 10,000 batches, by model and workspace`,
  measures: [
    { name: 'report p99', unit: 'ms', better: 'lower', must: 50, aim: 10 },
    detail('report median', 'ms'),
    detail('by key as well: p99', 'ms'),
    detail('by the minute, a day: p99', 'ms'),
    detail('by the hour, a week: p99', 'ms'),
    detail('cost report p99', 'ms'),
  ],
  run,
};

async function run({ quick, resources, fail, say }: Run): Promise<Figures> {
  const batches = quick ? 500 : 10_000;
  const questions = quick ? 20 : 200;
  const folder = scratchFolder(resources);
  const endMs = Date.now();
  say('history');
  const history = usageHistory({ folder: `${folder}/data`, batches, days: DAYS, endMs });
  const upstream = await startWatchedUpstream({ resources, fail }, {});
  const server = await startServer(resources, { upstreamUrl: upstream.url, concurrency: 4, folder });
  const day = (before: number): string =>
    `${new Date(endMs - before * 86_400_000).toISOString().slice(0, 10)}T00:00:00Z`;
  const groups = 'group_by[]=model&group_by[]=workspace_id';
  const report = '/v1/organizations/usage_report/messages';
  const times = async (what: string, path: string): Promise<{ times: number[]; body: string }> => {
    say(what);
    let body = await server.client.get(path);
    const found: number[] = [];
    for (let question = 0; question < questions; question += 1) {
      const startedAtMs = performance.now();
      body = await server.client.get(path);
      found.push(performance.now() - startedAtMs);
    }
    return { times: found, body };
  };
  const month = await times('report', `${report}?starting_at=${day(DAYS)}&limit=31&${groups}`);
  checkReport(month.body, history);
  const keys = await times('keys', `${report}?starting_at=${day(DAYS)}&limit=31&${groups}&group_by[]=api_key_id`);
  checkReport(keys.body, history);
  const minutes = await times('minutes', `${report}?starting_at=${day(1)}&bucket_width=1m&limit=1440&${groups}`);
  const hours = await times('hours', `${report}?starting_at=${day(6)}&bucket_width=1h&limit=168&${groups}`);
  const cost = await times(
    'cost',
    `/v1/organizations/cost_report?starting_at=${day(DAYS)}&limit=31&group_by[]=description`,
  );
  return {
    'report p99': percentile(month.times, 0.99),
    'report median': percentile(month.times, 0.5),
    'by key as well: p99': percentile(keys.times, 0.99),
    'by the minute, a day: p99': percentile(minutes.times, 0.99),
    'by the hour, a week: p99': percentile(hours.times, 0.99),
    'cost report p99': percentile(cost.times, 0.99),
  };
}

type Report = {
  readonly data: readonly {
    readonly results: readonly { readonly uncached_input_tokens: number; readonly output_tokens: number }[];
  }[];
};

/** A report that forgets is quick, too. */
function checkReport(body: string, history: { inputTokens: number; outputTokens: number }): void {
  const results = (JSON.parse(body) as Report).data.flatMap((bucket) => bucket.results);
  const input = results.reduce((sum, row) => sum + row.uncached_input_tokens, 0);
  const output = results.reduce((sum, row) => sum + row.output_tokens, 0);
  if (input !== history.inputTokens || output !== history.outputTokens)
    throw new Error(
      `the report has ${input} and ${output} tokens of ${history.inputTokens} and ${history.outputTokens}`,
    );
}
