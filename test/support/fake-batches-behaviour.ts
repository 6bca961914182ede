/** How a fake batch API behaves, and misbehaves. */
import type { FakeParams, FakeRequest, Outcome } from './fake-batches-shelf.ts';

/** What becomes of one POST of a batch. `commit`: the batch is made; `commitAfterMs`: so much later. */
export type PostFault =
  | { readonly kind: 'none' }
  /** The socket dies once so many bytes of the body have been read. */
  | { readonly kind: 'cut-at'; readonly bytes: number }
  /** All is read, then the socket dies. */
  | { readonly kind: 'cut-after-last'; readonly commit: boolean; readonly commitAfterMs?: number }
  /** All is read, and this is answered: 500 after a commit, 200 with garbage. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly commit: boolean;
      readonly commitAfterMs?: number;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Nothing is made. `early`: answered before the body is read. */
  | {
      readonly kind: 'refuse';
      readonly status: number;
      readonly type?: string;
      readonly message?: string;
      readonly retryAfterSeconds?: number;
      readonly early?: boolean;
    }
  /** All is read and nothing is ever answered. */
  | { readonly kind: 'hang'; readonly commit: boolean };

export type ResultsFault =
  | { readonly kind: 'none' }
  | { readonly kind: 'truncate'; readonly afterBytes: number }
  | { readonly kind: 'status'; readonly status: number; readonly type?: string; readonly message?: string };

/** How it behaves from now on; a test may change any of it at any time through `fake.behaviour`. */
export type Behaviour = {
  onPost: (post: { readonly index: number; readonly idempotencyKey: string | null }) => PostFault;
  onResults: (download: { readonly index: number; readonly batchId: string; readonly from: number }) => ResultsFault;
  /** Any other call (list, retrieve, cancel): a status that is not null is answered instead. */
  onCall: (call: { readonly index: number; readonly method: string; readonly path: string }) => number | null;
  outcomeOf: (request: FakeRequest, batchId: string) => Outcome;
  /** A Messages call. */
  onMessage: (params: FakeParams) => Outcome;
  endsAfterMs: number;
  listLagMs: number;
  /** Lines of strangers in the results of batches made from now on. */
  strangers: readonly string[];
  range: boolean;
  /** The value of nightshift-capabilities; keys are honoured when it names idempotency. */
  capabilities: string | null;
  requestsMax: number;
  /** Every call is answered 401. */
  revoked: boolean;
  organizationId: string;
};

/** Every batch is made, and ended as soon as it is looked at. */
export const usual: Behaviour = {
  onPost: () => ({ kind: 'none' }),
  onResults: () => ({ kind: 'none' }),
  onCall: () => null,
  outcomeOf: (request) => ({ kind: 'ok', text: `answer to ${textOf(request.params)}` }),
  onMessage: (params) => ({ kind: 'ok', text: `answer to ${textOf(params)}` }),
  endsAfterMs: 0,
  listLagMs: 0,
  strangers: [],
  range: true,
  capabilities: null,
  requestsMax: 100_000,
  revoked: false,
  organizationId: 'org-fake',
};

function textOf(params: FakeParams): string {
  const content = params.messages?.at(-1)?.content;
  return typeof content === 'string' ? content : JSON.stringify(content ?? null);
}
