/** The simulator as the Messages API speaks: messages, whole and streamed, and the counting of tokens. */
import {
  anthropicError,
  jsonHeaders,
  streamHeaders,
  wholeJson,
  type Failing,
  type Headers,
  type SimulatedAnswer,
} from './answers.ts';
import type { Answered, Core } from './core.ts';
import { invalid, overloaded, type ApiError, type Fault } from './faults.ts';
import { readPrompt } from './prompt.ts';
import { renderMessage } from './render.ts';
import { errorEvent, streamPieces } from './sse.ts';

export function answerMessages(core: Core, body: Uint8Array): SimulatedAnswer {
  const asked = core.ask({ body, read: () => readPrompt(body) });
  if (asked.kind === 'fault') return failed(asked.fault, { ...asked, render: anthropicError });
  if (asked.prompt.fields['stream'] === true) return streamed(asked);
  const { requestId, reply, usage, headers, wholeMs: latencyMs, fault } = asked;
  if (fault?.kind === 'stream_error') return anthropicError(overloaded, { requestId, latencyMs });
  const bytes = renderMessage(reply, usage);
  const whole = {
    kind: 'whole',
    status: 200,
    headers: withLimits(jsonHeaders(requestId), headers),
    latencyMs,
  } as const;
  if (fault !== null) return { ...whole, body: bytes.subarray(0, bytes.length >> 1), isCut: true };
  return { ...whole, body: bytes };
}

export function countTokens(core: Core, { body, requestId }: { body: Uint8Array; requestId: string }): SimulatedAnswer {
  const prompt = readPrompt(body, { counted: true });
  const failing = { requestId, latencyMs: 0 };
  if (prompt.kind === 'invalid') return anthropicError(invalid(prompt.message), failing);
  const wrongModel = core.refuseModel(prompt.model);
  if (wrongModel !== null) return failed(wrongModel, { ...failing, render: anthropicError });
  return wholeJson({ input_tokens: prompt.inputTokens }, requestId);
}

type Rendering = Failing & { readonly render: (error: ApiError, failing: Failing) => SimulatedAnswer };

/** A fault without an answer to spoil; each face renders errors in its own way. */
export function failed(fault: Fault, { requestId, latencyMs, render }: Rendering): SimulatedAnswer {
  switch (fault.kind) {
    case 'error':
      return render(fault, { requestId, latencyMs });
    case 'garbage': {
      const headers = jsonHeaders(requestId);
      return { kind: 'whole', status: 200, headers, body: Buffer.from(fault.body), latencyMs };
    }
    case 'hang':
      return { kind: 'hang' };
    default:
      return { kind: 'reset', latencyMs };
  }
}

export function withLimits(headers: Record<string, string>, limits: Headers | null): Headers {
  return limits === null ? headers : { ...headers, ...limits };
}

function streamed(asked: Answered): SimulatedAnswer {
  const { requestId, reply, usage, firstMs, wholeMs, fault } = asked;
  const all = streamPieces(reply, { usage, spreadMs: wholeMs - firstMs });
  const half = all.slice(0, Math.max(1, all.length >> 1));
  const last = half[half.length - 1];
  const pieces =
    fault === null
      ? all
      : fault.kind === 'stream_error'
        ? [...half, { atMs: last.atMs, bytes: errorEvent(overloaded, requestId) }]
        : half;
  return {
    kind: 'stream',
    status: 200,
    headers: withLimits(streamHeaders(requestId), asked.headers),
    latencyMs: firstMs,
    pieces,
    isCut: fault?.kind === 'cut',
  };
}
