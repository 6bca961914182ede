/** The simulator as a server of chat completions: the request becomes a Messages request, its reply a completion, whole or streamed. */
import { jsonHeaders, streamHeaders, type Failing, type SimulatedAnswer } from './answers.ts';
import type { Answered, Core } from './core.ts';
import { overloaded, type ApiError } from './faults.ts';
import { isObject } from './fields.ts';
import { failed } from './messages-face.ts';
import { messagesOfChat } from './openai-request.ts';
import { parseObject, promptOf, type ReadPrompt } from './prompt.ts';
import type { Block } from './reply.ts';
import { cut, type Piece } from './sse.ts';

export function answerChat(core: Core, body: Uint8Array): SimulatedAnswer {
  const asked = core.ask({ body, read: () => readChat(body) });
  if (asked.kind === 'fault') return failed(asked.fault, { ...asked, render: chatError });
  if (asked.prompt.fields['stream'] === true) return streamed(asked);
  const { requestId, wholeMs: latencyMs, fault } = asked;
  if (fault?.kind === 'stream_error') return chatError(overloaded, { requestId, latencyMs });
  const bytes = Buffer.from(JSON.stringify(completionOf(asked)));
  const whole = { kind: 'whole', status: 200, headers: jsonHeaders(requestId), latencyMs } as const;
  if (fault !== null) return { ...whole, body: bytes.subarray(0, bytes.length >> 1), isCut: true };
  return { ...whole, body: bytes };
}

function readChat(body: Uint8Array): ReadPrompt {
  const chat = parseObject(body);
  if (chat === null) return { kind: 'invalid', message: 'We could not parse the JSON body of your request.' };
  const translated = messagesOfChat(chat.fields);
  return translated.kind === 'invalid' ? translated : promptOf({ ...chat, fields: translated.fields });
}

/** Errors in the form that clients of OpenAI read. */
export function chatError(
  { status, type, message, headers }: ApiError,
  { requestId, latencyMs }: Failing,
): SimulatedAnswer {
  const code = status === 404 ? 'model_not_found' : status === 429 ? 'rate_limit_exceeded' : null;
  return {
    kind: 'whole',
    status: status === 529 ? 503 : status,
    headers: { ...jsonHeaders(requestId), 'x-request-id': requestId, ...headers },
    body: Buffer.from(JSON.stringify({ error: { message, type, param: null, code } })),
    latencyMs,
  };
}

function completionOf(asked: Answered): object {
  const { blocks } = asked.reply;
  const calls = blocks.filter((block) => block.type === 'tool_use').map(callOf);
  const text = textOf(blocks, 'text');
  const refused = asked.reply.stopReason === 'refusal';
  const message = {
    role: 'assistant',
    content: text === '' && (calls.length > 0 || refused) ? null : text,
    refusal: refused ? 'The simulator was told to refuse.' : null,
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
  };
  const choice = { index: 0, message, logprobs: null, finish_reason: finishReason(asked) };
  return { ...envelope(asked, 'chat.completion'), choices: [choice], usage: usageOf(asked) };
}

function envelope({ reply }: Answered, object: string): object {
  // The moment of creation is fixed: the same request gets the same bytes.
  return {
    id: `chatcmpl-${reply.id}`,
    object,
    created: 1_767_225_600,
    model: reply.model,
    system_fingerprint: 'nightshift-simulated',
  };
}

function finishReason({ reply }: Answered): string {
  const reasons = {
    end_turn: 'stop',
    stop_sequence: 'stop',
    max_tokens: 'length',
    tool_use: 'tool_calls',
    refusal: 'content_filter',
  };
  return reasons[reply.stopReason];
}

function usageOf({ usage, reply }: Answered): object {
  const prompt = usage.inputTokens + usage.cacheReadTokens + usage.write5mTokens + usage.write1hTokens;
  return {
    prompt_tokens: prompt,
    completion_tokens: reply.outputTokens,
    total_tokens: prompt + reply.outputTokens,
    prompt_tokens_details: { cached_tokens: usage.cacheReadTokens },
    completion_tokens_details: { reasoning_tokens: reply.thinkingTokens ?? 0 },
  };
}

function callOf(block: Extract<Block, { type: 'tool_use' }>): object {
  const call = { name: block.name, arguments: JSON.stringify(block.input) };
  return { id: block.id.replace('toolu_', 'call_'), type: 'function', function: call };
}

function textOf(blocks: readonly Block[], type: 'text'): string {
  return blocks.map((block) => (block.type === type ? block.text : '')).join('');
}

function streamed(asked: Answered): SimulatedAnswer {
  const { requestId, firstMs, wholeMs, fault } = asked;
  const chunks = chunksOf(asked).map((data) => `data: ${JSON.stringify(data)}\n\n`);
  const steps = Math.max(1, chunks.length);
  const all = [...chunks, 'data: [DONE]\n\n'].map((text, at): Piece => {
    return { atMs: ((wholeMs - firstMs) * at) / steps, bytes: Buffer.from(text) };
  });
  const headers = { ...streamHeaders(requestId), ...asked.headers };
  const half = all.slice(0, Math.max(1, all.length >> 1));
  const pieces = fault === null ? all : half;
  return { kind: 'stream', status: 200, headers, latencyMs: firstMs, pieces, isCut: fault !== null };
}

function chunksOf(asked: Answered): readonly object[] {
  const { reply, prompt } = asked;
  const head = envelope(asked, 'chat.completion.chunk');
  const options = prompt.fields['stream_options'];
  const counts = isObject(options) && options['include_usage'] === true;
  const chunk = (delta: object, finish: string | null = null): object => {
    const choice = { index: 0, delta, logprobs: null, finish_reason: finish };
    return { ...head, choices: [choice], ...(counts ? { usage: null } : {}) };
  };
  const calls = reply.blocks.filter((block) => block.type === 'tool_use');
  const deltas = [
    { role: 'assistant', content: calls.length > 0 ? null : '' },
    ...cut(textOf(reply.blocks, 'text')).map((content) => ({ content })),
    ...calls.flatMap((block, index) => [
      { tool_calls: [{ index, ...callOf({ ...block, input: {} }), function: { name: block.name, arguments: '' } }] },
      ...cut(JSON.stringify(block.input)).map((part) => ({ tool_calls: [{ index, function: { arguments: part } }] })),
    ]),
  ];
  const last = counts ? [{ ...head, choices: [], usage: usageOf(asked) }] : [];
  return [...deltas.map((delta) => chunk(delta)), chunk({}, finishReason(asked)), ...last];
}
