/** A chat completion as a message: one line of JSON, and what it cost. */
import type { Usage } from '../../domain/tally.ts';
import {
  countedOf,
  gaveUp,
  messageId,
  RAW_ARGUMENTS,
  spoken,
  stopOf,
  toolCallsOf,
  toolUseId,
  UNSIGNED,
  usageText,
} from './completion.ts';
import { isObject, type Json } from './fault.ts';
import type { AnswerContext } from './request.ts';

export type Translated =
  | { readonly kind: 'message'; readonly line: Buffer; readonly model: string; readonly usage: Usage }
  | { readonly kind: 'garbage'; readonly reason: string };

/** `tier` is the service tier its usage names. */
export function fromChat(bytes: Uint8Array, { context, tier }: { context: AnswerContext; tier: string }): Translated {
  let completion: unknown;
  try {
    completion = JSON.parse(asText(bytes)) as unknown;
  } catch (error) {
    return garbage(`the answer is not valid JSON: ${(error as Error).message}`);
  }
  if (!isObject(completion)) return garbage('the answer is not a JSON object');
  const choice = Array.isArray(completion['choices']) ? (completion['choices'][0] as unknown) : undefined;
  if (!isObject(choice) || !isObject(choice['message'])) return garbage(complaintOf(completion));
  if (gaveUp(choice['finish_reason']))
    return garbage(`the answer ended with ${JSON.stringify(choice['finish_reason'])}`);
  return messageOf(completion, { choice, message: choice['message'], bytes, context, tier });
}

type Parts = {
  readonly choice: Json;
  readonly message: Json;
  readonly bytes: Uint8Array;
  readonly context: AnswerContext;
  readonly tier: string;
};

function messageOf(completion: Json, { choice, message, bytes, context, tier }: Parts): Translated {
  const id = messageId(bytes);
  const calls = toolCallsOf(message);
  if (calls.some((call) => nameOf(call) === '')) return garbage('it holds a tool call without a name');
  const refusal = typeof message['refusal'] === 'string' ? message['refusal'] : '';
  const stop = stopOf({ choice, hasToolCalls: calls.length > 0, refusal, context });
  const counted = countedOf(completion['usage']);
  const model = modelOf(completion, context);
  const line =
    `{"model":${JSON.stringify(model)},"id":"${id}","type":"message","role":"assistant",` +
    `"content":[${contentOf(message, { calls, refusal, id, context })}],"stop_reason":"${stop.reason}",` +
    `"stop_sequence":${JSON.stringify(stop.sequence)},"stop_details":${JSON.stringify(stop.details)},` +
    `"usage":${usageText(counted, tier)}}`;
  return { kind: 'message', line: Buffer.from(line), model, usage: counted.usage };
}

type Content = {
  readonly calls: readonly Json[];
  readonly refusal: string;
  readonly id: string;
  readonly context: AnswerContext;
};

/** Empty texts are no blocks: the API refuses them when the turn is sent again. */
function contentOf(message: Json, { calls, refusal, id, context }: Content): string {
  const { thinking, text } = spoken(message);
  const own = context.echo !== '' && text.startsWith(context.echo) ? text.slice(context.echo.length) : text;
  const said = own === '' ? refusal : own;
  let content = '';
  if (thinking !== '') {
    const shown = JSON.stringify(context.hidesThinking ? '' : thinking);
    content = `{"type":"thinking","thinking":${shown},"signature":"${UNSIGNED}"}`;
  }
  if (said !== '') content += `${content === '' ? '' : ','}{"type":"text","text":${JSON.stringify(said)}}`;
  if (calls.length === 0) return content;
  const taken = new Set<string>();
  for (const call of calls) {
    const called = isObject(call['function']) ? call['function'] : {};
    const name = context.names.original(nameOf(call));
    const useId = JSON.stringify(toolUseId(call['id'], { taken, seed: id }));
    content +=
      `${content === '' ? '' : ','}{"type":"tool_use","id":${useId},"name":${JSON.stringify(name)},` +
      `"input":${inputText(called['arguments'])}}`;
  }
  return content;
}

function nameOf({ function: called }: Json): string {
  return isObject(called) && typeof called['name'] === 'string' ? called['name'] : '';
}

/** The very text of the arguments where it is an object: no number and no order of it changes. */
export function inputText(value: unknown): string {
  if (value === undefined || value === null || value === '') return '{}';
  if (typeof value !== 'string') return isObject(value) ? JSON.stringify(value) : raw(JSON.stringify(value));
  let parsed: unknown;
  try {
    parsed = JSON.parse(value) as unknown;
  } catch {
    return raw(value);
  }
  if (parsed === null) return '{}';
  if (!isObject(parsed)) return raw(value);
  // Half a character has no bytes of its own; in JSON it stands only in strings, where it can be escaped.
  const text = value.isWellFormed() ? value : value.replaceAll(/\p{Surrogate}/gu, escaped);
  // In valid JSON line ends stand only between tokens, and a line of results must hold none.
  return text.replaceAll(/[\r\n]/g, '');
}

function escaped(half: string): string {
  return `\\u${half.charCodeAt(0).toString(16)}`;
}

function raw(text: string): string {
  return JSON.stringify({ [RAW_ARGUMENTS]: text });
}

export function modelOf({ model }: Json, context: AnswerContext): string {
  return typeof model === 'string' && model !== '' ? model : context.model;
}

/** Some servers answer 200 with an error in it. */
function complaintOf({ error }: Json): string {
  const words = isObject(error) ? error['message'] : error;
  return typeof words === 'string' ? words : 'it is not a chat completion';
}

function garbage(reason: string): Translated {
  return { kind: 'garbage', reason };
}

function asText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
