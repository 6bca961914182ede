/** What a program did with its server, asked from the server itself: batches, failures by message, cost. */
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { costLines, type UsageView } from './exec-cost.ts';

type Counts = Readonly<Record<'processing' | 'succeeded' | 'errored' | 'canceled' | 'expired', number>>;
type BatchView = {
  readonly id: string;
  readonly processing_status: string;
  readonly created_at: string;
  readonly request_counts: Counts;
};
type Page = { readonly data: readonly BatchView[]; readonly has_more: boolean; readonly last_id: string | null };
type Line = {
  readonly custom_id: string;
  readonly result: { readonly type: string; readonly error?: { readonly error?: Failure } };
};
type Failure = { readonly type: string; readonly message: string };

export type SummaryQuery = {
  readonly url: string;
  readonly key: string;
  readonly sinceMs: number;
  /** The data folder, for the command that goes on with what is unfinished. */
  readonly data: string;
};

const FAILURES_SHOWN = 5;
const FAILURES_KEPT = 1_000;
const PAGE = 1_000;

export async function summaryOf(query: SummaryQuery): Promise<string> {
  const batches = await batchesSince(query);
  if (batches.length === 0) return '  batches    none\n';
  const unfinished = batches.filter(({ processing_status: status }) => status !== 'ended');
  const counts = batches.map((batch) => batch.request_counts).reduce(addCounts);
  const lines = [
    `  batches    ${number(batches.length)}${unfinished.length > 0 ? `, ${number(unfinished.length)} not ended` : ''}`,
    `  requests   ${countsText(counts)}`,
    ...(await failureLines(query, batches)),
    ...costLines(await usagesOf(query, batches)),
  ];
  if (unfinished.length > 0)
    lines.push(`  go on      nightshift serve --data ${query.data}   (nothing is lost: it finishes them)`);
  return `${lines.join('\n')}\n`;
}

async function batchesSince(query: SummaryQuery): Promise<readonly BatchView[]> {
  const batches: BatchView[] = [];
  for (let after: string | null = null; ;) {
    const cursor: string = after === null ? '' : `&after_id=${after}`;
    const response = await ask(query, `?limit=${PAGE}${cursor}`);
    if (!response.ok) throw new Error(`its server answered with status ${response.status}`);
    const page = (await response.json()) as Page;
    const fresh = page.data.filter(({ created_at: at }) => Date.parse(at) >= query.sinceMs);
    batches.push(...fresh);
    if (!page.has_more || fresh.length < page.data.length) return batches;
    after = page.last_id;
  }
}

function addCounts(left: Counts, right: Counts): Counts {
  const names = Object.keys(left) as (keyof Counts)[];
  return Object.fromEntries(names.map((name) => [name, left[name] + right[name]])) as Counts;
}

function countsText(counts: Counts): string {
  const told = Object.entries(counts).filter(([, count]) => count > 0);
  return told.map(([name, count]) => `${number(count)} ${name}`).join(', ');
}

/** The same message once, with how often and for whom. */
async function failureLines(query: SummaryQuery, batches: readonly BatchView[]): Promise<readonly string[]> {
  const groups = new Map<string, { count: number; readonly first: string }>();
  for (const { id, request_counts: counts } of batches) {
    if (counts.errored === 0) continue;
    for await (const { custom_id: customId, result } of linesOf(await ask(query, `/${id}/results`))) {
      const error = result.error?.error;
      if (result.type !== 'errored' || error === undefined) continue;
      const text = `${error.type}: ${error.message}`;
      const group = groups.get(text);
      if (group !== undefined) group.count += 1;
      else if (groups.size < FAILURES_KEPT) groups.set(text, { count: 1, first: customId });
    }
  }
  const sorted = [...groups].toSorted(([, left], [, right]) => right.count - left.count);
  const shown = sorted.slice(0, FAILURES_SHOWN).map(([text, { count, first }], at) => {
    return `  ${at === 0 ? 'failures  ' : '          '} ${number(count)} × ${text} (such as ${first})`;
  });
  const more = sorted.length - shown.length;
  return more > 0 ? [...shown, `             and ${number(more)} more kinds`] : shown;
}

/** A program with more batches than this would wait for its own summary. */
const BATCHES_PRICED = 1_000;

async function usagesOf(query: SummaryQuery, batches: readonly BatchView[]): Promise<readonly UsageView[]> {
  const usages: UsageView[] = [];
  for (const { id } of batches.slice(0, BATCHES_PRICED)) {
    const response = await ask(query, `/${id}/usage`);
    if (response.ok) usages.push((await response.json()) as UsageView);
  }
  return usages;
}

async function* linesOf(response: Response): AsyncGenerator<Line> {
  if (!response.ok || response.body === null) return;
  const input = Readable.fromWeb(response.body as ReadableStream);
  for await (const line of createInterface({ input, crlfDelay: Infinity })) yield JSON.parse(line) as Line;
}

async function ask({ url, key }: SummaryQuery, path: string): Promise<Response> {
  return fetch(`${url}/v1/messages/batches${path}`, {
    headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01' },
  });
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
