import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StorageFullError } from '../domain/errors.ts';
import { WEIGHTS_MS } from '../domain/limits.ts';
import type { Workspace } from '../ports/directory.ts';
import type { World } from '../ports/world.ts';
import type { NightshiftEvent } from '../telemetry/events.ts';
import { Weights } from './weights.ts';

class Stage {
  weights: Record<string, number> = { a: 1, b: 2 };
  failure: Error | null = null;
  readonly events: NightshiftEvent[] = [];
  readonly news: [string, number][] = [];
  /** What waits for the clock: at most the next read. */
  readonly timers: { readonly ms: number; readonly callback: () => void }[] = [];
  readonly subject = new Weights({
    directory: {
      workspaces: async () => {
        if (this.failure !== null) throw this.failure;
        return Object.entries(this.weights).map(([id, weight]) => ({ id, weight }) as Workspace);
      },
    },
    world: {
      emit: (event: NightshiftEvent) => void this.events.push(event),
      timers: {
        after: (ms: number, callback: () => void) => {
          const timer = { ms, callback };
          this.timers.push(timer);
          return () => void this.timers.splice(this.timers.indexOf(timer), 1);
        },
      },
    } as unknown as World,
  });

  async begin(): Promise<void> {
    await this.subject.read();
    this.subject.watch((workspaceId, weight) => void this.news.push([workspaceId, weight]));
  }

  async tick(): Promise<void> {
    this.timers.shift()!.callback();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('weights are read at the start and again, and only changes are news', async () => {
  const stage = new Stage();
  await stage.begin();
  assert.deepEqual([stage.subject.of('a'), stage.subject.of('b'), stage.subject.of('unknown')], [1, 2, 1]);
  await stage.tick();
  assert.deepEqual(stage.news, []);
  stage.weights = { a: 5, b: 2, c: 1, d: 3 };
  await stage.tick();
  assert.deepEqual(stage.news, [
    ['a', 5],
    ['d', 3],
  ]);
  assert.equal(stage.subject.of('a'), 5);
  assert.deepEqual(
    stage.timers.map(({ ms }) => ms),
    [WEIGHTS_MS],
  );
});

test('a read that fails is told and tried again, a full disk is told by others, and a stop ends it', async () => {
  const stage = new Stage();
  await stage.begin();
  stage.failure = new Error('no');
  await stage.tick();
  assert.deepEqual(stage.events, [{ kind: 'failure', where: 'weights', error: stage.failure, requestId: null }]);
  stage.failure = new StorageFullError('the catalog');
  await stage.tick();
  assert.equal(stage.events.length, 1);
  assert.equal(stage.subject.of('b'), 2);
  stage.subject.stop();
  assert.deepEqual(stage.timers, []);
});
