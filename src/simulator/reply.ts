/** Composes what the simulated model says: thinking, text, JSON and tool calls, within what the request allows. */
import type { Draw } from './draw.ts';
import { drawId, drawLetters } from './drawn-id.ts';
import { isObject, type Fields } from './fields.ts';
import { longPhrase, phrase, thought, type Wording } from './phrase.ts';
import { allOfLastUserText, bytesOfTokens, tokensOfBytes, type Prompt } from './prompt.ts';
import { drawJson } from './schema.ts';
import { chooseTools, drawInput, type ToolChoice } from './tools.ts';
import type { Triggers } from './triggers.ts';

export type Block =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'thinking'; readonly thinking: string; readonly signature: string }
  | { readonly type: 'redacted_thinking'; readonly data: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: unknown };

export type Reply = {
  readonly id: string;
  readonly model: string;
  readonly blocks: readonly Block[];
  readonly stopReason: 'end_turn' | 'max_tokens' | 'stop_sequence' | 'tool_use' | 'refusal';
  readonly stopSequence: string | null;
  readonly outputTokens: number;
  /** Null where the request did not ask for thinking. */
  readonly thinkingTokens: number | null;
};

type Question = { readonly prompt: Prompt; readonly draw: Draw; readonly triggers: Triggers | null };
type Part = Pick<Reply, 'blocks' | 'stopReason' | 'stopSequence' | 'outputTokens'>;

/** Says of itself that no model has signed this. */
const SIGNATURE_PREFIX = 'simulated.';
const SIGNATURE_LETTERS = 64;

export function composeReply(question: Question): Reply {
  const { prompt, draw, triggers } = question;
  const { model } = prompt;
  if (triggers?.refuses) {
    const refusal = { blocks: [], stopReason: 'refusal', stopSequence: null, outputTokens: 1 } as const;
    return { ...refusal, id: drawId('msg', draw), model, thinkingTokens: null };
  }
  const thinking = think(question);
  const room = prompt.maxTokens - thinking.tokens;
  const said = say(question, room);
  return {
    id: drawId('msg', draw),
    model,
    blocks: thinking.blocks.length === 0 ? said.blocks : [...thinking.blocks, ...said.blocks],
    stopReason: said.stopReason,
    stopSequence: said.stopSequence,
    outputTokens: thinking.tokens + said.outputTokens,
    thinkingTokens: thinking.asked ? thinking.tokens : null,
  };
}

type Thinking = { readonly blocks: readonly Block[]; readonly tokens: number; readonly asked: boolean };
const thoughtless: Thinking = { blocks: [], tokens: 0, asked: false };

/** Enabled thinking always thinks, adaptive thinking in three of four requests, and never where it would leave no room to answer. */
function think({ prompt, draw, triggers }: Question): Thinking {
  const wish = prompt.fields['thinking'];
  const type = isObject(wish) ? wish['type'] : undefined;
  if (!isObject(wish) || (type !== 'enabled' && type !== 'adaptive')) return thoughtless;
  const none = { ...thoughtless, asked: true };
  const adapts = type === 'adaptive' && draw.word() % 4 === 0;
  if (adapts && !triggers?.thinks && !triggers?.redacts) return none;
  const text = thought({ draw, firstWords: prompt.firstWords });
  const tokens = tokensOfBytes(Buffer.byteLength(text));
  if (tokens * 2 > prompt.maxTokens) return none;
  const signature = Buffer.from(SIGNATURE_PREFIX + drawLetters(draw, SIGNATURE_LETTERS)).toString('base64');
  const block: Block = triggers?.redacts
    ? { type: 'redacted_thinking', data: signature }
    : { type: 'thinking', thinking: wish['display'] === 'omitted' ? '' : text, signature };
  return { blocks: [block], tokens, asked: true };
}

function say(question: Question, room: number): Part {
  const { prompt, draw, triggers } = question;
  const { fields } = prompt;
  if (fields['tools'] !== undefined) {
    const text = allOfLastUserText(prompt);
    const choice = chooseTools({ fields, text, draw, wanted: triggers?.tool ?? null });
    if (choice.tools.length > 0) return callTools(question, { choice, room });
  }
  return stopped(words(question, room), { fields, forced: triggers?.stops ?? false });
}

