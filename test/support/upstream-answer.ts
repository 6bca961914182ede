/** The bytes a test upstream answers with, and every way it has of failing to. */

import type { ServerResponse } from 'node:http';
import type { FaultKind, UpstreamProfile } from './upstream-profile.ts';

const FILLER = 'The quick brown fox jumps over the lazy dog. '.repeat(3).trim();
const GARBAGE = '<html><body><h1>It works!</h1></body></html>';
const HUGE_PIECE = Buffer.alloc(64 * 1024, 'a');

const errorTypes: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  429: 'rate_limit_error',
  500: 'api_error',
  503: 'api_error',
  529: 'overloaded_error',
};

/** About 600 bytes. The text begins with the row, so that a test can tell which row got which answer. */
export function renderAnswer(input: {
  readonly row: string | null;
  readonly model: string;
  readonly call: number;
  readonly bodyBytes: number;
}): string {
  const { row, model, call, bodyBytes } = input;
  return (
    `{"model":"${model}","id":"msg_01${String(call).padStart(22, '0')}","type":"message","role":"assistant",` +
    `"content":[{"type":"text","text":"${row ?? 'no-row'} ${FILLER}"}],` +
    `"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":${(bodyBytes >> 2) + 1},` +
    `"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,` +
    `"ephemeral_1h_input_tokens":0},"output_tokens":40,"service_tier":"standard","inference_geo":"not_available"}}`
  );
}

/** The same answer as a chat completion. */
export function renderCompletion(input: Parameters<typeof renderAnswer>[0]): string {
  const { row, model, call, bodyBytes } = input;
  const prompt = (bodyBytes >> 2) + 1;
  return (
    `{"id":"chatcmpl-${call}","object":"chat.completion","created":1763683200,"model":"${model}","choices":[{"index":0,` +
    `"message":{"role":"assistant","content":"${row ?? 'no-row'} ${FILLER}","refusal":null,"annotations":[]},` +
    `"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":${prompt},"completion_tokens":40,` +
    `"total_tokens":${prompt + 40},"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0}},` +
    `"service_tier":"default","system_fingerprint":null}`
  );
}

/** The model is ASCII because it was cut from JSON by bytes; so the text is its bytes one to one, and goes out in one write with its head. */
export function sendAnswer(response: ServerResponse, text: string): void {
  response.writeHead(200, ['content-type', 'application/json', 'content-length', String(text.length)]);
  response.end(text, 'latin1');
}

export function sendStatus(
  response: ServerResponse,
  input: { readonly status: number; readonly retryAfterSeconds: number | null },
): void {
  const { status, retryAfterSeconds } = input;
  const error = { type: errorTypes[status] ?? 'api_error', message: `The test upstream was told to answer ${status}.` };
  const text = JSON.stringify({ type: 'error', error, request_id: null });
  const head = ['content-type', 'application/json', 'content-length', String(text.length)];
  if (retryAfterSeconds !== null && (status === 429 || status === 529))
    head.push('retry-after', String(retryAfterSeconds));
  response.writeHead(status, head);
  response.end(text, 'latin1');
}

/** Faults that strike at once; the others take their latency first, as an answer does. */
export function isImmediate(kind: FaultKind): boolean {
  return kind.startsWith('status') || kind === 'reset' || kind === 'hang';
}

export function sendFault(
  response: ServerResponse,
  input: { readonly kind: FaultKind; readonly answer: string; readonly profile: UpstreamProfile },
): void {
  const { kind, answer, profile } = input;
  const half = answer.slice(0, answer.length >> 1);
  switch (kind) {
    case 'reset':
      reset(response);
      return;
    case 'hang': {
      const timer = setTimeout(() => reset(response), profile.hangMs);
      response.once('close', () => clearTimeout(timer));
      return;
    }
    case 'resetMidBody':
      sendPart(response, { part: half, bytesPromised: answer.length, after: () => reset(response) });
      return;
    case 'lengthMismatch':
      sendPart(response, { part: half, bytesPromised: answer.length, after: () => response.socket?.end() });
      return;
    case 'truncated':
      sendAnswer(response, half);
      return;
    case 'garbage':
      sendAnswer(response, GARBAGE);
      return;
    case 'huge':
      sendHuge(response, profile.hugeBytesMax);
      return;
    default:
      sendStatus(response, {
        status: Number(kind.slice('status'.length)),
        retryAfterSeconds: profile.retryAfterSeconds,
      });
  }
}

export function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}

function sendPart(
  response: ServerResponse,
  input: { readonly part: string; readonly bytesPromised: number; readonly after: () => void },
): void {
  response.writeHead(200, ['content-type', 'application/json', 'content-length', String(input.bytesPromised)]);
  response.write(input.part, 'latin1', input.after);
}

/** Writes as fast as the caller reads and no faster. */
function sendHuge(response: ServerResponse, bytesMax: number): void {
  let sentBytes = 0;
  const pump = (): void => {
    while (!response.destroyed && sentBytes < bytesMax) {
      sentBytes += HUGE_PIECE.length;
      if (!response.write(HUGE_PIECE)) {
        response.once('drain', pump);
        return;
      }
    }
    if (!response.destroyed) reset(response);
  };
  response.writeHead(200, ['content-type', 'application/json']);
  response.write('{"type":"message","role":"assistant","content":[{"type":"text","text":"');
  pump();
}
