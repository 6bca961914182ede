/** What an answer's headers say of the limits left, in the words of the Messages API. */
import type { Headroom } from './upstream.ts';

const number = /^\d+(\.\d+)?$/;

type Headers = Readonly<Record<string, string>>;

/** `retry-after-ms`, or `retry-after` in seconds or as a date; null when neither says anything usable. */
export function retryAfterMs(headers: Headers, wallMs: () => number): number | null {
  const exact = headers['retry-after-ms'] ?? '';
  if (number.test(exact)) return Number(exact);
  const text = headers['retry-after'] ?? '';
  if (number.test(text)) return Number(text) * 1_000;
  // Date.parse reads dates into nearly anything; one of HTTP begins with its day.
  const date = /^[A-Z][a-z]+,/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(date) ? null : Math.max(0, date - wallMs());
}

/** Only an exhausted limit is worth saying: null on nearly every answer. */
export function headroomOf(headers: Headers, wallMs: () => number): Headroom | null {
  const requests = headers['anthropic-ratelimit-requests-remaining'];
  const tokens =
    headers['anthropic-ratelimit-tokens-remaining'] ?? headers['anthropic-ratelimit-input-tokens-remaining'];
  if (requests !== '0' && tokens !== '0') return null;
  const kind = requests === '0' ? 'requests' : 'tokens';
  const reset = headers[`anthropic-ratelimit-${kind}-reset`] ?? headers['anthropic-ratelimit-input-tokens-reset'] ?? '';
  const resetMs = Date.parse(reset) - wallMs();
  if (Number.isNaN(resetMs) || resetMs <= 0) return null;
  return { requestsLeft: requests === '0' ? 0 : null, tokensLeft: tokens === '0' ? 0 : null, resetMs };
}
