/** The first key of the default workspace: preset by NIGHTSHIFT_API_KEY, or made at the first start and kept in DATA/first-key. */
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartError } from './domain/errors.ts';
import { newId } from './domain/id.ts';
import { hintOf, scopes } from './domain/key.ts';
import type { Directory } from './ports/directory.ts';
import { folderSync, writeSmallFile } from './stores/files/durable.ts';

/** Its value when it was made just now, and the file that keeps it. */
export type FirstKey = {
  readonly value: string | null;
  readonly path: string | null;
  readonly firstStart: boolean;
  /** It was revoked: it opens nothing any more, and starting again does not change that. */
  readonly revoked: boolean;
};

export type FirstKeyOptions = {
  /** What the variable presets. */
  readonly preset: string | null;
  readonly directory: Directory;
  /** The data folder. */
  readonly root: string;
};

export async function firstKey({ preset, directory, root }: FirstKeyOptions): Promise<FirstKey> {
  if (preset !== null) {
    return { value: null, path: null, firstStart: false, revoked: await addFirst(directory, preset) };
  }
  const path = join(root, 'first-key');
  const kept = (await readKept(path))?.trim() || null;
  const secret = kept ?? newSecret();
  if (kept === null) await writeSmallFile(path, `${secret}\n`, folderSync(undefined));
  const revoked = await addFirst(directory, secret);
  return { value: kept === null ? secret : null, path, firstStart: kept === null, revoked };
}

/** 192 random bits: nobody guesses it, so its plain hash may be kept. */
export function newSecret(): string {
  return `sk-nightshift-${randomBytes(24).toString('base64url')}`;
}

export function secretHashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

async function addFirst(directory: Directory, secret: string): Promise<boolean> {
  const workspace = await directory.defaultWorkspace();
  const key = await directory.addKey({
    id: newId('apikey', randomBytes),
    workspaceId: workspace.id,
    name: 'first key',
    hint: hintOf(secret),
    scopes,
    expiresAt: null,
    secretHash: secretHashOf(secret),
  });
  return key.revokedAt !== null;
}

async function readKept(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new StartError(`${path} cannot be read: ${(error as Error).message}`, {
      hint: 'Make it readable for this user, or set NIGHTSHIFT_API_KEY.',
      cause: error,
    });
  }
}
