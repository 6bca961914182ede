/** Reads the params of a Messages request: what an answer needs from them, or why a real API would refuse them. */
import { isObject, type Fields } from './fields.ts';
import { refuse } from './refusals.ts';

export type Prompt = {
  readonly kind: 'prompt';
  readonly fields: Fields;
  /** The whole request as text, to look for what few requests hold. */
  readonly json: string;
  readonly model: string;
  readonly maxTokens: number;
  readonly inputTokens: number;
  readonly firstWords: string;
};

export type Parsed = Pick<Prompt, 'fields' | 'json'>;
export type ReadPrompt = Prompt | { readonly kind: 'invalid'; readonly message: string };

/** About what English costs; the same figure is used for the answer, so the two can be compared. */
const BYTES_PER_TOKEN = 4;
/** An image or a document costs by its size on the page, not by the bytes of its encoding; this is a full-size image. */
const ATTACHMENT_TOKENS = 1_600;
/** Nothing a prompt says lies deeper; a hostile depth must not exhaust the stack. */
const COUNTED_DEPTH_MAX = 32;
const FIRST_WORDS_MAX = 8;
const FIRST_WORDS_LENGTH_MAX = 60;
/** Only the head of a long prompt is searched for its first words. */
const SEARCHED_LENGTH_MAX = 300;

/** A prompt that is only counted has no `max_tokens`. */
export function readPrompt(
  params: Uint8Array,
  options: { readonly counted: boolean } = { counted: false },
): ReadPrompt {
  const parsed = parseObject(params);
  if (parsed === null)
    return { kind: 'invalid', message: 'The request body is not valid JSON: an object was expected.' };
  return promptOf(parsed, options);
}

export function promptOf(
  { fields, json }: Parsed,
  { counted }: { readonly counted: boolean } = { counted: false },
): ReadPrompt {
  const refusal = refuse(fields, { counted });
  if (refusal !== null) return { kind: 'invalid', message: refusal };
  const messages = fields['messages'] as readonly Fields[];
  const bytes = textBytes(fields['system']) + textBytes(fields['tools']) + contentBytes(messages);
  return {
    kind: 'prompt',
    fields,
    json,
    model: fields['model'] as string,
    maxTokens: counted ? 0 : (fields['max_tokens'] as number),
    inputTokens: Math.max(1, tokensOfBytes(bytes)),
    firstWords: firstWords(lastUserText(messages)),
  };
}

export function tokensOfBytes(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN);
}

export function bytesOfTokens(tokens: number): number {
  return tokens * BYTES_PER_TOKEN;
}

export function parseObject(params: Uint8Array): Parsed | null {
  try {
    const json = Buffer.from(params.buffer, params.byteOffset, params.byteLength).toString('utf8');
    const fields: unknown = JSON.parse(json);
    return isObject(fields) ? { fields, json } : null;
  } catch {
    return null;
  }
}

/** All that the last user message says in text, where tools and triggers are looked for. */
export function allOfLastUserText({ fields }: Prompt): string {
  const messages = fields['messages'] as readonly Fields[];
  const content = messages.findLast((message) => message['role'] === 'user')?.['content'];
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  const texts = content.map((part: unknown) => (isObject(part) && part['type'] === 'text' ? part['text'] : null));
  return texts.filter((text) => typeof text === 'string').join('\n');
}

function contentBytes(messages: readonly Fields[]): number {
  let bytes = 0;
  for (const message of messages) bytes += textBytes(message['content']);
  return bytes;
}

/** The bytes of all text in a value, without the names and marks that only give it its shape. */
export function textBytes(value: unknown, depth = 0): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (typeof value !== 'object' || value === null || depth > COUNTED_DEPTH_MAX) return 0;
  let bytes = 0;
  if (Array.isArray(value)) {
    for (const part of value) bytes += textBytes(part, depth + 1);
    return bytes;
  }
  for (const [name, part] of Object.entries(value)) {
    if (name === 'type' || name === 'cache_control') continue;
    bytes += name === 'source' && isEncoded(part) ? ATTACHMENT_TOKENS * BYTES_PER_TOKEN : textBytes(part, depth + 1);
  }
  return bytes;
}

function isEncoded(source: unknown): boolean {
  return isObject(source) && source['type'] !== 'text' && source['type'] !== 'content';
}

function lastUserText(messages: readonly Fields[]): string {
  const content = messages.findLast((message) => message['role'] === 'user')?.['content'];
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  const block: unknown = content.find((part: unknown) => isObject(part) && typeof part['text'] === 'string');
  return isObject(block) ? (block['text'] as string) : '';
}

/** Cut between words where there are any, and never inside a character. */
function firstWords(text: string): string {
  const head = text.slice(0, SEARCHED_LENGTH_MAX).toWellFormed();
  let kept = '';
  let count = 0;
  for (const [word] of head.matchAll(/[^\s\p{Cc}\ufffd"]+/gu)) {
    const longer = count === 0 ? word : `${kept} ${word}`;
    if (longer.length > FIRST_WORDS_LENGTH_MAX || count === FIRST_WORDS_MAX) break;
    kept = longer;
    count += 1;
  }
  if (kept !== '' || head.trim() === '') return kept;
  return head
    .trim()
    .slice(0, FIRST_WORDS_LENGTH_MAX)
    .toWellFormed()
    .replaceAll(/[\p{Cc}\ufffd"]/gu, '');
}
