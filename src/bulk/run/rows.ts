/** Rows read again from their places and rendered again: the same bytes as when they were planned, or the run stops. */
import { hash } from 'node:crypto';
import type { Change, Rendered, SourceRow } from '../contract.ts';
import type { Origin } from '../ledger/records.ts';
import type { StoredChange } from '../ledger/writes.ts';
import { REQUEST_HASH_BYTES } from '../limits.ts';
import { readRawLine } from '../results/raw.ts';
import { answerAt } from '../results/answer-text.ts';
import { messageAt, resultOf, resultStart } from '../results/verdict.ts';
import { RunError } from './errors.ts';
import { rawPath } from './folder.ts';
import type { RunParts } from './parts.ts';

export type RenderedRow = {
  readonly seq: number;
  readonly key: string;
  /** Null where the row, as it is to be changed, makes no request any more. */
  readonly params: Uint8Array | null;
  readonly reason: string;
  /** What its next attempt changes, with nothing left to be worked out. */
  readonly change: StoredChange | null;
};

const READ_ROWS = 1_000;

export function requestHash(params: Uint8Array): Buffer {
  return hash('sha256', params, 'buffer').subarray(0, REQUEST_HASH_BYTES);
}

/** The requests of these rows (ascending), each with what was decided to change in it. */
export async function* renderRows(parts: RunParts, seqs: ArrayLike<number>): AsyncGenerator<RenderedRow> {
  for (let from = 0; from < seqs.length; from += READ_ROWS) {
    const length = Math.min(READ_ROWS, seqs.length - from);
    const origins = parts.ledger.originsOf(Array.from({ length }, (_, index) => seqs[from + index]!));
    let index = 0;
    for await (const row of parts.source.read(origins.map(({ seq, place }) => ({ seq, place })))) {
      const origin = origins[index]!;
      index += 1;
      yield renderAgain(parts, origin, row);
    }
    if (index < origins.length) throw changed(origins[index]!, 'is no longer there');
  }
}

function renderAgain(parts: RunParts, origin: Origin, row: SourceRow): RenderedRow | Promise<RenderedRow> {
  if (row.seq !== origin.seq || row.fault !== null) throw changed(origin, 'cannot be read any more');
  const rendered = parts.prompt.render(row);
  // Waiting for what is there already would cost more than the rendering.
  return rendered instanceof Promise
    ? rendered.then((it) => finish(parts, origin, { row, rendered: it }))
    : finish(parts, origin, { row, rendered });
}

type Usual = { readonly row: SourceRow & { readonly fault: null }; readonly rendered: Rendered };

function finish(parts: RunParts, origin: Origin, usual: Usual): RenderedRow | Promise<RenderedRow> {
  const { seq, key } = origin;
  const { rendered } = usual;
  if (origin.hash !== null && (rendered.kind !== 'request' || !requestHash(rendered.params).equals(origin.hash))) {
    throw changed(origin, 'makes another request now');
  }
  if (origin.isChanged) return renderChanged(parts, origin, usual);
  if (rendered.kind === 'request') return { seq, key, params: rendered.params, reason: '', change: null };
  return {
    seq,
    key,
    params: null,
    reason: rendered.kind === 'rejected' ? rendered.reason : 'skipped by the prompt',
    change: null,
  };
}

async function renderChanged(parts: RunParts, { seq, key }: Origin, { row, rendered }: Usual): Promise<RenderedRow> {
  const stored = resolved(parts.ledger.changeOf(seq)!, rendered);
  const again = await parts.prompt.render(row, await changeFor(parts, seq, stored));
  if (again.kind === 'request') return { seq, key, params: again.params, reason: '', change: stored };
  return {
    seq,
    key,
    params: null,
    reason: again.kind === 'rejected' ? again.reason : 'skipped by the prompt',
    change: stored,
  };
}

/** Doubled from what the last attempt had; known only now that the request is at hand. */
function resolved({ grow, ...change }: StoredChange, rendered: Rendered): StoredChange {
  if (grow !== true) return change;
  const before = change.maxTokens ?? maxTokensOf(rendered);
  return before === null ? change : { ...change, maxTokens: 2 * before };
}

function maxTokensOf(rendered: Rendered): number | null {
  if (rendered.kind !== 'request') return null;
  const params = JSON.parse(Buffer.from(rendered.params).toString('utf8')) as { max_tokens?: unknown };
  return typeof params.max_tokens === 'number' ? params.max_tokens : null;
}

async function changeFor(
  parts: RunParts,
  seq: number,
  { reaskOfAttempt, grow: _, ...change }: StoredChange,
): Promise<Change> {
  if (reaskOfAttempt === undefined) return change;
  const attempt = parts.ledger.read.attemptsOf(seq).find((one) => one.attempt === reaskOfAttempt);
  if (attempt === undefined || attempt.raw === null) return change;
  const line = await readRawLine({ path: rawPath(parts.folder, attempt.raw.batchId), place: attempt.raw });
  const { message } = resultOf(line, resultStart(line));
  const answer = message < 0 ? '' : answerAt(line, messageAt(line, message).content);
  return { ...change, reask: { answer, complaint: attempt.error?.message ?? 'it does not fit the schema' } };
}

function changed({ key, place }: Origin, what: string): RunError {
  const line = place.line === null ? '' : ` (line ${place.line})`;
  return new RunError('changed', `the input has changed since the run began: row ${key}${line} ${what}`);
}
