/** What an answer's headers say of the limits left, in the words of the Messages API. */
import type { Headroom } from './upstream.ts';

type Headers = Readonly<Record<string, string>>;

/** `retry-after-ms`, or `retry-after` in seconds or as a date; null when neither says anything usable. */
export function retryAfterMs(headers: Headers, wallMs: () => number): number | null {
  const exact = Number(headers['retry-after-ms'] ?? NaN);
  if (exact >= 0) return exact;
  const text = headers['retry-after'];
  if (text === undefined) return null;
  const seconds = Number(text);
  if (seconds >= 0) return seconds * 1_000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : Math.max(0, date - wallMs());
}

/** Only an exhausted limit is worth saying: null on nearly every answer. */
export function headroomOf(headers: Headers, wallMs: () => number): Headroom | null {
  const requests = headers['anthropic-ratelimit-requests-remaining'];
  const tokens = headers['anthropic-ratelimit-tokens-remaining'] ?? headers['anthropic-ratelimit-input-tokens-remaining'];
  if (requests !== '0' && tokens !== '0') return null;
  const kind = requests === '0' ? 'requests' : 'tokens';
  const reset = headers[`anthropic-ratelimit-${kind}-reset`] ?? headers['anthropic-ratelimit-input-tokens-reset'] ?? '';
  const resetMs = Date.parse(reset) - wallMs();
  if (Number.isNaN(resetMs) || resetMs <= 0) return null;
  return { requestsLeft: requests === '0' ? 0 : null, tokensLeft: tokens === '0' ? 0 : null, resetMs };
}
