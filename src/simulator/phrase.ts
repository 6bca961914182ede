/** What the simulator says: short, varied, always marked as simulated, and short enough for what the request allows. */
import { SIMULATED_TOKENS_MAX } from '../domain/limits.ts';
import type { Draw } from './draw.ts';
import { bytesOfTokens, tokensOfBytes } from './prompt.ts';

export interface Wording {
  readonly text: string;
  readonly tokens: number;
  readonly stopReason: 'end_turn' | 'max_tokens';
}

const MARK = '[simulated]';
const SHORTEST = '[sim]';
const SHORTEST_CUT = '[sim';

const OPENINGS = ['About', 'On', 'As for', 'Regarding', 'Concerning', 'To answer', 'In reply to', 'Having read'];
const VERDICTS = ['positive', 'neutral', 'negative', 'yes', 'no', 'unclear', 'likely', 'unlikely'];
const POINTS = [
  'the main point holds, and the details support it.',
  'two things matter here, and the first one decides.',
  'the short answer is yes, with one exception.',
  'the short answer is no, for a simple reason.',
  'the matter is clear enough to be settled in one sentence.',
  'there are good grounds on both sides, and the balance is even.',
  'what stands out is how much depends on the context.',
  'a careful reader would ask for one more fact.',
  'the usual answer applies, and nothing here speaks against it.',
  'the simplest reading is also the most likely one.',
  'it is worth starting small and measuring the effect.',
  'the order of the steps matters more than their number.',
];
const CLOSINGS = [
  'No model was asked.',
  'This text was drawn from a seed.',
  'A real model would say more.',
  'Nothing was bought for this answer.',
  'The same request gets the same words.',
  'Treat it as a placeholder.',
];

/** The first answer that takes at most half of what is allowed, so that a plain answer ends well below its limit. */
export function phrase(input: {
  readonly draw: Draw;
  readonly firstWords: string;
  readonly maxTokens: number;
}): Wording {
  const { draw, firstWords, maxTokens } = input;
  const point = draw.pick(POINTS);
  const said = firstWords === '' ? capitalize(point) : `${draw.pick(OPENINGS)} "${firstWords}": ${point}`;
  const candidates = [`${MARK} ${said} ${draw.pick(CLOSINGS)}`, `${MARK} ${draw.pick(VERDICTS)}`, MARK];
  for (const text of candidates) {
    const tokens = tokensOfBytes(Buffer.byteLength(text));
    if (tokens * 2 <= maxTokens) return { text, tokens, stopReason: 'end_turn' };
  }
  const shortestTokens = tokensOfBytes(SHORTEST.length);
  if (shortestTokens <= maxTokens) return { text: SHORTEST, tokens: shortestTokens, stopReason: 'end_turn' };
  return { text: SHORTEST_CUT, tokens: tokensOfBytes(SHORTEST_CUT.length), stopReason: 'max_tokens' };
}

/** Words until a length in tokens; where it is more than what is allowed, cut there. */
export function longPhrase(input: {
  readonly draw: Draw;
  readonly tokens: number;
  readonly maxTokens: number;
}): Wording {
  const { draw } = input;
  const maxTokens = Math.min(input.maxTokens, SIMULATED_TOKENS_MAX);
  const tokens = Math.max(1, Math.min(input.tokens, maxTokens));
  const length = bytesOfTokens(tokens);
  const sentences = [MARK];
  let letters = MARK.length;
  while (letters < length) {
    const sentence = capitalize(draw.pick(POINTS));
    sentences.push(sentence);
    letters += sentence.length + 1;
  }
  const text = sentences.join(' ').slice(0, length);
  return { text, tokens, stopReason: input.tokens > maxTokens ? 'max_tokens' : 'end_turn' };
}

/** What a model that thinks first says to itself. */
export function thought({ draw, firstWords }: { readonly draw: Draw; readonly firstWords: string }): string {
  const about = firstWords === '' ? 'this' : `"${firstWords}"`;
  return `${MARK} The question is about ${about}. Seen closely, ${draw.pick(POINTS)} So I can answer.`;
}

function capitalize(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
