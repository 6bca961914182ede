/** What a Messages API refuses before any model reads it; the order and the words are those of the real one, as far as they are known. */
import { isObject, objectsOf, type Fields } from './fields.ts';

const THINKING_BUDGET_MIN = 1_024;

export function refuse(fields: Fields, { counted }: { readonly counted: boolean }): string | null {
  const { model, messages, max_tokens: maxTokens } = fields;
  if (model === undefined) return 'model: Field required';
  if (typeof model !== 'string') return 'model: Input should be a valid string';
  if (model === '') return 'model: String should have at least 1 character';
  if (messages === undefined) return 'messages: Field required';
  if (!Array.isArray(messages)) return 'messages: Input should be a valid list';
  if (messages.length === 0) return 'messages: at least one message is required';
  if (!counted) {
    if (maxTokens === undefined) return 'max_tokens: Field required';
    if (typeof maxTokens !== 'number' || !Number.isSafeInteger(maxTokens))
      return 'max_tokens: Input should be a valid integer';
    if (maxTokens < 1) return 'max_tokens: must be greater than or equal to 1';
  }
  return refuseMessages(messages) ?? refuseOptions(fields);
}

function refuseMessages(messages: readonly unknown[]): string | null {
  for (const [at, message] of messages.entries()) {
    if (!isObject(message)) return `messages.${at}: Input should be a valid dictionary`;
    if (message['role'] === undefined) return `messages.${at}.role: Field required`;
    if (typeof message['role'] !== 'string') return `messages.${at}.role: Input should be a valid string`;
    const content = message['content'];
    if (content === undefined) return `messages.${at}.content: Field required`;
    if (typeof content !== 'string' && !Array.isArray(content))
      return `messages.${at}.content: Input should be a valid list`;
  }
  return null;
}

/** Plain requests have none of these. */
function refuseOptions(fields: Fields): string | null {
  return (
    refuseStops(fields['stop_sequences']) ?? refuseThinking(fields) ?? refuseToolChoice(fields) ?? refuseFormat(fields)
  );
}

function refuseStops(stops: unknown): string | null {
  if (stops === undefined || stops === null) return null;
  if (!Array.isArray(stops)) return 'stop_sequences: Input should be a valid list';
  for (const [at, stop] of (stops as readonly unknown[]).entries()) {
    if (typeof stop !== 'string') return `stop_sequences.${at}: Input should be a valid string`;
    if (stop.trim() === '') return 'stop_sequences: each stop sequence must contain non-whitespace';
  }
  return null;
}

function refuseThinking({ thinking, max_tokens: maxTokens, tool_choice: choice }: Fields): string | null {
  if (thinking === undefined || thinking === null) return null;
  if (!isObject(thinking)) return 'thinking: Input should be a valid dictionary';
  const { type, budget_tokens: budget } = thinking;
  if (!['enabled', 'disabled', 'adaptive', 'between_tools'].includes(type as string))
    return "thinking: Input tag does not match any of the expected tags: 'adaptive', 'between_tools', 'disabled', 'enabled'";
  if (type !== 'enabled') return null;
  if (budget === undefined) return 'thinking.enabled.budget_tokens: Field required';
  if (typeof budget !== 'number' || !Number.isSafeInteger(budget))
    return 'thinking.enabled.budget_tokens: Input should be a valid integer';
  if (budget < THINKING_BUDGET_MIN)
    return `thinking.enabled.budget_tokens: Input should be greater than or equal to ${THINKING_BUDGET_MIN}`;
  if (typeof maxTokens === 'number' && maxTokens <= budget)
    return '`max_tokens` must be greater than `thinking.budget_tokens`.';
  const isForced = isObject(choice) && (choice['type'] === 'any' || choice['type'] === 'tool');
  return isForced ? 'Thinking may not be enabled when tool_choice forces tool use.' : null;
}

function refuseToolChoice({ tools, tool_choice: choice }: Fields): string | null {
  if (choice === undefined || choice === null) return null;
  if (!isObject(choice)) return 'tool_choice: Input should be a valid dictionary';
  const { type, name } = choice;
  if (!['auto', 'any', 'tool', 'none'].includes(type as string))
    return "tool_choice: Input tag does not match any of the expected tags: 'auto', 'any', 'tool', 'none'";
  const offered = objectsOf(tools);
  if (offered.length === 0 && type !== 'none') return 'tool_choice may only be specified while providing tools.';
  if (type !== 'tool') return null;
  if (typeof name !== 'string') return 'tool_choice.tool.name: Field required';
  return offered.some((tool) => tool['name'] === name) ? null : `Tool '${name}' not found in provided tools`;
}

function refuseFormat(fields: Fields): string | null {
  const config = fields['output_config'];
  const [format, place] =
    isObject(config) && isObject(config['format'])
      ? [config['format'], 'output_config.format']
      : [fields['output_format'], 'output_format'];
  if (!isObject(format)) return null;
  if (format['type'] !== 'json_schema') return `${place}.type: Input should be 'json_schema'`;
  return isObject(format['schema']) ? null : `${place}.schema: Input should be a valid dictionary`;
}
