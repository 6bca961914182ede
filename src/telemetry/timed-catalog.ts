/** A catalog whose calls are timed: the one store that every create, claim and seal waits for. */
import type { Catalog } from '../ports/catalog.ts';
import type { World } from '../ports/world.ts';

type Method = (...parameters: unknown[]) => Promise<unknown>;

export function timedCatalog(catalog: Catalog, world: Pick<World, 'clock' | 'emit'>): Catalog {
  const { clock } = world;
  const timed = new Map<string | symbol, Method>();

  function timedMethod(method: string, call: Method): Method {
    return async (...parameters) => {
      const startedMs = clock.monotonicMs();
      let failed = true;
      try {
        const result = await call.apply(catalog, parameters);
        failed = false;
        return result;
      } finally {
        world.emit({ kind: 'catalog_call', method, durationMs: clock.monotonicMs() - startedMs, failed });
      }
    };
  }

  return new Proxy(catalog, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function' || typeof name !== 'string') return member;
      const known = timed.get(name) ?? timedMethod(name, member as Method);
      timed.set(name, known);
      return known;
    },
  });
}
