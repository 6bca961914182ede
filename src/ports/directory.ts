/** The directory: the organization, its workspaces and their keys. Keys are stored as SHA-256 hashes and never shown again. */

export type Workspace = {
  readonly id: string;
  readonly name: string;
  /** Its share of every lane against other workspaces. */
  readonly weight: number;
};

export type Key = {
  readonly id: string;
  readonly workspaceId: string;
  readonly name: string;
};

export interface Directory {
  /** A UUID made at the first start; sent as `anthropic-organization-id`. */
  organizationId(): Promise<string>;
  /** The default workspace, made at the first start. */
  defaultWorkspace(): Promise<Workspace>;
  workspace(id: string): Promise<Workspace | null>;
  workspaces(): Promise<readonly Workspace[]>;
  createWorkspace(workspace: { id: string; name: string; weight: number }): Promise<Workspace>;
  /** The key whose secret has this SHA-256 (hex), or null. */
  key(secretHash: string): Promise<Key | null>;
  keys(workspaceId: string): Promise<readonly Key[]>;
  /** Adds a key; adding the same secret again to the same workspace changes nothing. */
  addKey(key: { id: string; workspaceId: string; name: string; secretHash: string }): Promise<Key>;
}
