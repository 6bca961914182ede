/** Looking at batches, cancelling and deleting them. */
import { AppError } from '../domain/errors.ts';
import { isFinal } from '../domain/batch.ts';
import { isBatchId } from '../domain/id.ts';
import { POLL_AFTER_SECONDS } from '../domain/limits.ts';
import { batchNotFound, renderBatch, wantsLiveCounts, type AdmittedCall, type HttpDeps } from './call.ts';
import { readPageQuery, unknownCursor } from './list.ts';
import { jsonReply, type Reply } from './respond.ts';

export async function retrieveBatch(deps: HttpDeps, call: AdmittedCall): Promise<Reply> {
  const batch = await deps.service.retrieve(call.account.workspaceId, knownShape(call.batchId));
  if (batch === null) throw batchNotFound(call.batchId);
  const headers = isFinal(batch.state) ? {} : { 'retry-after': String(POLL_AFTER_SECONDS) };
  if (!isFinal(batch.state) && wantsLiveCounts(deps, call)) deps.service.watched(batch.id);
  return jsonReply(renderBatch(deps, call, batch), { headers });
}

export async function listBatches(deps: HttpDeps, call: AdmittedCall): Promise<Reply> {
  const query = readPageQuery(new URL(call.request.url).searchParams, call.account.workspaceId);
  const page = await deps.service.page(query);
  if (page === null) throw unknownCursor(query);
  return jsonReply({
    data: page.batches.map((batch) => renderBatch(deps, call, batch)),
    has_more: page.hasMore,
    first_id: page.batches.at(0)?.id ?? null,
    last_id: page.batches.at(-1)?.id ?? null,
  });
}

export async function cancelBatch(deps: HttpDeps, call: AdmittedCall): Promise<Reply> {
  const batch = await deps.service.cancel(call.account.workspaceId, knownShape(call.batchId));
  if (batch === null) throw batchNotFound(call.batchId);
  return jsonReply(renderBatch(deps, call, batch));
}

export async function deleteBatch(deps: HttpDeps, call: AdmittedCall): Promise<Reply> {
  const removed = await deps.service.remove(call.account.workspaceId, knownShape(call.batchId));
  if (removed === 'unknown') throw batchNotFound(call.batchId);
  if (removed === 'unfinished') {
    throw new AppError(
      'invalid_request',
      'In progress batches cannot be deleted. Consider canceling the batch instead.',
    );
  }
  return jsonReply({ id: call.batchId, type: 'message_batch_deleted' });
}

/** What cannot be the id of a batch is unknown without asking, whatever characters it holds. */
export function knownShape(batchId: string): string {
  if (!isBatchId(batchId)) throw batchNotFound(batchId);
  return batchId;
}
