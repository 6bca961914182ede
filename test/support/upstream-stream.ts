/** An answer of the test upstream as events: the protocol's own, one write an event, at the pace of the profile. */
import type { ServerResponse } from 'node:http';
import { reset } from './upstream-answer.ts';

type Answer = {
  readonly content: readonly { readonly text: string }[];
  readonly usage: { readonly output_tokens: number };
  readonly stop_reason: string;
};

/** A body that asks for events, found by bytes. */
export function asksForStream(body: Buffer): boolean {
  return body.includes('"stream":true') || body.includes('"stream": true');
}

/** Every word is a delta of its own. */
export function eventsOf(text: string): readonly string[] {
  const answer = JSON.parse(text) as Answer;
  const { content, stop_reason: stopReason, usage } = answer;
  const message = { ...answer, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } };
  const words = content[0].text.split(/(?<= )/);
  return [
    event({ type: 'message_start', message }),
    event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
    event({ type: 'ping' }),
    ...words.map((word) => event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: word } })),
    event({ type: 'content_block_stop', index: 0 }),
    event({
      type: 'message_delta',
      delta: { stop_reason: stopReason, stop_sequence: null },
      usage: { output_tokens: usage.output_tokens },
    }),
    event({ type: 'message_stop' }),
  ];
}

function event(data: { readonly type: string } & Readonly<Record<string, unknown>>): string {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** `cut` resets the connection in the middle of an event, half way through. */
export function sendEvents(
  response: ServerResponse,
  input: { readonly events: readonly string[]; readonly everyMs: number; readonly cut: boolean },
): void {
  const { events, everyMs, cut } = input;
  const last = cut ? events.length >> 1 : events.length;
  response.writeHead(200, ['content-type', 'text/event-stream; charset=utf-8', 'cache-control', 'no-cache']);
  let at = 0;
  let timer: NodeJS.Timeout | null = null;
  const next = (): void => {
    if (response.destroyed) return;
    if (at === events.length) return void response.end();
    if (at === last) return void response.write(events[at].slice(0, 40), () => reset(response));
    response.write(events[at]);
    at += 1;
    if (everyMs <= 0) setImmediate(next);
    else timer = setTimeout(next, everyMs);
  };
  response.once('close', () => timer !== null && clearTimeout(timer));
  next();
}
