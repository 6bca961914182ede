/** How figures are shown: lines for the terminal, and the tables of BENCHMARKS.md. */

import { meets, summaryOf } from './bench.ts';
import type { Bench, Figures, Measure, Summary } from './bench.ts';

export type Origin = {
  readonly commit: string;
  readonly at: string;
  readonly machine: string;
  readonly node: string;
  readonly command: string;
};

/** The runs of one bench, and where they come from. */
export type Recorded = Origin & { readonly runs: readonly Figures[] };

/** What every figure stands on. */
const DURABILITY =
  'a create is fsynced (blobs, then the catalog with `synchronous = full`) before it is answered; outcomes are written to the journal at once and ' +
  'fdatasynced in groups behind it (at most 4,096 lines or 8 MiB unsynced); only synced outcomes are counted, sealed or shown';

const NAME_WIDTH = 52;

/** Quick figures are shown but not judged. */
export function resultLines(bench: Bench, { runs, quick }: { runs: readonly Figures[]; quick: boolean }): string {
  return bench.measures.map((measure) => resultLine(quick ? { ...measure, must: null } : measure, runs)).join('');
}

function resultLine(measure: Measure, runs: readonly Figures[]): string {
  const summary = summaryOf(runs.map((figures) => figures[measure.name]));
  const median = shown(summary.median, measure.unit);
  if (measure.must === null) return `  ${measure.name.padEnd(NAME_WIDTH)} ${median.padStart(12)}\n`;
  const bounds = `must ${boundOf(measure, measure.must)}, aim ${boundOf(measure, measure.aim)}`;
  return `  ${measure.name.padEnd(NAME_WIDTH)} ${median.padStart(12)}   ${verdict(measure, summary).padEnd(8)} ${rangeOf(summary, measure.unit).padEnd(24)} ${bounds}\n`;
}

export function verdict(measure: Measure, { median }: Summary): string {
  if (!meets(measure, measure.must, median)) return 'MISSED';
  return meets(measure, measure.aim, median) ? 'aim met' : 'met';
}

export function markdown(benches: readonly Bench[], recorded: Readonly<Record<string, Recorded>>): string {
  const parts = benches.map((bench) => section(bench, recorded[bench.name]));
  return `Durability in all of them: ${DURABILITY}.\n\n${parts.join('\n')}`;
}

function section(bench: Bench, recorded: Recorded | undefined): string {
  const title = `### ${bench.name}: ${bench.title}\n\n`;
  if (recorded === undefined) return `${title}Not measured yet.\n`;
  const { runs, commit, at, machine, node, command } = recorded;
  const rows = bench.measures.map((measure) => {
    const summary = summaryOf(runs.map((figures) => figures[measure.name]));
    const bound =
      measure.must === null
        ? ['', '', '']
        : [boundOf(measure, measure.must), boundOf(measure, measure.aim), verdict(measure, summary)];
    return `| ${[measure.name, bound[0], bound[1], `**${shown(summary.median, measure.unit)}**`, rangeOf(summary, measure.unit), bound[2]].join(' | ')} |`;
  });
  const head = '| measure | must | aim | median | range | |\n|---|---|---|---|---|---|\n';
  const origin = `${runs.length} runs of \`${command}\` at commit ${commit}, ${at}; ${machine}; Node ${node}.`;
  return `${title}${head}${rows.join('\n')}\n\n${origin}\n`;
}

function boundOf({ better, unit }: Measure, bound: number | null): string {
  return bound === null ? '' : `${better === 'higher' ? '≥' : '≤'} ${shown(bound, unit)}`;
}

function rangeOf({ lowest, highest }: Summary, unit: string): string {
  return `${shown(lowest, unit)} – ${shown(highest, unit)}`;
}

/** Three digits that matter; ratios keep three decimals, because bounds like 0.995 need them. */
function shown(value: number, unit: string): string {
  const digits = unit === '×' ? 3 : Math.max(0, 2 - Math.floor(Math.log10(Math.max(0.01, Math.abs(value)))));
  const number = value.toLocaleString('en-US', { maximumFractionDigits: digits });
  return unit === '/s' || unit === '' || unit === '×' ? `${number}${unit}` : `${number} ${unit}`;
}
