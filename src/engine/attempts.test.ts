import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ATTEMPT_TIMEOUT_BASE_MS, ATTEMPT_TIMEOUT_PER_TOKEN_MS } from '../domain/limits.ts';
import type { Call, CallResult, Upstream } from '../upstreams/upstream.ts';
import { Attempts, type Flight, type FlightEnd } from './attempts.ts';
import { batchOf, blobOf, FakeWorld, MemoryBlobs, messageResult, settle, spanOf, upstreamOf } from './support.ts';
import { createRun, type HeldSpan } from './held.ts';

type Waiting = { readonly call: Call; readonly resolve: (result: CallResult) => void };

/** Attempts over an upstream that answers when the test says so, and ends with its signal. */
class Scene {
  readonly world = new FakeWorld();
  readonly blobs = new MemoryBlobs();
  readonly calls: Waiting[] = [];
  readonly ends: { readonly flight: Flight; readonly result: FlightEnd }[] = [];
  readonly unreadable: Flight[] = [];
  readonly span: HeldSpan;
  readonly attempts: Attempts;
  readonly upstream: Upstream;

  constructor(maxTokens = 100) {
    const run = createRun(batchOf({ version: '2026-10-21', betas: ['one', 'two'] }));
    this.span = spanOf({ run, lengths: [3, 4, 5], maxTokens, blobs: this.blobs });
    this.blobs.stored.set(blobOf(this.span.segment), { bytes: Buffer.from('aaabbbbccccc'), modifiedMs: 0 });
    this.attempts = new Attempts({
      world: this.world,
      onEnd: (flight, result) => this.ends.push({ flight, result }),
      onUnreadable: (flight) => this.unreadable.push(flight),
    });
    this.upstream = upstreamOf(
      (call) =>
        new Promise((resolve, reject) => {
          if (call.signal.aborted) return reject(call.signal.reason as Error);
          call.signal.addEventListener('abort', () => reject(call.signal.reason as Error));
          this.calls.push({ call, resolve });
        }),
    );
  }

  async start(attempt: number, item: number): Promise<void> {
    this.attempts.start({ attempt, span: this.span, item, upstream: this.upstream });
    await settle();
  }

  endKinds(): string[] {
    return this.ends.map(({ result }) => result.end.kind);
  }
}

test('an attempt sends the very bytes of its request under its batch’s version and betas, and tells its end', async () => {
  const scene = new Scene();
  await scene.start(7, 1);
  const [{ call, resolve }] = scene.calls as [Waiting];
  assert.equal(Buffer.from(call.params).toString(), 'bbbb');
  assert.deepEqual([call.version, call.betas], ['2026-10-21', ['one', 'two']]);
  assert.equal(scene.attempts.size, 1);
  await scene.world.move(250);
  resolve(messageResult);
  await settle();
  assert.equal(scene.attempts.size, 0);
  assert.deepEqual(
    scene.ends.map(({ flight, result }) => [flight.attempt, flight.item, result]),
    [[7, 1, messageResult]],
  );
  const told = {
    kind: 'attempt',
    batchId: 'msgbatch_a',
    upstream: 'local',
    model: 'model-a',
    end: 'succeeded',
    status: 200,
    durationMs: 250,
  };
  assert.deepEqual(scene.world.events, [told]);
});

test('a command aborts one attempt and leaves the others', async () => {
  const scene = new Scene();
  await scene.start(1, 0);
  await scene.start(2, 1);
  scene.attempts.abort(1);
  scene.attempts.abort(1);
  scene.attempts.abort(99);
  await settle();
  assert.deepEqual(
    scene.ends.map(({ flight, result }) => [flight.attempt, result.end.kind]),
    [[1, 'aborted']],
  );
  assert.equal(scene.attempts.size, 1);
  scene.attempts.abortAll();
  await settle();
  assert.deepEqual(scene.endKinds(), ['aborted', 'aborted']);
  assert.deepEqual(
    scene.world.events.map((event) => event.kind === 'attempt' && event.end),
    ['aborted', 'aborted'],
  );
});

test('a timeout comes after the base and the time for its tokens, and may have been paid for', async () => {
  const scene = new Scene(1_000);
  await scene.start(1, 0);
  const timeoutMs = ATTEMPT_TIMEOUT_BASE_MS + 1_000 * ATTEMPT_TIMEOUT_PER_TOKEN_MS;
  scene.attempts.sweep(timeoutMs - 1);
  await settle();
  assert.deepEqual(scene.endKinds(), []);
  scene.attempts.sweep(timeoutMs);
  await settle();
  const { result } = scene.ends[0]!;
  assert.ok(result.end.kind === 'perhaps_paid' && result.end.error.type === 'timeout_error');
  assert.equal(result.status, null);
});

test('what stopped an attempt first is what it ends with', async () => {
  const scene = new Scene(0);
  await scene.start(1, 0);
  scene.attempts.sweep(ATTEMPT_TIMEOUT_BASE_MS);
  scene.attempts.abort(1);
  await settle();
  assert.deepEqual(scene.endKinds(), ['perhaps_paid']);
});

test('an answer that came before the abort was met is kept: it is paid for', async () => {
  const scene = new Scene();
  await scene.start(1, 0);
  scene.calls[0]!.resolve(messageResult);
  scene.attempts.abort(1);
  await settle();
  assert.deepEqual(scene.endKinds(), ['message']);
});

test('an abort while the body is being read ends the attempt without a call', async () => {
  const scene = new Scene();
  scene.blobs.before = () => settle();
  scene.attempts.start({ attempt: 1, span: scene.span, item: 0, upstream: scene.upstream });
  scene.attempts.abort(1);
  await settle();
  await settle();
  assert.deepEqual([scene.endKinds(), scene.calls.length], [['aborted'], 0]);
});

test('a body that cannot be read is told apart from every end of a call', async () => {
  const scene = new Scene();
  scene.blobs.stored.clear();
  await scene.start(1, 0);
  assert.deepEqual(
    scene.unreadable.map(({ attempt }) => attempt),
    [1],
  );
  assert.deepEqual(
    [scene.ends.length, scene.calls.length, scene.attempts.size, scene.world.events.length],
    [0, 0, 0, 0],
  );
});

const error = { type: 'api_error', message: 'no' };

test('every end has its name in the report', async () => {
  const scene = new Scene();
  const ends: [CallResult['end'], string][] = [
    [{ kind: 'refused', error }, 'errored'],
    [{ kind: 'unpaid', throttled: true, retryAfterMs: null, error }, 'throttled'],
    [{ kind: 'unpaid', throttled: false, retryAfterMs: null, error }, 'unpaid'],
    [{ kind: 'perhaps_paid', error }, 'perhaps_paid'],
  ];
  for (const [attempt, [end]] of ends.entries()) {
    await scene.start(attempt, 0);
    scene.calls[attempt]!.resolve({ end, status: 500, headroom: null });
    await settle();
  }
  assert.deepEqual(
    scene.world.events.map((event) => event.kind === 'attempt' && event.end),
    ends.map(([, name]) => name),
  );
});
