/** Batches of many small requests, each marked `row-<n>`, which the test upstream counts by. */

export type Rows = { readonly ids: readonly string[]; readonly requests: readonly string[]; readonly body: string };

/** `content` is told after the marker; `from` is the first number. */
export function rows(
  count: number,
  options: { readonly from?: number; readonly content?: string; readonly model?: string } = {},
): Rows {
  const { from = 0, content = 'Say something short.', model = 'test-model' } = options;
  const ids = Array.from({ length: count }, (_, at) => `row-${from + at}`);
  const requests = ids.map((id) => requestOf({ id, params: paramsOf(`${id} ${content}`, model) }));
  return { ids, requests, body: bodyOf(requests) };
}

export function paramsOf(content: string, model = 'test-model'): string {
  return JSON.stringify({ model, max_tokens: 16, messages: [{ role: 'user', content }] });
}

/** By text, so that the bytes of `params` are the test's own. */
export function requestOf(parts: { readonly id: string; readonly params: string }): string {
  return `{"custom_id":${JSON.stringify(parts.id)},"params":${parts.params}}`;
}

export function bodyOf(requests: readonly string[]): string {
  return `{"requests":[${requests.join(',')}]}`;
}
