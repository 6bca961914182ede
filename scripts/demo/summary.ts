// The demo's verdict in a dozen lines, and what the same work would have cost.
import { noUsage } from '../../src/domain/tally.ts';
import { accountOf } from '../../src/money/cost.ts';
import { priceList } from '../../src/money/price-list.ts';
import { amountText } from '../../src/money/words.ts';
import { DEMO_MODEL, type Verdict } from './rows.ts';
import type { Style } from './screen.ts';

export function summary(verdict: Verdict, style: Style): string {
  const { requests, lost, doubled, changed, sentAgain, sentAgainMax, kills, concurrency, workMs } = verdict;
  const zero = (value: number): string => (value === 0 ? style.good(column(0)) : style.bad(column(value)));
  const bound = (sentAgain <= sentAgainMax ? style.good : style.bad)(column(sentAgain));
  const lines = [
    row('requests', column(requests), 'in one batch, through the official SDK'),
    row('lost', zero(lost), 'every request has a line'),
    row('doubled', zero(doubled), 'none has two'),
    row('changed', zero(changed), 'every request and every answer compared'),
    row('sent again', bound, `at most ${count(sentAgainMax)}: ${kills} kills, ${concurrency} in flight at each`),
    row('killed', column(kills), recoveries(verdict.recoveriesMs)),
    row(
      'rate',
      column(Math.round(requests / (workMs / 1_000))),
      `requests a second over ${(workMs / 1_000).toFixed(1)} s, kills included`,
    ),
    row('paid', '$0'.padStart(9), costLine(verdict)),
  ];
  return `\n${lines.join('\n')}\n\n  ${verdictLine(verdict, style)}\n\n`;
}

function verdictLine({ passed, countsAgree }: Verdict, style: Style): string {
  if (passed) return style.good('Every request has exactly one answer, its own.');
  return style.bad(
    countsAgree ? 'FAILED: see the figures above.' : "FAILED: the batch's counts are not what its lines say.",
  );
}

/** The model is simulated, so nothing was paid; the estimate says whose price it takes. */
function costLine({ requests, inputTokens, outputTokens }: Verdict): string {
  const { standard, batch } = accountOf([
    {
      ...noUsage,
      day: Date.parse(priceList.asOf) / 1_000,
      model: DEMO_MODEL,
      upstream: 'demo',
      billing: 'simulated',
      tier: 'standard',
      band: 0,
      wasted: false,
      requests,
      inputTokens,
      outputTokens,
    },
  ]);
  const tokens = `${millions(inputTokens)} M tokens in, ${millions(outputTokens)} M out`;
  return (
    `the model is simulated; ${tokens} of ${DEMO_MODEL} are ${amountText(standard)}\n` +
    `${' '.repeat(27)}at list price (billing: standard, ${priceList.asOf}), ${amountText(batch)} as the provider's own batch`
  );
}

function recoveries(recoveriesMs: readonly number[]): string {
  if (recoveriesMs.length === 0) return 'times';
  const sorted = recoveriesMs.toSorted((one, other) => one - other);
  const seconds = (ms: number): string => (ms / 1_000).toFixed(2);
  const [least, median, most] = [sorted[0], sorted[sorted.length >> 1], sorted[sorted.length - 1]];
  return `times with kill -9; ready again after ${seconds(median)} s (${seconds(least)} to ${seconds(most)})`;
}

function row(name: string, figure: string, remark: string): string {
  return `  ${name.padEnd(12)} ${figure}   ${remark}`;
}

function column(value: number): string {
  return count(value).padStart(9);
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function millions(tokens: number): string {
  return (tokens / 1_000_000).toFixed(1);
}
