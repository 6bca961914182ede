/** Judges the params of one request without decoding them: the first fault there is, and what the index wants to know. */
import { LETTER_N } from '../bytes/ascii.ts';
import type { RequestError } from '../domain/outcome.ts';
import { hashPrefixes } from './breakpoints.ts';
import type { JudgeContext } from './dialect.ts';
import { messages } from './judge-messages.ts';
import { compile, extraMember, memberCheck } from './judge-schema.ts';
import { tools } from './judge-tools.ts';
import * as value from './judge-values.ts';
import type { Complaint, Judging, Walk } from './judge-values.ts';
import { brokenMarks } from './marks.ts';
import { keysOf, locate, type Enter, type Range } from './members.ts';
import { params } from './schema/params.ts';
import { unpaired } from './tool-pairs.ts';

export type Judgement = {
  /** The index after the params. */
  readonly end: number;
  readonly fault: RequestError | null;
  readonly model: string;
  readonly maxTokens: number;
  readonly breakpoints: readonly string[];
};

/** The version that removed the sampling parameters, and two uses of blocks. */
const newestVersion = '2026-10-21';
/** Under this beta a model thinks between tool calls, and may think more than `max_tokens`. */
const interleavedThinking = 'interleaved-thinking-';

/** The large fields are judged while they are walked over. */
const walkOf: Readonly<Record<string, Walk>> = { messages, tools, system: compile(params.system.schema).walk };

type Field = {
  readonly name: string;
  readonly isRequired: boolean;
  readonly check: (judging: Judging, range: Range) => Complaint;
  readonly walk: Walk | undefined;
};

const fields: readonly Field[] = Object.entries(params).map(([name, member]) => {
  const walk = walkOf[name];
  const check = memberCheck(member);
  const isRequired = member.required;
  if (walk === undefined) return { name, isRequired, check, walk };
  return {
    name,
    isRequired,
    walk,
    check: (judging, range) =>
      range.start === -1 || (!member.required && !value.isGiven(judging.bytes, range))
        ? check(judging, range)
        : walk(judging, range.start),
  };
});

const fieldKeys = keysOf(...fields.map(({ name }) => name));
const placeOf = (name: string): number => fieldKeys.names.indexOf(name);
/** The order in which a cache sees a prompt. */
const sectionPlaces = ['tools', 'system', 'messages'].map(placeOf);
const messagesPlace = placeOf('messages');
const cachePlace = placeOf('cache_control');
const serversPlace = placeOf('mcp_servers');
const noTools: ReadonlySet<string> = new Set();

/**
 * `start` is where the params begin; they must be an object in a text that has passed `validateText`. `context.use` says what
 * they are for: a `batch` line, where nothing is said, a `message` (which may stream, be fast, and only warm the cache), or a
 * `count` of tokens (which needs no `max_tokens`).
 */
export function judgeParams(bytes: Buffer, start: number, context: JudgeContext): Judgement {
  const walk = walkParams(bytes, start, context);
  const { judging, found, end } = walk;
  const sections = sectionPlaces.map((place) => found[place]);
  const message = firstFault(walk) ?? brokenRule(judging) ?? brokenAmong(judging, { start, sections, found });
  const known = { end, model: judging.model, maxTokens: Math.max(0, judging.maxTokens) };
  if (message !== null) return { ...known, fault: { type: 'invalid_request_error', message }, breakpoints: [] };
  const { model: name, marks } = judging;
  if (marks.length === 0) return { ...known, fault: null, breakpoints: [] };
  return { ...known, fault: null, breakpoints: hashPrefixes(bytes, { model: name, sections, marks }) };
}

type WalkedParams = {
  readonly judging: Judging;
  readonly found: readonly Range[];
  readonly unknown: Range;
  readonly end: number;
  /** What was said of fields while they were walked over, by place. */
  readonly walked: readonly (Complaint | undefined)[];
};

