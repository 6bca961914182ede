/** The upstream that speaks chat completions: params are translated on the way out, answers on the way back. */
import { ANSWER_BYTES_MAX } from '../domain/limits.ts';
import { retryAfterMs } from '../domain/rate-headers.ts';
import type { Send, Timers, UpstreamResponse } from '../ports/world.ts';
import { failedEnd } from './answer-end.ts';
import { translatedEvents } from './openai/events.ts';
import { parseExactly } from './openai/exact-json.ts';
import { readChatError } from './openai/errors.ts';
import { cannot, isObject } from './openai/fault.ts';
import { profileSource } from './openai/guess.ts';
import { chatHeadroomOf } from './openai/headroom.ts';
import { isPlain } from './openai/plain.ts';
import type { Profile, ProfileName } from './openai/profile.ts';
import { plainContext, toChat, type AnswerContext } from './openai/request.ts';
import { fromChat } from './openai/response.ts';
import { readModels } from './served-models.ts';
import { RequestFault, type Billing, type Call, type CallEnd, type CallResult, type Upstream } from './upstream.ts';

export type OpenAiOptions = {
  readonly name: string;
  /** Its base, such as `http://localhost:8000`; `/v1/chat/completions` is added. */
  readonly url: string;
  readonly apiKey: string | null;
  /** What kind of server it is; `auto` finds out. */
  readonly profile: ProfileName | 'auto';
  readonly billing: Billing;
  readonly concurrency: number;
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
  readonly send: Send;
  readonly timers: Timers;
  readonly wallMs: () => number;
};

type Prepared = { readonly body: Uint8Array; readonly context: AnswerContext; readonly streams: boolean };

export function createOpenAiUpstream(options: OpenAiOptions): Upstream {
  const { name, billing, concurrency, requestsPerMinute, tokensPerMinute, send, timers, wallMs } = options;
  const base = options.url.replace(/\/+$/, '').replace(/\/v1$/, '');
  const headers = {
    'content-type': 'application/json',
    ...(options.apiKey === null ? {} : { authorization: `Bearer ${options.apiKey}` }),
  };
  const profile = profileSource({ base, headers, chosen: options.profile, send, timers });
  const url = `${base}/v1/chat/completions`;

  const call = async ({ params, signal }: Call): Promise<CallResult> => {
    const known = profile();
    let prepared: Prepared;
    try {
      prepared = prepare(params, { profile: known instanceof Promise ? await known : known, mayStream: false });
    } catch (error) {
      // In a later turn: a batch of nothing else must not keep everything waiting.
      await new Promise<void>((resolve) => timers.turn(resolve));
      return { end: { kind: 'refused', error: faultOf(error).error }, status: null, headroom: null };
    }
    let response: UpstreamResponse | null = null;
    try {
      response = await send({ url, headers, body: prepared.body, signal });
      const end = await readEnd(response, { context: prepared.context, wallMs });
      return { end, status: response.status, headroom: chatHeadroomOf(response.headers) };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      return { end: failedEnd(error, response !== null), status: response?.status ?? null, headroom: null };
    }
  };

  const open = async ({ params, signal }: Call): Promise<UpstreamResponse> => {
    const { body, context, streams } = preparedOrFault(params, await profile());
    const response = await send({ url, headers, body, signal });
    if (response.status < 200 || response.status > 299) return await errorResponse(response);
    return streams ? streamed({ response, context, signal }) : await translated(response, context);
  };

  return {
    name,
    billing,
    tier: 'standard',
    concurrency,
    requestsPerMinute,
    tokensPerMinute,
    call,
    open,
    // What some of these servers count is the tokens of a text, not of a conversation with tools and images.
    countTokens: () => Promise.resolve(null),
    models: (signal) => readModels({ send, url: `${base}/v1/models`, headers, signal }),
  };
}

const exactWords = [Buffer.from('"tool'), Buffer.from('"output_')];

