/**
 * Rows asked one by one by the Messages API: a canary, the last stragglers, or all of them. Their answers are written as result lines
 * into a raw file of their own, and go on as those of a batch do.
 */
import type { RemoteBatch } from '../contract.ts';
import type { ChunkHead } from '../ledger/records.ts';
import { REFUSED_WAIT_MS_MAX, SYNC_CALLS_MAX, SYNC_GROUP_ROWS, SYNC_TRIES_MAX } from '../limits.ts';
import { RawWriter } from '../results/raw.ts';
import { customIdOf } from '../../submit-once/custom-id.ts';
import { cutRows, rowsOfChunk } from './body.ts';
import { affordableRequests, expectedDollars, spentOn } from './budget.ts';
import { SYNC_NONCE } from './collect.ts';
import { rawPath } from './folder.ts';
import type { Lanes } from './parts.ts';
import { answerTo } from './refusal.ts';
import { type RenderedRow, renderRows } from './rows.ts';
import { RunError } from './errors.ts';

/** Batches cost half: one call costs two requests of a batch. */
const CALL_COSTS_REQUESTS = 2;

/** The first rows are asked before anything is submitted. */
export function cutCanary({ parts }: Pick<Lanes, 'parts'>): void {
  const { ledger, spec } = parts;
  const [first] = ledger.chunks('waiting');
  if (spec.spend.canary === 0 || spec.batching.sync || ledger.wasSent() || first === undefined || first.kind !== 'plan')
    return;
  const rows = rowsOfChunk(parts, ledger.rowsOf(first.id));
  const limits = { requests: Infinity, bytes: Infinity };
  ledger.splitChunk(first.id, [
    ...cutRows(rows.slice(0, spec.spend.canary), { limits, salt: 0, kind: 'sync' }),
    ...cutRows(rows.slice(spec.spend.canary), { limits, salt: 0, kind: 'plan' }),
  ]);
}

/** Of every other chunk, groups that are asked one by one. */
export function cutForSync({ parts }: Pick<Lanes, 'parts'>): void {
  const { ledger } = parts;
  for (const chunk of ledger.chunks('waiting')) {
    if (chunk.kind === 'sync' && chunk.requests <= SYNC_GROUP_ROWS) continue;
    const rows = rowsOfChunk(parts, ledger.rowsOf(chunk.id));
    ledger.splitChunk(
      chunk.id,
      cutRows(rows, { limits: { requests: SYNC_GROUP_ROWS, bytes: Infinity }, salt: 0, kind: 'sync' }),
    );
  }
}

/** Asks one group, if there is one; false when there is none. */
export async function syncStep(lanes: Lanes): Promise<boolean> {
  const { parts, emit, signal, bell } = lanes;
  const { ledger } = parts;
  const chunk = ledger.chunks('waiting').find(({ kind }) => kind === 'sync');
  if (chunk === undefined || lanes.halted() !== null || signal.aborted || !isAffordable(lanes, chunk)) return false;
  const id = `sync-${chunk.id}`;
  ledger.beginSync(id, { chunk: chunk.id, remote: asIfBatch(id, parts.world.nowMs(), chunk.requests) });
  if (ledger.read.fact('firstSentAtMs') === null) ledger.setFact('firstSentAtMs', String(parts.world.nowMs()));
  const writer = await RawWriter.open({ path: rawPath(parts.folder, id) });
  await writer.restart();
  const lines = new Lines(writer);
  const rows = renderRows(parts, ledger.rowsOf(chunk.id).seqs);
  const caller = async (): Promise<void> => {
    for (
      let next = await rows.next();
      next.done !== true && !signal.aborted && lanes.halted() === null;
      next = await rows.next()
    ) {
      const line = await answerLine(lanes, next.value);
      if (line !== null) await lines.push(line);
    }
  };
  try {
    await Promise.all(Array.from({ length: SYNC_CALLS_MAX }, caller));
  } finally {
    // Answers that came are paid: they are kept whatever became of the others.
    await lines.end();
    await writer.finish();
  }
  ledger.setBatch(id, { state: 'kept' });
  emit({ kind: 'ended', batchId: id, counts: asIfBatch(id, 0, chunk.requests).counts });
  bell.ring();
  return true;
}

/** After a crash: what was kept of a group's answers counts, the rest is asked again. */
export async function salvageSync({ parts }: Pick<Lanes, 'parts'>): Promise<void> {
  for (const { id, nonce, state } of parts.ledger.read.batches()) {
    if (nonce !== '' || state !== 'running') continue;
    const writer = await RawWriter.open({ path: rawPath(parts.folder, id) });
    await writer.finish();
    parts.ledger.setBatch(id, { state: 'kept' });
  }
}

