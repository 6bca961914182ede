/** A batch as the Message Batches API shows it. */
import { isFinal, type Batch, type BatchState, type Micros } from '../domain/batch.ts';
import { countsTotal, noCounts } from '../domain/outcome.ts';

/** All ten keys are always there: clients require them, null where there is nothing to say. */
export type MessageBatch = {
  readonly id: string;
  readonly type: 'message_batch';
  readonly processing_status: 'in_progress' | 'canceling' | 'ended';
  readonly request_counts: Readonly<Record<'processing' | 'succeeded' | 'errored' | 'canceled' | 'expired', number>>;
  readonly ended_at: string | null;
  readonly created_at: string;
  readonly expires_at: string;
  readonly archived_at: string | null;
  readonly cancel_initiated_at: string | null;
  readonly results_url: string | null;
};

const statuses: Readonly<Record<BatchState, MessageBatch['processing_status']>> = {
  validating: 'in_progress',
  running: 'in_progress',
  canceling: 'canceling',
  ended: 'ended',
  failed: 'ended',
};

/** The official counts stand still until the end; `live` asks for what is sealed so far. */
export function renderMessageBatch(batch: Batch, { baseUrl, live }: { baseUrl: string; live: boolean }): MessageBatch {
  const hasEnded = isFinal(batch.state);
  const counts = hasEnded || live ? batch.counts : noCounts;
  return {
    id: batch.id,
    type: 'message_batch',
    processing_status: statuses[batch.state],
    request_counts: {
      processing: batch.requests - countsTotal(counts),
      succeeded: counts.succeeded,
      errored: counts.errored,
      canceled: counts.canceled,
      expired: counts.expired,
    },
    ended_at: timestampOrNull(batch.endedAt),
    created_at: timestamp(batch.createdAt),
    expires_at: timestamp(batch.expiresAt),
    archived_at: timestampOrNull(batch.archivedAt),
    cancel_initiated_at: timestampOrNull(batch.cancelAt),
    results_url: hasEnded && batch.archivedAt === null ? `${baseUrl}/v1/messages/batches/${batch.id}/results` : null,
  };
}

/** RFC 3339 in UTC with microseconds, as the API writes it: 2024-08-20T18:37:24.100435Z. */
export function timestamp(micros: Micros): string {
  const milliseconds = Math.floor(micros / 1_000);
  const rest = micros - milliseconds * 1_000;
  return `${new Date(milliseconds).toISOString().slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
}

function timestampOrNull(micros: Micros | null): string | null {
  return micros === null ? null : timestamp(micros);
}
