/** Which of the offered tools an answer calls, and with what input. */
import type { Draw } from './draw.ts';
import { isObject, objectsOf, type Fields } from './fields.ts';
import { drawJson } from './schema.ts';

export type ToolChoice = {
  /** The tools to call, in the order of the request; none is an answer in text. */
  readonly tools: readonly Fields[];
  /** The caller forced a call: nothing is said before it. */
  readonly forced: boolean;
};

type Question = {
  readonly fields: Fields;
  /** What the last user message says. */
  readonly text: string;
  readonly draw: Draw;
  /** A tool that a trigger names. */
  readonly wanted: string | null;
};

const CALLS_MAX = 8;
/** Of a name like `get_the_weather` only the last word says what it is about. */
const EMPTY_WORDS = new Set([
  'get',
  'set',
  'the',
  'for',
  'and',
  'new',
  'tool',
  'use',
  'run',
  'call',
  'make',
  'list',
  'with',
]);
const WORD_LENGTH_MIN = 3;
/** From this length on a word counts as found where it is the beginning of another: `report`, `reports`. */
const STEM_LENGTH_MIN = 4;
const nothing: ToolChoice = { tools: [], forced: false };

/**
 * A forced tool is always called. An offered one is called where the last user message speaks of it: a word of the tool's name occurs
 * there. After a tool's result the answer is text.
 */
export function chooseTools({ fields, text, draw, wanted }: Question): ToolChoice {
  const callable = objectsOf(fields['tools']).filter(isCallable);
  if (callable.length === 0) return nothing;
  const choice = isObject(fields['tool_choice']) ? fields['tool_choice'] : { type: 'auto' };
  if (choice['type'] === 'none') return nothing;
  const most = choice['disable_parallel_tool_use'] === true ? 1 : CALLS_MAX;
  if (choice['type'] === 'tool') {
    return { tools: callable.filter(({ name }) => name === choice['name']).slice(0, 1), forced: true };
  }
  const forced = choice['type'] === 'any';
  const named = callable.filter(({ name }) => name === wanted);
  if (named.length > 0) return { tools: named.slice(0, 1), forced };
  if (!forced && endsInResult(fields['messages'])) return nothing;
  const spokenOf = mentioned(callable, text).slice(0, most);
  if (spokenOf.length > 0) return { tools: spokenOf, forced };
  return forced ? { tools: [draw.pick(callable)], forced } : nothing;
}

export function drawInput(
  tool: Fields,
  { draw, minimal }: { readonly draw: Draw; readonly minimal: boolean },
): unknown {
  const own = inputOfTyped(tool['type']);
  if (own !== null) return own;
  const input = drawJson({ schema: tool['input_schema'], draw, minimal });
  return isObject(input) ? input : {};
}

/** Tools that run at the provider are never called: there is nothing here that could run them. */
function isCallable(tool: Fields): boolean {
  if (typeof tool['name'] !== 'string') return false;
  return isObject(tool['input_schema']) || inputOfTyped(tool['type']) !== null;
}

/** Tools that the API knows by their type have no schema in the request. */
function inputOfTyped(type: unknown): Fields | null {
  if (typeof type !== 'string') return null;
  if (type.startsWith('bash_')) return { command: 'echo simulated' };
  if (type.startsWith('text_editor_')) return { command: 'view', path: '/simulated.txt' };
  if (type.startsWith('memory_')) return { command: 'view', path: '/memories' };
  if (type.startsWith('computer_')) return { action: 'screenshot' };
  return null;
}

function endsInResult(messages: unknown): boolean {
  const last = objectsOf(messages).at(-1);
  return last?.['role'] === 'user' && objectsOf(last['content']).some(({ type }) => type === 'tool_result');
}

function mentioned(tools: readonly Fields[], text: string): readonly Fields[] {
  const said = new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
  return tools.filter((tool) => wordsOf(tool['name'] as string).some((word) => isSaid(word, said)));
}

function isSaid(word: string, said: ReadonlySet<string>): boolean {
  if (said.has(word)) return true;
  return word.length >= STEM_LENGTH_MIN && [...said].some((other) => other.startsWith(word));
}

function wordsOf(name: string): readonly string[] {
  const words =
    name
      .replaceAll(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.filter((word) => word.length >= WORD_LENGTH_MIN && !EMPTY_WORDS.has(word));
}
