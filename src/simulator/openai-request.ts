/** A request for a chat completion as the fields of a Messages request: as much of it as the simulator's answers depend on. */
import { isObject, objectsOf, type Fields } from './fields.ts';

export type Translated =
  | { readonly kind: 'fields'; readonly fields: Fields }
  | { readonly kind: 'invalid'; readonly message: string };

/** Without a limit of its own an answer may be as long as it likes; simulated ones are short. */
const MAX_TOKENS_DEFAULT = 4_096;
/** What `json_object` asks for is any object. */
const anyObject = { type: 'object', properties: { simulated: { const: true } }, required: ['simulated'] };

export function messagesOfChat(chat: Fields): Translated {
  if (!Array.isArray(chat['messages'])) return invalid("Missing required parameter: 'messages'.");
  if (typeof chat['n'] === 'number' && chat['n'] > 1) return invalid("'n' must be 1: the simulator makes one choice.");
  const messages = objectsOf(chat['messages']);
  if (messages.length !== (chat['messages'] as readonly unknown[]).length)
    return invalid("'messages' must hold objects.");
  const system = messages.filter(isInstruction).map(({ content }) => ({ type: 'text', text: textOf(content) }));
  const format = formatOf(chat['response_format']);
  const stop = chat['stop'];
  return {
    kind: 'fields',
    fields: {
      model: chat['model'],
      max_tokens: chat['max_completion_tokens'] ?? chat['max_tokens'] ?? MAX_TOKENS_DEFAULT,
      messages: messages.filter((message) => !isInstruction(message)).map(messageOf),
      ...(system.length > 0 ? { system } : {}),
      ...(Array.isArray(chat['tools']) ? { tools: objectsOf(chat['tools']).map(toolOf) } : {}),
      ...toolChoiceOf(chat),
      ...(format === null ? {} : { output_config: { format } }),
      ...(stop === undefined || stop === null ? {} : { stop_sequences: [stop].flat() }),
      stream: chat['stream'] === true,
      stream_options: chat['stream_options'],
    },
  };
}

function invalid(message: string): Translated {
  return { kind: 'invalid', message };
}

function isInstruction({ role }: Fields): boolean {
  return role === 'system' || role === 'developer';
}

function messageOf(message: Fields): Fields {
  const { role, content } = message;
  if (role === 'tool') {
    const result = { type: 'tool_result', tool_use_id: message['tool_call_id'], content: textOf(content) };
    return { role: 'user', content: [result] };
  }
  const calls = objectsOf(message['tool_calls']).map(({ id, function: called }) => ({
    type: 'tool_use',
    id,
    name: isObject(called) ? called['name'] : '',
    input: isObject(called) ? called['arguments'] : '',
  }));
  const own = typeof content === 'string' ? [{ type: 'text', text: content }] : objectsOf(content).map(partOf);
  return { role, content: [...own, ...calls] };
}

function partOf(part: Fields): Fields {
  return part['type'] === 'image_url' ? { type: 'image', source: { type: 'url' } } : part;
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  return objectsOf(content)
    .map(({ text }) => (typeof text === 'string' ? text : ''))
    .join('\n');
}

function toolOf({ function: called }: Fields): Fields {
  const { name, description, parameters } = isObject(called) ? called : {};
  return { name, description, input_schema: isObject(parameters) ? parameters : { type: 'object' } };
}

function toolChoiceOf({ tools, tool_choice: choice, parallel_tool_calls: parallel }: Fields): Fields {
  if (!Array.isArray(tools) || tools.length === 0) return {};
  const single = parallel === false ? { disable_parallel_tool_use: true } : {};
  if (isObject(choice)) {
    const name = isObject(choice['function']) ? choice['function']['name'] : undefined;
    return { tool_choice: { type: 'tool', name, ...single } };
  }
  const type = choice === 'required' ? 'any' : choice === 'none' ? 'none' : 'auto';
  return { tool_choice: { type, ...single } };
}

function formatOf(wanted: unknown): Fields | null {
  if (!isObject(wanted)) return null;
  if (wanted['type'] === 'json_object') return { type: 'json_schema', schema: anyObject };
  if (wanted['type'] !== 'json_schema') return null;
  const given = wanted['json_schema'];
  return { type: 'json_schema', schema: isObject(given) ? given['schema'] : undefined };
}