function isAffordable({ parts, emit, halt }: Lanes, { requests }: ChunkHead): boolean {
  const { maxCostDollars, expectedDollarsPerRequest } = parts.spec.spend;
  if (maxCostDollars === null) return true;
  const usage = parts.ledger.read.usage();
  const spentDollars = spentOn(usage).dollars;
  const each = expectedDollars(usage, expectedDollarsPerRequest);
  const fit = affordableRequests({
    spentDollars,
    expectedDollarsPerRequest: each === null ? null : each * CALL_COSTS_REQUESTS,
    inFlightRequests: 0,
    capDollars: maxCostDollars,
  });
  if (fit >= requests) return true;
  emit({ kind: 'budget', spentDollars, capDollars: maxCostDollars });
  halt({
    kind: 'budget',
    message: `the budget of $${maxCostDollars} leaves no room for ${requests} rows at full price`,
  });
  return false;
}

/** The result line of one row; null when the run stops before there is an answer. */
async function answerLine(lanes: Lanes, { seq, key, params }: RenderedRow): Promise<Buffer | null> {
  const { parts, signal, bell, halt } = lanes;
  if (params === null)
    throw new RunError('changed', `the input has changed since the run began: row ${key} makes no request now`);
  const customId = customIdOf({ nonce: SYNC_NONCE, seq, key });
  for (let tries = 1; ; tries += 1) {
    const answer = await parts.api.message(params, signal).catch((error: unknown) => ({
      status: 0,
      body: Buffer.from(JSON.stringify({ type: 'error', error: { type: 'api_error', message: String(error) } })),
      retryAfterMs: null,
    }));
    if (signal.aborted && answer.status === 0) return null;
    if (answer.status === 200) return lineOf(customId, { type: 'succeeded', body: answer.body });
    const { status } = answer;
    const refusal = answerTo({ status, ...errorIn(answer.body) }, 1);
    if (refusal.kind === 'authentication') throw new RunError('authentication', errorIn(answer.body).message);
    if (refusal.kind === 'credit') {
      halt({ kind: 'credit', message: errorIn(answer.body).message });
      return null;
    }
    const mayPass = status === 0 || status === 408 || status === 429 || status >= 500;
    if (!mayPass || tries >= SYNC_TRIES_MAX) return lineOf(customId, { type: 'errored', body: answer.body });
    await bell.pause(answer.retryAfterMs ?? Math.min(REFUSED_WAIT_MS_MAX, lanes.pace.refusedWaitMs * 2 ** (tries - 1)));
    if (signal.aborted) return null;
  }
}

function lineOf(
  customId: string,
  { type, body }: { readonly type: 'succeeded' | 'errored'; readonly body: Uint8Array },
): Buffer {
  // Line ends in JSON stand only between its tokens.
  const text = Buffer.from(body)
    .toString('utf8')
    .replaceAll(/[\r\n]+/g, ' ');
  const isJson = parsed(text) !== null;
  const value = isJson
    ? text
    : JSON.stringify({ type: 'error', error: { type: 'api_error', message: text.slice(0, 1_000) } });
  const kind = isJson ? type : 'errored';
  const member = kind === 'succeeded' ? 'message' : 'error';
  return Buffer.from(`{"custom_id":"${customId}","result":{"type":"${kind}","${member}":${value}}}\n`);
}

function errorIn(body: Uint8Array): { type: string; message: string } {
  const whole = parsed(Buffer.from(body).toString('utf8')) as { error?: { type?: unknown; message?: unknown } } | null;
  const { type, message } = whole?.error ?? {};
  return {
    type: typeof type === 'string' ? type : 'api_error',
    message: typeof message === 'string' ? message : 'no message',
  };
}

function parsed(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

/** One writer for answers that come side by side. */
class Lines {
  readonly #writer: RawWriter;
  #last: Promise<void> = Promise.resolve();

  constructor(writer: RawWriter) {
    this.#writer = writer;
  }

  push(line: Buffer): Promise<void> {
    this.#last = this.#last.then(() => this.#writer.push(line));
    return this.#last;
  }

  async end(): Promise<void> {
    await this.#last;
  }
}

function asIfBatch(id: string, nowMs: number, requests: number): RemoteBatch {
  return {
    id,
    status: 'in_progress',
    createdAtMs: nowMs,
    endedAtMs: null,
    expiresAtMs: nowMs,
    archivedAtMs: null,
    resultsUrl: null,
    counts: { processing: requests, succeeded: 0, errored: 0, canceled: 0, expired: 0 },
  };
}
