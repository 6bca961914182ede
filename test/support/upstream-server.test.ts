/** The test upstream's own tests: each way to fail must look to a real client exactly as it is called. */

import assert from 'node:assert/strict';
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { createHash } from 'node:crypto';
import { Pool } from 'undici';
import { startUpstream } from './upstream-server.ts';
import type { Upstream } from './upstream-server.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

const ROWS = 20;
let upstream: Upstream;
let pool: Pool;

before(async () => {
  upstream = await startUpstream({ hashBodies: true });
  pool = new Pool(upstream.url, { connections: 8, pipelining: 1 });
});

after(async () => {
  await pool.destroy();
  await upstream.stop();
});

function bodyOf(row: number): string {
  return JSON.stringify({
    model: 'claude-x',
    max_tokens: 64,
    messages: [{ role: 'user', content: `row-wise, row-${row} please` }],
  });
}

async function post(body: string, client = pool): Promise<Answer> {
  const headers = { 'content-type': 'application/json', 'X-Odd-Case': 'kept' };
  const answer = await client.request({ path: '/v1/messages?beta=true', method: 'POST', headers, body });
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  return error instanceof Error && 'code' in error ? String(error.code) : `no code: ${String(error)}`;
}

async function startCalm(): Promise<void> {
  await upstream.set({});
  await upstream.reset();
}

test('answers each row with its own marker and counts calls and answers per row', async () => {
  await startCalm();
  const startedAtMs = Date.now();
  const answers = await Promise.all(Array.from({ length: ROWS }, (_, row) => post(bodyOf(row))));
  await post(bodyOf(3));
  for (const [row, { status, text }] of answers.entries()) {
    const message = JSON.parse(text) as { model: string; type: string; content: { text: string }[] };
    assert.deepEqual([status, message.type, message.model], [200, 'message', 'claude-x']);
    assert.equal(message.content[0].text.split(' ')[0], `row-${row}`);
  }
  const stats = await upstream.stats();
  assert.equal(stats.calls, ROWS + 1);
  assert.equal(stats.answers, ROWS + 1);
  assert.deepEqual(
    [stats.rowsSeen, stats.rowsAnswered, stats.rowsCalledAgain, stats.rowsAnsweredAgain],
    [ROWS, ROWS, 1, 1],
  );
  const hash = createHash('sha256').update(bodyOf(3)).digest('hex');
  const { 'row-3': third } = await upstream.rows();
  const { firstCallAtMs } = third;
  assert.ok(firstCallAtMs >= startedAtMs && firstCallAtMs <= Date.now());
  assert.deepEqual(third, { calls: 2, answers: 2, firstCallAtMs, hashes: [hash] });
  assert.deepEqual(Object.keys(await upstream.rows({ from: ROWS - 1, count: 2 })), [`row-${ROWS - 1}`]);
});

test('keeps headers and bodies as they came', async () => {
  await startCalm();
  const large = bodyOf(7).replace('please', 'x'.repeat(300_000));
  await post(large);
  const { headers, requests } = await upstream.last();
  assert.ok(headers.some(([name, value]) => name === 'X-Odd-Case' && value === 'kept'));
  assert.equal(requests[0].url, '/v1/messages?beta=true');
  assert.equal(Buffer.from(requests[0].bodyBase64, 'base64').toString(), large);
});

test("statuses come in the API's form, with retry-after where one belongs", async () => {
  for (const status of [400, 429, 500, 503, 529]) {
    await upstream.set({ faults: { [`status${status}`]: 1 }, retryAfterSeconds: 3 });
    const answer = await post(bodyOf(1));
    assert.equal(answer.status, status);
    assert.equal(answer.headers['retry-after'], status === 429 || status === 529 ? '3' : undefined);
    assert.equal((JSON.parse(answer.text) as { type: string }).type, 'error');
  }
});

test('reset, resetMidBody and lengthMismatch break the connection where they say', async () => {
  await upstream.set({ faults: { reset: 1 } });
  assert.match(await codeOf(post(bodyOf(1))), /ECONNRESET|UND_ERR_SOCKET/);
  for (const kind of ['resetMidBody', 'lengthMismatch']) {
    await upstream.set({ faults: { [kind]: 1 } });
    const answer = await pool.request({ path: '/v1/messages', method: 'POST', body: bodyOf(1) });
    assert.equal(answer.statusCode, 200);
    assert.match(
      await codeOf(answer.body.text()),
      /ECONNRESET|UND_ERR_SOCKET|UND_ERR_ABORTED|UND_ERR_RES_CONTENT_LENGTH_MISMATCH/,
    );
  }
});

test('garbage and truncated are whole 200 answers that are not JSON', async () => {
  for (const kind of ['garbage', 'truncated']) {
    await upstream.set({ faults: { [kind]: 1 } });
    const { status, headers, text } = await post(bodyOf(1));
    assert.equal(status, 200);
    assert.equal(headers['content-length'], String(text.length));
    assert.throws(() => JSON.parse(text) as unknown);
  }
});

test('huge goes on until the caller leaves, and at most to its bound', async () => {
  await upstream.set({ faults: { huge: 1 } });
  const answer = await pool.request({ path: '/v1/messages', method: 'POST', body: bodyOf(1) });
  let readBytes = 0;
  for await (const piece of answer.body as AsyncIterable<Buffer>) {
    readBytes += piece.length;
    if (readBytes > 2_000_000) break;
  }
  assert.ok(readBytes > 2_000_000);
  await upstream.set({ faults: { huge: 1 }, hugeBytesMax: 100_000 });
  assert.match(await codeOf(post(bodyOf(1))), /ECONNRESET|UND_ERR_SOCKET|UND_ERR_ABORTED/);
});

