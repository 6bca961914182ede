/** The body of a create as it comes from the socket: pulled, counted, bounded in size and never waited for without end. */
import type { HttpBindings } from '@hono/node-server';
import type { IncomingMessage } from 'node:http';
import { AppError } from '../domain/errors.ts';
import type { World } from '../ports/world.ts';

export type UploadBounds = {
  readonly bytesMax: number;
  /** In each such time spent waiting for the client… */
  readonly idleMs: number;
  /** …at least this much must come, or the end. */
  readonly progressBytesMin: number;
};

/** How much of a request's body has been read so far, and whether a client that waits to be asked for it was asked. */
export type Received = { bytes: number; invited: boolean };

export type UploadOptions = {
  readonly source: AsyncIterator<Uint8Array>;
  readonly received: Received;
  readonly bounds: UploadBounds;
  readonly world: World;
};

export function tooLargeError(): AppError {
  return new AppError('too_large', 'Request exceeds the maximum allowed number of bytes.');
}

export type BodySource = { readonly request: Request; readonly node: HttpBindings | null; readonly received: Received };

/** Node's own message is read where there is one: a web stream around it costs half as much CPU again (measured). */
export function bodySource({ request, node, received }: BodySource): AsyncIterator<Uint8Array> {
  if (node === null) return request.body === null ? noBody() : request.body.values();
  if (awaitsInvitation(node.incoming)) node.outgoing.writeContinue();
  received.invited = true;
  // Leaving the loop early must not destroy the message: that would close the socket before the answer is written.
  return node.incoming.iterator({ destroyOnReturn: false });
}

/** curl and others send a large body only after "100 Continue", so that a refused one is never sent. */
export function awaitsInvitation(incoming: IncomingMessage): boolean {
  return incoming.headers.expect?.toLowerCase() === '100-continue';
}

/** Only time spent waiting for the client counts: while we are the slow ones it cannot send. */
export async function* readUpload(options: UploadOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const { source, received, bounds, world } = options;
  let waitedMs = 0;
  let progressBytes = 0;
  try {
    for (;;) {
      const askedAtMs = world.clock.monotonicMs();
      const step = await nextWithin({ source, world, ms: bounds.idleMs - waitedMs });
      if (step.done === true) return;
      waitedMs += world.clock.monotonicMs() - askedAtMs;
      progressBytes += step.value.byteLength;
      if (progressBytes >= bounds.progressBytesMin) {
        waitedMs = 0;
        progressBytes = 0;
      }
      received.bytes += step.value.byteLength;
      if (received.bytes > bounds.bytesMax) throw tooLargeError();
      yield step.value;
    }
  } finally {
    // Not awaited: a stalled source would answer only when its socket closes.
    source.return?.().catch(() => {});
  }
}

type NextOptions = { readonly source: AsyncIterator<Uint8Array>; readonly world: World; readonly ms: number };

function nextWithin({ source, world, ms }: NextOptions): Promise<IteratorResult<Uint8Array>> {
  return new Promise((resolve, reject) => {
    const cancel = world.timers.after(Math.max(0, ms), () => {
      reject(new AppError('upload_stalled', 'The request body stopped arriving.'));
    });
    source.next().then(
      (step) => {
        cancel();
        resolve(step);
      },
      (error: unknown) => {
        cancel();
        reject(error instanceof Error ? error : new Error('the request body failed', { cause: error }));
      },
    );
  });
}

async function* noBody(): AsyncGenerator<Uint8Array, void, undefined> {}
