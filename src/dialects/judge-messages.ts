/** Checks what a prompt is made of: messages, the system prompt, their blocks, and where they are marked for the cache. */
import { CLOSE_LIST, OPEN_LIST } from '../bytes/ascii.ts';
import { skip, whitespace } from '../bytes/json.ts';
import { MESSAGES_PER_REQUEST_MAX } from '../domain/limits.ts';
import {
  each,
  extraInput,
  fieldRequired,
  isGiven,
  isList,
  isObject,
  isString,
  isText,
  notADictionary,
  notAList,
  notAString,
  oneOf,
  quoted,
  textAt,
  type Check,
  type Complaint,
  type Judging,
  type Walk,
} from './judge-values.ts';
import { keysOf, locate, type Enter, type Range } from './members.ts';

/** Blocks may hold blocks: a tool's result a search result, and that texts. Deeper ones are the upstream's business. */
const BLOCK_DEPTH_MAX = 3;

const messageKeys = keysOf('role', 'content');
const [rolePlace, contentPlace] = [0, 1];
const blockKeys = keysOf('type', 'content', 'citations', 'cache_control');
const cacheKeys = keysOf('type', 'ttl');

const notStringOrList = ': Input should be a valid string or list';
const checkRole = oneOf('user', 'assistant', 'system');
const checkCacheType = oneOf('ephemeral');
const checkCacheLifetime = oneOf('5m', '1h');

/** Where a block stands. */
type Place = { readonly isUser: boolean; readonly isAssistant: boolean; readonly depth: number };

const inSystem: Place = { isUser: false, isAssistant: false, depth: 1 };
const inUser: Place = { isUser: true, isAssistant: false, depth: 1 };
const inAssistant: Place = { isUser: false, isAssistant: true, depth: 1 };

export const messages: Walk = (judging, start) => {
  if (!isList(judging.bytes, start)) return notAList;
  const complaint = each(judging, start, (from) => {
    judging.messages += 1;
    return message(judging, from);
  });
  if (complaint !== null || judging.messages <= MESSAGES_PER_REQUEST_MAX) return complaint;
  return `: List should have at most ${MESSAGES_PER_REQUEST_MAX} items after validation, not ${judging.messages}`;
};

export const system: Walk = (judging, start) => {
  const { bytes } = judging;
  if (isList(bytes, start)) return each(judging, start, (from) => block(judging, from, inSystem));
  judging.end = skip(bytes, start);
  return isString(bytes, start) ? null : notStringOrList;
};

/** `cache_control` beside `messages`: it marks the last block. */
export const automaticCacheControl: Check = (judging, start) => {
  judging.marksLastBlock = true;
  return cacheControl(judging, start);
};

export function cacheControl(judging: Judging, start: number): Complaint {
  const { bytes } = judging;
  if (!isObject(bytes, start)) return notADictionary;
  const [type, lifetime] = locate(bytes, cacheKeys, { at: start }).found;
  if (type.start === -1) return `.type${fieldRequired}`;
  const typeComplaint = checkCacheType(judging, type.start, type.end);
  if (typeComplaint !== null) return `.type${typeComplaint}`;
  const lifetimeComplaint = isGiven(bytes, lifetime) ? checkCacheLifetime(judging, lifetime.start, lifetime.end) : null;
  return lifetimeComplaint === null ? null : `.ttl${lifetimeComplaint}`;
}

