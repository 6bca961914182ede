/** The table of what is left out without an error, and why that changes nothing of the answer. docs/upstreams/openai.md tells the same. */

/** Members of the params. */
export const harmlessParams: ReadonlyMap<string, string> = new Map([
  ['cache_control', 'caching changes the price, not the answer; these servers cache by themselves'],
  ['metadata', 'a label for the account; OpenAI gets user_id as safety_identifier, others have no place for it'],
  ['service_tier', 'a tier of the account; OpenAI gets it, others have none'],
  ['diagnostics', 'asks for a report beside the answer'],
]);

/** Members of content blocks. */
export const harmlessInBlocks: ReadonlyMap<string, string> = new Map([
  ['cache_control', 'as above'],
  ['citations', 'only on text of earlier turns: where a sentence came from, not the sentence'],
  ['caller', 'only "direct": the model called the tool itself'],
  ['signature', 'proves earlier thinking to the API that wrote it'],
]);

/** Members of tools. */
export const harmlessInTools: ReadonlyMap<string, string> = new Map([
  ['cache_control', 'as above'],
  ['eager_input_streaming', 'changes how a stream is cut, not what it says'],
]);

/** Blocks of earlier turns. */
export const harmlessBlocks: ReadonlyMap<string, string> = new Map([
  ['redacted_thinking', 'can only be read by the API that wrote it'],
]);

/** A system block of Claude Code for the accounts of its API: a hash for each request, which would spoil every cache of prefixes. */
export const BILLING_BLOCK = 'x-anthropic-billing-header';
