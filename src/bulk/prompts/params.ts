/** The params every row shares, and what a batch does not take. Members stand in the order in which a prompt is cached: tools, system, messages. */
import type { Change } from '../contract.ts';
import { PromptError } from './fault.ts';

export type Params = Readonly<Record<string, unknown>>;

/** Why a batch does not take these params; null when it does. */
export function paramsComplaint(params: Params): string | null {
  if (typeof params.model !== 'string' || params.model === '') return 'model: a name is required (-m, --model)';
  if (!Number.isSafeInteger(params.max_tokens)) return 'max_tokens: a whole number is required (--max-tokens)';
  if ((params.max_tokens as number) < 1)
    return 'max_tokens: must be at least 1; 0 only warms a cache, which a batch cannot use';
  if (!Array.isArray(params.messages) || params.messages.length === 0) return 'messages: at least one is required';
  for (const [name, isRefused, reason] of refusals) {
    if (params[name] !== undefined && params[name] !== null && isRefused(params[name])) return `${name}: ${reason}`;
  }
  return null;
}

const always = (): boolean => true;

const refusals: readonly (readonly [string, (value: unknown) => boolean, string])[] = [
  ['stream', (value) => value !== false, 'not allowed in a batch, whose results come as one file'],
  ['speed', (value) => value !== 'standard', 'not allowed in a batch: fast mode is for answers somebody waits for'],
  ['fallbacks', always, 'not allowed in a batch'],
  ['store', (value) => value !== false, 'not allowed in a batch, which keeps no threads'],
  ['previous_thread_event_id', always, 'not allowed in a batch, which keeps no threads'],
  ['cache_hint', always, 'not allowed in a batch'],
  ['context_hint', always, 'not allowed in a batch'],
  ['research_preview_2026_02', (value) => value === 'active', 'not allowed in a batch'],
];

/** The members in their order; what is null in `parts` is left out. */
export function orderParams({
  model,
  maxTokens,
  temperature,
  given,
  asked,
  system,
  messages,
}: {
  readonly model: string | null;
  readonly maxTokens: number;
  readonly temperature: number | null;
  /** From `--params`: below the flags, which have names of their own. */
  readonly given: Params;
  /** What asking for a schema adds. */
  readonly asked: Params;
  readonly system: unknown;
  readonly messages: readonly unknown[];
}): Params {
  const {
    tools,
    tool_choice: choice,
    output_config: output,
    messages: before,
    system: givenSystem,
    model: givenModel,
    ...rest
  } = given;
  const params: Record<string, unknown> = { model: model ?? givenModel, ...rest, max_tokens: maxTokens };
  if (temperature !== null) params.temperature = temperature;
  const allTools = [...listOf(tools, 'tools'), ...listOf(asked.tools, 'tools')];
  if (allTools.length > 0) params.tools = allTools;
  if ((asked.tool_choice ?? choice) !== undefined) params.tool_choice = asked.tool_choice ?? choice;
  if ((output ?? asked.output_config) !== undefined)
    params.output_config = { ...objectOf(output), ...objectOf(asked.output_config) };
  if ((system ?? givenSystem) !== undefined) params.system = system ?? givenSystem;
  params.messages = [...listOf(before, 'messages'), ...messages];
  return params;
}

function listOf(value: unknown, name: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new PromptError(`--params: ${name} must be a list`);
  return value;
}

function objectOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

/** Told to a model once, after an answer that did not fit. */
export function reaskMessages({ answer, complaint }: NonNullable<Change['reask']>): readonly unknown[] {
  const again = {
    role: 'user',
    content: `That answer does not fit what was asked for: ${complaint}. Answer again, with nothing but JSON that fits.`,
  };
  // The API takes no empty message; without the answer the complaint alone follows the question.
  return answer.trim() === '' ? [again] : [{ role: 'assistant', content: answer }, again];
}
