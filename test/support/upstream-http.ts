/** The test upstream itself: a bare HTTP server that answers Messages requests and chat completions as fast as Node can, or as badly as it is told. */

import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { lanesOfSeed, startDraw } from '../../src/simulator/draw.ts';
import type { Draw } from '../../src/simulator/draw.ts';
import {
  isImmediate,
  renderAnswer,
  renderCompletion,
  reset,
  sendAnswer,
  sendFault,
  sendStatus,
} from './upstream-answer.ts';
import { completeProfile, faultOf, windowAt } from './upstream-profile.ts';
import type { FaultKind, UpstreamProfile, WindowKind } from './upstream-profile.ts';
import { UpstreamRecord } from './upstream-record.ts';
import { asksForStream, eventsOf, sendEvents } from './upstream-stream.ts';
import type { RecordOptions, RowRange, UpstreamLast, UpstreamStats } from './upstream-record.ts';

export interface ListenOptions extends RecordOptions {
  readonly port: number;
  readonly profile: Partial<UpstreamProfile>;
}

export type ControlCommand = 'stats' | 'rows' | 'last' | 'profile' | 'reset';

const TWO_TO_THE_32 = 4_294_967_296;
const CONTROL_BODY_BYTES_MAX = 1024 * 1024;
const ROW_MARK = Buffer.from('row-');
const MODEL_MARK = Buffer.from('"model"');
const MODEL_LENGTH_MAX = 200;

export class UpstreamHttp {
  readonly #server: Server;
  readonly #options: ListenOptions;
  #record: UpstreamRecord;
  #profile: UpstreamProfile;
  #profileSetAtMs = 0;
  #draw: Draw;
  #windowTimers: NodeJS.Timeout[] = [];
  #faulty = false;
  #port = 0;
  #opening: Promise<void> | null = null;
  #calls = 0;
  #answers = 0;
  #inFlight = 0;
  #inFlightMax = 0;
  #cutOff = 0;
  #connections = 0;
  #callsOutsideWindows = 0;
  #faults: Partial<Record<FaultKind, number>> = {};
  #windowCalls: Partial<Record<WindowKind, number>> = {};

