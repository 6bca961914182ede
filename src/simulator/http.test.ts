import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { serveSimulator } from './http.ts';
import { createSimulator } from './simulator.ts';

/** Timers that ring when the test says so. */
async function scene(t: TestContext, latencyMs: number) {
  const timers: { readonly ms: number; readonly ring: () => void; canceled: boolean }[] = [];
  let told: () => void = () => undefined;
  const after = (ms: number, ring: () => void): (() => void) => {
    const timer = { ms, ring, canceled: false };
    timers.push(timer);
    told();
    return () => {
      timer.canceled = true;
      told();
    };
  };
  const server = await serveSimulator({
    simulator: createSimulator({ seed: 1, latencyMs }),
    timers: { after, turn: (ring) => void after(0, ring) },
    host: '127.0.0.1',
    port: 0,
    apiKey: null,
  });
  t.after(() => server.close());
  const ask = (more: object, signal?: AbortSignal): Promise<Response> => {
    const params = { model: 'm', max_tokens: 50, messages: [{ role: 'user', content: 'Hi' }], ...more };
    const headers = { 'anthropic-version': '2023-06-01' };
    return fetch(`${server.url}/v1/messages`, {
      method: 'POST',
      headers,
      body: JSON.stringify(params),
      signal: signal ?? null,
    });
  };
  /** Resolves when a timer was set or canceled so that this holds. */
  const when = (holds: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      told = () => holds() && resolve();
      told();
    });
  return { timers, ask, when, url: server.url };
}

test('an answer waits for its time', async (t) => {
  const { timers, ask, when } = await scene(t, 400);
  const answering = ask({});
  await when(() => timers.length === 1);
  assert.equal(timers[0]!.ms, 400);
  timers[0]!.ring();
  assert.equal((await answering).status, 200);
});

test('a client that leaves cancels what is still to come', async (t) => {
  const { timers, ask, when } = await scene(t, 400);
  const controller = new AbortController();
  const answering = ask({}, controller.signal);
  await when(() => timers.length === 1);
  controller.abort();
  await assert.rejects(answering);
  await when(() => timers[0]!.canceled);
});

test('the events of a stream come one after the other, and stop with their reader', async (t) => {
  const { timers, ask, when } = await scene(t, 400);
  const controller = new AbortController();
  const answering = ask({ stream: true }, controller.signal);
  await when(() => timers.length === 1);
  timers[0]!.ring();
  const reader = (await answering).body!.getReader();
  assert.match(Buffer.from((await reader.read()).value!).toString(), /^event: message_start/);
  await when(() => timers.length === 2);
  assert.ok(timers[0]!.ms === 100 && timers[1]!.ms > 0);
  controller.abort();
  await when(() => timers[1]!.canceled);
});

test('what no answer can be made for is an error of the server, not a connection that ends', async (t) => {
  const { url } = await scene(t, 0);
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const format = `{"type":"json_schema","schema":{"const":${deep}}}`;
  const body = `{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"Hi"}],"output_config":{"format":${format}}}`;
  const headers = { 'anthropic-version': '2023-06-01' };
  const response = await fetch(`${url}/v1/messages`, { method: 'POST', headers, body });
  assert.equal(response.status, 500);
  assert.match(await response.text(), /"api_error"/);
});
