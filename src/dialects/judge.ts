/** Judges the params of one request without decoding them: the first fault there is, and what the index wants to know. */
import { LETTER_N } from '../bytes/ascii.ts';
import { BREAKPOINTS_MAX } from '../domain/limits.ts';
import type { RequestError } from '../domain/outcome.ts';
import { hashPrefixes } from './breakpoints.ts';
import type { JudgeContext } from './dialect.ts';
import { maxTokens, metadata, model, notActive, notInBatch, stopSequences, stream } from './judge-fields.ts';
import { automaticCacheControl, messages, system } from './judge-messages.ts';
import { mcpServers, thinking, toolChoice, tools } from './judge-tools.ts';
import * as value from './judge-values.ts';
import type { Check, Complaint, Judging, Walk } from './judge-values.ts';
import { keysOf, locate, type Enter, type Range } from './members.ts';

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

/**
 * The fields that are judged, in the order of judgement. Of an optional one null means nothing; `until newest` is optional
 * and gone since version 2026-10-21. Every other field travels to the upstream unjudged.
 */
const table: readonly (readonly [name: string, presence: Presence, check: Check])[] = [
  ['messages', 'required', messages],
  ['model', 'required', model],
  ['max_tokens', 'required', maxTokens],
  ['system', 'optional', system],
  ['tools', 'optional', tools],
  ['tool_choice', 'optional', toolChoice],
  ['thinking', 'optional', thinking],
  ['temperature', 'until newest', value.fraction],
  ['top_p', 'until newest', value.fraction],
  ['top_k', 'until newest', value.integerFrom(0)],
  ['stop_sequences', 'optional', stopSequences],
  ['metadata', 'optional', metadata],
  ['cache_control', 'optional', automaticCacheControl],
  ['service_tier', 'optional', value.oneOf('auto', 'standard_only')],
  ['output_config', 'optional', value.dictionary],
  ['container', 'optional', value.stringOrDictionary],
  ['diagnostics', 'optional', value.dictionary],
  ['inference_geo', 'optional', value.string],
  ['mcp_servers', 'optional', mcpServers],
  ['stream', 'optional', stream],
  ['speed', 'optional', notInBatch],
  ['store', 'optional', notInBatch],
  ['previous_thread_event_id', 'optional', notInBatch],
  ['cache_hint', 'optional', notInBatch],
  ['context_hint', 'optional', notInBatch],
  ['research_preview_2026_02', 'optional', notActive],
  ['fallbacks', 'optional', notInBatch],
];

type Presence = 'required' | 'optional' | 'until newest';
type Field = { readonly name: string; readonly presence: Presence; readonly check: Check };

const fields: readonly Field[] = table.map(([name, presence, check]) => ({ name, presence, check }));
/** The large ones are judged while they are walked over. */
const walks: readonly (Walk | undefined)[] = fields.map(({ check }) =>
  [messages, system, tools].find((walk) => walk === check),
);
const fieldKeys = keysOf(...fields.map(({ name }) => name));
/** The order in which a cache sees a prompt. */
const sectionPlaces = ['tools', 'system', 'messages'].map((name) => fieldKeys.names.indexOf(name));
const noTools: ReadonlySet<string> = new Set();

/** `start` is where the params begin; they must be an object. */
export function judgeParams(bytes: Buffer, start: number, context: JudgeContext): Judgement {
  const { judging, found, end, walked } = walkParams(bytes, start, context);
  const message = firstFault(judging, found, walked) ?? brokenRule(judging, context);
  const known = { end, model: judging.model, maxTokens: Math.max(0, judging.maxTokens) };
  if (message !== null) return { ...known, fault: { type: 'invalid_request_error', message }, breakpoints: [] };
  const { model: name, marks } = judging;
  if (marks.length === 0) return { ...known, fault: null, breakpoints: [] };
  const sections = sectionPlaces.map((place) => found[place]);
  return { ...known, fault: null, breakpoints: hashPrefixes(bytes, { model: name, sections, marks }) };
}

/** What was said of fields while they were walked over, by place. */
type Walked = readonly (Complaint | undefined)[];
type WalkedParams = {
  readonly judging: Judging;
  readonly found: readonly Range[];
  readonly end: number;
  readonly walked: Walked;
};

function walkParams(bytes: Buffer, start: number, context: JudgeContext): WalkedParams {
  const judging = begin(bytes, context);
  const walked: Complaint[] = [];
  let repeats = false;
  const enter: Enter = (place, from, found) => {
    if (found[place].start !== -1) repeats = true;
    const walk = walks[place];
    if (walk === undefined || repeats || bytes[from] === LETTER_N) return -1;
    walked[place] = walk(judging, from);
    return walked[place] === null ? judging.end : -1;
  };
  const { found, end } = locate(bytes, fieldKeys, { at: start, enter });
  // Where a field is given twice, what was learnt on the way may not count: all is judged afresh, by what does.
  return repeats ? { judging: begin(bytes, context), found, end, walked: [] } : { judging, found, end, walked };
}

function begin(bytes: Buffer, { version }: JudgeContext): Judging {
  return {
    bytes,
    isNewest: version >= newestVersion,
    marks: [],
    lastBlockEnd: -1,
    end: -1,
    marksLastBlock: false,
    messages: 0,
    model: '',
    maxTokens: 0,
    stream: false,
    thinkingTokens: 0,
    toolNames: noTools,
    toolChosen: null,
  };
}

/** Goes through all fields, so that model and max_tokens are known of a faulty request, too. */
function firstFault(judging: Judging, found: readonly Range[], walked: Walked): string | null {
  let fault: string | null = null;
  for (let place = 0; place < fields.length; place += 1) {
    const said = walked[place];
    const complaint = said === undefined ? judgeField(judging, fields[place], found[place]) : said;
    if (complaint !== null) fault ??= `${fields[place].name}${complaint}`;
  }
  return fault;
}

function judgeField(judging: Judging, { presence, check }: Field, range: Range): Complaint {
  if (range.start === -1) return presence === 'required' ? value.fieldRequired : null;
  if (presence === 'until newest' && judging.isNewest) return value.extraInput;
  if (presence !== 'required' && !value.isGiven(judging.bytes, range)) return null;
  return check(judging, range.start, range.end);
}

/** What fields of the right shape may still get wrong. */
function brokenRule(judging: Judging, { betas }: JudgeContext): string | null {
  const { marks, toolNames, toolChosen } = judging;
  if (judging.messages === 0) return 'messages: at least one message is required';
  if (judging.maxTokens < 1) return 'max_tokens: must be greater than or equal to 1';
  if (judging.stream) return '`stream=True` is not supported in the Message Batches API';
  if (judging.thinkingTokens >= judging.maxTokens && !betas.some((beta) => beta.startsWith(interleavedThinking))) {
    return '`max_tokens` must be greater than `thinking.budget_tokens`';
  }
  if (toolChosen !== null && toolNames !== null && !toolNames.has(toolChosen)) {
    return `Tool '${value.quoted(toolChosen)}' not found in provided tools`;
  }
  const marksAnother = judging.marksLastBlock && judging.lastBlockEnd !== -1 && !marks.includes(judging.lastBlockEnd);
  if (marksAnother) marks.push(judging.lastBlockEnd);
  if (marks.length <= BREAKPOINTS_MAX) return null;
  return `A maximum of ${BREAKPOINTS_MAX} blocks with cache_control may be provided. Found ${marks.length}.`;
}
