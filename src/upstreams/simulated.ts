/** The built-in simulator as something to send to: a plain function in place of the network. */
import type { Send, Timers, UpstreamResponse } from '../ports/world.ts';
import type { Simulator } from '../simulator/simulator.ts';

export function createSimulatedSend({ simulator, timers }: { simulator: Simulator; timers: Timers }): Send {
  return async ({ body, signal }) => {
    const answer = simulator.answer(body);
    await wait(answer.latencyMs, timers, signal);
    const bytes = answer.body;
    const response: UpstreamResponse = {
      status: answer.status,
      headers: answer.headers,
      body: {
        bytes: () => Promise.resolve(bytes),
        async *stream() {
          yield bytes;
        },
      },
    };
    return response;
  };
}

/** Even an answer without latency comes in a later turn: a call never completes inside the one that made it. */
function wait(ms: number, timers: Timers, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    // A body may still have been read when the abort came: the event of that is over.
    if (signal.aborted) return reject(signal.reason as Error);
    if (ms <= 0) return timers.turn(resolve);
    const cancel = timers.after(ms, () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    const onAbort = () => {
      cancel();
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
