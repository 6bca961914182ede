/** The simulator on a socket: Node's server, bounded bodies, answers at their time, and faults that a client meets as it would meet real ones. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { timingSafeEqual } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { REQUEST_BYTES_MAX } from '../domain/limits.ts';
import type { Timers } from '../ports/world.ts';
import { anthropicError, SIMULATED_HEADER, type SimulatedAnswer } from './answers.ts';
import { apiError, internal, invalid, type ApiError } from './faults.ts';
import { chatError } from './openai-face.ts';
import type { SimulatedCall, Simulator } from './simulator.ts';

export type SimulatorServerOptions = {
  readonly simulator: Simulator;
  readonly timers: Timers;
  readonly host: string;
  readonly port: number;
  /** Null takes every key, and none. */
  readonly apiKey: string | null;
};

export type SimulatorServer = { readonly url: string; close(): Promise<void> };

/** The organization of a provider that does not exist. */
const ORGANIZATION_ID = '00000000-0000-4000-8000-000000000000';

export async function serveSimulator(options: SimulatorServerOptions): Promise<SimulatorServer> {
  const { host, port } = options;
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    void answer(options, request, response).catch(() => response.destroy());
  });
  await bind(server, { host, port });
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function bind(server: Server, address: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function answer(
  { simulator, timers, apiKey }: SimulatorServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = 'GET', url: path = '/' } = request;
  const body = await readBody(request);
  const refusal = body === null ? tooLarge : refuse(request, apiKey);
  const made =
    refusal === null && body !== null ? answered(simulator, { method, path, body }) : refused(refusal!, path);
  play(made, { response, timers });
}

/** A request that no answer can be made for is answered too: its caller tests how it takes that. */
function answered(simulator: Simulator, call: SimulatedCall): SimulatedAnswer {
  try {
    return simulator.answer(call);
  } catch {
    return refused(internal, call.path);
  }
}

const tooLarge = apiError(413, 'request_too_large', 'Request exceeds the maximum size');

/** Null for a body that is too large; what comes after the bound is not kept. */
async function readBody(request: IncomingMessage): Promise<Uint8Array | null> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Uint8Array>) {
    length += piece.length;
    if (length > REQUEST_BYTES_MAX) pieces.length = 0;
    else pieces.push(piece);
  }
  return length > REQUEST_BYTES_MAX ? null : Buffer.concat(pieces);
}

/** Null lets it through: the key, and the version that the Messages API wants of every call. */
function refuse({ headers, url = '' }: IncomingMessage, apiKey: string | null): ApiError | null {
  if (apiKey !== null) {
    const given = headers['x-api-key'] ?? /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
    if (given === undefined) return apiError(401, 'authentication_error', 'x-api-key header is required');
    if (!isSame(String(given), apiKey)) return apiError(401, 'authentication_error', 'invalid x-api-key');
  }
  const needsVersion = url.startsWith('/v1/messages') && headers['anthropic-version'] === undefined;
  return needsVersion ? invalid('anthropic-version: header is required') : null;
}

function isSame(given: string, expected: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(expected)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function refused(error: ApiError, path: string): SimulatedAnswer {
  const failing = { requestId: 'req_0100000000000000simulated', latencyMs: 0 };
  return path.startsWith('/v1/chat/') ? chatError(error, failing) : anthropicError(error, failing);
}

type Stage = { readonly response: ServerResponse; readonly timers: Timers };

/** A client that leaves cancels what is still to come. */
function play(made: SimulatedAnswer, stage: Stage): void {
  if (made.kind === 'hang') return;
  const { response } = stage;
  later(made.latencyMs, stage, () => {
    if (made.kind === 'reset') return reset(response);
    const organization = { 'anthropic-organization-id': ORGANIZATION_ID, [SIMULATED_HEADER]: 'true' };
    if (made.kind === 'stream') {
      response.writeHead(made.status, { ...organization, ...made.headers });
      return playPieces(made, { ...stage, at: 0 });
    }
    const { status, headers, body, isCut = false } = made;
    const length = isCut ? body.length * 2 : body.length;
    response.writeHead(status, { ...organization, ...headers, 'content-length': length });
    if (isCut) response.write(body, () => reset(response));
    else response.end(body);
  });
}

type Stream = Extract<SimulatedAnswer, { kind: 'stream' }>;

function playPieces(stream: Stream, stage: Stage & { readonly at: number }): void {
  const { response, at } = stage;
  const { pieces, isCut } = stream;
  const { atMs, bytes } = pieces[at];
  const next = pieces[at + 1];
  if (next === undefined) {
    if (isCut) response.write(bytes, () => reset(response));
    else response.end(bytes);
    return;
  }
  response.write(bytes);
  later(next.atMs - atMs, stage, () => playPieces(stream, { ...stage, at: at + 1 }));
}

function later(ms: number, { response, timers }: Stage, action: () => void): void {
  if (response.destroyed) return;
  if (ms <= 0) return action();
  const cancel = timers.after(ms, () => {
    response.off('close', cancel);
    action();
  });
  response.once('close', cancel);
}

function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}
