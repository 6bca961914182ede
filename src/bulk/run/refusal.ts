/** What a refused POST asks of us: to wait, to cut smaller, to leave a row out, or to stop. Pure. */

export type Refusal = { readonly status: number; readonly type: string; readonly message: string };

export type Answer =
  | { readonly kind: 'wait' }
  /** Smaller bodies: at most so many requests, where the server said so, else half of what was sent. */
  | { readonly kind: 'smaller'; readonly requestsMax: number | null }
  /** It names one request of the body, by its place, as malformed. */
  | { readonly kind: 'row'; readonly index: number }
  | { readonly kind: 'authentication' }
  | { readonly kind: 'credit' }
  | { readonly kind: 'stop' };

export function answerTo({ status, type, message }: Refusal, requests: number): Answer {
  if (status === 429) return { kind: 'wait' };
  if (status === 402 || type === 'billing_error' || /credit balance/i.test(message)) return { kind: 'credit' };
  if (status === 401 || status === 403) return { kind: 'authentication' };
  if (status === 413) return { kind: 'smaller', requestsMax: null };
  // A key used for another body before: ours never are, so it is another program's; the next intent has another.
  if (status === 409) return { kind: 'wait' };
  const most = mostOf(message);
  if (most !== null && most < requests) return { kind: 'smaller', requestsMax: most };
  const index = indexOf(message);
  return index !== null && index < requests ? { kind: 'row', index } : { kind: 'stop' };
}

/** "at most 1,000 items", "no more than 500 requests", "exceeds the limit of 100 requests", "maximum of 50 requests". */
function mostOf(message: string): number | null {
  const found =
    /(?:at most|no more than|up to|limit of|maximum(?: of| is|:)?|cannot exceed|less than or equal to) ([\d][\d,_]*)(?: (?:requests?|items?|entries|elements)|\b)/i.exec(
      message,
    );
  // A bound on tokens or on bytes is no bound on requests.
  if (found === null || !/requests?|items?|entries|elements/i.test(message) || /token|byte|character/i.test(message))
    return null;
  const most = Number(found[1]!.replaceAll(/[,_]/g, ''));
  return Number.isSafeInteger(most) && most > 0 ? most : null;
}

/** "requests.12.params.max_tokens: …", "requests[12]: …". */
function indexOf(message: string): number | null {
  const found = /\brequests(?:\.|\[)(\d{1,6})\b/.exec(message);
  return found === null ? null : Number(found[1]);
}
