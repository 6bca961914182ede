/**
 * `GET /v1/organizations/cost_report`: money by day, as the Admin API tells it. The official `amount` is what was spent upstream, because
 * that is what will be asked for; what the official batches would have billed stands beside it.
 */
import type { Billing } from '../domain/tally.ts';
import { accountOf, add, nothing, onlyPart, parts, tokensOf, type OwnPrice, type Part } from '../money/cost.ts';
import { amountJson, decimal } from '../money/words.ts';
import type { ReportRow } from '../ports/usage.ts';
import type { AdmittedCall, HttpDeps } from './call.ts';
import { bucketsOf, isoTime, readChoice, readChoices, readRange, refuseUnknown } from './report-query.ts';
import { jsonReply, type Reply } from './respond.ts';

const DAY_SECONDS = 86_400;
const known = ['starting_at', 'ending_at', 'bucket_width', 'limit', 'page', 'group_by[]', 'beta'];

export async function costReport(deps: HttpDeps, call: AdmittedCall): Promise<Reply> {
  const query = new URL(call.request.url).searchParams;
  refuseUnknown(query, known);
  readChoice(query, { name: 'bucket_width', choices: ['1d'], usual: '1d' });
  const range = readRange(query, DAY_SECONDS, deps.world.clock);
  const groupBy = readChoices(query, { name: 'group_by[]', choices: ['workspace_id', 'description'] });
  const byWorkspace = groupBy.includes('workspace_id');
  const rows = await deps.usage.report({
    ...range,
    groupBy: [...(byWorkspace ? (['workspaceId'] as const) : []), 'model', 'upstream', 'billing', 'tier', 'band'],
    only: {},
  });
  const buckets = Map.groupBy(rows, ({ start }) => start);
  const rendering: Rendering = {
    byWorkspace,
    described: groupBy.includes('description'),
    usual: byWorkspace ? (await deps.directory.defaultWorkspace()).id : null,
    ownPrices: await deps.usage.ownPrices(),
  };
  return jsonReply({
    data: bucketsOf(range).map((start) => ({
      starting_at: isoTime(start),
      ending_at: isoTime(start + DAY_SECONDS),
      results: resultsOf(buckets.get(start) ?? [], rendering),
    })),
    has_more: range.nextPage !== null,
    next_page: range.nextPage,
  });
}

type Rendering = {
  readonly byWorkspace: boolean;
  readonly described: boolean;
  /** The default workspace, which is null in reports. */
  readonly usual: string | null;
  readonly ownPrices: readonly OwnPrice[];
};

/** One result for each billing at least: money of two billings is never added up. */
function resultsOf(rows: readonly ReportRow[], rendering: Rendering): readonly object[] {
  const { byWorkspace, described } = rendering;
  const groups = Map.groupBy(rows, (row) =>
    JSON.stringify([row.billing, byWorkspace && row.workspaceId, ...(described ? [row.model, row.tier] : [])]),
  );
  return [...groups.values()].flatMap((group) =>
    described ? describedResults(group, rendering) : [renderResult(group, { ...rendering, part: null })],
  );
}

function describedResults(rows: readonly ReportRow[], rendering: Rendering): readonly object[] {
  return parts
    .map((part) => ({ part, with: rows.filter((row) => tokensOf(row)[part] > 0) }))
    .filter((one) => one.with.length > 0)
    .map((one) => renderResult(one.with, { ...rendering, part: one.part }));
}

const tokenTypes: Readonly<Record<Part, { readonly type: string; readonly words: string }>> = {
  input: { type: 'uncached_input_tokens', words: 'Input Tokens' },
  cacheWrite5m: { type: 'cache_creation.ephemeral_5m_input_tokens', words: 'Input Tokens, Cache Write (5m)' },
  cacheWrite1h: { type: 'cache_creation.ephemeral_1h_input_tokens', words: 'Input Tokens, Cache Write (1h)' },
  cacheRead: { type: 'cache_read_input_tokens', words: 'Input Tokens, Cache Hit' },
  output: { type: 'output_tokens', words: 'Output Tokens' },
};

function renderResult(rows: readonly ReportRow[], rendering: Rendering & { part: Part | null }): object {
  const { part, ownPrices, byWorkspace, usual } = rendering;
  const [first] = rows as readonly [ReportRow];
  const { billing, model, tier, workspaceId } = first;
  const dated = rows.map((row) => ({ ...row, day: row.start }));
  const account = accountOf(part === null ? dated : dated.map((row) => onlyPart(row, part)), ownPrices);
  return {
    currency: 'USD',
    amount: centsOf(account.spent, billing),
    workspace_id: byWorkspace && workspaceId !== usual ? workspaceId : null,
    description: part === null ? null : `${model} Usage - ${tokenTypes[part].words}`,
    cost_type: part === null ? null : 'tokens',
    model: part === null ? null : model,
    service_tier: part === null ? null : tier,
    token_type: part === null ? null : tokenTypes[part].type,
    context_window: null,
    inference_geo: null,
    nightshift: {
      billing,
      spent: amountJson(account.spent[billing] ?? nothing),
      billed: amountJson(account.billed),
      wasted_attempts: account.wasted,
    },
  };
}

/** Null where nothing is known: that is not the same as free. */
function centsOf(spent: ReturnType<typeof accountOf>['spent'], billing: Billing): string | null {
  const amount = add(spent[billing], nothing);
  return !amount.known && amount.unpriced.length > 0 ? null : decimal(amount.picodollars, { cents: true });
}
