/** The workspaces' weights, read again and again because a command may change them while the node runs. */
import { StorageFullError } from '../domain/errors.ts';
import { WEIGHTS_MS } from '../domain/limits.ts';
import type { Directory } from '../ports/directory.ts';
import type { World } from '../ports/world.ts';

export type WeightsDeps = { readonly directory: Pick<Directory, 'workspaces'>; readonly world: World };

/** Told of every change after the first read. */
export type OnWeight = (workspaceId: string, weight: number) => void;

const WEIGHT_DEFAULT = 1;

export class Weights {
  readonly #deps: WeightsDeps;
  readonly #known = new Map<string, number>();
  #onWeight: OnWeight = () => undefined;
  #cancel: () => void = () => undefined;
  #stopped = false;

  constructor(deps: WeightsDeps) {
    this.#deps = deps;
  }

  /** Of a workspace made a moment ago the usual weight, until the next read tells its own. */
  of(workspaceId: string): number {
    return this.#known.get(workspaceId) ?? WEIGHT_DEFAULT;
  }

  async read(): Promise<void> {
    for (const { id, weight } of await this.#deps.directory.workspaces()) {
      if (this.of(id) === weight) continue;
      this.#known.set(id, weight);
      this.#onWeight(id, weight);
    }
  }

  /** Reads from now on, until stopped. */
  watch(onWeight: OnWeight): void {
    this.#onWeight = onWeight;
    this.#readLater();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #readLater(): void {
    if (this.#stopped) return;
    this.#cancel = this.#deps.world.timers.after(WEIGHTS_MS, () => {
      this.read()
        .catch((error: unknown) => this.#failed(error))
        .finally(() => this.#readLater());
    });
  }

  /** What is known stays good meanwhile; a full disk is told by those who write. */
  #failed(error: unknown): void {
    if (this.#stopped || error instanceof StorageFullError) return;
    this.#deps.world.emit({ kind: 'failure', where: 'weights', error, requestId: null });
  }
}
