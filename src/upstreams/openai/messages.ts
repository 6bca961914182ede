/** The conversation: turns become messages, results of tools stand before whatever else the user says, and nothing between a call and its result. */
import { partsOf, textMembers, textParts, type Part, type Place } from './blocks.ts';
import { cannot, isObject, knownOnly, listAt, objectAt, stringAt, type Json } from './fault.ts';
import { BILLING_BLOCK, harmlessBlocks, harmlessInBlocks } from './left-out.ts';
import type { Profile } from './profile.ts';
import type { ToolNames } from './tool-names.ts';

export type ChatMessage =
  | { readonly role: 'system' | 'developer'; readonly content: string }
  | { readonly role: 'user'; readonly content: string | readonly Part[] }
  | { readonly role: 'tool'; readonly tool_call_id: string; readonly content: string }
  | AssistantMessage;

type AssistantMessage = {
  readonly role: 'assistant';
  readonly content: string | null;
  readonly tool_calls?: readonly unknown[];
  readonly reasoning?: string;
  readonly reasoning_content?: string;
};

export type Speaking = {
  readonly profile: Profile;
  readonly names: ToolNames;
  readonly systemRole: 'system' | 'developer';
};

export type Conversation = {
  readonly messages: readonly ChatMessage[];
  /** The last message is the assistant's beginning of the answer: its number in the request, and its text. */
  readonly prefill: { readonly at: number; readonly text: string } | null;
};

type Block = { readonly block: unknown; readonly path: string };
type Turn = { readonly role: 'user' | 'assistant' | 'system'; readonly blocks: Block[]; readonly at: number };

const toolUseMembers = new Set(['type', ...harmlessInBlocks.keys(), 'id', 'name', 'input']);
const toolResultMembers = new Set(['type', 'cache_control', 'tool_use_id', 'content', 'is_error']);
const thinkingMembers = new Set(['type', 'cache_control', 'thinking', 'signature']);
export const TOOL_ERROR_PREFIX = '[tool error] ';

export function conversationOf(params: Json, speaking: Speaking): Conversation {
  const messages: ChatMessage[] = [];
  const system = systemText(params['system'], 'system');
  if (system !== '') messages.push({ role: speaking.systemRole, content: system });
  const turns = turnsOf(params['messages']);
  /** System messages that came between a call and its result wait until the result was told. */
  let waiting: ChatMessage[] = [];
  let called = false;
  for (const { role, blocks } of turns) {
    if (role === 'system') {
      const content = blocksText(blocks, speaking);
      if (content !== '') (called ? waiting : messages).push({ role: speaking.systemRole, content });
    } else if (role === 'assistant') {
      messages.push(...waiting, assistantMessage(blocks, speaking));
      waiting = [];
      called = blocks.some(({ block }) => isObject(block) && block['type'] === 'tool_use');
    } else {
      pushUser(blocks, { messages, waiting, speaking });
      waiting = [];
      called = false;
    }
  }
  messages.push(...waiting);
  const last = turns.at(-1);
  const said = messages.at(-1);
  const isPrefilled = last?.role === 'assistant' && !called && said?.role === 'assistant';
  return { messages, prefill: isPrefilled ? { at: last.at, text: said.content ?? '' } : null };
}

/** Neighbours of one role are one turn, as in Messages itself. */
function turnsOf(value: unknown): readonly Turn[] {
  const turns: Turn[] = [];
  listAt(value, 'messages').forEach((one, at) => {
    const { role, content } = objectAt(one, `messages.${at}`);
    if (role !== 'user' && role !== 'assistant' && role !== 'system') {
      cannot(`messages.${at}.role`, `${JSON.stringify(role)} is unknown.`);
    }
    const blocks = blocksOf(content, `messages.${at}.content`);
    const last = turns.at(-1);
    if (last !== undefined && last.role === role) last.blocks.push(...blocks);
    else turns.push({ role, blocks, at });
  });
  return turns;
}

function blocksOf(content: unknown, path: string): Block[] {
  if (typeof content === 'string') return [{ block: { type: 'text', text: content }, path }];
  return listAt(content, path).map((block, at) => ({ block, path: `${path}.${at}` }));
}

function systemText(system: unknown, path: string): string {
  if (system === undefined || system === null) return '';
  if (typeof system === 'string') return system;
  const texts = listAt(system, path).map((block, at) => textOf(block, `${path}.${at}`));
  return texts.filter((text) => text !== '' && !text.startsWith(BILLING_BLOCK)).join('\n\n');
}