function words({ prompt, draw, triggers }: Question, room: number): Wording {
  const schema = schemaOf(prompt.fields);
  if (schema !== null) return jsonWords({ schema, draw, room });
  const tokens = triggers?.tokens ?? null;
  if (tokens !== null) return longPhrase({ draw, tokens, maxTokens: room });
  return phrase({ draw, firstWords: prompt.firstWords, maxTokens: room });
}

/** The newer place of the format, or the older one. */
function schemaOf(fields: Fields): unknown {
  const config = fields['output_config'];
  const format = isObject(config) && isObject(config['format']) ? config['format'] : fields['output_format'];
  return isObject(format) ? format['schema'] : null;
}

type JsonWish = { readonly schema: unknown; readonly draw: Draw; readonly room: number };

/** Where the document does not fit the shortest one is tried, and then cut: what a model does, too. */
function jsonWords({ schema, draw, room }: JsonWish): Wording {
  for (const minimal of [false, true]) {
    const text = JSON.stringify(drawJson({ schema, draw, minimal }));
    const tokens = tokensOfBytes(Buffer.byteLength(text));
    if (tokens <= room) return { text, tokens, stopReason: 'end_turn' };
    if (minimal) return { text: headOf(text, room), tokens: room, stopReason: 'max_tokens' };
  }
  throw new Error('a document either fits or is cut');
}

function headOf(text: string, tokens: number): string {
  const head = Buffer.from(text).subarray(0, bytesOfTokens(tokens)).toString('utf8');
  return head.replace(/\ufffd+$/, '');
}

/** The text ends before the first stop sequence in it. */
function stopped({ text, tokens, stopReason }: Wording, how: { fields: Fields; forced: boolean }): Part {
  const stops = how.fields['stop_sequences'];
  const whole: Part = { blocks: [{ type: 'text', text }], stopReason, stopSequence: null, outputTokens: tokens };
  if (!Array.isArray(stops) || stops.length === 0) return whole;
  const spoken = how.forced ? `${text.slice(0, text.length >> 1)}${String(stops[0])}` : text;
  const found = (stops as readonly string[])
    .map((stop) => ({ stop, at: spoken.indexOf(stop) }))
    .filter(({ at }) => at >= 0)
    .sort((left, right) => left.at - right.at)[0];
  if (found === undefined) return whole;
  const before = spoken.slice(0, found.at);
  return {
    blocks: before === '' ? [] : [{ type: 'text', text: before }],
    stopReason: 'stop_sequence',
    stopSequence: found.stop,
    outputTokens: Math.max(1, Math.min(tokens, tokensOfBytes(Buffer.byteLength(before)))),
  };
}

/** Calls that do not fit are cut as a model's are: the last one has no input, and the reason is max_tokens. */
function callTools({ draw }: Question, { choice, room }: { choice: ToolChoice; room: number }): Part {
  const blocks: Block[] = [];
  let tokens = 0;
  if (!choice.forced) {
    const text = `[simulated] I call ${choice.tools.map(({ name }) => String(name)).join(', ')}.`;
    const cost = tokensOfBytes(Buffer.byteLength(text));
    if (cost * 2 <= room) {
      blocks.push({ type: 'text', text });
      tokens += cost;
    }
  }
  for (const tool of choice.tools) {
    const name = tool['name'] as string;
    const id = drawId('toolu', draw);
    const call = [false, true]
      .map((minimal) => drawInput(tool, { draw, minimal }))
      .map((input) => ({ input, cost: tokensOfBytes(Buffer.byteLength(name + JSON.stringify(input))) }))
      .find(({ cost }) => tokens + cost <= room);
    blocks.push({ type: 'tool_use', id, name, input: call?.input ?? {} });
    if (call === undefined) return { blocks, stopReason: 'max_tokens', stopSequence: null, outputTokens: room };
    tokens += call.cost;
  }
  return { blocks, stopReason: 'tool_use', stopSequence: null, outputTokens: tokens };
}
