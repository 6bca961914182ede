/** Tools: a caller's own, and those of the API by their dated types. */
import { cached } from './blocks.ts';
import * as kinds from './kinds.ts';
import { list, optional, required, text, type Member, type ObjectSchema } from './kinds.ts';

const callable = {
  allowed_callers: optional(list(text())),
  ...cached,
  defer_loading: optional(kinds.truth),
  strict: optional(kinds.truth),
};
const examples = { input_examples: optional(list(kinds.dictionary)) };
const count = optional({ kind: 'integer', min: 1 });

const custom = kinds.object(
  {
    name: required(text({ min: 1, max: 128 })),
    input_schema: required({ kind: 'json schema', ofObject: true }),
    description: optional(text()),
    eager_input_streaming: optional(kinds.truth),
    ...examples,
    ...callable,
  },
  { title: 'Tool', rule: 'named tool' },
);

function named(name: string, members: Readonly<Record<string, Member>> = {}): ObjectSchema {
  return kinds.object({ name: required(kinds.choice(name)), ...callable, ...members }, { rule: 'named tool' });
}

const domains = { allowed_domains: optional(list(text())), blocked_domains: optional(list(text())), max_uses: count };
const inclusion = { response_inclusion: optional(kinds.choice('full', 'excluded')) };
const webSearch = { ...domains, user_location: optional(kinds.dictionary) };
const webFetch = {
  ...domains,
  citations: optional(kinds.object({ enabled: optional(kinds.truth) })),
  max_content_tokens: count,
  url_sources: optional(kinds.dictionary),
};
const useCache = { use_cache: optional(kinds.truth) };
const screen = {
  display_height_px: required({ kind: 'integer', min: 1 }),
  display_width_px: required({ kind: 'integer', min: 1 }),
  display_number: optional(kinds.integer),
  enable_zoom: optional(kinds.truth),
  ...examples,
};

/** Sets of tools have no name of their own. */
const toolset = kinds.object({ configs: optional(kinds.dictionary), ...cached });
const mcpToolset = kinds.object({
  mcp_server_name: required(text()),
  configs: optional(kinds.dictionary),
  default_config: optional(kinds.dictionary),
  tools: optional(list(kinds.dictionary)),
  ...cached,
});

export const tool = kinds.tagged(
  'ToolUnion',
  {
    custom,
    bash_20241022: named('bash', examples),
    bash_20250124: named('bash', examples),
    code_execution_20250522: named('code_execution'),
    code_execution_20250825: named('code_execution'),
    code_execution_20260120: named('code_execution'),
    code_execution_20260521: named('code_execution'),
    browser_toolset_20260801: toolset,
    computer_toolset_20260801: toolset,
    computer_20241022: named('computer', screen),
    computer_20250124: named('computer', screen),
    computer_20251124: named('computer', screen),
    memory_20250818: named('memory', examples),
    text_editor_20241022: named('str_replace_editor', examples),
    text_editor_20250124: named('str_replace_editor', examples),
    text_editor_20250429: named('str_replace_based_edit_tool', examples),
    text_editor_20250728: named('str_replace_based_edit_tool', { ...examples, max_characters: count }),
    web_search_20250305: named('web_search', webSearch),
    web_search_20260209: named('web_search', webSearch),
    web_search_20260318: named('web_search', { ...webSearch, ...inclusion }),
    web_fetch_20250910: named('web_fetch', webFetch),
    web_fetch_20260209: named('web_fetch', webFetch),
    web_fetch_20260309: named('web_fetch', { ...webFetch, ...useCache }),
    web_fetch_20260318: named('web_fetch', { ...webFetch, ...useCache, ...inclusion }),
    tool_search_tool_bm25_20251119: named('tool_search_tool_bm25'),
    tool_search_tool_bm25: named('tool_search_tool_bm25'),
    tool_search_tool_regex_20251119: named('tool_search_tool_regex'),
    tool_search_tool_regex: named('tool_search_tool_regex'),
    advisor_20260301: kinds.object({ name: required(text()), ...callable }, { open: true, rule: 'named tool' }),
    mcp_toolset: mcpToolset,
  },
  { untyped: 'custom' },
);

const parallel = { disable_parallel_tool_use: optional(kinds.truth) };

export const toolChoice = kinds.tagged(
  'ToolChoice',
  {
    auto: kinds.object(parallel),
    any: kinds.object(parallel, { rule: 'forced tool' }),
    tool: kinds.object({ name: required(text()), ...parallel }, { rule: 'chosen tool' }),
    none: kinds.object({}),
  },
  { closed: true },
);
