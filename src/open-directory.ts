/** The directory and the usage of a data folder, for commands: they work beside a running server, which holds the folder's lock but not its catalog. */
import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { StartError } from './domain/errors.ts';
import { newId } from './domain/id.ts';
import type { Directory } from './ports/directory.ts';
import type { Usages } from './ports/usage.ts';
import { isOutdated } from './stores/sqlite/database.ts';
import { openSqliteStores } from './stores/sqlite/stores.ts';
import { systemClock } from './world.ts';

export type OpenDirectory = { readonly directory: Directory; readonly usage: Usages; close(): Promise<void> };

/** Throws StartError where no server has ever been: a command must not make a folder by a slip of the hand. */
export async function openDirectory(data: string): Promise<OpenDirectory> {
  const path = join(resolve(data), 'catalog.sqlite');
  const isThere = await stat(path).then(
    (found) => found.isFile(),
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return false;
      throw new StartError(`${path} cannot be read: ${error.message}`, {
        hint: 'Run the command as the user the server runs as.',
        cause: error,
      });
    },
  );
  if (!isThere) {
    throw new StartError(`there is no catalog in ${resolve(data)}`, {
      hint: 'Name the data folder of the server with --data, or start the server once.',
    });
  }
  if (isOutdated(path)) {
    throw new StartError(`${path} is of an earlier version of Nightshift`, {
      hint: 'Start the server of this version first, in place of one that runs: it brings the catalog up to date.',
    });
  }
  const firstStart = { organizationId: crypto.randomUUID(), defaultWorkspaceId: newId('wrkspc', randomBytes) };
  const { directory, usage, close } = openSqliteStores({ path, clock: systemClock(), firstStart });
  return { directory, usage, close };
}
