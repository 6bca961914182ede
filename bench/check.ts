/** The check every run ends with: exactly one line for each row, and each line its own row's. */

import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { customIdOf, markerOf, paramsLengthOf } from './bodies.ts';
import type { Rows } from './bodies.ts';
import type { Batch, Client, RequestCounts } from './client.ts';

export type Checked = { readonly succeeded: number; readonly canceled: number; readonly errored: number };

type Line = {
  readonly custom_id: string;
  readonly result: {
    readonly type: string;
    readonly message?: {
      readonly content: readonly { readonly text: string }[];
      readonly usage: { readonly input_tokens: number };
    };
  };
};

export type CheckOptions = {
  readonly client: Client;
  readonly batch: Batch;
  readonly rows: Rows;
  /** A bench that cancels what it no longer needs gets canceled lines too. */
  readonly mayBeCanceled?: boolean;
  /** So many requests may have met three cut calls, which may each have been paid for: they are errored by the rule, not lost. */
  readonly mayBeCutMax?: number;
};

/** Throws where a row is lost, doubled, changed, mixed up with another or not succeeded. */
export async function checkResults(options: CheckOptions): Promise<Checked> {
  const { client, batch, rows, mayBeCanceled = false, mayBeCutMax = 0 } = options;
  const seen = new Uint8Array(rows.count);
  const counts = { succeeded: 0, canceled: 0, errored: 0 };
  const pieces = Readable.from(await client.results(batch.id), { objectMode: false });
  for await (const text of createInterface({ input: pieces, crlfDelay: Infinity })) {
    const line = JSON.parse(text) as Line;
    const row = rowOf(line.custom_id, rows);
    if (seen[row - rows.first] === 1) throw new Error(`${batch.id}: ${line.custom_id} has two lines`);
    seen[row - rows.first] = 1;
    if (line.result.type === 'canceled' && mayBeCanceled) {
      counts.canceled += 1;
    } else if (wasCut(line) && counts.errored < mayBeCutMax) {
      counts.errored += 1;
    } else {
      checkAnswer({ line, row, rows });
      counts.succeeded += 1;
    }
  }
  const lost = seen.indexOf(0);
  if (lost >= 0) throw new Error(`${batch.id}: ${customIdOf(rows.first + lost)} has no line`);
  checkCounts(batch, counts);
  return counts;
}

function rowOf(customId: string, { first, count }: Rows): number {
  const row = Number(customId.slice('id-'.length));
  if (row >= first && row < first + count && customIdOf(row) === customId) return row;
  throw new Error(`${customId} was never sent`);
}

function wasCut({ result }: Line): boolean {
  return result.type === 'errored' && JSON.stringify(result).includes('The upstream cut the connection');
}

function checkAnswer({ line, row, rows }: { line: Line; row: number; rows: Rows }): void {
  const { type, message } = line.result;
  if (type !== 'succeeded' || message === undefined)
    throw new Error(`${line.custom_id} is ${type}: ${JSON.stringify(line.result)}`);
  const text = message.content[0].text;
  if (!text.startsWith(`${markerOf(row)} `))
    throw new Error(`${line.custom_id} has the answer of another row: ${text}`);
  // The test upstream counts a token for every four bytes of the body it got.
  const tokens = (paramsLengthOf(row, rows) >> 2) + 1;
  if (message.usage.input_tokens !== tokens)
    throw new Error(`${line.custom_id} reached the upstream with another length`);
}

function checkCounts(batch: Batch, lines: Checked): void {
  const wanted: RequestCounts = { processing: 0, expired: 0, ...lines };
  const told = batch.request_counts;
  for (const kind of Object.keys(wanted) as (keyof RequestCounts)[]) {
    if (told[kind] !== wanted[kind])
      throw new Error(`${batch.id} says ${told[kind]} ${kind}, its lines say ${wanted[kind]}`);
  }
}
