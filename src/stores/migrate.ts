/** Numbered migrations: which of them a catalog still needs, or why it is refused. Shared by every engine; each runs them its own way. */
import { assert, StartError } from '../domain/errors.ts';

export type Migration = {
  /** Counts from 1 without gaps; a migration that was released never changes. */
  readonly version: number;
  readonly name: string;
  readonly sql: string;
};

/** `place` names the catalog for the operator: a file or a database, without secrets. */
export function pendingMigrations(catalog: {
  readonly place: string;
  readonly version: number;
  readonly migrations: readonly Migration[];
}): readonly Migration[] {
  const { place, version, migrations } = catalog;
  for (const [index, migration] of migrations.entries()) {
    assert(migration.version === index + 1, `migration "${migration.name}" must have the number ${index + 1}`);
  }
  if (version > migrations.length) {
    throw new StartError(`${place} was written by a newer Nightshift (catalog version ${version})`, {
      hint: `This program knows versions up to ${migrations.length}: start the newer program, or restore the backup made before the upgrade.`,
    });
  }
  return migrations.slice(version);
}