function textOf(value: unknown, path: string): string {
  const block = objectAt(value, path);
  if (block['type'] !== 'text') cannot(path, `${String(block['type'])} blocks cannot stand in a system prompt.`);
  knownOnly(block, { known: textMembers, path });
  return stringAt(block['text'], `${path}.text`);
}

function blocksText(blocks: readonly Block[], { profile }: Speaking): string {
  const parts = blocks.flatMap(({ block, path }) =>
    textParts({ ...objectAt(block, path), type: 'text' }, { path, profile }),
  );
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('\n\n');
}

function assistantMessage(blocks: readonly Block[], speaking: Speaking): AssistantMessage {
  const { profile } = speaking;
  const calls: unknown[] = [];
  const thoughts: string[] = [];
  let content = '';
  for (const { block: value, path } of blocks) {
    const block = objectAt(value, path);
    switch (block['type']) {
      case 'text':
        for (const part of textParts(block, { path, profile })) if (part.type === 'text') content += part.text;
        break;
      case 'tool_use':
        calls.push(toolCall(block, { path, speaking }));
        break;
      case 'thinking':
        knownOnly(block, { known: thinkingMembers, path });
        thoughts.push(stringAt(block['thinking'], `${path}.thinking`));
        break;
      default:
        if (harmlessBlocks.has(String(block['type']))) break;
        cannot(path, `${String(block['type'])} blocks cannot be carried to an OpenAI-compatible server.`);
    }
  }
  return {
    role: 'assistant',
    content: content === '' && calls.length > 0 ? null : content,
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
    ...(profile.reasoningField === null || thoughts.length === 0
      ? {}
      : { [profile.reasoningField]: thoughts.join('\n\n') }),
  };
}

function toolCall(block: Json, { path, speaking }: { path: string; speaking: Speaking }): unknown {
  knownOnly(block, { known: toolUseMembers, path });
  const caller = block['caller'];
  if (isObject(caller) && caller['type'] !== 'direct') {
    cannot(`${path}.caller`, 'calls that another tool made cannot be carried to an OpenAI-compatible server.');
  }
  const name = stringAt(block['name'], `${path}.name`);
  if (name === '') cannot(`${path}.name`, 'String should have at least 1 character');
  const input = JSON.stringify(objectAt(block['input'], `${path}.input`));
  const called = { name: speaking.names.sent(name), arguments: input };
  return { id: stringAt(block['id'], `${path}.id`), type: 'function', function: called };
}

type Saying = {
  readonly messages: ChatMessage[];
  readonly waiting: readonly ChatMessage[];
  readonly speaking: Speaking;
};

function pushUser(blocks: readonly Block[], { messages, waiting, speaking: { profile } }: Saying): void {
  const parts: Part[] = [];
  const others: Block[] = [];
  for (const one of blocks) {
    if (isObject(one.block) && one.block['type'] === 'tool_result') {
      const { message, attached } = toolMessage(one.block, { path: one.path, profile });
      messages.push(message);
      parts.push(...attached);
    } else others.push(one);
  }
  messages.push(...waiting);
  for (const { block, path } of others) parts.push(...partsOf(block, { path, profile }));
  if (parts.length === 0 && others.length === 0) return;
  const [first] = parts;
  const content = first === undefined ? '' : parts.length === 1 && first.type === 'text' ? first.text : parts;
  messages.push({ role: 'user', content });
}

/** A tool's message holds text alone; what else a result has follows as the user's, with a word on where it belongs. */
function toolMessage(block: Json, place: Place): { message: ChatMessage; attached: readonly Part[] } {
  const { path } = place;
  knownOnly(block, { known: toolResultMembers, path });
  const id = stringAt(block['tool_use_id'], `${path}.tool_use_id`);
  const content = block['content'];
  const parts =
    content === undefined || content === null
      ? []
      : blocksOf(content, `${path}.content`).flatMap((inner) => partsOf(inner.block, { ...place, path: inner.path }));
  const texts = parts.map((part) => (part.type === 'text' ? part.text : '')).filter((text) => text !== '');
  const files = parts.filter((part) => part.type !== 'text');
  if (files.length > 0) texts.push('[what else this tool returned follows in the next message]');
  const message: ChatMessage = {
    role: 'tool',
    tool_call_id: id,
    content: (block['is_error'] === true ? TOOL_ERROR_PREFIX : '') + texts.join('\n\n'),
  };
  const attached: Part[] =
    files.length === 0 ? [] : [{ type: 'text', text: `[returned by the tool call ${id}]` }, ...files];
  return { message, attached };
}
