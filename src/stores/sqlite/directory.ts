/** The directory on SQLite, in the catalog's file: commands change it while a server runs. */
import type { Micros } from '../../domain/batch.ts';
import { AppError, must } from '../../domain/errors.ts';
import { inOrder, isScope } from '../../domain/key.ts';
import type { Directory, Key, NewKey, Workspace } from '../../ports/directory.ts';
import { CatalogClock, type WallClock } from './clock.ts';
import type { Database, Parameters } from './database.ts';

/** What the first start puts into an empty directory; later starts pass it too and it is not used. */
export type FirstStart = { readonly organizationId: string; readonly defaultWorkspaceId: string };

const workspaceColumns =
  'id, name, weight, is_default as isDefault, created_at as createdAt, archived_at as archivedAt';
const keyColumns = `id, workspace_id as workspaceId, name, hint, scopes, created_at as createdAt, expires_at as expiresAt,
  revoked_at as revokedAt`;

type WorkspaceRow = Omit<Workspace, 'isDefault'> & { readonly isDefault: number };
type KeyRow = Omit<Key, 'scopes'> & { readonly scopes: string };

export class SqliteDirectory implements Directory {
  readonly #database: Database;
  readonly #clock: CatalogClock;

  constructor(database: Database, { firstStart, clock }: { firstStart: FirstStart; clock: WallClock }) {
    this.#database = database;
    this.#clock = new CatalogClock(database, clock);
    const isBegun = database.read(() => database.get('select id from organization')) !== null;
    if (!isBegun) database.write(() => this.#begin(firstStart));
  }

  async organizationId(): Promise<string> {
    const row = this.#database.read(() => this.#database.get<{ id: string }>('select id from organization'));
    return must(row, 'the first start made the organization').id;
  }

  async defaultWorkspace(): Promise<Workspace> {
    const [workspace] = this.#database.read(() => this.#workspaces('where is_default = 1'));
    return must(workspace, 'the first start made the default workspace');
  }

  async workspace(id: string): Promise<Workspace | null> {
    return this.#database.read(() => this.#workspace(id));
  }

  async workspaces(): Promise<readonly Workspace[]> {
    return this.#database.read(() => this.#workspaces('order by is_default desc, name, created_at, id'));
  }

  async createWorkspace(workspace: Pick<Workspace, 'id' | 'name' | 'weight'>): Promise<Workspace | 'name_taken'> {
    const { id, name, weight } = workspace;
    return this.#database.write(() => {
      if (this.#isTaken(name, id)) return 'name_taken';
      this.#database.run(
        `insert into workspaces (id, name, weight, is_default, created_at) values (:id, :name, :weight, 0, :now)`,
        { id, name, weight, now: this.#clock.advance() },
      );
      return must(this.#workspace(id), 'the workspace was just stored');
    });
  }

  async updateWorkspace(changes: {
    id: string;
    name: string | null;
    weight: number | null;
  }): Promise<Workspace | 'unknown' | 'name_taken'> {
    const { id, name, weight } = changes;
    return this.#database.write(() => {
      const known = this.#workspace(id);
      if (known === null) return 'unknown';
      if (known.archivedAt === null && name !== null && this.#isTaken(name, id)) return 'name_taken';
      const sql =
        'update workspaces set name = coalesce(:name, name), weight = coalesce(:weight, weight) where id = :id';
      this.#database.run(sql, { id, name, weight });
      return must(this.#workspace(id), 'the workspace was just there');
    });
  }

  async archiveWorkspace(id: string): Promise<Workspace | 'unknown' | 'is_default'> {
    return this.#database.write(() => {
      const known = this.#workspace(id);
      if (known === null) return 'unknown';
      if (known.isDefault) return 'is_default';
      const now = this.#clock.advance();
      this.#database.run('update workspaces set archived_at = coalesce(archived_at, :now) where id = :id', { id, now });
      this.#database.run('update keys set revoked_at = coalesce(revoked_at, :now) where workspace_id = :id', {
        id,
        now,
      });
      return must(this.#workspace(id), 'the workspace was just there');
    });
  }

  async key(secretHash: string): Promise<Key | null> {
    return this.#database.read(() => this.#key(secretHash));
  }

  async keys(workspaceId: string | null): Promise<readonly Key[]> {
    const where = workspaceId === null ? '' : 'where workspace_id = :workspaceId';
    const parameters: Parameters = workspaceId === null ? {} : { workspaceId };
    return this.#database.read(() => this.#keys(`${where} order by created_at, id`, parameters));
  }

  async addKey(key: NewKey): Promise<Key> {
    const { id, workspaceId, name, hint, scopes, expiresAt, secretHash } = key;
    return this.#database.write(() => {
      const workspace = this.#workspace(workspaceId);
      if (workspace === null || workspace.archivedAt !== null) throw noSuchWorkspace(workspaceId);
      this.#database.run(
        `insert into keys (id, workspace_id, name, secret_hash, hint, scopes, created_at, expires_at)
         values (:id, :workspaceId, :name, :secretHash, :hint, :scopes, :now, :expiresAt)
         on conflict (secret_hash) do update set hint = excluded.hint where keys.hint is null`,
        {
          id,
          workspaceId,
          name,
          secretHash,
          hint,
          scopes: inOrder(scopes).join(' '),
          now: this.#clock.advance(),
          expiresAt,
        },
      );
      const stored = must(this.#key(secretHash), 'the key was just stored');
      if (stored.workspaceId === workspaceId) return stored;
      throw new AppError('invalid_request', 'this key already belongs to another workspace', {
        hint: 'A key opens one workspace: use another secret.',
      });
    });
  }

  async revokeKey(id: string): Promise<Key | null> {
    return this.#database.write(() => {
      const now: Micros = this.#clock.advance();
      this.#database.run('update keys set revoked_at = coalesce(revoked_at, :now) where id = :id', { id, now });
      return this.#keys('where id = :id', { id })[0] ?? null;
    });
  }

  /** Two processes may begin at once; the second one changes nothing. */
  #begin({ organizationId, defaultWorkspaceId }: FirstStart): void {
    if (this.#database.get('select id from organization') !== null) return;
    this.#database.run('insert into organization (one, id) values (1, :organizationId)', { organizationId });
    this.#database.run(
      `insert into workspaces (id, name, weight, is_default, created_at) values (:defaultWorkspaceId, 'Default', 1, 1, :now)`,
      { defaultWorkspaceId, now: this.#clock.now() },
    );
  }

  #isTaken(name: string, byOtherThan: string): boolean {
    const sql = 'select id from workspaces where name = :name and archived_at is null and id <> :byOtherThan';
    return this.#database.get(sql, { name, byOtherThan }) !== null;
  }

  #workspace(id: string): Workspace | null {
    return this.#workspaces('where id = :id', { id })[0] ?? null;
  }

  #workspaces(rest: string, parameters: Parameters = {}): Workspace[] {
    const rows = this.#database.all<WorkspaceRow>(`select ${workspaceColumns} from workspaces ${rest}`, parameters);
    return rows.map((row) => ({ ...row, isDefault: row.isDefault === 1 }));
  }

  #key(secretHash: string): Key | null {
    return this.#keys('where secret_hash = :secretHash', { secretHash })[0] ?? null;
  }

  #keys(rest: string, parameters: Parameters): Key[] {
    const rows = this.#database.all<KeyRow>(`select ${keyColumns} from keys ${rest}`, parameters);
    return rows.map((row) => ({ ...row, scopes: row.scopes.split(' ').filter(isScope) }));
  }
}

function noSuchWorkspace(id: string): AppError {
  return new AppError('invalid_request', `there is no workspace ${id} that takes keys`, {
    hint: 'It is unknown or archived.',
  });
}
