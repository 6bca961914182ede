/** The answer in a message: its text, or what it filled into the form it was made to use. */
/* oxlint-disable max-params -- members() shows a key and a value as four indexes, because objects would cost more than the reading. */
import { OPEN_LIST, QUOTE } from '../../bytes/ascii.ts';
import { elements, keyIs, members, text } from '../../bytes/json.ts';

/** The tool a model is made to use where a schema is asked for by a tool; its input is the answer. */
export const ANSWER_TOOL = 'give_answer';

/**
 * The texts of a message's content, one after another; the input of the answer's tool, as JSON, where it was used; and where there is
 * no text at all, the input of the first tool used. The bytes have been checked.
 */
export function answerAt(bytes: Buffer, content: number): string {
  if (content < 0) return '';
  if (bytes[content] !== OPEN_LIST) return '';
  let texts = '';
  let form: string | null = null;
  let firstInput: string | null = null;
  elements(bytes, content, (_index, start) => {
    const block = blockAt(bytes, start);
    if (block.type === 'text') texts += block.text;
    if (block.type !== 'tool_use' || block.input === null) return;
    firstInput ??= block.input;
    if (block.name === ANSWER_TOOL) form ??= block.input;
  });
  return form ?? (texts === '' ? (firstInput ?? '') : texts);
}

type Block = { readonly type: string; readonly text: string; readonly name: string; readonly input: string | null };

function blockAt(bytes: Buffer, at: number): Block {
  let type = '';
  let read = '';
  let name = '';
  let input: string | null = null;
  members(bytes, at, (keyStart, keyEnd, start, end) => {
    if (keyIs(bytes, keyStart, keyEnd, 'type')) type = stringOf(bytes, start, end);
    else if (keyIs(bytes, keyStart, keyEnd, 'text')) read = stringOf(bytes, start, end);
    else if (keyIs(bytes, keyStart, keyEnd, 'name')) name = stringOf(bytes, start, end);
    else if (keyIs(bytes, keyStart, keyEnd, 'input')) input = bytes.toString('utf8', start, end);
  });
  return { type, text: read, name, input };
}

function stringOf(bytes: Buffer, start: number, end: number): string {
  return bytes[start] === QUOTE ? text(bytes, start, end) : '';
}
