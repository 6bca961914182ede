/**
 * A streamed chat completion as the events of a streamed message. State is one open block and the ids of the tool calls before it;
 * nothing of the answer is kept, so an answer may be of any length.
 *
 *   started -> (block started -> deltas -> block stopped)* -> message_delta -> message_stop
 *
 * Whatever breaks this order on the way in becomes an `error` event, which ends the stream.
 */
import { STREAM_BLOCKS_MAX, STREAM_LINE_LENGTH_MAX } from '../../domain/limits.ts';
import {
  countedOf,
  gaveUp,
  messageId,
  spoken,
  stopOf,
  toolCallsOf,
  toolUseId,
  UNSIGNED,
  usageText,
  type Counted,
} from './completion.ts';
import { wordsOf } from './errors.ts';
import { isObject, type Json } from './fault.ts';
import type { AnswerContext } from './request.ts';
import { modelOf } from './response.ts';

type BlockKind = 'thinking' | 'text' | 'tool_use';
type ToolCall = { readonly index: number; id: unknown; name: string };

export class StreamTranslator {
  readonly #context: AnswerContext;
  /** What is still to be left out of the text: the answer's beginning, which the request gave. */
  #echo: string;
  #id = '';
  #open: BlockKind | null = null;
  #blocks = 0;
  /** The tool call whose block is open, or which waits for its name. */
  #call: ToolCall | null = null;
  #arguments = '';
  readonly #callsDone = new Set<number>();
  readonly #takenIds = new Set<string>();
  #refusal = '';
  #choice: Json | null = null;
  #counted: Counted = countedOf(undefined);
  #ended = false;
  #out = '';

  constructor(context: AnswerContext) {
    this.#context = context;
    this.#echo = context.echo;
  }

