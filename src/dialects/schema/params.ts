/** The params of one request, field by field, in the order of judgement. */
import { MODEL_LENGTH_MAX, THINKING_TOKENS_MIN, USER_ID_LENGTH_MAX } from '../../domain/limits.ts';
import { assistantContent, cacheControl, systemContent, systemText, userContent } from './blocks.ts';
import * as kinds from './kinds.ts';
import { list, optional, required, text, type Member, type Schema } from './kinds.ts';
import { tool, toolChoice } from './tools.ts';

const display = optional(kinds.choice('summarized', 'omitted'));

const thinking = kinds.tagged('Thinking', {
  enabled: kinds.object(
    { budget_tokens: required({ kind: 'integer', min: THINKING_TOKENS_MIN, rule: 'thinking tokens' }), display },
    { rule: 'thinking by hand' },
  ),
  disabled: kinds.object({}),
  adaptive: kinds.object({ display }),
  between_tools: kinds.object({}),
});

const format = kinds.tagged('OutputFormat', {
  json_schema: kinds.object({ schema: required({ kind: 'json schema', ofObject: false }) }),
});

const outputConfig = kinds.object({
  effort: optional(kinds.choice('low', 'medium', 'high', 'xhigh', 'max')),
  format: optional(format),
  task_budget: optional(kinds.dictionary, { beta: 'task-budgets-' }),
});

const skill = kinds.object({
  type: required(kinds.choice('anthropic', 'custom')),
  skill_id: required(text()),
  version: optional(text()),
});
const container = kinds.either(text(), kinds.object({ id: optional(text()), skills: optional(list(skill)) }));

const mcpServer = kinds.object({
  type: required(kinds.choice('url')),
  name: required(text()),
  url: required(text()),
  authorization_token: optional(text()),
  tool_configuration: optional(kinds.dictionary),
});

/** One message by its role: what it may hold differs. */
export const contentByRole: Readonly<Record<'user' | 'assistant' | 'system', Schema>> = {
  user: kinds.either(text(), list(userContent)),
  assistant: kinds.either(text(), list(assistantContent)),
  system: kinds.either(text(), list(systemContent)),
};

/** Walked by judge-messages.ts, which knows a role before it looks at the content. */
export const message = kinds.object(
  {
    role: required(kinds.choice('user', 'assistant', 'system')),
    content: required(kinds.either(text(), list(userContent))),
  },
  { title: 'Message' },
);

const answers = { onlyForAnswers: true } as const;
const removed = { until: '2026-10-21', onlyForAnswers: true } as const;

export const params: Readonly<Record<string, Member>> = {
  messages: required(list(message)),
  model: required(text({ min: 1, max: MODEL_LENGTH_MAX, rule: 'model' })),
  max_tokens: required({ kind: 'integer', rule: 'max tokens' }, answers),
  system: optional(kinds.either(text(), list(systemText))),
  tools: optional(list(tool)),
  tool_choice: optional(toolChoice),
  thinking: optional(thinking),
  temperature: optional({ kind: 'number', min: 0, max: 1 }, removed),
  top_p: optional({ kind: 'number', min: 0, max: 1 }, removed),
  top_k: optional({ kind: 'integer', min: 0 }, removed),
  stop_sequences: optional(list(text({ rule: 'stop sequence' })), answers),
  metadata: optional(kinds.object({ user_id: optional(text({ max: USER_ID_LENGTH_MAX })) }), answers),
  cache_control: optional(cacheControl),
  service_tier: optional(kinds.choice('auto', 'standard_only'), answers),
  output_config: optional(outputConfig),
  output_format: optional(format, { beta: 'structured-outputs-' }),
  container: optional(container, answers),
  diagnostics: optional(kinds.object({ previous_message_id: optional(text()) }), answers),
  inference_geo: optional(text(), answers),
  mcp_servers: optional(list(mcpServer), { beta: 'mcp-client-' }),
  context_management: optional(kinds.dictionary, { beta: 'context-management-' }),
  compaction: optional(kinds.dictionary, { beta: 'compact-' }),
  stream: optional({ kind: 'boolean', rule: 'stream' }, answers),
  speed: optional(kinds.choice('standard', 'fast'), { inBatch: 'refused' }),
  store: optional(kinds.any, { inBatch: 'refused', beta: 'message-threads-' }),
  thread: optional(kinds.any, { beta: 'message-threads-' }),
  previous_thread_event_id: optional(kinds.any, { inBatch: 'refused', beta: 'message-threads-' }),
  cache_hint: optional(kinds.any, { inBatch: 'refused' }),
  context_hint: optional(kinds.any, { inBatch: 'refused' }),
  research_preview_2026_02: optional(kinds.any, { inBatch: 'refused when active' }),
  fallbacks: optional(kinds.any, { inBatch: 'refused', beta: 'server-side-fallback-' }),
  fallback_credit_token: optional(kinds.any, { beta: 'fallback-credit-' }),
  billing_policy: optional(kinds.dictionary, { beta: 'user-profiles-' }),
  user_profile_id: optional(text(), { beta: 'user-profiles-' }),
  workspace_id: optional(text()),
};
