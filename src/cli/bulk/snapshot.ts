/** Where a run stands at one moment, read from its ledger, and the same in a line, in four, and as JSON. */
import { hostname } from 'node:os';
import type { BatchRecord, LedgerReader, OwnerRecord, StateCounts } from '../../bulk/ledger/ledger.ts';
import { OWNER_SILENT_MS } from '../../bulk/limits.ts';
import { failedStates } from '../../bulk/results/export.ts';
import { cacheReadShare, spentOf } from '../../bulk/results/spent.ts';
import type { PlanFacts } from '../../bulk/run/plan.ts';
import type { RunSpec } from '../../bulk/run/spec.ts';
import { nothing, type Amount, type Dated } from '../../money/cost.ts';
import { amountJson, amountText } from '../../money/words.ts';
import { date, number, span } from './talk.ts';

/** The API keeps the results of a batch for so long after it was created. */
export const RESULTS_KEPT_MS = 29 * 86_400_000;

export type Snapshot = {
  readonly counts: StateCounts;
  readonly rows: number;
  readonly requests: number;
  readonly planned: boolean;
  readonly chunks: number;
  readonly batches: { readonly ended: number; readonly running: readonly BatchRecord[]; readonly total: number };
  readonly unclear: number;
  readonly spent: Amount;
  /** Of the prompt tokens, how many were read from the cache; null before the first answer. */
  readonly cacheShare: number | null;
  readonly expectedDollars: number | null;
  readonly owner: OwnerRecord | null;
  /** The API deletes the first results of this run then; null where all are here. */
  readonly resultsUntilMs: number | null;
  readonly etaMs: number | null;
  readonly nowMs: number;
};

export function snapshotOf({ ledger, spec, nowMs }: { ledger: LedgerReader; spec: RunSpec; nowMs: number }): Snapshot {
  const counts = ledger.counts();
  const plan = JSON.parse(ledger.fact('plan') ?? 'null') as PlanFacts | null;
  const all = ledger.batches().filter(({ id }) => !id.startsWith('sync-'));
  const running = all.filter(({ state }) => state === 'running');
  const usage = ledger.usage();
  const each = spec.spend.expectedDollarsPerRequest;
  return {
    counts,
    rows: Object.values(counts).reduce((sum, rows) => sum + rows, 0),
    requests: ledger.requests(),
    planned: ledger.fact('plannedAtMs') !== null,
    chunks: plan?.chunks ?? 0,
    batches: {
      ended: all.length - running.length,
      running,
      total: spec.batching.sync ? all.length : Math.max(plan?.chunks ?? 0, all.length),
    },
    unclear: ledger.intents().unclear,
    spent: spentOn(usage, spec),
    cacheShare: cacheReadShare(usage),
    expectedDollars: each === null ? null : each * ledger.requests(),
    owner: aliveOwner(ledger.owner(), nowMs),
    resultsUntilMs: resultsUntil(all),
    etaMs: etaOf({ all, running, chunks: plan?.chunks ?? 0, nowMs }),
    nowMs,
  };
}

/** A process that was killed leaves its name behind. */
function aliveOwner(owner: OwnerRecord | null, nowMs: number): OwnerRecord | null {
  if (owner === null) return null;
  if (owner.host !== hostname()) return nowMs - owner.heartbeatAtMs < OWNER_SILENT_MS ? owner : null;
  try {
    process.kill(owner.pid, 0);
    return owner;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? owner : null;
  }
}

export function isFinished({ counts, planned }: Snapshot): boolean {
  return planned && counts.pending + counts.sent === 0;
}

export function failedRows({ counts }: Pick<Snapshot, 'counts'>): number {
  return failedStates.reduce((sum, state) => sum + counts[state], 0);
}

export function isSimulated({ api }: RunSpec): boolean {
  return api.baseUrl === 'local:simulator';
}

/** Rows of batches at half price, those of the Messages API at the whole one. */
export function spentOn(usage: readonly Dated[], spec: RunSpec): Amount {
  if (isSimulated(spec)) return { ...nothing, known: true };
  return spentOf(usage).cost;
}

function resultsUntil(all: readonly BatchRecord[]): number | null {
  const elsewhere = all.filter(({ state }) => state === 'running' || state === 'ended');
  return elsewhere.length === 0
    ? null
    : Math.min(...elsewhere.map(({ remote }) => remote.createdAtMs)) + RESULTS_KEPT_MS;
}

