/** Lists the blobs under a folder in byte order of their keys, reading one folder of names at a time. */
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { plaintextBytes } from '../../bytes/blob-header.ts';
import type { BlobListing } from '../../ports/blobs.ts';
import { isKeyPart } from './blob-key.ts';
import { codeOf } from './durable.ts';

export type ListQuery = { readonly prefix: string; readonly after: string | null; readonly limit: number };

const FOLDER_LEVELS = 2;

export async function listBlobs(folder: string, query: ListQuery): Promise<readonly BlobListing[]> {
  const found: BlobListing[] = [];
  await walk({ folder, path: '', levels: FOLDER_LEVELS }, query, found);
  return found;
}

/** Names that could not be part of a key are not ours and are passed over. */
async function walk(
  at: { readonly folder: string; readonly path: string; readonly levels: number },
  query: ListQuery,
  found: BlobListing[],
): Promise<void> {
  for (const entry of await entriesOf(at.folder)) {
    if (found.length >= query.limit) return;
    const path = at.path + entry.name;
    const full = join(at.folder, entry.name);
    if (at.levels > 0) {
      if (!entry.isDirectory() || !mayHold(`${path}/`, query)) continue;
      await walk({ folder: full, path: `${path}/`, levels: at.levels - 1 }, query, found);
    } else if (entry.isFile() && path.startsWith(query.prefix) && (query.after === null || path > query.after)) {
      const listing = await describe(path, full);
      if (listing !== null) found.push(listing);
    }
  }
}

/** Folders compare as name and slash, because "a-b/x" comes before "a/x" in byte order. Key characters are ASCII, so strings compare as bytes. */
async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  try {
    const entries = (await readdir(folder, { withFileTypes: true })).filter((entry) => isKeyPart(entry.name));
    const sortName = (entry: Dirent) => (entry.isDirectory() ? `${entry.name}/` : entry.name);
    return entries.sort((a, b) => (sortName(a) < sortName(b) ? -1 : 1));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Whether a folder can hold a key that has the prefix and comes after the cursor. */
function mayHold(path: string, query: ListQuery): boolean {
  if (!path.startsWith(query.prefix) && !query.prefix.startsWith(path)) return false;
  return query.after === null || path > query.after || query.after.startsWith(path);
}

/** Null when the file was deleted since its name was read. */
async function describe(key: string, path: string): Promise<BlobListing | null> {
  try {
    const { size, mtimeMs } = await stat(path);
    return { key, bytes: plaintextBytes(size), modifiedMs: mtimeMs };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}
