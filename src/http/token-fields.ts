/** Tokens as the reports of the Admin API name them. */
import type { Usage } from '../domain/tally.ts';

export function tokenFields(usage: Usage): object {
  return {
    uncached_input_tokens: usage.inputTokens,
    cache_creation: {
      ephemeral_1h_input_tokens: usage.cacheCreation1hInputTokens,
      ephemeral_5m_input_tokens: usage.cacheCreationInputTokens - usage.cacheCreation1hInputTokens,
    },
    cache_read_input_tokens: usage.cacheReadInputTokens,
    output_tokens: usage.outputTokens,
  };
}
