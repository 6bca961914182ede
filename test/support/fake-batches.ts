/**
 * A batch API for tests of its clients: in this process, under the test's clock, and as unreliable as the test says. It commits and then
 * drops the socket, answers 500 after it has committed, lists late, truncates downloads. Batches are functions of the time:
 * nothing happens by itself when the clock moves, so a virtual clock needs no timers.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { type Behaviour, usual } from './fake-batches-behaviour.ts';
import {
  type Accepted,
  acceptedOf,
  ARCHIVED_AFTER_MS,
  boughtTwice,
  type FakeBatch,
  type FakeParams,
  type FakeRequest,
  linesOf,
  messageOf,
  statusOf,
  viewOf,
} from './fake-batches-shelf.ts';

export type { Behaviour, PostFault, ResultsFault } from './fake-batches-behaviour.ts';
export type { Accepted, FakeBatch, FakeParams, FakeRequest, Outcome } from './fake-batches-shelf.ts';

export type FakeBatches = {
  readonly url: string;
  readonly key: string;
  readonly behaviour: Behaviour;
  /** Every POST that arrived: how many bytes of its body, and the batch it made. */
  readonly posts: readonly { readonly bytes: number; readonly idempotencyKey: string | null; batchId: string | null }[];
  readonly calls: readonly string[];
  /** The params of every Messages call. */
  readonly messages: readonly FakeParams[];
  batches(): readonly FakeBatch[];
  /** Every request of every batch that exists by now. */
  accepted(): readonly Accepted[];
  /** Rows bought again although they need not be; see `boughtTwice`. */
  boughtTwice(): readonly { readonly row: string; readonly batchIds: readonly string[] }[];
  addForeign(batch: {
    readonly requests: number;
    readonly createdAtMs?: number;
    readonly endsAfterMs?: number;
  }): string;
  /** Ends now what has not ended. */
  endAll(): void;
  delete(id: string): void;
  close(): Promise<void>;
};

export async function fakeBatches(
  test: TestContext,
  options: Partial<Behaviour> & { readonly nowMs?: () => number; readonly pathPrefix?: string } = {},
): Promise<FakeBatches> {
  const { nowMs = Date.now, pathPrefix = '', ...behaviour } = options;
  const fake = new Fake({ nowMs, pathPrefix, behaviour });
  await fake.listen();
  test.after(() => fake.close());
  return fake;
}

class Fake implements FakeBatches {
  readonly key = 'sk-fake-key';
  readonly behaviour: Behaviour;
  readonly posts: { bytes: number; idempotencyKey: string | null; batchId: string | null }[] = [];
  readonly calls: string[] = [];
  readonly messages: FakeParams[] = [];
  url = '';
  #batches: FakeBatch[] = [];
  #downloads = 0;
  #made = 0;
  readonly #nowMs: () => number;
  readonly #prefix: string;
  readonly #server: Server;

