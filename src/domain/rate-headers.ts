/** What an answer's status and headers say of the limits left and of whose fault it is, in the words of the Messages API. */

export type Headroom = {
  readonly requestsLeft: number | null;
  readonly tokensLeft: number | null;
  readonly resetMs: number;
};

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

/** A request's own fault are the client errors, but for those that say "later" or "your key": the whole lane waits for these. */
export function isOwnFault(status: number): boolean {
  return status >= 400 && status < 500 && ![401, 402, 408, 409, 425, 429].includes(status);
}

export function isThrottle(status: number): boolean {
  return status === 429 || status === 529;
}
