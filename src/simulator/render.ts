/** A reply as the one JSON object of the Messages protocol. */
import type { Reply } from './reply.ts';

/** What of the prompt was read from the cache and written to it; the rest is plain input. */
export type PromptUsage = {
  readonly inputTokens: number;
  readonly cacheReadTokens: number;
  readonly write5mTokens: number;
  readonly write1hTokens: number;
};

export const REFUSAL_EXPLANATION = 'The simulator was told to refuse.';

export function renderMessage(reply: Reply, usage: PromptUsage): Buffer {
  return Buffer.from(
    `{"model":${JSON.stringify(reply.model)},"id":"${reply.id}","type":"message","role":"assistant",` +
      `"content":${renderBlocks(reply.blocks)},"container":null,` +
      `"stop_reason":"${reply.stopReason}","stop_sequence":${JSON.stringify(reply.stopSequence)},` +
      `"stop_details":${renderStopDetails(reply)},"usage":${renderUsage(usage, reply)},"diagnostics":null}`,
  );
}

/** Most answers are one block of text. */
function renderBlocks(blocks: Reply['blocks']): string {
  const [first] = blocks;
  if (blocks.length !== 1 || first.type !== 'text') return JSON.stringify(blocks);
  return `[{"type":"text","text":${JSON.stringify(first.text)}}]`;
}

export function renderStopDetails({ stopReason }: Reply): string {
  if (stopReason !== 'refusal') return 'null';
  return JSON.stringify({ type: 'refusal', category: null, explanation: REFUSAL_EXPLANATION });
}

export function renderUsage(usage: PromptUsage, reply: Pick<Reply, 'outputTokens' | 'thinkingTokens'>): string {
  const details =
    reply.thinkingTokens === null ? '' : `"output_tokens_details":{"thinking_tokens":${reply.thinkingTokens}},`;
  return (
    `{"input_tokens":${usage.inputTokens},` +
    `"cache_creation_input_tokens":${usage.write5mTokens + usage.write1hTokens},` +
    `"cache_read_input_tokens":${usage.cacheReadTokens},` +
    `"cache_creation":{"ephemeral_5m_input_tokens":${usage.write5mTokens},` +
    `"ephemeral_1h_input_tokens":${usage.write1hTokens}},"output_tokens":${reply.outputTokens},${details}` +
    `"service_tier":"standard","inference_geo":"not_available"}`
  );
}