  constructor(options: { nowMs: () => number; pathPrefix: string; behaviour: Partial<Behaviour> }) {
    this.#nowMs = options.nowMs;
    this.#prefix = options.pathPrefix;
    this.behaviour = { ...usual, ...options.behaviour };
    this.#server = createServer({ keepAlive: true }, (request, response) => {
      this.#serve(request, response).catch(() => request.socket.destroy());
    });
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${this.#prefix}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  batches(): readonly FakeBatch[] {
    return this.#batches.filter((batch) => batch.createdAtMs <= this.#nowMs());
  }

  accepted(): readonly Accepted[] {
    return this.batches().flatMap((batch) => batch.accepted);
  }

  boughtTwice(): ReturnType<FakeBatches['boughtTwice']> {
    return boughtTwice(this.batches());
  }

  addForeign({
    requests,
    createdAtMs = this.#nowMs(),
    endsAfterMs = this.behaviour.endsAfterMs,
  }: Parameters<FakeBatches['addForeign']>[0]): string {
    return this.#add({ requests, createdAtMs, endsAtMs: createdAtMs + endsAfterMs, foreign: true, bought: [] }).id;
  }

  endAll(): void {
    for (const batch of this.#batches) batch.endsAtMs = Math.min(batch.endsAtMs, this.#nowMs());
  }

  delete(id: string): void {
    this.#batches = this.#batches.filter((batch) => batch.id !== id);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fake');
    const path = url.pathname.slice(this.#prefix.length);
    const method = request.method ?? 'GET';
    this.calls.push(`${method} ${path}`);
    response.sendDate = false;
    response.setHeader('date', new Date(this.#nowMs()).toUTCString());
    response.setHeader('anthropic-organization-id', this.behaviour.organizationId);
    if (this.behaviour.capabilities !== null)
      response.setHeader('nightshift-capabilities', this.behaviour.capabilities);
    if (!url.pathname.startsWith(this.#prefix)) return refuse(response, { status: 404 });
    if (this.behaviour.revoked || request.headers['x-api-key'] !== this.key)
      return refuse(response, { status: 401, type: 'authentication_error', message: 'invalid x-api-key' });
    if (method === 'POST' && path === '/v1/messages/batches') return await this.#post(request, response);
    const status = this.behaviour.onCall({ index: this.calls.length - 1, method, path });
    if (status !== null) return refuse(response, { status });
    if (method === 'POST' && path.startsWith('/v1/messages') && !path.startsWith('/v1/messages/batches'))
      return await this.#message(request, response);
    if (method === 'GET' && path === '/v1/messages/batches') return this.#list(url, response);
    return this.#one({ method, path, request, response });
  }

  async #post(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const idempotencyKey = (request.headers['idempotency-key'] as string | undefined) ?? null;
    const post = { bytes: 0, idempotencyKey, batchId: null as string | null };
    const fault = this.behaviour.onPost({ index: this.posts.push(post) - 1, idempotencyKey });
    if (fault.kind === 'refuse' && fault.early === true) return refuse(response, fault);
    if (fault.kind === 'cut-at' && fault.bytes === 0) return void request.socket.destroy();
    const pieces: Buffer[] = [];
    for await (const piece of request as AsyncIterable<Buffer>) {
      pieces.push(piece);
      post.bytes += piece.length;
      if (fault.kind === 'cut-at' && post.bytes >= fault.bytes) return void request.socket.destroy();
    }
    if (fault.kind === 'refuse') return refuse(response, fault);
    const commits = !('commit' in fault) || fault.commit;
    const made = commits
      ? this.#commit(Buffer.concat(pieces).toString(), {
          post,
          laterMs: 'commitAfterMs' in fault ? fault.commitAfterMs : 0,
        })
      : null;
    if (typeof made === 'string') return refuse(response, { status: 400, message: made });
    if (fault.kind === 'cut-after-last' || fault.kind === 'cut-at') return void request.socket.destroy();
    if (fault.kind === 'hang') return;
    if (fault.kind === 'answer') {
      response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
      return void response.end(
        fault.body ?? JSON.stringify({ type: 'error', error: { type: 'api_error', message: 'something broke' } }),
      );
    }
    return answer(response, this.#view(made!));
  }

  /** The batch, or why there is none. */
  #commit(
    text: string,
    {
      post,
      laterMs = 0,
    }: { post: { idempotencyKey: string | null; batchId: string | null }; laterMs: number | undefined },
  ): FakeBatch | string {
    const requests = readRequests(text);
    if (requests === null) return 'The request body is not valid JSON';
    if (requests.length > this.behaviour.requestsMax)
      return `requests: List should have at most ${this.behaviour.requestsMax} items after validation, not ${requests.length}`;
    const knowsKeys = this.behaviour.capabilities?.includes('idempotency') === true && post.idempotencyKey !== null;
    const first = knowsKeys
      ? this.posts.find(
          (other) => other !== post && other.idempotencyKey === post.idempotencyKey && other.batchId !== null,
        )
      : undefined;
    const known = this.#batches.find((batch) => batch.id === first?.batchId);
    const createdAtMs = this.#nowMs() + laterMs;
    const made =
      known ??
      this.#add({
        requests: requests.length,
        createdAtMs,
        endsAtMs: createdAtMs + this.behaviour.endsAfterMs,
        foreign: false,
        bought: requests,
      });
    post.batchId = made.id;
    return made;
  }

  #add(about: {
    requests: number;
    createdAtMs: number;
    endsAtMs: number;
    foreign: boolean;
    bought: readonly FakeRequest[];
  }): FakeBatch {
    const { bought, ...rest } = about;
    this.#made += 1;
    const id = `msgbatch_fake${String(this.#made).padStart(20, '0')}`;
    const batch: FakeBatch = {
      ...rest,
      id,
      listedAtMs: about.createdAtMs + this.behaviour.listLagMs,
      canceledAtMs: null,
      accepted: bought.map((request) =>
        acceptedOf(request, { batchId: id, outcome: this.behaviour.outcomeOf(request, id) }),
      ),
      strangers: about.foreign ? [] : this.behaviour.strangers,
      lines: null,
    };
    this.#batches.push(batch);
    return batch;
  }

  #list(url: URL, response: ServerResponse): void {
    const limit = Number(url.searchParams.get('limit') ?? 20);
    const after = url.searchParams.get('after_id');
    const listed = this.#batches
      .filter((batch) => batch.listedAtMs <= this.#nowMs())
      .toSorted((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1));
    const start = after === null ? 0 : listed.findIndex((batch) => batch.id === after) + 1;
    const page = listed.slice(start, start + limit);
    answer(response, {
      data: page.map((batch) => this.#view(batch)),
      has_more: start + limit < listed.length,
      first_id: page[0]?.id ?? null,
      last_id: page.at(-1)?.id ?? null,
    });
  }

  #one({
    method,
    path,
    request,
    response,
  }: {
    method: string;
    path: string;
    request: IncomingMessage;
    response: ServerResponse;
  }): void {
    const [, id = '', verb = ''] = /^\/v1\/messages\/batches\/([^/]+)(?:\/(cancel|results))?$/.exec(path) ?? [];
    const batch = this.batches().find((one) => one.id === decodeURIComponent(id));
    if (batch === undefined)
      return refuse(response, { status: 404, type: 'not_found_error', message: `Message Batch ${id} not found.` });
    if (verb === 'results') return this.#results(batch, request, response);
    if (verb === 'cancel' && method === 'POST' && statusOf(batch, this.#nowMs()) === 'in_progress') this.#cancel(batch);
    return answer(response, this.#view(batch));
  }

  /** It ends at once, with no row answered. */
  #cancel(batch: FakeBatch): void {
    const accepted = batch.accepted.map((one): Accepted => ({ ...one, outcome: { kind: 'canceled' } }));
    const canceled: FakeBatch = { ...batch, accepted, canceledAtMs: this.#nowMs(), endsAtMs: this.#nowMs() };
    this.#batches = this.#batches.map((one) => (one === batch ? canceled : one));
    Object.assign(batch, { canceledAtMs: this.#nowMs() });
  }

  #results(batch: FakeBatch, request: IncomingMessage, response: ServerResponse): void {
    const nowMs = this.#nowMs();
    if (statusOf(batch, nowMs) !== 'ended' || nowMs >= batch.createdAtMs + ARCHIVED_AFTER_MS) {
      return refuse(response, {
        status: 404,
        type: 'not_found_error',
        message: `Message Batch ${batch.id} has no available results.`,
      });
    }
    const lines = linesOf(batch);
    const etag = `"${batch.id}-${lines.length}"`;
    const asked =
      this.behaviour.range && request.headers['if-range'] === etag
        ? /^bytes=(\d+)-$/.exec(request.headers.range ?? '')
        : null;
    const from = asked === null ? 0 : Number(asked[1]);
    const fault = this.behaviour.onResults({ index: this.#downloads++, batchId: batch.id, from });
    if (fault.kind === 'status') return refuse(response, fault);
    const validators = this.behaviour.range ? { etag, 'accept-ranges': 'bytes' } : {};
    if (asked !== null && from >= lines.length)
      return void response.writeHead(416, { 'content-range': `bytes */${lines.length}` }).end();
    response.writeHead(asked === null ? 200 : 206, {
      'content-type': 'application/x-jsonl',
      'content-length': lines.length - from,
      ...validators,
      ...(asked === null ? {} : { 'content-range': `bytes ${from}-${lines.length - 1}/${lines.length}` }),
    });
    if (fault.kind === 'none') return void response.end(lines.subarray(from));
    response.write(lines.subarray(from, from + fault.afterBytes), () => response.destroy());
  }

  async #message(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await bodyOf(request);
    const params = JSON.parse(text) as FakeParams;
    if (request.url?.endsWith('/count_tokens') === true)
      return answer(response, { input_tokens: Math.ceil(text.length / 3) });
    this.messages.push(params);
    const outcome = this.behaviour.onMessage(params);
    if (outcome.kind === 'ok') return answer(response, messageOf(outcome, params.model ?? 'claude-haiku-4-5'));
    return refuse(response, outcome.kind === 'errored' ? { status: 400, ...outcome } : { status: 500 });
  }

  #view(batch: FakeBatch): Record<string, unknown> {
    const kept = this.#batches.find((one) => one.id === batch.id) ?? batch;
    return viewOf(kept, { nowMs: this.#nowMs(), base: this.url });
  }
}

function readRequests(text: string): readonly FakeRequest[] | null {
  try {
    const body = JSON.parse(text) as { requests: readonly FakeRequest[] };
    return Array.isArray(body.requests) ? body.requests : null;
  } catch {
    return null;
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

function answer(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function refuse(
  response: ServerResponse,
  about: { status: number; type?: string; message?: string; retryAfterSeconds?: number },
): void {
  const {
    status,
    type = status >= 500 ? 'api_error' : 'invalid_request_error',
    message = `refused with ${status}`,
    retryAfterSeconds,
  } = about;
  if (retryAfterSeconds !== undefined) response.setHeader('retry-after', retryAfterSeconds);
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ type: 'error', error: { type, message }, request_id: 'req_fake' }));
}