/** From batches of this run that ended; before the first, nobody knows. */
function etaOf({
  all,
  running,
  chunks,
  nowMs,
}: {
  all: readonly BatchRecord[];
  running: readonly BatchRecord[];
  chunks: number;
  nowMs: number;
}): number | null {
  const took = all
    .filter(({ remote }) => remote.endedAtMs !== null)
    .map(({ remote }) => remote.endedAtMs! - remote.createdAtMs)
    .toSorted((left, right) => left - right);
  if (took.length === 0 || running.length === 0 || all.length < chunks) return null;
  const usual = took[Math.floor(took.length * 0.8)]!;
  return Math.max(0, ...running.map(({ remote }) => remote.createdAtMs + usual - nowMs));
}

function waiting({ counts }: Snapshot): number {
  return counts.pending + counts.sent;
}

/** For logs: `batches=3/5 ok=28940 bad=15 wait=17350 spend=3.97`. */
export function lineOf(snapshot: Snapshot): string {
  const { batches, counts, spent, unclear } = snapshot;
  const parts = [
    `batches=${batches.ended}/${batches.total}`,
    `ok=${counts.ok}`,
    `bad=${failedRows(snapshot)}`,
    `wait=${waiting(snapshot)}`,
  ];
  if (counts.skipped > 0) parts.push(`skipped=${counts.skipped}`);
  if (unclear > 0) parts.push(`unclear=${unclear}`);
  return [...parts, `spend=${amountText(spent).replaceAll(/[$\s]/g, '')}`].join(' ');
}

const BAR_WIDTH = 12;

/** For people: batches, rows, money, and what to know. Four lines at most. */
export function linesOf(snapshot: Snapshot): readonly string[] {
  const { batches, spent, expectedDollars, cacheShare, etaMs, unclear, resultsUntilMs, nowMs } = snapshot;
  const total = Math.max(1, batches.total);
  const full = Math.round((BAR_WIDTH * batches.ended) / total);
  const oldest = batches.running.map(({ remote }) => remote.createdAtMs).toSorted((left, right) => left - right)[0];
  const since = oldest === undefined ? '' : ` (oldest ${span(nowMs - oldest)})`;
  const lines = [
    `batches  ${'▰'.repeat(full)}${'▱'.repeat(BAR_WIDTH - full)} ${number(batches.ended)} of ${number(batches.total)} ended · ${number(batches.running.length)} running${since}`,
    `rows     ${countsText(snapshot)}${isFinished(snapshot) ? '' : `   ETA ${etaMs === null ? 'unknown' : `~${span(etaMs)}`}`}`,
    `spend    ${amountText(spent)}${expectedDollars === null ? '' : ` of ≈ $${money(expectedDollars)}`}${cacheShare === null || cacheShare === 0 ? '' : ` · cache read ${Math.round(cacheShare * 100)}%`}`,
  ];
  if (unclear > 0) lines.push(`unclear  ${number(unclear)} submissions are looked for; nothing is sent twice`);
  else if (resultsUntilMs !== null) lines.push(`results  the API keeps them until ${date(resultsUntilMs)}`);
  return lines;
}

export function money(dollars: number): string {
  return dollars.toFixed(dollars < 1 ? 4 : 2);
}

/** Every state with rows in it; they sum to the rows of the input. */
export function countsText(snapshot: Snapshot): string {
  const { counts } = snapshot;
  const parts = [`${number(counts.ok)} ok`];
  for (const state of [...failedStates, 'skipped'] as const)
    if (counts[state] > 0) parts.push(`${number(counts[state])} ${state}`);
  if (waiting(snapshot) > 0) parts.push(`${number(waiting(snapshot))} waiting`);
  return parts.join(' · ');
}

export function stateWord(snapshot: Snapshot): 'planning' | 'running' | 'paused' | 'done' {
  if (!snapshot.planned) return 'planning';
  if (isFinished(snapshot)) return 'done';
  return snapshot.owner === null ? 'paused' : 'running';
}

export function snapshotJson(name: string, snapshot: Snapshot): object {
  const { counts, batches, spent, requests, owner, unclear, resultsUntilMs, cacheShare, expectedDollars, etaMs } =
    snapshot;
  return {
    run: name,
    state: stateWord(snapshot),
    rows: { total: snapshot.rows, ...counts },
    requests,
    batches: { total: batches.total, ended: batches.ended, running: batches.running.length, unclear },
    spend: { currency: 'USD', ...amountJson(spent), expected: expectedDollars, cache_read_share: cacheShare },
    eta_ms: etaMs,
    results_until: resultsUntilMs === null ? null : new Date(resultsUntilMs).toISOString(),
    owner: owner === null ? null : { pid: owner.pid, host: owner.host },
  };
}