  /** No more events follow. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The events that one piece of data makes; empty where it makes none. */
  data(text: string): string {
    if (this.#ended) return '';
    if (text === '[DONE]') return this.end();
    let chunk: unknown;
    try {
      chunk = JSON.parse(text) as unknown;
    } catch {
      return this.fail('The upstream sent an event that is not JSON.');
    }
    if (!isObject(chunk)) return this.fail('The upstream sent an event that is not an object.');
    if (chunk['error'] !== undefined && chunk['error'] !== null) {
      return this.fail(wordsOf(chunk) ?? 'The upstream sent an error.');
    }
    this.#take(chunk, text);
    return this.#flush();
  }

  /** The upstream has nothing more to say. */
  end(): string {
    if (this.#ended) return '';
    const choice = this.#choice;
    if (choice === null) return this.fail('The upstream ended its answer before it was complete.');
    this.#stopBlock();
    if (this.#ended) return this.#flush();
    const hasToolCalls = this.#callsDone.size > 0;
    const stop = stopOf({ choice, hasToolCalls, refusal: this.#refusal, context: this.#context });
    const delta = { stop_reason: stop.reason, stop_sequence: stop.sequence, stop_details: stop.details };
    this.#emit('message_delta', `"delta":${JSON.stringify(delta)},"usage":${usageText(this.#counted, 'standard')}`);
    this.#emit('message_stop');
    this.#ended = true;
    return this.#flush();
  }

  fail(message: string): string {
    this.#breakOff(message);
    return this.#flush();
  }

  /** What was made before the error goes out before it, once; nothing is made after it. */
  #breakOff(message: string): void {
    this.#emit('error', `"error":${JSON.stringify({ type: 'api_error', message })}`);
    this.#ended = true;
  }

  #take(chunk: Json, text: string): void {
    if (this.#id === '') this.#start(chunk, text);
    if (isObject(chunk['usage'])) this.#counted = countedOf(chunk['usage']);
    const choice = Array.isArray(chunk['choices']) ? (chunk['choices'][0] as unknown) : undefined;
    if (!isObject(choice)) return;
    const delta = isObject(choice['delta']) ? choice['delta'] : {};
    const { thinking, text: said } = spoken(delta);
    if (thinking !== '') this.#think(thinking);
    if (said !== '') this.#say(said);
    if (typeof delta['refusal'] === 'string' && delta['refusal'] !== '') {
      this.#refusal = (this.#refusal + delta['refusal']).slice(0, STREAM_LINE_LENGTH_MAX);
      this.#say(delta['refusal']);
    }
    toolCallsOf(delta).forEach((call, at) => this.#callTool(call, at));
    const reason = choice['finish_reason'];
    if (reason === undefined || reason === null) return;
    if (gaveUp(reason)) this.#breakOff(`The upstream's answer ended with ${JSON.stringify(reason)}.`);
    this.#choice = choice;
  }

  #start(chunk: Json, text: string): void {
    this.#id = messageId(text);
    const model = JSON.stringify(modelOf(chunk, this.#context));
    this.#emit(
      'message_start',
      `"message":{"model":${model},"id":"${this.#id}","type":"message","role":"assistant","content":[],` +
        `"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":${usageText(this.#counted, 'standard')}}`,
    );
  }

  #think(thinking: string): void {
    if (this.#open !== 'thinking') this.#startBlock('thinking', '{"type":"thinking","thinking":"","signature":""}');
    if (!this.#context.hidesThinking) this.#delta(`{"type":"thinking_delta","thinking":${JSON.stringify(thinking)}}`);
  }

  #say(piece: string): void {
    const text = this.#echo === '' ? piece : this.#withoutEcho(piece);
    if (text === '') return;
    if (this.#open !== 'text') this.#startBlock('text', '{"type":"text","text":""}');
    this.#delta(`{"type":"text_delta","text":${JSON.stringify(text)}}`);
  }

  /** Cut anywhere, the echo is taken off piece by piece; an answer that does not begin with it is left whole. */
  #withoutEcho(piece: string): string {
    const awaited = this.#echo;
    if (awaited.startsWith(piece)) {
      this.#echo = awaited.slice(piece.length);
      return '';
    }
    this.#echo = '';
    if (piece.startsWith(awaited)) return piece.slice(awaited.length);
    return this.#context.echo.slice(0, this.#context.echo.length - awaited.length) + piece;
  }

  #callTool(call: Json, at: number): void {
    const index = typeof call['index'] === 'number' ? call['index'] : at;
    const called = isObject(call['function']) ? call['function'] : {};
    if (this.#call?.index !== index) {
      this.#stopBlock();
      if (this.#callsDone.has(index)) {
        this.#breakOff('The upstream went back to a tool call it had left.');
        return;
      }
      this.#call = { index, id: call['id'], name: '' };
      this.#callsDone.add(index);
    }
    if (this.#ended || this.#call === null) return;
    const name = typeof called['name'] === 'string' ? called['name'] : '';
    const piece = called['arguments'];
    const text = typeof piece === 'string' ? piece : isObject(piece) ? JSON.stringify(piece) : '';
    if (this.#open !== 'tool_use') {
      this.#call.name ||= name;
      this.#call.id ??= call['id'];
      this.#arguments += text;
      if (this.#arguments.length > STREAM_LINE_LENGTH_MAX) {
        this.#breakOff('The upstream sent a tool call without a name.');
        return;
      }
      // A call is nothing without its name; what came of its arguments waits for it.
      if (this.#call.name !== '') this.#startTool(this.#call);
    } else if (text !== '') this.#delta(`{"type":"input_json_delta","partial_json":${JSON.stringify(text)}}`);
  }

  #startTool(call: ToolCall): void {
    const id = JSON.stringify(toolUseId(call.id, { taken: this.#takenIds, seed: this.#id }));
    const name = JSON.stringify(this.#context.names.original(call.name));
    const waiting = this.#arguments;
    this.#arguments = '';
    this.#startBlock('tool_use', `{"type":"tool_use","id":${id},"name":${name},"input":{}}`, call);
    if (waiting !== '') this.#delta(`{"type":"input_json_delta","partial_json":${JSON.stringify(waiting)}}`);
  }

  #startBlock(kind: BlockKind, block: string, call: ToolCall | null = null): void {
    if (this.#open !== null || (this.#call !== null && call === null)) this.#stopBlock();
    if (this.#ended) return;
    if (this.#blocks >= STREAM_BLOCKS_MAX) {
      this.#breakOff('The upstream sent too many blocks.');
      return;
    }
    this.#call = call;
    this.#open = kind;
    this.#emit('content_block_start', `"index":${this.#blocks},"content_block":${block}`);
  }

  #delta(delta: string): void {
    if (!this.#ended) this.#emit('content_block_delta', `"index":${this.#blocks},"delta":${delta}`);
  }

  #stopBlock(): void {
    if (this.#open === null) {
      if (this.#call !== null) this.#breakOff('The upstream sent a tool call without a name.');
      return;
    }
    if (this.#open === 'thinking') this.#delta(`{"type":"signature_delta","signature":"${UNSIGNED}"}`);
    this.#emit('content_block_stop', `"index":${this.#blocks}`);
    this.#blocks += 1;
    this.#open = null;
    this.#call = null;
  }

  #emit(type: string, rest = ''): void {
    if (this.#ended) return;
    this.#out += `event: ${type}\ndata: {"type":"${type}"${rest === '' ? '' : `,${rest}`}}\n\n`;
  }

  #flush(): string {
    const out = this.#out;
    this.#out = '';
    return out;
  }
}
