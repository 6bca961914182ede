/** What a prompt may have in tokens, where nobody counts it: its text by length, and a picture as the largest that is not scaled down. */

/** A token of English prose has about four bytes. */
const BYTES_PER_TOKEN = 4;
const IMAGE_TOKENS = 1_600;
/** What a message costs beside its text. */
const MESSAGE_TOKENS = 4;

/** Of params that have been judged. Only what a model reads counts: messages, system and tools. */
export function estimateTokens(params: Uint8Array): number {
  const { messages, system, tools } = JSON.parse(Buffer.from(params).toString('utf8')) as Record<string, unknown>;
  const count = Array.isArray(messages) ? messages.length : 0;
  return Math.ceil(tokensOf([messages, system, tools])) + count * MESSAGE_TOKENS;
}

/** Names of fields are the protocol's, and mostly as long as what marks them for the model: only values count. */
function tokensOf(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value) / BYTES_PER_TOKEN;
  if (Array.isArray(value)) return value.reduce((sum: number, entry) => sum + tokensOf(entry), 0);
  if (typeof value !== 'object' || value === null) return 0;
  if ((value as { type?: unknown }).type === 'image') return IMAGE_TOKENS;
  return tokensOf(Object.values(value));
}
