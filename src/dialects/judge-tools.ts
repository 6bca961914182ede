/** Checks tools, the choice among them, and thinking. */
import { THINKING_TOKENS_MIN } from '../domain/limits.ts';
import { marked } from './judge-messages.ts';
import {
  each,
  fieldRequired,
  integerAt,
  integerFrom,
  isGiven,
  isList,
  isObject,
  isString,
  isText,
  notADictionary,
  notAList,
  notAString,
  quoted,
  textAt,
  type Check,
  type Complaint,
  type Judging,
  type Walk,
} from './judge-values.ts';
import { keysOf, locate, type Range } from './members.ts';

const toolKeys = keysOf('type', 'name', 'input_schema', 'cache_control');
const choiceKeys = keysOf('type', 'name');
const thinkingKeys = keysOf('type', 'budget_tokens');

const choices = ['auto', 'any', 'tool', 'none'];
const checkThinkingTokens = integerFrom(THINKING_TOKENS_MIN);

export const tools: Walk = (judging, start) => {
  const { bytes } = judging;
  if (!isList(bytes, start)) return notAList;
  const names = new Set<string>();
  const named = { all: true, apart: true };
  const complaint = each(judging, start, (from) => {
    const result = tool(judging, from);
    if (result.complaint !== null) return result.complaint;
    if (result.name === null || result.isSet) named.all = false;
    else if (names.has(result.name)) named.apart = false;
    else names.add(result.name);
    return null;
  });
  judging.toolNames = named.all ? names : null;
  return complaint ?? (named.apart ? null : ': Tool names must be unique.');
};

/** Servers bring tools of their own. */
export const mcpServers: Check = (judging, start) => {
  judging.toolNames = null;
  return isList(judging.bytes, start) ? null : notAList;
};

type ToolResult = { readonly complaint: Complaint; readonly name: string | null; readonly isSet: boolean };

function tool(judging: Judging, start: number): ToolResult {
  const { bytes } = judging;
  if (!isObject(bytes, start)) return { complaint: notADictionary, name: null, isSet: false };
  const { found, end } = locate(bytes, toolKeys, { at: start });
  const [type, name, schema, cache] = found;
  judging.end = end;
  const typeName = isGiven(bytes, type) ? textAt(bytes, type) : 'custom';
  if (typeName === null) return { complaint: `.type${notAString}`, name: null, isSet: false };
  const complaint = toolShape(bytes, { typeName, name, schema }) ?? marked(judging, cache, end);
  return {
    complaint: complaint === null ? null : `.${quoted(typeName)}${complaint}`,
    name: textAt(bytes, name),
    isSet: typeName.includes('toolset'),
  };
}

/** A caller's own tool needs a name and a schema; what the typed ones need is theirs to say. */
function toolShape(
  bytes: Buffer,
  { typeName, name, schema }: { typeName: string; name: Range; schema: Range },
): Complaint {
  if (name.start !== -1 && !isString(bytes, name.start)) return `.name${notAString}`;
  if (typeName !== 'custom') return null;
  if (name.start === -1) return `.name${fieldRequired}`;
  if (schema.start === -1) return `.input_schema${fieldRequired}`;
  return isObject(bytes, schema.start) ? null : `.input_schema${notADictionary}`;
}

export const toolChoice: Check = (judging, start) => {
  const { bytes } = judging;
  if (!isObject(bytes, start)) return notADictionary;
  const [type, name] = locate(bytes, choiceKeys, { at: start }).found;
  if (type.start === -1) return `.type${fieldRequired}`;
  if (!isString(bytes, type.start)) return `.type${notAString}`;
  if (!choices.some((choice) => isText(bytes, type, choice))) {
    const expected = choices.map((choice) => `'${choice}'`).join(', ');
    return `: Input tag '${quoted(textAt(bytes, type) ?? '')}' found using 'type' does not match any of the expected tags: ${expected}`;
  }
  if (!isText(bytes, type, 'tool')) return null;
  if (name.start === -1) return `.tool.name${fieldRequired}`;
  judging.toolChosen = textAt(bytes, name);
  return judging.toolChosen === null ? `.tool.name${notAString}` : null;
};

export const thinking: Check = (judging, start) => {
  const { bytes } = judging;
  if (!isObject(bytes, start)) return notADictionary;
  const [type, tokens] = locate(bytes, thinkingKeys, { at: start }).found;
  if (type.start === -1) return `.type${fieldRequired}`;
  if (!isString(bytes, type.start)) return `.type${notAString}`;
  if (!isText(bytes, type, 'enabled')) return null;
  if (tokens.start === -1) return `.enabled.budget_tokens${fieldRequired}`;
  const complaint = checkThinkingTokens(judging, tokens.start, tokens.end);
  if (complaint !== null) return `.enabled.budget_tokens${complaint}`;
  judging.thinkingTokens = integerAt(bytes, tokens.start, tokens.end) ?? 0;
  return null;
};
