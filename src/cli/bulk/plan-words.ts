/** A plan in words, before money: what will be sent, what it will cost, and what is wrong with which line. */
import { costText, type CostLine } from '../../bulk/plan/cost.ts';
import type { Estimate } from '../../bulk/estimate.ts';
import type { LedgerReader } from '../../bulk/ledger/ledger.ts';
import type { PlanFacts } from '../../bulk/run/plan.ts';
import { decimal } from '../../money/words.ts';
import { priceList } from '../../money/price-list.ts';
import { number, plural } from './talk.ts';

/** Rows that can never be sent, told one by one; a file that is all wrong needs no more. */
const FAULTS_SHOWN = 5;

export type Plan = {
  readonly name: string;
  readonly facts: PlanFacts;
  readonly estimate: Estimate;
  readonly warnings: readonly string[];
  readonly faults: readonly Fault[];
  readonly sync: boolean;
  /** Nobody is paid. */
  readonly free: boolean;
};

export type Fault = {
  readonly row: number;
  readonly line: number | null;
  readonly key: string;
  readonly fault: string;
};

export function faultsIn(ledger: LedgerReader): readonly Fault[] {
  return ledger
    .items({ states: ['rejected'], limit: FAULTS_SHOWN })
    .map(({ seq, key, place, fault }) => ({ row: seq + 1, line: place.line, key, fault: fault ?? '' }));
}

export function planLines(plan: Plan): readonly string[] {
  const { facts, estimate, warnings, faults, sync } = plan;
  const parts = [plural(facts.rows, 'row')];
  if (facts.duplicates > 0) parts.push(plural(facts.duplicates, 'duplicate prompt'));
  if (facts.rejected > 0) parts.push(`${number(facts.rejected)} invalid`);
  if (facts.skipped > 0) parts.push(`${number(facts.skipped)} skipped`);
  parts.push(plural(facts.requests, 'request'));
  if (facts.cutRows > 0) parts.push(`${number(facts.cutRows)} cut by --truncate`);
  parts.push(
    sync
      ? 'by the Messages API'
      : `${plural(facts.chunks, 'batch', 'batches')} (largest ${number(facts.largestRequests)} requests, ${size(facts.largestBytes)})`,
  );
  return [
    `plan    ${parts.join(' · ')}`,
    `        tokens in ≈ ${short(estimate.input.expected)} (${estimate.sureness}) · out ≈ ${short(estimate.output.expected)} (at most ${short(facts.requests * estimate.maxTokens)})`,
    ...costs(plan).map((line) => `        ${line}`),
    ...(plan.free
      ? ['        nobody is paid: the models are your own, and prices are those of the Anthropic API']
      : []),
    ...faults.map(
      ({ row, line, fault }) => `        ${line === null ? `row ${number(row)}` : `line ${number(line)}`}: ${fault}`,
    ),
    ...(facts.rejected > faults.length
      ? [`        and ${plural(facts.rejected - faults.length, 'more such row')}`]
      : []),
    ...[...warnings, ...(plan.free ? [] : estimate.advice)].map((text) => `note    ${text}`),
  ];
}

function costs({ estimate, sync, free }: Plan): readonly string[] {
  const own = estimate.costs[0]?.model;
  const shown = free ? ['batch'] : sync ? ['standard'] : ['standard', 'batch', 'batch with cache'];
  const lines = estimate.costs.filter(({ how }) => shown.includes(how));
  if (lines.every(({ expected }) => expected === null)) return [`cost ${costText(lines[0]!)}`];
  return lines.map(
    (line) => `cost ${line.how.padEnd(17)}${line.model === own ? '' : `${line.model} `}${costText(line)}`,
  );
}

export function planJson({ name, facts, estimate, warnings, faults, free }: Plan): object {
  return {
    run: name,
    ...facts,
    tokens: {
      input: estimate.input,
      output: estimate.output,
      max_tokens: estimate.maxTokens,
      sureness: estimate.sureness,
    },
    cost: {
      currency: 'USD',
      price_list: priceList.asOf,
      free,
      lines: estimate.costs.map(({ model, how, ...ends }) => ({ model, how, ...endsJson(ends) })),
    },
    faults,
    warnings,
    advice: estimate.advice,
  };
}

function endsJson(ends: Omit<CostLine, 'model' | 'how'>): object {
  return Object.fromEntries(Object.entries(ends).map(([end, value]) => [end, value === null ? null : decimal(value)]));
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function short(count: number): string {
  if (count < 10_000) return number(Math.round(count));
  return count < 1e6 ? `${(count / 1e3).toFixed(1)}k` : `${(count / 1e6).toFixed(1)}M`;
}
