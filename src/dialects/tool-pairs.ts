/** Holds tools that were called and their answers together: each answer follows its call, each call gets one, each id is there once. */
import { elements } from '../bytes/json.ts';
import { isList, isText, quoted, textAt, type Complaint } from './judge-values.ts';
import { keysOf, locate, type Range } from './members.ts';

const messageKeys = keysOf('role', 'content');
const blockKeys = keysOf('type', 'id', 'tool_use_id');

/** Turns that follow each other under one role are one turn to the API. */
type Turn = {
  readonly message: number;
  readonly isAssistant: boolean;
  readonly ids: Set<string>;
};

/** `start` is where messages begin; they have the right shape. */
export function unpaired(bytes: Buffer, start: number): Complaint {
  let complaint: Complaint = null;
  let before: Turn | null = null;
  let turn: Turn | null = null;
  elements(bytes, start, (message, at) => {
    const [role, content] = locate(bytes, messageKeys, { at }).found;
    if (isText(bytes, role, 'system')) return true;
    const isAssistant = isText(bytes, role, 'assistant');
    if (turn === null || turn.isAssistant !== isAssistant) {
      complaint = unanswered(before, turn);
      [before, turn] = [turn, { message, isAssistant, ids: new Set() }];
    }
    complaint ??= judgeBlocks(bytes, { content, message, before, turn });
    return complaint === null;
  });
  return complaint ?? unanswered(before, turn);
}

type Blocks = { readonly content: Range; readonly message: number; readonly before: Turn | null; readonly turn: Turn };

function judgeBlocks(bytes: Buffer, { content, message, before, turn }: Blocks): Complaint {
  if (!isList(bytes, content.start)) return null;
  let complaint: Complaint = null;
  elements(bytes, content.start, (block, at) => {
    const [type, ownId, calledId] = locate(bytes, blockKeys, { at }).found;
    const isPart = isText(bytes, type, turn.isAssistant ? 'tool_use' : 'tool_result');
    const id = isPart ? textAt(bytes, turn.isAssistant ? ownId : calledId) : null;
    if (id === null) return true;
    if (turn.isAssistant && turn.ids.has(id)) {
      complaint = `.${message}.content.${block}: \`tool_use\` ids must be unique`;
    } else if (!turn.isAssistant && before?.ids.has(id) !== true) {
      complaint =
        `.${message}.content.${block}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${quoted(id)}. ` +
        'Each `tool_result` block must have a corresponding `tool_use` block in the previous message.';
    }
    turn.ids.add(id);
    return complaint === null;
  });
  return complaint;
}

/** Calls of the last turn may still be answered by whoever goes on. */
function unanswered(calls: Turn | null, answers: Turn | null): Complaint {
  if (calls === null || answers === null || !calls.isAssistant) return null;
  const missing = [...calls.ids].filter((id) => !answers.ids.has(id));
  if (missing.length === 0) return null;
  return (
    `.${calls.message}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${quoted(missing.join(', '))}. ` +
    'Each `tool_use` block must have a corresponding `tool_result` block in the next message.'
  );
}
