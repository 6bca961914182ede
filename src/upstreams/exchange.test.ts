import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dispatcher } from 'undici';
import { ResponseTooLargeError, SendError, type UpstreamResponse } from '../ports/world.ts';
import { AnswerBudget } from './answer-budget.ts';
import { Exchange } from './exchange.ts';
import { ConnectError } from './send-errors.ts';

const KiB = 1024;

/** What undici's dispatcher does to a handler, step by step, and what the handler does to its connection. */
class Connection {
  readonly abortController = new AbortController();
  readonly exchange: Exchange;
  readonly done: string[] = [];
  readonly controller = {
    pause: () => void this.done.push('pause'),
    resume: () => void this.done.push('resume'),
    abort: (reason: Error) => void this.done.push(`abort: ${reason.message}`),
  } as unknown as Dispatcher.DispatchController;

  constructor(budget = new AnswerBudget(64 * 1024 * KiB)) {
    this.exchange = new Exchange(this.abortController.signal, budget);
  }

  begin(): this {
    this.exchange.onRequestStart(this.controller);
    return this;
  }

  sent(): this {
    this.exchange.onRequestSent();
    return this;
  }

  headers(status = 200, headers: Record<string, string | string[]> = {}): Promise<UpstreamResponse> {
    this.exchange.onResponseStart(this.controller, status, headers);
    return this.exchange.answered;
  }

  data(piece: string | Buffer): this {
    this.exchange.onResponseData(this.controller, Buffer.from(piece));
    return this;
  }

  end(): this {
    this.exchange.onResponseEnd();
    return this;
  }

  error(error: Error): this {
    this.exchange.onResponseError(this.controller, error);
    return this;
  }
}

async function textOf(response: UpstreamResponse): Promise<string> {
  let text = '';
  for await (const piece of response.body.stream()) text += Buffer.from(piece).toString();
  return text;
}

test('the answer resolves at the headers, its bytes at the end', async () => {
  const connection = new Connection().begin().sent();
  const response = await connection.headers(200, { 'content-type': 'x', 'set-cookie': ['a', 'b'] });
  assert.deepEqual([response.status, response.headers], [200, { 'content-type': 'x', 'set-cookie': 'a, b' }]);
  const bytes = response.body.bytes(100);
  connection.data('ab').data('').data('cd').end();
  assert.equal(Buffer.from(await bytes).toString(), 'abcd');
});

test('bytes asked for after the end are there', async () => {
  const connection = new Connection().begin().sent();
  const response = await connection.headers();
  connection.data('ab').data('cd').end();
  assert.equal(Buffer.from(await response.body.bytes(4)).toString(), 'abcd');
});

test('informational answers are passed over', async () => {
  const connection = new Connection().begin().sent();
  connection.exchange.onResponseStart(connection.controller, 100, {});
  connection.exchange.onResponseStart(connection.controller, 103, { link: 'x' });
  assert.equal((await connection.headers(201)).status, 201);
});

test('while nobody reads the connection pauses, and goes on for a reader of either kind', async () => {
  for (const read of [(response: UpstreamResponse) => response.body.bytes(KiB * KiB), textOf]) {
    const connection = new Connection().begin().sent();
    const response = await connection.headers();
    connection.data(Buffer.alloc(200 * KiB));
    assert.deepEqual(connection.done, []);
    connection.data(Buffer.alloc(100 * KiB));
    assert.deepEqual(connection.done, ['pause']);
    const reading = read(response);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(connection.done, ['pause', 'resume']);
    connection.data('x').end();
    assert.equal((await reading).length, 300 * KiB + 1);
  }
});

test('a body beyond the bound is refused, before, while and after it comes', async () => {
  const early = new Connection().begin().sent();
  const first = await early.headers();
  early.data('abcdef');
  await assert.rejects(first.body.bytes(5), ResponseTooLargeError);
  assert.match(early.done.join(), /^abort/);

  const middle = new Connection().begin().sent();
  const second = (await middle.headers()).body.bytes(5);
  middle.data('abc').data('def');
  await assert.rejects(second, ResponseTooLargeError);
  assert.match(middle.done.join(), /abort/);

  const late = new Connection().begin().sent();
  const third = await late.headers();
  late.data('abcdef').end();
  await assert.rejects(third.body.bytes(5), ResponseTooLargeError);
});

