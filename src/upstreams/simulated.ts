/** The built-in simulator as something to send to: a plain function in place of the network, whose faults look like the network's. */
import { SendError, type Send, type Timers, type UpstreamResponse } from '../ports/world.ts';
import type { SimulatedAnswer, Simulator } from '../simulator/simulator.ts';

type Outside = { readonly simulator: Simulator; readonly timers: Timers };

export function createSimulatedSend({ simulator, timers }: Outside): Send {
  return async ({ method = 'POST', url, body, signal }) => {
    const answer = simulator.answer({ method, path: pathOf(url), body });
    if (answer.kind === 'hang') return await forever(signal);
    await wait(answer.latencyMs, timers, signal);
    if (answer.kind === 'reset') throw reset();
    const { status, headers } = answer;
    const answered = answer.kind === 'stream' ? laterBody(answer, { timers, signal }) : wholeBody(answer);
    return { status, headers, body: answered };
  };
}

type Whole = Extract<SimulatedAnswer, { kind: 'whole' }>;
type Stream = Extract<SimulatedAnswer, { kind: 'stream' }>;
type Waiting = { readonly timers: Timers; readonly signal: AbortSignal };

/** The address of the simulator is only a scheme; what follows it is the path. */
function pathOf(url: string): string {
  return url.slice(url.indexOf(':') + 1);
}

function wholeBody(answer: Whole): UpstreamResponse['body'] {
  const { body, isCut = false } = answer;
  return {
    bytes: () => (isCut ? Promise.reject(reset()) : Promise.resolve(body)),
    stream: () => atOnce(answer),
  };
}

function laterBody(answer: Stream, outside: Waiting): UpstreamResponse['body'] {
  return {
    bytes: () => gathered(later(answer, outside)),
    stream: () => later(answer, outside),
  };
}

async function* atOnce({ body, isCut }: Whole): AsyncGenerator<Uint8Array> {
  yield body;
  if (isCut) throw reset();
}

async function* later({ pieces, isCut }: Stream, { timers, signal }: Waiting): AsyncGenerator<Uint8Array> {
  let passedMs = 0;
  for (const { atMs, bytes } of pieces) {
    if (atMs > passedMs) await wait(atMs - passedMs, timers, signal);
    passedMs = Math.max(passedMs, atMs);
    yield bytes;
  }
  if (isCut) throw reset();
}

async function gathered(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

/** A provider that cuts the connection may have had the whole request. */
function reset(): SendError {
  return new SendError('read ECONNRESET', { sent: true });
}

function forever(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
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
