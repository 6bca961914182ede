/** Reads the params of a Messages request: what an answer needs from them, or why a real API would refuse them. */

export type Prompt =
  | {
      readonly kind: 'prompt';
      readonly model: string;
      readonly maxTokens: number;
      readonly inputTokens: number;
      readonly firstWords: string;
    }
  | { readonly kind: 'invalid'; readonly message: string };

type Fields = Readonly<Record<string, unknown>>;

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

export function readPrompt(params: Uint8Array): Prompt {
  const fields = parseObject(params);
  if (fields === null) return invalid('The request body is not valid JSON: an object was expected.');
  const refusal = refuse(fields);
  if (refusal !== null) return invalid(refusal);
  const messages = fields['messages'] as readonly Fields[];
  const bytes = textBytes(fields['system']) + textBytes(fields['tools']) + contentBytes(messages);
  return {
    kind: 'prompt',
    model: fields['model'] as string,
    maxTokens: fields['max_tokens'] as number,
    inputTokens: Math.max(1, tokensOfBytes(bytes)),
    firstWords: firstWords(lastUserText(messages)),
  };
}

export function tokensOfBytes(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN);
}

function invalid(message: string): Prompt {
  return { kind: 'invalid', message };
}

function parseObject(params: Uint8Array): Fields | null {
  try {
    const text = Buffer.from(params.buffer, params.byteOffset, params.byteLength).toString('utf8');
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** The order and the words are those of the real API, as far as they are known. */
function refuse(fields: Fields): string | null {
  const { model, messages, max_tokens: maxTokens } = fields;
  if (model === undefined) return 'model: Field required';
  if (typeof model !== 'string') return 'model: Input should be a valid string';
  if (model === '') return 'model: String should have at least 1 character';
  if (messages === undefined) return 'messages: Field required';
  if (!Array.isArray(messages)) return 'messages: Input should be a valid list';
  if (messages.length === 0) return 'messages: at least one message is required';
  if (maxTokens === undefined) return 'max_tokens: Field required';
  if (typeof maxTokens !== 'number' || !Number.isSafeInteger(maxTokens))
    return 'max_tokens: Input should be a valid integer';
  if (maxTokens < 1) return 'max_tokens: must be greater than or equal to 1';
  if (fields['stream'] === true) return '`stream=True` is not supported by the simulator';
  return refuseMessages(messages);
}

function refuseMessages(messages: readonly unknown[]): string | null {
  for (const [at, message] of messages.entries()) {
    if (!isObject(message)) return `messages.${at}: Input should be a valid dictionary`;
    if (message['role'] === undefined) return `messages.${at}.role: Field required`;
    if (typeof message['role'] !== 'string') return `messages.${at}.role: Input should be a valid string`;
    const content = message['content'];
    if (content === undefined) return `messages.${at}.content: Field required`;
    if (typeof content !== 'string' && !Array.isArray(content))
      return `messages.${at}.content: Input should be a valid list`;
  }
  return null;
}

function contentBytes(messages: readonly Fields[]): number {
  let bytes = 0;
  for (const message of messages) bytes += textBytes(message['content']);
  return bytes;
}

/** The bytes of all text in a value, without the names and marks that only give it its shape. */
function textBytes(value: unknown, depth = 0): number {
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

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