function message(judging: Judging, start: number): Complaint {
  const { bytes, marks } = judging;
  if (!isObject(bytes, start)) return notADictionary;
  const before = { marks: marks.length, lastBlockEnd: judging.lastBlockEnd };
  const walked = { at: -1, complaint: null as Complaint };
  // The content is judged while it is walked over, under the role that nearly always stands before it.
  const enter: Enter = (place, from, found) => {
    if (place !== contentPlace || walked.at !== -1) return -1;
    walked.at = from;
    walked.complaint = content(judging, from, found[rolePlace]);
    return walked.complaint === null ? judging.end : -1;
  };
  const { found, end } = locate(bytes, messageKeys, { at: start, enter });

  const role = found[rolePlace];
  if (role.start === -1) return `.role${fieldRequired}`;
  const roleComplaint = checkRole(judging, role.start, role.end);
  if (roleComplaint !== null) return `.role${roleComplaint}`;
  const contentStart = found[contentPlace].start;
  if (contentStart === -1) return `.content${fieldRequired}`;
  const wasAnother = walked.at !== contentStart || role.start > contentStart;
  if (wasAnother) {
    marks.length = before.marks;
    judging.lastBlockEnd = before.lastBlockEnd;
    walked.complaint = content(judging, contentStart, role);
  }
  judging.end = end;
  return walked.complaint === null ? null : `.content${walked.complaint}`;
}

function content(judging: Judging, start: number, role: Range): Complaint {
  const { bytes } = judging;
  if (isString(bytes, start)) {
    judging.end = judging.lastBlockEnd = skip(bytes, start);
    return null;
  }
  if (!isList(bytes, start)) return notStringOrList;
  const place = isText(bytes, role, 'user') ? inUser : isText(bytes, role, 'assistant') ? inAssistant : inSystem;
  return each(judging, start, (from) => {
    const complaint = block(judging, from, place);
    judging.lastBlockEnd = judging.end;
    return complaint;
  });
}

function block(judging: Judging, start: number, place: Place): Complaint {
  const { bytes } = judging;
  if (!isObject(bytes, start)) return notADictionary;
  const { found, end } = locate(bytes, blockKeys, { at: start });
  const [type, content, citations, cache] = found;
  if (type.start === -1) return `.type${fieldRequired}`;
  if (!isString(bytes, type.start)) return `.type${notAString}`;
  const complaint =
    removedUse(judging, place, { type, citations }) ??
    innerBlocks(judging, place, { type, content }) ??
    marked(judging, cache, end);
  judging.end = end;
  // Errors name a block by its place and its type: messages.0.content.0.text.cache_control.
  return complaint === null ? null : `.${quoted(textAt(bytes, type) ?? '')}${complaint}`;
}

/** What version 2026-10-21 removed: documents straight in an assistant's message, citations on a user's text. */
function removedUse({ bytes, isNewest }: Judging, place: Place, found: { type: Range; citations: Range }): Complaint {
  if (!isNewest) return null;
  if (place.isAssistant && place.depth === 1 && isText(bytes, found.type, 'document')) {
    return ': document blocks are not permitted in assistant messages';
  }
  if (!place.isUser || !isText(bytes, found.type, 'text') || !isGiven(bytes, found.citations)) return null;
  return isEmptyList(bytes, found.citations.start) ? null : `.citations${extraInput}`;
}

function innerBlocks(judging: Judging, place: Place, found: { type: Range; content: Range }): Complaint {
  const { bytes } = judging;
  if (found.content.start === -1 || !isList(bytes, found.content.start) || place.depth === BLOCK_DEPTH_MAX) return null;
  if (!isText(bytes, found.type, 'tool_result') && !isText(bytes, found.type, 'search_result')) return null;
  const inside = { ...place, depth: place.depth + 1 };
  const complaint = each(judging, found.content.start, (start) => block(judging, start, inside));
  return complaint === null ? null : `.content${complaint}`;
}

/** Notes where a block with `cache_control` ends. It comes after the blocks inside, so that marks ascend. */
export function marked(judging: Judging, cache: Range, blockEnd: number): Complaint {
  if (!isGiven(judging.bytes, cache)) return null;
  const complaint = cacheControl(judging, cache.start);
  if (complaint !== null) return `.cache_control${complaint}`;
  judging.marks.push(blockEnd);
  return null;
}

function isEmptyList(bytes: Buffer, at: number): boolean {
  return bytes[at] === OPEN_LIST && bytes[whitespace(bytes, at + 1)] === CLOSE_LIST;
}
