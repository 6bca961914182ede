/** Where the prompts of rows stop being equal, found from some of them, and what the shared beginning costs when it is bought anew each time. */
import { inBatch } from '../../money/cost.ts';
import { listedModel, priceOf } from '../../money/prices.ts';
import { dollars } from '../../money/words.ts';
import { BYTES_PER_TOKEN, CACHEABLE_TOKENS_MIN_DEFAULT } from '../limits.ts';

export type SharedPrefix = {
  readonly bytes: number;
  readonly tokens: number;
  /** Where the first difference is; null when all are equal. */
  readonly where: string | null;
};

/** The prompt in the order in which it is cached: tools, system, messages. */
type Piece = { readonly where: string; readonly text: string };

export function sharedPrefix(samples: readonly Uint8Array[]): SharedPrefix {
  const prompts = samples.map(piecesOf);
  if (prompts.length === 0) return { bytes: 0, tokens: 0, where: null };
  const [first, ...rest] = prompts;
  let bytes = 0;
  for (const [index, { where, text }] of first.entries()) {
    const shared = rest.reduce(
      (least, pieces) => Math.min(least, sharedLength(text, pieces[index]?.text ?? '')),
      text.length,
    );
    const isWhole = shared === text.length && rest.every((pieces) => pieces[index]?.text.length === text.length);
    bytes += Buffer.byteLength(text.slice(0, shared));
    if (!isWhole) return { bytes, tokens: tokensOf(bytes), where: `${where}, character ${shared + 1}` };
  }
  const longer = rest.find((pieces) => pieces.length > first.length);
  return { bytes, tokens: tokensOf(bytes), where: longer?.[first.length].where ?? null };
}

/** What to tell when a long shared beginning is not marked; null when there is nothing to gain. */
export function prefixAdvice({
  shared,
  model,
  requests,
  marked,
  atMs,
}: {
  readonly shared: SharedPrefix;
  readonly model: string;
  readonly requests: number;
  readonly marked: boolean;
  readonly atMs: number;
}): string | null {
  const least = listedModel(model)?.cacheableTokensMin ?? CACHEABLE_TOKENS_MIN_DEFAULT;
  if (marked || requests < 2 || shared.tokens < least) return null;
  const rates = priceOf(model, atMs)?.bands[0].rates;
  const saved =
    rates === undefined
      ? null
      : inBatch(BigInt(shared.tokens) * BigInt(requests - 1) * BigInt(rates.input - rates.cacheRead));
  const until = shared.where === null ? 'to their end' : `up to ${shared.where}`;
  const worth = saved === null ? '' : `; reading it from the cache would save up to ${dollars(saved)}`;
  return `all prompts are equal ${until}, about ${shared.tokens} tokens${worth} (--cache auto)`;
}

function piecesOf(params: Uint8Array): Piece[] {
  const { tools, system, messages } = JSON.parse(Buffer.from(params).toString()) as {
    tools?: unknown;
    system?: unknown;
    messages?: unknown;
  };
  const pieces: Piece[] = [];
  if (tools !== undefined) pieces.push({ where: 'the tools', text: JSON.stringify(tools) });
  pieces.push(...blocksOf(system, 'the system prompt'));
  if (!Array.isArray(messages)) return pieces;
  for (const [index, message] of (messages as { role?: unknown; content?: unknown }[]).entries()) {
    pieces.push(...blocksOf(message?.content, messages.length === 1 ? 'the message' : `message ${index + 1}`));
  }
  return pieces;
}

function blocksOf(content: unknown, where: string): Piece[] {
  if (content === undefined || content === null) return [];
  if (!Array.isArray(content))
    return [{ where, text: typeof content === 'string' ? content : JSON.stringify(content) }];
  return content.map((block: { type?: unknown; text?: unknown }, index) => ({
    where: content.length === 1 ? where : `${where}, block ${index + 1}`,
    text: block?.type === 'text' ? String(block.text) : JSON.stringify(block),
  }));
}

function sharedLength(left: string, right: string): number {
  const end = Math.min(left.length, right.length);
  let at = 0;
  while (at < end && left.charCodeAt(at) === right.charCodeAt(at)) at += 1;
  return at;
}

function tokensOf(bytes: number): number {
  return Math.round(bytes / BYTES_PER_TOKEN);
}
