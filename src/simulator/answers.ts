/** How an answer leaves the simulator, whether as a function's result or over a socket: what is sent, when, and how it ends. */
import type { ApiError } from './faults.ts';
import type { Piece } from './sse.ts';

export type Headers = Readonly<Record<string, string>>;

export type SimulatedAnswer =
  | {
      readonly kind: 'whole';
      readonly status: number;
      readonly headers: Headers;
      readonly body: Uint8Array;
      /** How long to wait before it is handed on; the simulator itself never waits. */
      readonly latencyMs: number;
      /** The connection is reset after these bytes, which are not all. */
      readonly isCut?: boolean;
    }
  | {
      readonly kind: 'stream';
      readonly status: number;
      readonly headers: Headers;
      readonly latencyMs: number;
      readonly pieces: readonly Piece[];
      readonly isCut: boolean;
    }
  /** The connection is reset without an answer. */
  | { readonly kind: 'reset'; readonly latencyMs: number }
  | { readonly kind: 'hang' };

/** Every answer says that no model was asked. */
export const SIMULATED_HEADER = 'nightshift-simulated';

export function jsonHeaders(requestId: string): Record<string, string> {
  return { 'content-type': 'application/json', 'request-id': requestId, [SIMULATED_HEADER]: 'true' };
}

export function streamHeaders(requestId: string): Record<string, string> {
  return {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    'request-id': requestId,
    [SIMULATED_HEADER]: 'true',
  };
}

export function wholeJson(value: unknown, requestId: string): SimulatedAnswer {
  const body = Buffer.from(JSON.stringify(value));
  return { kind: 'whole', status: 200, headers: jsonHeaders(requestId), body, latencyMs: 0 };
}

export type Failing = { readonly requestId: string; readonly latencyMs: number };

export function anthropicError(error: ApiError, { requestId, latencyMs }: Failing): SimulatedAnswer {
  const { status, type, message, headers } = error;
  const body = { type: 'error', error: { type, message }, request_id: requestId };
  return {
    kind: 'whole',
    status,
    headers: headers === undefined ? jsonHeaders(requestId) : { ...jsonHeaders(requestId), ...headers },
    body: Buffer.from(JSON.stringify(body)),
    latencyMs,
  };
}
