/** An upstream: where requests of the models routed to it are sent, and how its answers are read. */
import type { RequestError } from '../domain/outcome.ts';
import type { Usage } from '../domain/tally.ts';

export type Billing = 'standard' | 'own' | 'simulated';

export type Call = {
  /** The very bytes of the params. */
  readonly params: Uint8Array;
  readonly version: string;
  readonly betas: readonly string[];
  readonly signal: AbortSignal;
};

export type Headroom = {
  readonly requestsLeft: number | null;
  readonly tokensLeft: number | null;
  readonly resetMs: number;
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
  /** Never rejects, but when its signal is aborted. */
  call(call: Call): Promise<CallResult>;
}
