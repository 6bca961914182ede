/** `GET /v1/organizations/usage_report/messages`: tokens by minute, hour or day, as the Admin API tells them. */
import type { Dimension, ReportRow } from '../ports/usage.ts';
import type { AdmittedCall, HttpDeps } from './call.ts';
import { bucketsOf, isoTime, readChoice, readChoices, readRange, refuseUnknown, type Width } from './report-query.ts';
import { jsonReply, type Reply } from './respond.ts';
import { tokenFields } from './token-fields.ts';

const widths = { '1m': 60, '1h': 3_600, '1d': 86_400 } as const satisfies Record<string, Width>;
const groups = ['api_key_id', 'workspace_id', 'model', 'service_tier', 'context_window', 'inference_geo'] as const;
const tiers = ['standard', 'batch', 'priority', 'priority_on_demand', 'flex', 'flex_discount'] as const;
const known = [
  'starting_at',
  'ending_at',
  'bucket_width',
  'limit',
  'page',
  'group_by[]',
  'api_key_ids[]',
  'workspace_ids[]',
  'models[]',
  'service_tiers[]',
  'beta',
];

/** What we can tell apart; the other groups of the official report are null in every row. */
const dimensionOf: Readonly<Partial<Record<(typeof groups)[number], Dimension>>> = {
  api_key_id: 'keyId',
  workspace_id: 'workspaceId',
  model: 'model',
};

export async function usageReport(deps: HttpDeps, call: AdmittedCall): Promise<Reply> {
  const query = new URL(call.request.url).searchParams;
  refuseUnknown(query, known);
  const width = widths[readChoice(query, { name: 'bucket_width', choices: ['1m', '1h', '1d'], usual: '1d' })];
  const range = readRange(query, width, deps.world.clock);
  const groupBy = readChoices(query, { name: 'group_by[]', choices: groups });
  const wantedTiers = readChoices(query, { name: 'service_tiers[]', choices: tiers });
  // All that is counted was asked for in batches.
  const isMeant = wantedTiers.length === 0 || wantedTiers.includes('batch');
  const rows = isMeant
    ? await deps.usage.report({
        ...range,
        groupBy: groupBy.flatMap((name) => dimensionOf[name] ?? []),
        only: { ...only(query, 'workspaceId'), ...only(query, 'keyId'), ...only(query, 'model') },
      })
    : [];
  const counted = Map.groupBy(
    rows.filter(({ wasted }) => !wasted),
    ({ start }) => start,
  );
  const usual = groupBy.includes('workspace_id') ? (await deps.directory.defaultWorkspace()).id : null;
  return jsonReply({
    data: bucketsOf(range).map((start) => ({
      starting_at: isoTime(start),
      ending_at: isoTime(start + width),
      results: (counted.get(start) ?? []).map((row) => renderRow(row, { groupBy, usual })),
    })),
    has_more: range.nextPage !== null,
    next_page: range.nextPage,
  });
}

const filters = { workspaceId: 'workspace_ids[]', keyId: 'api_key_ids[]', model: 'models[]' } as const;

function only(query: URLSearchParams, dimension: keyof typeof filters): object {
  const wanted = query.getAll(filters[dimension]);
  return wanted.length === 0 ? {} : { [dimension]: wanted };
}

type Rendering = { readonly groupBy: readonly string[]; readonly usual: string | null };

function renderRow(row: ReportRow, { groupBy, usual }: Rendering): object {
  const grouped = (name: (typeof groups)[number], value: string): string | null =>
    groupBy.includes(name) ? value : null;
  return {
    ...tokenFields(row),
    // Not counted: answers do not tell it in a form that every upstream shares.
    server_tool_use: { web_search_requests: 0 },
    api_key_id: grouped('api_key_id', row.keyId),
    // As the official report does with the default workspace.
    workspace_id: row.workspaceId === usual ? null : grouped('workspace_id', row.workspaceId),
    model: grouped('model', row.model),
    service_tier: grouped('service_tier', 'batch'),
    context_window: null,
    inference_geo: null,
  };
}