function prepare(params: Uint8Array, { profile, mayStream }: { profile: Profile; mayStream: boolean }): Prepared {
  const bytes = Buffer.from(params.buffer, params.byteOffset, params.byteLength);
  const text = bytes.toString('utf8');
  // Long numbers matter where they are data: in the inputs of tools and in schemas.
  const parsed = exactWords.some((word) => bytes.includes(word)) ? parseExactly(text) : (JSON.parse(text) as unknown);
  if (!isObject(parsed)) return cannot('params', 'Input should be an object');
  if (isPlain(parsed, profile)) return { body: params, context: plainContext(String(parsed['model'])), streams: false };
  const { body, context } = toChat(parsed, profile);
  const streams = mayStream && parsed['stream'] === true;
  const whole = streams ? { ...body, stream: true, stream_options: { include_usage: true } } : body;
  return { body: Buffer.from(JSON.stringify(whole)), context, streams };
}

function preparedOrFault(params: Uint8Array, profile: Profile): Prepared {
  try {
    return prepare(params, { profile, mayStream: true });
  } catch (error) {
    throw faultOf(error);
  }
}

/** A translation that stumbles over a request fails that request alone. */
function faultOf(error: unknown): RequestFault {
  if (error instanceof RequestFault) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new RequestFault({ type: 'invalid_request_error', message: `The request cannot be translated: ${message}` });
}

type Reading = { readonly context: AnswerContext; readonly wallMs: () => number };

async function readEnd(response: UpstreamResponse, { context, wallMs }: Reading): Promise<CallEnd> {
  const { status } = response;
  // Whatever says it succeeded may have been paid for, if it is a completion or not.
  if (status >= 200 && status < 300) {
    const answer = fromChat(await response.body.bytes(ANSWER_BYTES_MAX), { context, tier: 'batch' });
    if (answer.kind === 'message')
      return { kind: 'message', message: answer.line, model: answer.model, usage: answer.usage };
    return { kind: 'perhaps_paid', error: { type: 'api_error', message: notACompletion(answer.reason) } };
  }
  const { error, refused, throttled } = await readChatError(response);
  if (refused) return { kind: 'refused', error };
  return { kind: 'unpaid', throttled, retryAfterMs: retryAfterMs(response.headers, wallMs), error };
}

function notACompletion(reason: string): string {
  return `The upstream's answer is not a chat completion: ${reason}`;
}

async function translated(response: UpstreamResponse, context: AnswerContext): Promise<UpstreamResponse> {
  const answer = fromChat(await response.body.bytes(ANSWER_BYTES_MAX), { context, tier: 'standard' });
  if (answer.kind === 'message') return whole(200, { bytes: answer.line, headers: {} });
  return errorWhole(502, { error: { type: 'api_error', message: notACompletion(answer.reason) }, headers: {} });
}

/** Statuses mean the same in both protocols; where the request itself cannot be, 400 says so. */
async function errorResponse(response: UpstreamResponse): Promise<UpstreamResponse> {
  const { error, refused } = await readChatError(response);
  const isServerFault = response.status >= 500;
  return errorWhole(refused && isServerFault ? 400 : response.status, { error, headers: response.headers });
}

type ErrorParts = { readonly error: RequestFault['error']; readonly headers: Readonly<Record<string, string>> };

function errorWhole(status: number, { error, headers }: ErrorParts): UpstreamResponse {
  const wait = headers['retry-after'];
  const bytes = Buffer.from(JSON.stringify({ type: 'error', error, request_id: null }));
  return whole(status, { bytes, headers: wait === undefined ? {} : { 'retry-after': wait } });
}

type WholeParts = { readonly bytes: Uint8Array; readonly headers: Readonly<Record<string, string>> };

function whole(status: number, { bytes, headers }: WholeParts): UpstreamResponse {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: {
      bytes: () => Promise.resolve(bytes),
      async *stream() {
        yield bytes;
      },
    },
  };
}

type Streaming = { readonly response: UpstreamResponse; readonly context: AnswerContext; readonly signal: AbortSignal };

function streamed(parts: Streaming): UpstreamResponse {
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' },
    body: {
      async bytes() {
        const pieces = await Array.fromAsync(translatedEvents(parts));
        return Buffer.concat(pieces);
      },
      stream: () => translatedEvents(parts),
    },
  };
}
