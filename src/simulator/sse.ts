/** A reply as the events of a streamed Message, with the moment of each. */
import { SIMULATED_PIECES_MAX } from '../domain/limits.ts';
import { bytesOfTokens } from './prompt.ts';
import { renderStopDetails, renderUsage, type PromptUsage } from './render.ts';
import type { Block, Reply } from './reply.ts';

/** Some bytes of a stream and when they are sent, counted from its first. */
export type Piece = { readonly atMs: number; readonly bytes: Buffer };

/** Models send some tokens at a time. */
const TOKENS_PER_PIECE = 4;

export type Streaming = {
  readonly usage: PromptUsage;
  /** From the first event to the last. */
  readonly spreadMs: number;
};

export function streamPieces(reply: Reply, { usage, spreadMs }: Streaming): readonly Piece[] {
  const texts = [started(reply, usage), ...reply.blocks.flatMap(eventsOfBlock), ended(reply, usage)];
  const steps = Math.max(1, texts.length - 1);
  return texts.map((text, at) => ({ atMs: (spreadMs * at) / steps, bytes: Buffer.from(text) }));
}

/** How a stream ends that fails on its way. */
export function errorEvent(error: { readonly type: string; readonly message: string }, requestId: string): Buffer {
  const { type, message } = error;
  return Buffer.from(event('error', { type: 'error', error: { type, message }, request_id: requestId }));
}

function started(reply: Reply, usage: PromptUsage): string {
  const soFar = JSON.parse(renderUsage(usage, { outputTokens: 1, thinkingTokens: null })) as unknown;
  const message = {
    model: reply.model,
    id: reply.id,
    type: 'message',
    role: 'assistant',
    content: [],
    container: null,
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    usage: soFar,
    diagnostics: null,
  };
  return event('message_start', { type: 'message_start', message }) + event('ping', { type: 'ping' });
}

function eventsOfBlock(block: Block, index: number): readonly string[] {
  const delta = (value: object): string =>
    event('content_block_delta', { type: 'content_block_delta', index, delta: value });
  const { empty, deltas } = partsOf(block);
  return [
    event('content_block_start', { type: 'content_block_start', index, content_block: empty }),
    ...deltas.map(delta),
    event('content_block_stop', { type: 'content_block_stop', index }),
  ];
}

function partsOf(block: Block): { readonly empty: Block; readonly deltas: readonly object[] } {
  switch (block.type) {
    case 'text':
      return {
        empty: { type: 'text', text: '' },
        deltas: cut(block.text).map((text) => ({ type: 'text_delta', text })),
      };
    case 'thinking': {
      const thoughts = cut(block.thinking).map((thinking) => ({ type: 'thinking_delta', thinking }));
      const signature = { type: 'signature_delta', signature: block.signature };
      return { empty: { type: 'thinking', thinking: '', signature: '' }, deltas: [...thoughts, signature] };
    }
    case 'redacted_thinking':
      return { empty: block, deltas: [] };
    case 'tool_use': {
      const pieces = ['', ...cut(JSON.stringify(block.input))];
      const deltas = pieces.map((json) => ({ type: 'input_json_delta', partial_json: json }));
      return { empty: { ...block, input: {} }, deltas };
    }
  }
}

/** Never inside a character: a pair of surrogates stays together. */
export function cut(text: string): readonly string[] {
  const length = Math.max(bytesOfTokens(TOKENS_PER_PIECE), Math.ceil(text.length / SIMULATED_PIECES_MAX));
  const pieces: string[] = [];
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at + length - 1);
    const isSplit = code >= 0xd800 && code < 0xdc00;
    const end = at + length + (isSplit ? 1 : 0);
    pieces.push(text.slice(at, end));
    at = end;
  }
  return pieces;
}

function ended(reply: Reply, usage: PromptUsage): string {
  const details = JSON.parse(renderStopDetails(reply)) as unknown;
  const delta = { stop_reason: reply.stopReason, stop_sequence: reply.stopSequence, stop_details: details };
  const total = JSON.parse(renderUsage(usage, reply)) as unknown;
  return (
    event('message_delta', { type: 'message_delta', delta, usage: total }) +
    event('message_stop', { type: 'message_stop' })
  );
}

function event(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
