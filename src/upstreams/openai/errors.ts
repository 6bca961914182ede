/** Errors of OpenAI-compatible servers in the types of Messages, and which of them say that the request itself cannot be. */
import type { RequestError } from '../../domain/outcome.ts';
import { isOwnFault, isThrottle } from '../../domain/rate-headers.ts';
import type { UpstreamResponse } from '../../ports/world.ts';
import { ERROR_BYTES_MAX } from '../answer-end.ts';
import { isObject, type Json } from './fault.ts';

export type ChatError = {
  readonly error: RequestError;
  /** Sending it again would change nothing. */
  readonly refused: boolean;
  readonly throttled: boolean;
};

const types: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  408: 'timeout_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

const overflowCodes = new Set(['context_length_exceeded', 'exceed_context_size_error']);
const overflowWords =
  /maximum context length|exceeds the available context size|context length exceeded|exceeds? (the )?(model's )?context (length|window|size)/i;
/** llama.cpp answers 500 where a model cannot see, or where no grammar can be made of a schema; no later time will change that. */
const ownFaultWords =
  /(image|audio|video|multimodal|tools?)\b.{0,20} (is|are) not supported|does not support (image|audio|video|vision|tool|thinking)|JSON schema conversion failed|failed to (parse|initialize|build|compile).{0,40}(grammar|schema)|unsupported (JSON )?schema/i;
/** Words are looked for only in the beginning: some servers repeat the whole request in an error. */
const WORDS_LENGTH_MAX = 2_000;

export async function readChatError(response: UpstreamResponse): Promise<ChatError> {
  const { status } = response;
  const body = await bodyOf(response);
  const said = wordsOf(body);
  const words = said ?? `The upstream answered with status ${status}.`;
  const code = codeOf(body);
  const start = words.slice(0, WORDS_LENGTH_MAX);
  if (status >= 400 && status !== 401 && (overflowCodes.has(code) || overflowWords.test(start))) {
    return {
      error: { type: 'invalid_request_error', message: `prompt is too long: ${words}` },
      refused: true,
      throttled: false,
    };
  }
  if (status >= 500 && ownFaultWords.test(start)) {
    return { error: { type: 'invalid_request_error', message: words }, refused: true, throttled: false };
  }
  // No waiting helps an account without money: the lane stops until it works again, and the log says why.
  if (code === 'insufficient_quota')
    return { error: { type: 'billing_error', message: words }, refused: false, throttled: false };
  return {
    error: { type: types[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error'), message: words },
    refused: isOwnFault(status),
    throttled: isThrottle(status),
  };
}

async function bodyOf(response: UpstreamResponse): Promise<unknown> {
  try {
    return JSON.parse(Buffer.from(await response.body.bytes(ERROR_BYTES_MAX)).toString('utf8')) as unknown;
  } catch {
    // An error without a readable body is still that error: its status was read.
    return null;
  }
}

/** `{error: {message}}` of OpenAI and most; `{error: text}`; `{message}` of older vLLM; `{detail}` of FastAPI. */
export function wordsOf(body: unknown): string | null {
  if (!isObject(body)) return null;
  const { error, message, detail } = body;
  for (const words of [isObject(error) ? error['message'] : error, message, detail]) {
    if (typeof words === 'string' && words !== '') return words;
  }
  return Array.isArray(detail) ? JSON.stringify(detail) : null;
}

function codeOf(body: unknown): string {
  if (!isObject(body)) return '';
  const inner: Json = isObject(body['error']) ? body['error'] : body;
  return (
    ([inner['code'], inner['type']].find(
      (code) => typeof code === 'string' && code !== 'invalid_request_error',
    ) as string) ?? ''
  );
}
