/** A prompt as a cache sees it: blocks in the order tools, system, messages, each with a hash of all up to it, and where it is marked. */
import { BREAKPOINTS_MAX } from '../domain/limits.ts';
import { hashBytes, lanesOfSeed, type Lanes } from './draw.ts';
import { isObject, type Fields } from './fields.ts';
import { textBytes, tokensOfBytes } from './prompt.ts';

export type Ttl = '5m' | '1h';

export type PromptBlock = {
  /** Of the model and every block up to this one. */
  readonly prefix: string;
  /** Tokens of all up to this one. */
  readonly tokens: number;
  readonly mark: Ttl | null;
};

export type PromptBlocks =
  | { readonly kind: 'blocks'; readonly blocks: readonly PromptBlock[] }
  | { readonly kind: 'invalid'; readonly message: string };

type Found = {
  /** Where it stands, as errors name it. */
  readonly place: string;
  readonly section: 'tools' | 'system' | 'messages';
  readonly role: string;
  readonly value: unknown;
  mark: Ttl | null;
};

const ORDER = 'Note that blocks are processed in the following order: `tools`, `system`, `messages`.';

class BadMark extends Error {}

export function readPromptBlocks(fields: Fields): PromptBlocks {
  try {
    const found = findBlocks(fields);
    const explicit = found.filter(({ mark }) => mark !== null).length;
    if (explicit > BREAKPOINTS_MAX) throw tooMany(explicit);
    markLast(found, { automatic: fields['cache_control'], explicit });
    refuseOrder(found);
    return { kind: 'blocks', blocks: hashed(fields, found) };
  } catch (error) {
    if (error instanceof BadMark) return { kind: 'invalid', message: error.message };
    // Nested so deep that it cannot be written again: nothing that a real prompt is.
    if (error instanceof RangeError) return { kind: 'invalid', message: 'The request is nested too deep.' };
    throw error;
  }
}

function findBlocks({ tools, system, messages }: Fields): readonly Found[] {
  const found: Found[] = [];
  const put = (value: unknown, at: Pick<Found, 'place' | 'section' | 'role'>): void => {
    found.push({ ...at, value, mark: markOf(value, at.place) });
  };
  const putAll = (content: unknown, at: Pick<Found, 'place' | 'section' | 'role'>): void => {
    if (typeof content === 'string') put({ type: 'text', text: content }, at);
    if (!Array.isArray(content)) return;
    for (const [index, block] of content.entries()) put(block, { ...at, place: `${at.place}.${index}` });
  };
  putAll(tools, { place: 'tools', section: 'tools', role: '' });
  putAll(system, { place: 'system', section: 'system', role: '' });
  for (const [index, message] of (messages as readonly Fields[]).entries()) {
    const role = String(message['role']);
    putAll(message['content'], { place: `messages.${index}.content`, section: 'messages', role });
  }
  return found;
}

function markOf(block: unknown, place: string): Ttl | null {
  if (!isObject(block)) return null;
  const control = block['cache_control'];
  if (control === undefined || control === null) return null;
  const ttl = ttlOf(control, `${place}.cache_control`);
  if (isThinking(block))
    throw new BadMark(`${place}.${String(block['type'])}.cache_control: Extra inputs are not permitted`);
  if (block['type'] === 'text' && block['text'] === '')
    throw new BadMark(`${place}.text: cache_control cannot be set for empty text blocks`);
  return ttl;
}

function ttlOf(control: unknown, place: string): Ttl {
  if (!isObject(control)) throw new BadMark(`${place}: Input should be a valid dictionary`);
  if (control['type'] !== 'ephemeral') throw new BadMark(`${place}.type: Input should be 'ephemeral'`);
  const ttl = control['ttl'] ?? '5m';
  if (ttl !== '5m' && ttl !== '1h') throw new BadMark(`${place}.ttl: Input should be '5m' or '1h'`);
  return ttl;
}

/** Automatic caching marks the last block that can be marked, and takes one of the four places. */
function markLast(found: readonly Found[], { automatic, explicit }: { automatic: unknown; explicit: number }): void {
  if (automatic === undefined || automatic === null) return;
  const ttl = ttlOf(automatic, 'cache_control');
  const last = found.findLast(({ value }) => isObject(value) && !isThinking(value) && value['text'] !== '');
  if (last === undefined || last.mark === ttl) return;
  if (last.mark !== null)
    throw new BadMark(`cache_control: the last block already has a cache_control with ttl='${last.mark}'`);
  if (explicit >= BREAKPOINTS_MAX) throw tooMany(explicit + 1);
  last.mark = ttl;
}

function tooMany(count: number): BadMark {
  return new BadMark(`A maximum of ${BREAKPOINTS_MAX} blocks with cache_control may be provided. Found ${count}.`);
}

function refuseOrder(found: readonly Found[]): void {
  const short = found.findIndex(({ mark }) => mark === '5m');
  const long = found.findLast(({ mark }, at) => mark === '1h' && short >= 0 && at > short);
  if (long === undefined) return;
  throw new BadMark(
    `${long.place}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. ${ORDER}`,
  );
}

/** Settings that change how messages are read change the prefixes of messages, and leave those of tools and system. */
function hashed(fields: Fields, found: readonly Found[]): readonly PromptBlock[] {
  let lanes = lanesOfSeed(String(fields['model']));
  let bytes = 0;
  let isInMessages = false;
  return found.map(({ section, role, value, mark }) => {
    if (section === 'messages' && !isInMessages) {
      isInMessages = true;
      lanes = hashText(JSON.stringify([fields['tool_choice'], fields['thinking'], fields['speed']]), lanes);
    }
    bytes += textBytes(value);
    lanes = hashText(`${section}\n${role}\n${JSON.stringify(withoutMark(value))}`, lanes);
    return { prefix: `${lanes.left >>> 0}.${lanes.right >>> 0}`, tokens: tokensOfBytes(bytes), mark };
  });
}

function withoutMark(value: unknown): unknown {
  if (!isObject(value) || !('cache_control' in value)) return value ?? null;
  const { cache_control: _, ...rest } = value;
  return rest;
}

function hashText(text: string, lanes: Lanes): Lanes {
  return hashBytes(Buffer.from(text), lanes);
}

function isThinking({ type }: Fields): boolean {
  return type === 'thinking' || type === 'redacted_thinking';
}
