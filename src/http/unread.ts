/** What happens to a body nobody read to its end: a small rest is thrown away, a large one costs the connection, but never the answer. */
import type { IncomingMessage } from 'node:http';
import { LINGER_MS, UNREAD_BODY_BYTES_MAX } from '../domain/limits.ts';
import type { Timers } from '../ports/world.ts';
import type { Reply } from './respond.ts';
import { awaitsInvitation, type Received } from './upload.ts';

export type UnreadOptions = {
  readonly incoming: IncomingMessage;
  readonly received: Received;
  readonly timers: Timers;
};

/** Returns the reply to send. Whatever it is, the rest of the body is being thrown away from here on. */
export function settleUnread(reply: Reply, options: UnreadOptions): Reply {
  const { incoming, received } = options;
  if (incoming.readableEnded || incoming.destroyed) return reply;
  incoming.resume();
  // A client refused before it sent its body may send it or not: what comes next could be either, so nothing may come next.
  if (awaitsInvitation(incoming) && !received.invited) return lingering(reply, options);
  if (incoming.complete || restBytesMax(options) <= UNREAD_BODY_BYTES_MAX) return reply;
  return lingering(reply, options);
}

/** No more than this is still to come: unknown for a chunked body. */
function restBytesMax({ incoming, received }: UnreadOptions): number {
  const declared = incoming.headers['content-length'];
  if (declared !== undefined) return Number(declared) - received.bytes;
  return incoming.headers['transfer-encoding'] === undefined ? 0 : Number.POSITIVE_INFINITY;
}

/** Sends the whole answer at once, but ends it (and so closes the connection) only when the client has stopped sending. */
function lingering(reply: Reply, { incoming, timers }: UnreadOptions): Reply {
  if (typeof reply.body !== 'string') return reply;
  const bytes = new TextEncoder().encode(reply.body);
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => controller.enqueue(bytes),
      pull: async (controller) => {
        await silence(incoming, timers);
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  const headers = { ...reply.headers, connection: 'close', 'content-length': String(bytes.byteLength) };
  return { ...reply, headers, body };
}

/** The body has ended, the client has gone, or it had time enough. */
function silence(incoming: IncomingMessage, timers: Timers): Promise<void> {
  if (incoming.readableEnded || incoming.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      incoming.off('end', done);
      incoming.off('close', done);
      resolve();
    };
    const cancel = timers.after(LINGER_MS, done);
    incoming.once('end', done);
    incoming.once('close', done);
  });
}
