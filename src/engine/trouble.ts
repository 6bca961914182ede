/** Failures of lanes, told at most once a second each: a storm must not drown the log. */
import type { World } from '../ports/world.ts';

export class LaneTrouble {
  readonly #world: World;
  readonly #noted = new Map<string, { upstream: string; model: string; reason: string; count: number }>();

  constructor(world: World) {
    this.#world = world;
  }

  note(upstream: string, model: string, reason: string): void {
    const key = `${upstream}\n${model}`;
    const noted = this.#noted.get(key);
    if (noted) noted.count += 1;
    else this.#noted.set(key, { upstream, model, reason, count: 1 });
  }

  tell(): void {
    for (const trouble of this.#noted.values()) this.#world.emit({ kind: 'lane_trouble', ...trouble, pausedMs: 0 });
    this.#noted.clear();
  }
}