test('a stream gives the pieces as they come', async () => {
  const connection = new Connection().begin().sent();
  const response = await connection.headers();
  const iterator = response.body.stream()[Symbol.asyncIterator]();
  connection.data('ab');
  assert.equal(Buffer.from((await iterator.next()).value as Uint8Array).toString(), 'ab');
  const next = iterator.next();
  await new Promise((resolve) => setImmediate(resolve));
  connection.data('cd').end();
  assert.equal(Buffer.from((await next).value as Uint8Array).toString(), 'cd');
  assert.equal((await iterator.next()).done, true);
});

test('a signal that was aborted before the start stops the call as soon as it has a connection', async () => {
  const controller = new AbortController();
  controller.abort();
  const exchange = new Exchange(controller.signal, new AnswerBudget(KiB));
  await assert.rejects(exchange.answered, { name: 'AbortError' });
  const connection = new Connection();
  connection.abortController.abort();
  connection.begin();
  await assert.rejects(connection.exchange.answered, { name: 'AbortError' });
  assert.match(connection.done.join(), /^abort/);
});

test('an abort in the middle of the body ends every reader and the connection', async () => {
  for (const read of [(response: UpstreamResponse) => response.body.bytes(100), textOf]) {
    const connection = new Connection().begin().sent();
    const reading = read(await connection.headers());
    connection.data('ab');
    connection.abortController.abort(new Error('enough'));
    await assert.rejects(reading, { name: 'AbortError' });
    assert.match(connection.done.join(), /abort/);
  }
});

test('an abort or an error after the end changes nothing', async () => {
  const connection = new Connection().begin().sent();
  const response = await connection.headers();
  connection.data('ab').end();
  connection.abortController.abort();
  connection.error(new Error('the connection was closed'));
  assert.equal(Buffer.from(await response.body.bytes(10)).toString(), 'ab');
  assert.deepEqual(connection.done, []);
});

test('a call that fails says whether the upstream may have had it all', async () => {
  const hangUp = () => Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' });
  const broken = () => Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' });
  const failures: readonly [Connection, Error, boolean][] = [
    [new Connection(), new ConnectError(new Error('connect ECONNREFUSED')), false],
    [new Connection().begin(), hangUp(), false],
    [new Connection().begin().sent(), hangUp(), true],
    [new Connection().begin().sent(), broken(), false],
  ];
  for (const [connection, error, sent] of failures) {
    connection.error(error);
    await assert.rejects(
      connection.exchange.answered,
      (made: SendError) => made instanceof SendError && made.sent === sent,
    );
  }
});

test('a body that is cut fails its reader, whenever it reads', async () => {
  const connection = new Connection().begin().sent();
  const response = await connection.headers();
  connection.data('ab').error(new Error('other side closed'));
  await assert.rejects(response.body.bytes(10), SendError);
  await assert.rejects(textOf(response), SendError);
});

test('answers without an end share one budget: the largest is cut, the others go on, and all is given back', async () => {
  const budget = new AnswerBudget(100 * KiB);
  const [endless, small] = [new Connection(budget).begin().sent(), new Connection(budget).begin().sent()];
  const cut = assert.rejects((await endless.headers()).body.bytes(1024 * KiB), ResponseTooLargeError);
  const read = (await small.headers()).body.bytes(1024 * KiB);
  endless.data(Buffer.alloc(80 * KiB));
  small.data(Buffer.alloc(30 * KiB));
  await cut;
  assert.match(endless.done.at(-1) ?? '', /^abort/);
  endless.data(Buffer.alloc(80 * KiB));
  small.end();
  assert.equal((await read).length, 30 * KiB);
  assert.equal(budget.bytes, 0);
});

test('an answer that comes byte by byte counts for what its pieces cost', async () => {
  const budget = new AnswerBudget(10 * KiB);
  const drip = new Connection(budget).begin().sent();
  const cut = assert.rejects((await drip.headers()).body.bytes(1024 * KiB), ResponseTooLargeError);
  for (let piece = 0; piece < 80; piece++) drip.data('x');
  await cut;
  assert.equal(budget.bytes, 0);
});

test('what a stream has handed on, an abort and an error are given back', async () => {
  const budget = new AnswerBudget(10 * KiB);
  const [streamed, aborted, failed] = [0, 1, 2].map(() => new Connection(budget).begin().sent());
  const text = textOf(await streamed!.headers());
  for (const connection of [streamed, aborted, failed]) connection!.data('some');
  assert.ok(budget.bytes > 0);
  streamed!.end();
  assert.equal(await text, 'some');
  aborted!.abortController.abort();
  failed!.error(new Error('cut'));
  assert.equal(budget.bytes, 0);
  await Promise.allSettled([aborted!.exchange.answered, failed!.exchange.answered]);
});
