// The requests of the demo, and the comparison of each with the answer it got.
import type Anthropic from '@anthropic-ai/sdk';
import { createHash } from 'node:crypto';
import { lanesOfSeed, startDraw } from '../../src/simulator/draw.ts';
import type { RowRecord } from '../../test/support/upstream-record.ts';

type Row = Anthropic.Messages.Batches.BatchCreateParams.Request;
type SeenRow = Pick<RowRecord, 'hashes'>;
type Line = Anthropic.Messages.Batches.MessageBatchIndividualResponse;

export const DEMO_MODEL = 'claude-haiku-4-5';

export type Findings = {
  /** Requests without a line, or that the model never saw. */
  readonly lost: number;
  /** Lines beyond the first of a request. */
  readonly doubled: number;
  /** Requests that reached the model with other bytes, and lines that are not the model's answer to their request. */
  readonly changed: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
};

export type Verdict = Findings & {
  readonly requests: number;
  readonly kills: number;
  readonly sentAgain: number;
  readonly sentAgainMax: number;
  readonly concurrency: number;
  readonly recoveriesMs: readonly number[];
  readonly workMs: number;
  /** The batch's own counts say what the lines say. */
  readonly countsAgree: boolean;
  readonly passed: boolean;
};

const openings = [
  'Arrived late, but',
  'After two weeks of use,',
  'My sister chose it, and',
  'For the price,',
  'To my surprise,',
];
const middles = [
  'the handle works loose',
  'it does exactly what it says',
  'the manual is a riddle',
  'it is quieter than my old one',
];
const endings = [
  'and I would buy it again.',
  'so it goes back tomorrow.',
  'which nobody mentions.',
  '— ça va, 悪くない.',
];

/** The model's answer names the `row-N` of the prompt, which is how a wrong answer would be seen. */
export function makeRequests(requests: number, seed: number): Row[] {
  const draw = startDraw(lanesOfSeed(`rows of ${seed}`));
  return Array.from({ length: requests }, (_, row) => {
    const review = [draw.pick(openings), draw.pick(middles), draw.pick(endings)].join(' ');
    const content = `Review row-${row}: "${review}"\nIs it positive, negative or neutral? Answer with one word.`;
    return {
      custom_id: `review-${row}`,
      params: { model: DEMO_MODEL, max_tokens: 16 + (draw.word() % 48), messages: [{ role: 'user', content }] },
    };
  });
}

type Comparison = {
  readonly requests: readonly Row[];
  readonly lines: AsyncIterable<Line>;
  /** What the model itself wrote down about each row. */
  readonly upstreamRows: Readonly<Record<string, SeenRow>>;
};

export async function checkResults({ requests, lines, upstreamRows }: Comparison): Promise<Findings> {
  const seen = new Uint8Array(requests.length);
  let [doubled, changed, inputTokens, outputTokens] = [0, 0, 0, 0];
  for await (const line of lines) {
    const row = Number(/^review-(\d+)$/.exec(line.custom_id)?.[1] ?? NaN);
    if (!(row < requests.length)) {
      changed += 1;
      continue;
    }
    if (seen[row] === 1) doubled += 1;
    seen[row] = 1;
    if (!isAnswerTo(requests[row], row, line)) changed += 1;
    if (line.result.type !== 'succeeded') continue;
    inputTokens += line.result.message.usage.input_tokens;
    outputTokens += line.result.message.usage.output_tokens;
  }
  let lost = 0;
  requests.forEach((request, row) => {
    const record = upstreamRows[`row-${row}`];
    if (seen[row] === 0 || record === undefined) lost += 1;
    else if (!arrivedUnchanged(request, record)) changed += 1;
  });
  return { lost, doubled, changed, inputTokens, outputTokens };
}

/** Every time a request was sent, its params were the very bytes the SDK had written. */
function arrivedUnchanged(request: Row, record: SeenRow): boolean {
  const hash = createHash('sha256').update(JSON.stringify(request.params)).digest('hex');
  return record.hashes.length === 1 && record.hashes[0] === hash;
}

/** The model counts a token for every four bytes it got, and one more: the count ties an answer to its request as well. */
function isAnswerTo(request: Row, row: number, { result }: Line): boolean {
  if (result.type !== 'succeeded') return false;
  const { content, model, stop_reason: stopReason, usage } = result.message;
  const [block] = content;
  const bytes = Buffer.byteLength(JSON.stringify(request.params));
  return (
    content.length === 1 &&
    block.type === 'text' &&
    block.text.startsWith(`row-${row} `) &&
    block.text.endsWith('lazy dog.') &&
    model === DEMO_MODEL &&
    stopReason === 'end_turn' &&
    usage.input_tokens === (bytes >> 2) + 1
  );
}
