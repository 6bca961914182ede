/** A node: engine, janitor and service over whatever catalog, blobs, log and world it is given. Production and simulation start the same one. */
import type { Service } from './contract.ts';
import { Engine, type EngineDeps } from './engine.ts';
import { Janitor } from './janitor.ts';
import { createService } from './service.ts';
import type { EngineStats } from './stats.ts';

export type NodeDeps = EngineDeps & { readonly windowMs: number; readonly retentionMs: number };

export type Node = {
  readonly service: Service;
  stats(): EngineStats & { readonly uploads: number };
  /** `weightOf` has changed for this workspace: also for its batches that run. */
  setWeight(change: { readonly workspaceId: string; readonly weight: number }): void;
  /** Stops in order: no new work, what is in flight, what is to be sealed. */
  stop(options: { drainMs: number }): Promise<void>;
};

/** Resolves when the journal is replayed and the node may take calls. */
export async function startNode(deps: NodeDeps): Promise<Node> {
  const engine = new Engine(deps);
  const janitor = new Janitor({ ...deps, engine });
  const state: { reason: string | null } = { reason: 'starting' };
  const readiness = () => ({ ready: state.reason === null, reason: state.reason });
  const service = createService({ ...deps, engine, janitor, readiness });
  await engine.start();
  janitor.start();
  state.reason = null;
  return {
    service,
    stats: () => ({ ...engine.stats(), uploads: janitor.uploads }),
    setWeight: (change) => engine.setWeight(change),
    async stop(options) {
      state.reason = 'draining';
      await janitor.stop();
      await engine.stop(options);
    },
  };
}
