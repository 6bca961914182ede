import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../domain/errors.ts';
import {
  ATTEMPT_TIMEOUT_BASE_MS,
  ATTEMPT_TIMEOUT_PER_TOKEN_MS,
  SYNC_BYTES_MAX,
  SYNC_RETRY_MS,
  SYNC_RETRY_WAIT_MS,
  SYNC_WAIT_MS_MAX,
} from '../domain/limits.ts';
import { SendError, type UpstreamResponse } from '../ports/world.ts';
import type { Input } from '../scheduler/messages.ts';
import { RequestFault, type Call, type Upstream } from '../upstreams/upstream.ts';
import type { MessageCall } from './contract.ts';
import { FakeWorld, settle, upstreamOf } from './support.ts';
import { SyncCalls } from './sync-calls.ts';

const message = Buffer.from('{"type":"message","usage":{"input_tokens":3,"output_tokens":5}}');

/** Stands for the scheduler, too: grants only when told. */
class Play {
  readonly world = new FakeWorld();
  readonly posted: Input[] = [];
  readonly asked: Call[] = [];
  readonly calls: SyncCalls;
  open: Upstream['open'] = async () => answer(200, message);

  constructor() {
    const upstream: Upstream = {
      ...upstreamOf(() => assert.fail()),
      open: (call) => {
        this.asked.push(call);
        return this.open(call);
      },
    };
    this.calls = new SyncCalls({
      world: this.world,
      upstreamFor: () => upstream,
      weightOf: () => 1,
      post: (input) => this.posted.push(input),
      onTrouble: () => undefined,
    });
  }

  ask(changes: Partial<MessageCall> = {}): ReturnType<SyncCalls['open']> {
    const asked = this.calls.open({
      workspaceId: 'wrkspc_a',
      version: '2023-06-01',
      betas: [],
      model: 'model-a',
      params: Buffer.from('{}'),
      maxTokens: 10,
      tokens: 11,
      signal: new AbortController().signal,
      ...changes,
    });
    asked.catch(() => undefined);
    return asked;
  }

  /** What the scheduler and the metrics were told of ends. */
  ends(): unknown[] {
    return this.posted.flatMap((input) => (input.kind === 'syncEnded' ? [[input.sync, input.result.kind]] : []));
  }

  statuses(): number[] {
    return this.world.events.flatMap((event) => (event.kind === 'message' ? [event.status] : []));
  }
}

function answer(status: number, body: Uint8Array, headers: Record<string, string> = {}): UpstreamResponse {
  return {
    status,
    headers,
    body: {
      bytes: async () => body,
      async *stream() {
        yield body;
      },
    },
  };
}

