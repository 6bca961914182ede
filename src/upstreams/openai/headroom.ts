/** What OpenAI's headers say of the limits left. */
import type { Headroom } from '../../domain/rate-headers.ts';

type Headers = Readonly<Record<string, string>>;

const durations = /^(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?$/;

/** Only an exhausted limit is worth saying: null on nearly every answer. */
export function chatHeadroomOf(headers: Headers): Headroom | null {
  const noRequests = headers['x-ratelimit-remaining-requests'] === '0';
  if (!noRequests && headers['x-ratelimit-remaining-tokens'] !== '0') return null;
  const resetMs = durationMs(headers[`x-ratelimit-reset-${noRequests ? 'requests' : 'tokens'}`] ?? '');
  if (resetMs === null || resetMs <= 0) return null;
  return { requestsLeft: noRequests ? 0 : null, tokensLeft: noRequests ? null : 0, resetMs };
}

/** `6m0s`, `1.5s`, `20ms`. */
function durationMs(text: string): number | null {
  const found = durations.exec(text);
  if (found === null || text === '') return null;
  const [hours, minutes, seconds, milliseconds] = found.slice(1).map((part) => Number(part ?? 0));
  return ((hours * 60 + minutes) * 60 + seconds) * 1_000 + milliseconds;
}
