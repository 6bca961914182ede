/** What a fake batch API keeps: batches as functions of the time, the lines of their results, and what was bought how often. */
import { createHash } from 'node:crypto';

export type Outcome =
  | {
      readonly kind: 'ok';
      readonly text: string;
      readonly stopReason?: string;
      readonly usage?: Readonly<Record<string, number>>;
    }
  | { readonly kind: 'errored'; readonly type: string; readonly message: string }
  | { readonly kind: 'expired' }
  | { readonly kind: 'canceled' }
  /** No line at all. */
  | { readonly kind: 'missing' }
  /** The line as it is, without its line feed. */
  | { readonly kind: 'raw'; readonly line: string };

export type FakeParams = { readonly model?: string; readonly messages?: readonly { readonly content: unknown }[] };
export type FakeRequest = { readonly custom_id: string; readonly params: FakeParams };

export type Accepted = {
  readonly customId: string;
  /** The second part of a nonce-seq-slug, or the whole of another custom_id. */
  readonly row: string;
  readonly paramsSha256: string;
  readonly batchId: string;
  readonly outcome: Outcome;
};

export type FakeBatch = {
  readonly id: string;
  readonly createdAtMs: number;
  /** Listed and known by its id from then on. */
  readonly listedAtMs: number;
  endsAtMs: number;
  canceledAtMs: number | null;
  readonly foreign: boolean;
  readonly requests: number;
  readonly accepted: readonly Accepted[];
  /** Lines of strangers among its results. */
  readonly strangers: readonly string[];
  lines: Buffer | null;
};

export const ARCHIVED_AFTER_MS = 29 * 86_400_000;

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function acceptedOf(request: FakeRequest, about: { batchId: string; outcome: Outcome }): Accepted {
  const row = /^[a-z2-7]{16}-([0-9a-z]+)(?:-|$)/.exec(request.custom_id)?.[1] ?? request.custom_id;
  return { customId: request.custom_id, row, paramsSha256: sha256(JSON.stringify(request.params)), ...about };
}

export function statusOf(batch: FakeBatch, nowMs: number): 'in_progress' | 'canceling' | 'ended' {
  if (nowMs >= batch.endsAtMs) return 'ended';
  return batch.canceledAtMs === null ? 'in_progress' : 'canceling';
}

export function viewOf(batch: FakeBatch, { nowMs, base }: { nowMs: number; base: string }): Record<string, unknown> {
  const status = statusOf(batch, nowMs);
  const archived = nowMs >= batch.createdAtMs + ARCHIVED_AFTER_MS;
  const counts = { processing: 0, succeeded: 0, errored: 0, canceled: 0, expired: 0 };
  if (status !== 'ended') counts.processing = batch.requests;
  else if (batch.foreign) counts.succeeded = batch.requests;
  else for (const { outcome } of batch.accepted) counts[countedAs(outcome)] += 1;
  return {
    id: batch.id,
    type: 'message_batch',
    processing_status: status,
    request_counts: counts,
    created_at: iso(batch.createdAtMs),
    expires_at: iso(batch.createdAtMs + 86_400_000),
    ended_at: status === 'ended' ? iso(batch.endsAtMs) : null,
    cancel_initiated_at: batch.canceledAtMs === null ? null : iso(batch.canceledAtMs),
    archived_at: archived ? iso(batch.createdAtMs + ARCHIVED_AFTER_MS) : null,
    results_url: status === 'ended' && !archived ? `${base}/v1/messages/batches/${batch.id}/results` : null,
  };
}

/** All lines, in another order than they were sent. */
export function linesOf(batch: FakeBatch): Buffer {
  if (batch.lines === null) {
    const own = batch.foreign
      ? Array.from({ length: batch.requests }, (_, index) =>
          line(`stranger-${index}`, { kind: 'ok', text: 'not yours' }),
        )
      : batch.accepted.flatMap(({ customId, outcome }) =>
          outcome.kind === 'missing' ? [] : [line(customId, outcome)],
        );
    const all = [...own, ...batch.strangers];
    const order = all.map((text) => [sha256(batch.id + text), text] as const).sort(([a], [b]) => (a < b ? -1 : 1));
    batch.lines = Buffer.from(order.map(([, text]) => `${text}\n`).join(''));
  }
  return batch.lines;
}

/**
 * Purchases that should not be: the same row with the same params accepted again although the earlier one was still under way,
 * or had brought a whole answer. A retry after an error or an end by max_tokens is none.
 */
export function boughtTwice(
  batches: readonly FakeBatch[],
): { readonly row: string; readonly batchIds: readonly string[] }[] {
  const byRow = new Map<string, { batch: FakeBatch; accepted: Accepted }[]>();
  for (const batch of batches.toSorted((a, b) => a.createdAtMs - b.createdAtMs)) {
    for (const accepted of batch.accepted) {
      const key = `${accepted.row} ${accepted.paramsSha256}`;
      const all = byRow.get(key) ?? [];
      all.push({ batch, accepted });
      byRow.set(key, all);
    }
  }
  return [...byRow.values()].flatMap((all) =>
    all.slice(1).flatMap((later, index) => {
      const earlier = all[index]!;
      const paid =
        earlier.accepted.outcome.kind === 'ok' && (earlier.accepted.outcome.stopReason ?? 'end_turn') === 'end_turn';
      return paid || later.batch.createdAtMs < earlier.batch.endsAtMs
        ? [{ row: later.accepted.row, batchIds: [earlier.batch.id, later.batch.id] }]
        : [];
    }),
  );
}

/** The Messages API's answer for an outcome that is one. */
export function messageOf(
  { text, stopReason, usage }: Outcome & { kind: 'ok' },
  model: string,
): Record<string, unknown> {
  return {
    id: `msg_${sha256(text).slice(0, 24)}`,
    type: 'message',
    role: 'assistant',
    model,
    content: [{ type: 'text', text }],
    stop_reason: stopReason ?? 'end_turn',
    stop_sequence: null,
    usage: {
      input_tokens: 10,
      output_tokens: 5,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      ...usage,
      service_tier: 'batch',
    },
  };
}

function line(customId: string, outcome: Outcome): string {
  if (outcome.kind === 'raw') return outcome.line;
  return JSON.stringify({ custom_id: customId, result: resultOf(outcome) });
}

function resultOf(outcome: Outcome): Record<string, unknown> {
  switch (outcome.kind) {
    case 'ok':
      return { type: 'succeeded', message: messageOf(outcome, 'claude-haiku-4-5-20251001') };
    case 'errored': {
      const error = { type: 'error', error: { type: outcome.type, message: outcome.message }, request_id: null };
      return { type: 'errored', error };
    }
    default:
      return { type: outcome.kind };
  }
}

function countedAs(outcome: Outcome): 'succeeded' | 'errored' | 'canceled' | 'expired' {
  if (outcome.kind === 'ok' || outcome.kind === 'raw' || outcome.kind === 'missing') return 'succeeded';
  return outcome.kind;
}

function iso(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}