  constructor(options: ListenOptions) {
    this.#options = options;
    this.#record = new UpstreamRecord(options);
    this.#profile = completeProfile({});
    this.#draw = startDraw(lanesOfSeed(1));
    this.#server = createServer(
      { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, noDelay: true },
      (request, response) => this.#receive(request, response),
    );
    this.#server.on('connection', () => (this.#connections += 1));
  }

  /** Resolves with the port once connections are taken. */
  async listen(): Promise<number> {
    await this.#listenOn(this.#options.port);
    this.#port = (this.#server.address() as AddressInfo).port;
    await this.#setProfile(this.#options.profile);
    return this.#port;
  }

  /** What both IPC and the paths under /_control do. */
  async control(command: ControlCommand, input: unknown): Promise<unknown> {
    switch (command) {
      case 'stats':
        return this.#stats();
      case 'rows':
        return this.#record.rows(rangeOf(input));
      case 'last':
        return this.#record.last() satisfies UpstreamLast;
      case 'profile':
        return await this.#setProfile(input as Partial<UpstreamProfile>);
      case 'reset':
        return this.#reset();
    }
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    response.sendDate = false;
    const url = request.url ?? '';
    const isChat = request.method === 'POST' && url === '/v1/chat/completions';
    const isMessages =
      isChat || (request.method === 'POST' && (url === '/v1/messages' || url.startsWith('/v1/messages?')));
    if (isMessages) this.#begin(response);
    let body: Buffer | null = null;
    let rest: Buffer[] | null = null;
    request.on('data', (piece: Buffer) => {
      if (body === null) body = piece;
      else (rest ??= [body]).push(piece);
    });
    request.on('end', () => {
      const whole = rest === null ? (body ?? Buffer.alloc(0)) : Buffer.concat(rest);
      if (isMessages) this.#call(request, response, whole);
      else if (this.#profile.countsTokens && url.startsWith('/v1/messages/count_tokens'))
        sendJson(response, { status: 200, value: { input_tokens: (whole.length >> 2) + 1 } });
      else void this.#answerControl(request, response, whole);
    });
  }

  #begin(response: ServerResponse): void {
    this.#inFlight += 1;
    if (this.#inFlight > this.#inFlightMax) this.#inFlightMax = this.#inFlight;
    response.on('close', () => {
      this.#inFlight -= 1;
      if (!response.writableFinished) this.#cutOff += 1;
    });
  }

  #call(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    this.#calls += 1;
    const call = this.#calls;
    const row = findRow(body);
    this.#record.called({ row, body });
    this.#record.capture({
      method: request.method ?? '',
      url: request.url ?? '',
      rawHeaders: request.rawHeaders,
      body,
    });
    const profile = this.#profile;
    if (profile.windows.length > 0) {
      const kind = windowAt(profile, performance.now() - this.#profileSetAtMs);
      if (kind !== null) {
        this.#windowCalls[kind] = (this.#windowCalls[kind] ?? 0) + 1;
        if (kind === 'refuse') reset(response);
        else
          sendStatus(response, {
            status: Number(kind.slice('status'.length)),
            retryAfterSeconds: profile.retryAfterSeconds,
          });
        return;
      }
    }
    this.#callsOutsideWindows += 1;
    const fault = this.#faulty ? faultOf(profile, this.#draw.word() / TWO_TO_THE_32) : null;
    const isChat = request.url === '/v1/chat/completions';
    // A stream of chunks is not told: whoever asks for one must bear the whole answer, as some servers give it.
    const stream = !isChat && asksForStream(body);
    const render = isChat ? renderCompletion : renderAnswer;
    const finish = (): void =>
      this.#finish({
        response,
        stream,
        row,
        fault,
        answer: render({ row, model: findModel(body), call, bodyBytes: body.length }),
      });
    if (fault !== null) this.#faults[fault] = (this.#faults[fault] ?? 0) + 1;
    if (profile.latencyMs <= 0 || (fault !== null && isImmediate(fault))) {
      finish();
      return;
    }
    const latencyMs = profile.latencyMs * Math.exp(profile.latencySigma * this.#draw.normal());
    const timer = setTimeout(finish, latencyMs);
    response.once('close', () => clearTimeout(timer));
  }

  #finish(input: {
    readonly response: ServerResponse;
    readonly stream: boolean;
    readonly row: string | null;
    readonly fault: FaultKind | null;
    readonly answer: string;
  }): void {
    const { response, stream, row, fault, answer } = input;
    // A window that closes the connections closes the sockets at once; their answers learn of it only after the timers that are due.
    if (response.destroyed || response.socket?.destroyed !== false) return;
    const everyMs = this.#profile.eventEveryMs;
    if (stream && fault === 'resetMidBody')
      return sendEvents(response, { events: eventsOf(answer), everyMs, cut: true });
    if (fault !== null) {
      sendFault(response, { kind: fault, answer, profile: this.#profile });
      return;
    }
    this.#answers += 1;
    this.#record.answered(row);
    if (stream) sendEvents(response, { events: eventsOf(answer), everyMs, cut: false });
    else sendAnswer(response, answer);
  }

  async #answerControl(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
    const command = /^\/_control\/(stats|rows|last|profile|reset)$/.exec(request.url ?? '')?.[1] as
      | ControlCommand
      | undefined;
    const changes = command === 'profile' || command === 'reset';
    if (
      command === undefined ||
      request.method !== (changes ? 'POST' : 'GET') ||
      body.length > CONTROL_BODY_BYTES_MAX
    ) {
      sendJson(response, {
        status: 404,
        value: { type: 'error', error: { type: 'not_found_error', message: 'Not found' }, request_id: null },
      });
      return;
    }
    try {
      const input: unknown = body.length === 0 ? {} : JSON.parse(body.toString('utf8'));
      sendJson(response, { status: 200, value: await this.control(command, input) });
    } catch (error) {
      sendJson(response, { status: 400, value: { error: String(error) } });
    }
  }

  async #setProfile(partial: Partial<UpstreamProfile>): Promise<UpstreamProfile> {
    const profile = completeProfile(partial);
    this.#profile = profile;
    this.#profileSetAtMs = performance.now();
    this.#draw = startDraw(lanesOfSeed(profile.seed));
    this.#faulty = Object.keys(profile.faults).length > 0;
    for (const timer of this.#windowTimers) clearTimeout(timer);
    this.#windowTimers = [];
    await this.#open();
    for (const { kind, fromMs, forMs } of profile.windows) {
      if (kind !== 'refuse') continue;
      this.#windowTimers.push(
        setTimeout(() => this.#refuse(), fromMs),
        setTimeout(() => void this.#open(), fromMs + forMs),
      );
    }
    return profile;
  }

  #refuse(): void {
    if (this.#server.listening) this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Two profiles set at once must not open the listener twice. */
  #open(): Promise<void> {
    if (this.#server.listening) return Promise.resolve();
    this.#opening ??= this.#listenOn(this.#port).finally(() => (this.#opening = null));
    return this.#opening;
  }

  #listenOn(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  #reset(): UpstreamStats {
    const before = this.#stats();
    this.#record = new UpstreamRecord(this.#options);
    this.#calls = this.#answers = this.#cutOff = this.#connections = this.#callsOutsideWindows = 0;
    this.#inFlightMax = this.#inFlight;
    this.#faults = {};
    this.#windowCalls = {};
    return before;
  }

  #stats(): UpstreamStats {
    return {
      calls: this.#calls,
      answers: this.#answers,
      inFlight: this.#inFlight,
      inFlightMax: this.#inFlightMax,
      faults: { ...this.#faults },
      windowCalls: { ...this.#windowCalls },
      callsOutsideWindows: this.#callsOutsideWindows,
      cutOff: this.#cutOff,
      connections: this.#connections,
      ...this.#record.counts(),
    };
  }
}

function rangeOf(input: unknown): RowRange | null {
  const { from, count } = input as Partial<RowRange>;
  return from === undefined || count === undefined ? null : { from, count };
}

/** The first `row-<digits>` of a body, found by bytes. */
function findRow(body: Buffer): string | null {
  for (let at = body.indexOf(ROW_MARK); at >= 0; at = body.indexOf(ROW_MARK, at + ROW_MARK.length)) {
    let end = at + ROW_MARK.length;
    while (body[end] >= 0x30 && body[end] <= 0x39) end += 1;
    if (end > at + ROW_MARK.length) return body.toString('latin1', at, end);
  }
  return null;
}

/** The value after the first "model"; a name that JSON would have to escape is not worth the time of a test upstream. */
function findModel(body: Buffer): string {
  const at = body.indexOf(MODEL_MARK);
  if (at < 0) return 'no-model';
  const text = body.toString('latin1', at + MODEL_MARK.length, at + MODEL_MARK.length + MODEL_LENGTH_MAX);
  return /^\s*:\s*"([ !#-[\]-~]*)"/.exec(text)?.[1] ?? 'no-model';
}

function sendJson(response: ServerResponse, input: { readonly status: number; readonly value: unknown }): void {
  const bytes = Buffer.from(JSON.stringify(input.value));
  response.writeHead(input.status, ['content-type', 'application/json', 'content-length', String(bytes.length)]);
  response.end(bytes);
}
