/** Server-sent events cut out of bytes, and a whole stream of them translated as it is read. */
import { ANSWER_BYTES_MAX, STREAM_LINE_LENGTH_MAX } from '../../domain/limits.ts';
import type { UpstreamResponse } from '../../ports/world.ts';
import { isObject } from './fault.ts';
import type { AnswerContext } from './request.ts';
import { StreamTranslator } from './stream.ts';

const TOO_LONG = 'The upstream sent an event that is too long.';

/** The data of events, however the bytes are cut; throws where one is longer than anything sent in good faith. */
export class EventReader {
  readonly #decoder = new TextDecoder('utf-8');
  #rest = '';
  #data: string[] = [];

  push(bytes: Uint8Array): readonly string[] {
    return this.#read(this.#decoder.decode(bytes, { stream: true }));
  }

  /** What a last line without its end still says. */
  finish(): readonly string[] {
    return this.#read(`${this.#decoder.decode()}\n\n`);
  }

  #read(text: string): readonly string[] {
    const events: string[] = [];
    let from = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      const line = this.#rest + text.slice(from, end);
      this.#rest = '';
      from = end + 1;
      this.#line(line.endsWith('\r') ? line.slice(0, -1) : line, events);
    }
    this.#rest += text.slice(from);
    if (this.#rest.length > STREAM_LINE_LENGTH_MAX) throw new Error(TOO_LONG);
    return events;
  }

  #line(line: string, events: string[]): void {
    if (line.startsWith('data:')) {
      this.#data.push(line.startsWith('data: ') ? line.slice(6) : line.slice(5));
      if (this.#data.length > 1 && this.#data.reduce((sum, part) => sum + part.length, 0) > STREAM_LINE_LENGTH_MAX) {
        throw new Error(TOO_LONG);
      }
    } else if (line === '' && this.#data.length > 0) {
      events.push(this.#data.join('\n'));
      this.#data = [];
    }
  }
}

type Translating = {
  readonly response: UpstreamResponse;
  readonly context: AnswerContext;
  readonly signal: AbortSignal;
};

/** The events of a message, as the pieces come; aborting throws, every other trouble is an `error` event. */
export async function* translatedEvents({ response, context, signal }: Translating): AsyncGenerator<Uint8Array> {
  const translator = new StreamTranslator(context);
  const isStream = (response.headers['content-type'] ?? '').includes('event-stream');
  try {
    for await (const data of isStream ? eventsOf(response) : wholeAnswer(response)) {
      const events = translator.data(data);
      if (events !== '') yield Buffer.from(events);
      if (translator.ended) return;
    }
    yield Buffer.from(translator.end());
  } catch (error) {
    if (signal.aborted) throw error;
    const failed = translator.fail(
      `The upstream cut the connection: ${error instanceof Error ? error.message : String(error)}`,
    );
    if (failed !== '') yield Buffer.from(failed);
  }
}

async function* eventsOf(response: UpstreamResponse): AsyncGenerator<string> {
  const reader = new EventReader();
  for await (const piece of response.body.stream()) yield* reader.push(piece);
  yield* reader.finish();
}

/** A server that does not stream answers in one piece: its message is one large delta. */
async function* wholeAnswer(response: UpstreamResponse): AsyncGenerator<string> {
  const text = Buffer.from(await response.body.bytes(ANSWER_BYTES_MAX)).toString('utf8');
  const completion = jsonOf(text);
  const choice =
    isObject(completion) && Array.isArray(completion['choices']) ? (completion['choices'][0] as unknown) : null;
  if (!isObject(completion) || !isObject(choice)) yield text;
  else yield JSON.stringify({ ...completion, choices: [{ ...choice, delta: choice['message'] }] });
}

/** Null for what is no JSON: whoever reads the text next says so. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