test('hang holds the call until the caller leaves, and at most for hangMs', async () => {
  await upstream.set({ faults: { hang: 1 } });
  const controller = new AbortController();
  const asked = pool.request({ path: '/v1/messages', method: 'POST', body: bodyOf(1), signal: controller.signal });
  await upstream.reset();
  controller.abort(new Error('left'));
  await assert.rejects(asked, /left/);
  await upstream.set({ faults: { hang: 1 }, hangMs: 20 });
  assert.match(await codeOf(post(bodyOf(1))), /ECONNRESET|UND_ERR_SOCKET/);
});

test('a seed repeats its mix of faults', async () => {
  const run = async (): Promise<number[]> => {
    await upstream.set({ seed: 5, faults: { status500: 0.3, status429: 0.2 } });
    const statuses: number[] = [];
    for (let row = 0; row < 60; row += 1) statuses.push((await post(bodyOf(row))).status);
    return statuses;
  };
  await startCalm();
  const first = await run();
  const { faults, answers } = await upstream.reset();
  assert.deepEqual(await run(), first);
  assert.equal((faults.status500 ?? 0) + (faults.status429 ?? 0) + answers, 60);
  assert.ok(answers > 15 && answers < 50);
});

test('latency holds calls side by side', async () => {
  await startCalm();
  await upstream.set({ latencyMs: 40 });
  const startedAtMs = performance.now();
  await Promise.all(Array.from({ length: 8 }, (_, row) => post(bodyOf(row))));
  assert.ok(performance.now() - startedAtMs >= 39);
  assert.equal((await upstream.stats()).inFlightMax, 8);
});

test('a storm answers everything with 429 and ends with its window', async () => {
  await startCalm();
  await upstream.set({ windows: [{ kind: 'status429', fromMs: 0, forMs: 60_000 }] });
  assert.equal((await post(bodyOf(1))).status, 429);
  await upstream.set({ windows: [{ kind: 'status503', fromMs: 60_000, forMs: 1_000 }] });
  assert.equal((await post(bodyOf(1))).status, 200);
  const { windowCalls, callsOutsideWindows } = await upstream.stats();
  assert.deepEqual([windowCalls, callsOutsideWindows], [{ status429: 1 }, 1]);
});

test('refuse lets nobody connect, and the same port answers afterwards', async () => {
  await upstream.set({ windows: [{ kind: 'refuse', fromMs: 0, forMs: 60_000 }] });
  const fresh = new Pool(upstream.url, { connections: 1 });
  let code = '';
  for (let tries = 0; tries < 100 && code !== 'ECONNREFUSED'; tries += 1) code = await codeOf(post(bodyOf(1), fresh));
  assert.equal(code, 'ECONNREFUSED');
  await upstream.set({});
  assert.equal((await post(bodyOf(1), fresh)).status, 200);
  await fresh.destroy();
});

test('an answer that is counted was sent, also when a window closes the connections in the same turn', async () => {
  for (let round = 0; round < 5; round += 1) {
    await upstream.set({ latencyMs: 20, windows: [{ kind: 'refuse', fromMs: 60, forMs: 60_000 }] });
    await upstream.reset();
    const fresh = new Pool(upstream.url, { connections: 64 });
    let received = 0;
    const ask = async (row: number): Promise<void> => {
      for (;;) {
        const answer = await post(bodyOf(row), fresh).catch(() => null);
        if (answer?.status !== 200) return;
        received += 1;
      }
    };
    await Promise.all(Array.from({ length: 64 }, (_, row) => ask(row)));
    assert.equal((await upstream.stats()).answers, received);
    await fresh.destroy();
  }
});

test('refuses a profile with a name it does not know', async () => {
  await assert.rejects(upstream.set({ faults: { error500: 1 } } as object), /error500/);
  await assert.rejects(upstream.set({ latency: 5 } as object), /latency/);
});

test('the same is there from a shell and over HTTP', async () => {
  const script = new URL('upstream-server.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, '--port', '0', '--fault', 'status529=1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  const url = /^listening on (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(line)?.[1] ?? '';
  const client = new Pool(url, { connections: 1 });
  assert.equal((await post(bodyOf(1), client)).status, 529);
  const control = async (method: 'GET' | 'POST', path: string, body: string | null = null): Promise<unknown> =>
    (await client.request({ path: `/_control/${path}`, method, body })).body.json();
  assert.deepEqual(((await control('GET', 'stats')) as { faults: unknown }).faults, { status529: 1 });
  await control('POST', 'profile', JSON.stringify({ latencyMs: 1 }));
  assert.equal((await post(bodyOf(1), client)).status, 200);
  await client.destroy();
  child.kill();
  await once(child, 'exit');
});

test('ends when its parent is killed', async () => {
  const code = `
    const { startUpstream } = await import(${JSON.stringify(new URL('upstream-server.ts', import.meta.url).href)});
    process.send((await startUpstream()).port);
    setInterval(() => {}, 1000);`;
  const parent = fork('-', [], { execArgv: ['--input-type=module', '--eval', code] });
  const [port] = (await once(parent, 'message')) as [number];
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  await once(socket, 'connect');
  parent.kill('SIGKILL');
  await once(socket, 'close');
});

test('stop may be asked twice, and later questions are refused', async () => {
  const other = await startUpstream();
  await Promise.all([other.stop(), other.stop()]);
  await other.stop();
  await assert.rejects(other.stats(), /has ended/);
});
