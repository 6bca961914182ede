/** How a bug is planted: a port is wrapped, and one thing it does goes wrong. */
import type { Blobs } from '../src/ports/blobs.ts';
import type { Catalog, Seal } from '../src/ports/catalog.ts';
import type { Plant } from './plant.ts';

export type PlantedBug = {
  readonly name: string;
  readonly promise: string;
  /** Found within a few seeds, so that every test run can look for it. */
  readonly quick?: boolean;
  /** Fresh for each history. */
  readonly plant: () => Plant;
};

/** True once in so many calls. */
export function every(count: number): () => boolean {
  let calls = 0;
  return () => (calls += 1) % count === 0;
}

export function catalogPlant(change: (catalog: Catalog) => Partial<Catalog>): () => Plant {
  return () => ({ catalog: (catalog) => ({ ...catalog, ...change(catalog) }) });
}

/** The methods of a class are not its own properties, so they are named one by one. */
export function innerPlant(
  change: (catalog: Catalog, run: (sql: string, parameters: Record<string, string>) => void) => Partial<Catalog>,
): () => Plant {
  return () => ({
    innerCatalog: (catalog, database) =>
      overlay(
        catalog,
        change(catalog, (sql, parameters) => void database.run(sql, parameters)),
      ),
  });
}

export function overlay(catalog: Catalog, changed: Partial<Catalog>): Catalog {
  return new Proxy(catalog, {
    get(target, name) {
      const own = (changed as Record<PropertyKey, unknown>)[name];
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

export function blobsPlant(change: (blobs: Blobs) => Partial<Blobs>): () => Plant {
  return () => ({ blobs: (blobs) => ({ ...blobs, ...change(blobs) }) });
}

export function sealPlant(change: (seal: Seal) => Seal): () => Plant {
  return catalogPlant((catalog) => ({ seal: (seal) => catalog.seal(change(seal)) }));
}

export function workspacePlant(
  change: (catalog: Catalog, ownerOf: (batchId: string) => string | undefined) => Partial<Catalog>,
): () => Plant {
  return () => {
    const owners = new Map<string, string>();
    return {
      catalog: (catalog) => ({
        ...catalog,
        accept: (acceptance) => {
          owners.set(acceptance.id, acceptance.workspaceId);
          return catalog.accept(acceptance);
        },
        ...change(catalog, (batchId) => owners.get(batchId)),
      }),
    };
  };
}