async function codeOf(asked: Promise<unknown>): Promise<string> {
  const error = await asked.then(
    () => assert.fail('it was answered'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof AppError, String(error));
  return error.code;
}

test('a call waits for its grant, is made once, and its end frees the slot', async () => {
  const play = new Play();
  const asked = play.ask();
  await settle();
  assert.deepEqual([play.asked.length, play.calls.waiting], [0, 1]);
  const [input] = play.posted;
  assert.ok(input.kind === 'sync' && input.lane === 'local\nmodel-a' && input.tokens === 11);
  play.calls.granted(input.sync);
  const { status, body } = await asked;
  assert.deepEqual([status, body], [200, message]);
  assert.deepEqual(play.ends(), [[1, 'final']]);
  const [event] = play.world.events;
  assert.ok(event.kind === 'message' && event.inputTokens === 3 && event.outputTokens === 5);
  assert.equal(play.calls.size, 0);
});

test('what each end tells the caller and the lane', async () => {
  const html = Buffer.from('<html>');
  const table: readonly (readonly [open: Upstream['open'], told: number | string, lane: string])[] = [
    [async () => answer(400, html), 400, 'final'],
    [async () => answer(429, html, { 'retry-after': '7' }), 429, 'unpaid'],
    [async () => answer(401, html), 401, 'unpaid'],
    [async () => answer(529, html), 529, 'unpaid'],
    [async () => answer(200, html), 'upstream_failed', 'perhaps_paid'],
    [async () => Promise.reject(new SendError('cut', { sent: true })), 'upstream_failed', 'perhaps_paid'],
    [
      async () => Promise.reject(new RequestFault({ type: 'invalid_request_error', message: 'no pictures' })),
      'invalid_request',
      'aborted',
    ],
    [async () => Promise.reject(new Error('a bug')), 'internal', 'perhaps_paid'],
  ];
  for (const [open, told, lane] of table) {
    const play = new Play();
    play.open = open;
    const asked = play.ask();
    play.calls.granted(1);
    if (typeof told === 'number') assert.equal((await asked).status, told);
    else assert.equal(await codeOf(asked), told);
    assert.deepEqual(play.ends(), [[1, lane]], String(told));
    assert.equal(play.asked.length, 1);
  }
});

test('what surely was not paid is made once more, and then is 529', async () => {
  const play = new Play();
  let failures = 1;
  play.open = async () => {
    if (failures-- > 0) throw new SendError('refused', { sent: false });
    return answer(200, message);
  };
  const asked = play.ask();
  play.calls.granted(1);
  await play.world.move(SYNC_RETRY_MS);
  play.calls.granted(2);
  assert.equal((await asked).status, 200);
  assert.deepEqual(play.ends(), [
    [1, 'unpaid'],
    [2, 'final'],
  ]);
  assert.deepEqual(play.statuses(), [200]);
  failures = 2;
  const second = play.ask();
  play.calls.granted(3);
  await play.world.move(SYNC_RETRY_MS);
  play.calls.granted(4);
  assert.equal(await codeOf(second), 'overloaded');
  failures = 1;
  const third = play.ask();
  play.calls.granted(5);
  await play.world.move(SYNC_RETRY_MS + SYNC_RETRY_WAIT_MS);
  play.calls.sweep(play.world.clock.monotonicMs());
  assert.equal(await codeOf(third), 'overloaded');
  assert.deepEqual(play.statuses(), [200, 529, 529]);
  assert.equal(play.calls.size, 0);
});

test('who gets no slot in time is turned away, and who gets no answer in time is broken off', async () => {
  const play = new Play();
  const waiting = play.ask();
  play.calls.sweep(SYNC_WAIT_MS_MAX - 1);
  assert.equal(play.calls.waiting, 1);
  play.calls.sweep(SYNC_WAIT_MS_MAX);
  assert.equal(await codeOf(waiting), 'overloaded');
  play.open = ({ signal }) => new Promise((_, reject) => (signal.onabort = () => reject(signal.reason as Error)));
  const hanging = play.ask();
  play.calls.granted(2);
  await settle();
  play.calls.sweep(ATTEMPT_TIMEOUT_BASE_MS + 10 * ATTEMPT_TIMEOUT_PER_TOKEN_MS);
  assert.equal(await codeOf(hanging), 'upstream_timeout');
  assert.deepEqual(play.ends(), [
    [1, 'aborted'],
    [2, 'perhaps_paid'],
  ]);
  assert.deepEqual(play.statuses(), [529, 504]);
});

test('a caller that leaves frees its place: while it waits, while it is asked for, while it streams, before it reads', async () => {
  const play = new Play();
  const callers = Array.from({ length: 4 }, () => new AbortController());
  const asked = callers.map(({ signal }) => play.ask({ signal }));
  callers[0].abort();
  play.open = ({ signal }) => new Promise((_, reject) => (signal.onabort = () => reject(signal.reason as Error)));
  play.calls.granted(2);
  await settle();
  callers[1].abort();
  play.open = async () => answer(200, message, { 'content-type': 'text/event-stream' });
  play.calls.granted(3);
  play.calls.granted(4);
  const { body } = await asked[2];
  assert.ok(!(body instanceof Uint8Array));
  const events = body[Symbol.asyncIterator]();
  await events.next();
  await events.return?.();
  await asked[3];
  callers[3].abort();
  await settle();
  assert.deepEqual(
    play.ends(),
    [1, 2, 3, 4].map((sync) => [sync, 'aborted']),
  );
  assert.deepEqual(play.statuses(), [499, 499, 499, 499]);
  assert.ok(play.asked.every(({ signal }) => signal.aborted));
  assert.equal(play.calls.size, 0);
});

test('a stream that breaks off throws what its caller is told', async () => {
  const play = new Play();
  play.open = async () => ({
    ...answer(200, message, { 'content-type': 'text/event-stream; charset=utf-8' }),
    body: {
      bytes: () => assert.fail(),
      async *stream() {
        yield message;
        throw new SendError('reset', { sent: true });
      },
    },
  });
  const asked = play.ask();
  play.calls.granted(1);
  const { body } = await asked;
  assert.ok(!(body instanceof Uint8Array));
  const read = async (): Promise<void> => {
    for await (const piece of body) assert.equal(piece, message);
  };
  assert.equal(await codeOf(read()), 'upstream_failed');
  assert.deepEqual(play.ends(), [[1, 'perhaps_paid']]);
});

test('bodies held together are bounded, and a close turns everybody away', async () => {
  const play = new Play();
  const half = Buffer.alloc(SYNC_BYTES_MAX / 2);
  const [first, second] = [play.ask({ params: half }), play.ask({ params: half })];
  assert.equal(await codeOf(play.ask()), 'overloaded');
  play.calls.granted(1);
  await first;
  const third = play.ask();
  play.calls.close();
  assert.equal(await codeOf(second), 'draining');
  assert.equal(await codeOf(third), 'draining');
  assert.equal(await codeOf(play.ask()), 'draining');
});
