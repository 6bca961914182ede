/** The directory: the organization, its workspaces and their keys. Keys are stored as SHA-256 hashes and never shown again. */
import type { Micros } from '../domain/batch.ts';
import type { Scope } from '../domain/key.ts';

export type Workspace = {
  readonly id: string;
  /** No two that are not archived have the same. */
  readonly name: string;
  /** Its share of every lane against other workspaces. */
  readonly weight: number;
  readonly isDefault: boolean;
  readonly createdAt: Micros;
  readonly archivedAt: Micros | null;
};

export type Key = {
  readonly id: string;
  readonly workspaceId: string;
  readonly name: string;
  /** Its prefix and last characters, to tell keys apart; null for keys of version 0.1. */
  readonly hint: string | null;
  readonly scopes: readonly Scope[];
  readonly createdAt: Micros;
  readonly expiresAt: Micros | null;
  readonly revokedAt: Micros | null;
};

export type NewKey = Pick<Key, 'id' | 'workspaceId' | 'name' | 'hint' | 'scopes' | 'expiresAt'> & {
  readonly secretHash: string;
};

/** Commands change it while servers run: nothing read from it may be kept for longer than a second. */
export interface Directory {
  /** A UUID made at the first start; sent as `anthropic-organization-id`. */
  organizationId(): Promise<string>;
  /** The default workspace, made at the first start. */
  defaultWorkspace(): Promise<Workspace>;
  workspace(id: string): Promise<Workspace | null>;
  /** Archived ones too: the default one first, then by name. */
  workspaces(): Promise<readonly Workspace[]>;
  createWorkspace(workspace: Pick<Workspace, 'id' | 'name' | 'weight'>): Promise<Workspace | 'name_taken'>;
  /** Changes what is given and not null. */
  updateWorkspace(changes: {
    readonly id: string;
    readonly name: string | null;
    readonly weight: number | null;
  }): Promise<Workspace | 'unknown' | 'name_taken'>;
  /** For good, and revokes its keys; its batches go on. Archiving again changes nothing. */
  archiveWorkspace(id: string): Promise<Workspace | 'unknown' | 'is_default'>;
  /** The key whose secret has this SHA-256 (hex), expired and revoked ones too, or null. */
  key(secretHash: string): Promise<Key | null>;
  /** Of one workspace or, with null, of all; oldest first. */
  keys(workspaceId: string | null): Promise<readonly Key[]>;
  /** Adds a key; adding the same secret again to the same workspace changes nothing. An archived workspace takes none. */
  addKey(key: NewKey): Promise<Key>;
  /** For good. Revoking again changes nothing; null for an unknown id. */
  revokeKey(id: string): Promise<Key | null>;
}
