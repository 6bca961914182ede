import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MODELS_ASK_MS, MODELS_KEPT_MS, MODELS_RETRY_MS } from '../domain/limits.ts';
import { ModelList } from './model-list.ts';
import type { Route } from './router.ts';
import type { Upstream } from './upstream.ts';

class FakeTime {
  nowMs = 0;
  #timers: { atMs: number; callback: () => void }[] = [];

  readonly clock = { wallMs: (): number => this.nowMs, monotonicMs: (): number => this.nowMs };
  readonly timers = {
    after: (ms: number, callback: () => void): (() => void) => {
      const timer = { atMs: this.nowMs + ms, callback };
      this.#timers.push(timer);
      return () => void (this.#timers = this.#timers.filter((one) => one !== timer));
    },
    turn: setImmediate,
  };

  pass(ms: number): void {
    this.nowMs += ms;
    const due = this.#timers.filter(({ atMs }) => atMs <= this.nowMs);
    this.#timers = this.#timers.filter(({ atMs }) => atMs > this.nowMs);
    for (const { callback } of due) callback();
  }
}

type Says = readonly string[] | null | 'hangs';

function upstream(
  name: string,
  says: Says,
  billing: Upstream['billing'] = 'own',
): Upstream & { says: Says; asked: number } {
  const fake = {
    name,
    billing,
    says,
    asked: 0,
    models: (): Promise<readonly string[] | null> => {
      fake.asked += 1;
      // One that hangs pays no heed to its signal either.
      return fake.says === 'hangs' ? new Promise(() => undefined) : Promise.resolve(fake.says);
    },
  };
  return fake as unknown as Upstream & { says: Says; asked: number };
}

function listOf(routes: readonly Route[]): { list: ModelList; time: FakeTime } {
  const time = new FakeTime();
  return {
    list: new ModelList({ routes, simulated: ['known-1', 'known-2'], clock: time.clock, timers: time.timers }),
    time,
  };
}

test('a name is listed when asking for it asks for that model', async () => {
  const local = upstream('local', ['qwen3:8b', 'claude-local', 'embedder', 'best']);
  const paid = upstream('paid', ['claude-opus-5', 'gpt-x', 'qwen3:8b']);
  const { list } = listOf([
    { pattern: 'best', upstream: paid, model: 'claude-opus-5' },
    { pattern: 'claude-haiku-4-5', upstream: local, model: 'qwen3:8b' },
    { pattern: 'claude-*', upstream: paid, model: null },
    { pattern: '*', upstream: local, model: null },
  ]);
  assert.deepEqual((await list.names()).toSorted(), [
    'best',
    'claude-haiku-4-5',
    'claude-opus-5',
    'embedder',
    'qwen3:8b',
  ]);
  assert.equal(list.isMapped('best'), true);
  assert.equal(list.isMapped('claude-sonnet-5'), false);
});

test('where every name is one model, that one is listed', async () => {
  const local = upstream('local', ['qwen3:8b', 'other']);
  const { list } = listOf([{ pattern: '*', upstream: local, model: 'qwen3:8b' }]);
  assert.deepEqual(await list.names(), ['qwen3:8b']);
  assert.equal(list.isMapped('whatever'), true);
});

test('a simulator without a list of its own answers to the known names', async () => {
  const { list } = listOf([{ pattern: '*', upstream: upstream('simulator', null, 'simulated'), model: null }]);
  assert.deepEqual(await list.names(), ['known-1', 'known-2']);
  const own = listOf([{ pattern: '*', upstream: upstream('simulator', ['only-one'], 'simulated'), model: null }]);
  assert.deepEqual(await own.list.names(), ['only-one']);
});

test('one that hangs costs a second once in a while, and neither its last list nor the others', async () => {
  const slow = upstream('slow', ['a']);
  const good = upstream('good', ['b-1']);
  const { list, time } = listOf([
    { pattern: 'b-*', upstream: good, model: null },
    { pattern: '*', upstream: slow, model: null },
  ]);
  assert.deepEqual(await list.names(), ['b-1', 'a']);
  slow.says = 'hangs';
  assert.deepEqual(await list.names(), ['b-1', 'a']);
  assert.equal(slow.asked, 1);

  time.pass(MODELS_KEPT_MS);
  const waiting = [list.names(), list.names()];
  time.pass(MODELS_ASK_MS);
  assert.deepEqual(await Promise.all(waiting), [
    ['b-1', 'a'],
    ['b-1', 'a'],
  ]);
  assert.equal(slow.asked, 2);
  assert.deepEqual(await list.names(), ['b-1', 'a'], 'not asked again at once');

  slow.says = ['c'];
  time.pass(MODELS_RETRY_MS);
  assert.deepEqual(await list.names(), ['b-1', 'c']);
});
