import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SendError } from '../ports/world.ts';
import type { SimulatedAnswer, Simulator } from '../simulator/simulator.ts';
import { createSimulatedSend } from './simulated.ts';

/** Timers that ring when the test says so. */
function scene(latencyMs: number, other?: SimulatedAnswer) {
  const timers: { readonly ms: number; readonly callback: () => void; canceled: boolean }[] = [];
  const set = (ms: number, callback: () => void) => {
    const timer = { ms, callback, canceled: false };
    timers.push(timer);
    return () => void (timer.canceled = true);
  };
  const answer = { kind: 'whole', status: 529, headers: { 'retry-after': '1' }, body: Buffer.from('{}'), latencyMs };
  const simulator = { answer: () => other ?? answer } as unknown as Simulator;
  const send = createSimulatedSend({ simulator, timers: { after: set, turn: (callback) => void set(0, callback) } });
  const controller = new AbortController();
  const call = () => send({ url: 'simulator:', headers: {}, body: Buffer.from('{}'), signal: controller.signal });
  return { timers, controller, call };
}

test('an answer comes after its latency, with its status, headers and body', async () => {
  const { timers, call } = scene(40);
  const answering = call();
  assert.deepEqual(
    timers.map(({ ms }) => ms),
    [40],
  );
  timers[0]!.callback();
  const response = await answering;
  assert.deepEqual([response.status, response.headers], [529, { 'retry-after': '1' }]);
  assert.equal(Buffer.from(await response.body.bytes(10)).toString(), '{}');
  const pieces: Uint8Array[] = [];
  for await (const piece of response.body.stream()) pieces.push(piece);
  assert.equal(Buffer.concat(pieces).toString(), '{}');
});

test('an answer without latency comes in a later turn', async () => {
  const { timers, call } = scene(0);
  let answered = false;
  const answering = call().then(() => (answered = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(answered, false);
  timers[0]!.callback();
  await answering;
});

test('an abort cancels the wait and rejects with its reason', async () => {
  const { timers, controller, call } = scene(40);
  const answering = call();
  const reason = new Error('enough');
  controller.abort(reason);
  await assert.rejects(answering, (error) => error === reason);
  assert.equal(timers[0]!.canceled, true);
  await assert.rejects(call(), (error) => error === reason);
  assert.equal(timers.length, 1);
});

test('the simulator is told the path and the method', async () => {
  const asked: unknown[] = [];
  const simulator: Simulator = {
    answer(call) {
      asked.push(call);
      return { kind: 'hang' };
    },
  };
  const send = createSimulatedSend({ simulator, timers: { after: () => () => undefined, turn: () => undefined } });
  const controller = new AbortController();
  const body = new Uint8Array(0);
  const answering = send({
    method: 'GET',
    url: 'simulator:/v1/models?limit=1',
    headers: {},
    body,
    signal: controller.signal,
  });
  controller.abort(new Error('enough'));
  await assert.rejects(answering, /enough/);
  assert.deepEqual(asked, [{ method: 'GET', path: '/v1/models?limit=1', body }]);
});

test('a reset and a cut answer are failures after sending, as they are in a network', async () => {
  const wasSent = (error: unknown): boolean => error instanceof SendError && error.sent;
  const reset = scene(0, { kind: 'reset', latencyMs: 0 });
  const resetting = reset.call();
  reset.timers[0]!.callback();
  await assert.rejects(resetting, wasSent);
  const cut = scene(0, {
    kind: 'whole',
    status: 200,
    headers: {},
    body: Buffer.from('{"a'),
    latencyMs: 0,
    isCut: true,
  });
  const cutting = cut.call();
  cut.timers[0]!.callback();
  await assert.rejects((await cutting).body.bytes(10), wasSent);
});

test('the pieces of a stream come at their times, and an abort ends it', async () => {
  const pieces = [
    { atMs: 0, bytes: Buffer.from('one') },
    { atMs: 30, bytes: Buffer.from('two') },
  ];
  const stream = { kind: 'stream', status: 200, headers: {}, latencyMs: 10, pieces, isCut: false } as const;
  const { timers, controller, call } = scene(0, stream);
  const answering = call();
  timers[0]!.callback();
  const reading = (await answering).body.stream()[Symbol.asyncIterator]();
  assert.equal(String((await reading.next()).value), 'one');
  const second = reading.next();
  assert.deepEqual(
    timers.map(({ ms }) => ms),
    [10, 30],
  );
  controller.abort(new Error('enough'));
  await assert.rejects(second, /enough/);
});
