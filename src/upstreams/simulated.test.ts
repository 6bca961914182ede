import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Simulator } from '../simulator/simulator.ts';
import { createSimulatedSend } from './simulated.ts';

/** Timers that ring when the test says so. */
function scene(latencyMs: number) {
  const timers: { readonly ms: number; readonly callback: () => void; canceled: boolean }[] = [];
  const set = (ms: number, callback: () => void) => {
    const timer = { ms, callback, canceled: false };
    timers.push(timer);
    return () => void (timer.canceled = true);
  };
  const answer = { status: 529, headers: { 'retry-after': '1' }, body: Buffer.from('{}'), latencyMs };
  const simulator = { answer: () => answer } as unknown as Simulator;
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
