/** The upstream that speaks the Messages protocol itself: params go out as the very bytes sent, answers come back as they are. */
import { readAnswer } from '../bytes/answer.ts';
import { withoutThinking } from '../bytes/signed-thinking.ts';
import { ANSWER_BYTES_MAX } from '../domain/limits.ts';
import { headroomOf, isOwnFault, isThrottle, retryAfterMs } from '../domain/rate-headers.ts';
import type { Send, UpstreamResponse } from '../ports/world.ts';
import { failedEnd, readError } from './answer-end.ts';
import { UNSIGNED } from './openai/completion.ts';
import { readModels } from './served-models.ts';
import type { Billing, Call, CallEnd, CallResult, Upstream } from './upstream.ts';

export type AnthropicOptions = {
  readonly name: string;
  /** Its base, such as `https://api.anthropic.com`; `/v1/messages` is added. */
  readonly url: string;
  readonly apiKey: string | null;
  readonly billing: Billing;
  readonly concurrency: number;
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
  readonly send: Send;
  readonly wallMs: () => number;
};

/** Lists of models are asked for by ourselves, not by a caller with a version. */
const VERSION = '2023-06-01';

export function createAnthropicUpstream(options: AnthropicOptions): Upstream {
  const { name, billing, concurrency, requestsPerMinute, tokensPerMinute } = options;
  const base = options.url.replace(/\/+$/, '');
  const url = `${base}/v1/messages`;
  const headersFor = headersCache(options.apiKey);
  const call = async (request: Call): Promise<CallResult> => {
    let response: UpstreamResponse | null = null;
    try {
      response = await options.send({
        url,
        headers: headersFor(request.version, request.betas),
        body: withoutThinking(request.params, UNSIGNED),
        signal: request.signal,
      });
      const end = await readEnd(response, options.wallMs);
      return { end, status: response.status, headroom: headroomOf(response.headers, options.wallMs) };
    } catch (error) {
      if (request.signal.aborted) throw request.signal.reason;
      return { end: failedEnd(error, response !== null), status: response?.status ?? null, headroom: null };
    }
  };
  const post = (path: string, { version, betas, params, signal }: Call): Promise<UpstreamResponse> =>
    options.send({
      url: `${base}${path}`,
      headers: headersFor(version, betas),
      body: withoutThinking(params, UNSIGNED),
      signal,
    });
  return {
    name,
    billing,
    tier: 'standard',
    concurrency,
    requestsPerMinute,
    tokensPerMinute,
    call,
    open: (request) => post('/v1/messages', request),
    async countTokens(request) {
      const response = await post('/v1/messages/count_tokens', request);
      // Servers that speak the rest of the protocol often lack this call.
      return response.status === 404 || response.status === 405 || response.status === 501 ? null : response;
    },
    models: (signal) =>
      readModels({ send: options.send, url: `${base}/v1/models`, headers: headersFor(VERSION, []), signal }),
  };
}

async function readEnd(response: UpstreamResponse, wallMs: () => number): Promise<CallEnd> {
  const { status } = response;
  // Whatever says it succeeded may have been paid for, if it is a message or not.
  if (status >= 200 && status < 300) {
    const answer = readAnswer(await response.body.bytes(ANSWER_BYTES_MAX));
    if (answer.kind === 'message')
      return { kind: 'message', message: answer.line, model: answer.model, usage: answer.usage };
    return {
      kind: 'perhaps_paid',
      error: { type: 'api_error', message: `The upstream's answer is not a message: ${answer.reason}` },
    };
  }
  const error = await readError(response);
  if (isOwnFault(status)) return { kind: 'refused', error };
  return {
    kind: 'unpaid',
    throttled: isThrottle(status),
    retryAfterMs: retryAfterMs(response.headers, wallMs),
    error,
  };
}

/** Batches share few versions and sets of betas; their headers are made once each. */
function headersCache(
  apiKey: string | null,
): (version: string, betas: readonly string[]) => Readonly<Record<string, string>> {
  const known = new Map<string, Readonly<Record<string, string>>>();
  return (version, betas) => {
    const beta = betas.join(',');
    const key = `${version}\n${beta}`;
    let headers = known.get(key);
    if (!headers) {
      headers = {
        'content-type': 'application/json',
        'anthropic-version': version,
        ...(beta === '' ? {} : { 'anthropic-beta': beta }),
        ...(apiKey === null ? {} : { 'x-api-key': apiKey }),
      };
      if (known.size > 1_000) known.clear();
      known.set(key, headers);
    }
    return headers;
  };
}