function walkParams(bytes: Buffer, start: number, context: JudgeContext): WalkedParams {
  const judging = begin(bytes, context);
  const walked: Complaint[] = [];
  let repeats = false;
  const enter: Enter = (place, from, found) => {
    if (found[place].start !== -1) repeats = true;
    const { walk } = fields[place];
    if (walk === undefined || repeats || bytes[from] === LETTER_N) return -1;
    walked[place] = walk(judging, from);
    return walked[place] === null ? judging.end : -1;
  };
  const located = locate(bytes, fieldKeys, { at: start, enter });
  // Where a field is given twice, what was learnt on the way may not count: all is judged afresh, by what does.
  return repeats ? { judging: begin(bytes, context), ...located, walked: [] } : { judging, ...located, walked };
}

function begin(bytes: Buffer, { version, betas, use = 'batch', strict = false }: JudgeContext): Judging {
  return {
    bytes,
    isNewest: version >= newestVersion,
    use,
    strict,
    betas,
    marks: [],
    hourMarks: [],
    isHour: false,
    automaticMark: null,
    lastContent: -1,
    end: -1,
    messages: 0,
    model: '',
    maxTokens: 0,
    stream: false,
    thinkingTokens: 0,
    thinksByHand: false,
    forcesTool: false,
    hasToolPairs: false,
    toolName: null,
    toolNames: noTools,
    toolChosen: null,
  };
}

/** Goes through all fields, so that model and max_tokens are known of a faulty request, too. */
function firstFault({ judging, found, unknown, walked }: WalkedParams): string | null {
  let fault: string | null = null;
  for (let place = 0; place < fields.length; place += 1) {
    const said = walked[place];
    if (said === null || (found[place].start === -1 && !fields[place].isRequired)) continue;
    const complaint = said ?? fields[place].check(judging, found[place]);
    if (complaint !== null) fault ??= `${fields[place].name}${complaint}`;
    else if (place === cachePlace && value.isGiven(judging.bytes, found[place])) {
      judging.automaticMark = judging.isHour ? '1h' : '5m';
    }
  }
  if (fault !== null || !judging.strict || unknown.start === -1) return fault;
  return extraMember(judging, unknown).slice(1);
}

/** What fields of the right shape may still get wrong. */
function brokenRule(judging: Judging): string | null {
  const { use, betas } = judging;
  if (judging.messages === 0) return 'messages: at least one message is required';
  // Outside of a batch, 0 only warms the cache, and a count needs none.
  const tokensMin = use === 'batch' ? 1 : 0;
  if (judging.maxTokens < tokensMin) return `max_tokens: must be greater than or equal to ${tokensMin}`;
  if (use === 'batch' && judging.stream) return '`stream=True` is not supported in the Message Batches API';
  const thinksTooMuch = use !== 'count' && judging.thinkingTokens >= Math.max(1, judging.maxTokens);
  if (thinksTooMuch && !betas.some((beta) => beta.startsWith(interleavedThinking))) {
    return '`max_tokens` must be greater than `thinking.budget_tokens`';
  }
  if (judging.thinksByHand && judging.forcesTool)
    return 'Thinking may not be enabled when tool_choice forces tool use.';
  return null;
}

type Parts = {
  readonly start: number;
  readonly sections: readonly Readonly<Range>[];
  readonly found: readonly Range[];
};

/** What must fit together across the whole request: the tool that is chosen, calls and answers, marks for the cache. */
function brokenAmong(judging: Judging, { start, sections, found }: Parts): string | null {
  const { bytes, toolNames, toolChosen } = judging;
  // Servers bring tools of their own.
  const namesAll = toolNames !== null && !value.isGiven(bytes, found[serversPlace]);
  if (toolChosen !== null && namesAll && !toolNames.has(toolChosen)) {
    return `Tool '${value.quoted(toolChosen)}' not found in provided tools`;
  }
  const pairing = judging.hasToolPairs ? unpaired(bytes, found[messagesPlace].start) : null;
  return pairing === null ? brokenMarks(judging, { start, sections }) : `messages${pairing}`;
}
