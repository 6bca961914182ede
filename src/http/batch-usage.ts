/** `GET /v1/messages/batches/{id}/usage`, an extension: what a batch used and what that costs. */
import { accountOf, type Account } from '../money/cost.ts';
import { priceList } from '../money/price-list.ts';
import { amountJson } from '../money/words.ts';
import type { DatedUsage } from '../ports/usage.ts';
import { knownShape } from './batches.ts';
import { batchNotFound, type AdmittedCall, type HttpDeps } from './call.ts';
import { isoTime } from './report-query.ts';
import { jsonReply, type Reply } from './respond.ts';
import { tokenFields } from './token-fields.ts';

export async function batchUsage(deps: HttpDeps, call: AdmittedCall): Promise<Reply> {
  const batchId = knownShape(call.batchId);
  const rows = await deps.usage.ofBatch(call.account.workspaceId, batchId);
  if (rows === null) throw batchNotFound(batchId);
  const account = accountOf(rows, await deps.usage.ownPrices());
  return jsonReply({
    id: batchId,
    type: 'message_batch_usage',
    requests: account.requests,
    wasted_attempts: account.wasted,
    cost: renderCost(account),
    usage: rows.map(renderRow),
  });
}

function renderCost({ spent, billed, standard, batch }: Account): object {
  return {
    currency: 'USD',
    price_list: priceList.asOf,
    spent: Object.entries(spent).map(([billing, amount]) => ({ billing, ...amountJson(amount) })),
    billed: amountJson(billed),
    standard: amountJson(standard),
    batch: amountJson(batch),
    batch_with_cache: amountJson(billed),
  };
}

function renderRow(row: DatedUsage): object {
  return {
    day: isoTime(row.day).slice(0, 10),
    model: row.model,
    upstream: row.upstream,
    billing: row.billing,
    service_tier: row.tier,
    price_band: row.band,
    wasted: row.wasted,
    requests: row.requests,
    ...tokenFields(row),
  };
}
