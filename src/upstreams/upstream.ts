/** An upstream: where requests of the models routed to it are sent, and how its answers are read. */
import type { RequestError } from '../domain/outcome.ts';
import type { Headroom } from '../domain/rate-headers.ts';
import type { Billing, Usage } from '../domain/tally.ts';
import type { UpstreamResponse } from '../ports/world.ts';

export type { Billing };

export type { Headroom };

export type Call = {
  /** The very bytes of the params. */
  readonly params: Uint8Array;
  readonly version: string;
  readonly betas: readonly string[];
  readonly signal: AbortSignal;
};

export type CallEnd =
  | { readonly kind: 'message'; readonly message: Uint8Array; readonly model: string; readonly usage: Usage }
  /** The request's own fault: sending it again would change nothing. */
  | { readonly kind: 'refused'; readonly error: RequestError }
  | {
      readonly kind: 'unpaid';
      readonly throttled: boolean;
      readonly retryAfterMs: number | null;
      readonly error: RequestError;
    }
  | { readonly kind: 'perhaps_paid'; readonly error: RequestError };

export type CallResult = { readonly end: CallEnd; readonly status: number | null; readonly headroom: Headroom | null };

export interface Upstream {
  readonly name: string;
  readonly billing: Billing;
  /** The service tier its calls are billed under, as usage is counted. */
  readonly tier: string;
  readonly concurrency: number;
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
  /** A request of a batch. Never rejects, but when its signal is aborted. */
  call(call: Call): Promise<CallResult>;
  /**
   * A synchronous call: status, headers and body as they come, in the Messages protocol (one JSON object, or events where the params ask
   * for a stream). Rejects where nothing came: SendError, RequestFault for what this upstream cannot be asked, or because it was aborted.
   */
  open(call: Call): Promise<UpstreamResponse>;
  /** What it counts itself for these params (no max_tokens in them); null where it has no such thing. Rejects like `open`. */
  countTokens(call: Call): Promise<UpstreamResponse | null>;
  /** The names of the models it says it serves; null where it does not say. Never rejects. */
  models(signal: AbortSignal): Promise<readonly string[] | null>;
}

/** The request's own fault, found before anything was sent: what this upstream cannot be asked, and why. */
export class RequestFault extends Error {
  readonly error: RequestError;

  constructor(error: RequestError) {
    super(error.message);
    this.name = 'RequestFault';
    this.error = error;
  }
}
