/** The directory on SQLite, in the catalog's file: commands may add keys and workspaces while a server runs. */
import { AppError, must } from '../../domain/errors.ts';
import type { Directory, Key, Workspace } from '../../ports/directory.ts';
import type { Database } from './database.ts';

/** What the first start puts into an empty directory; later starts pass it too and it is not used. */
export type FirstStart = { readonly organizationId: string; readonly defaultWorkspaceId: string };

const workspaceColumns = 'id, name, weight';
const keyColumns = 'id, workspace_id as workspaceId, name';

export class SqliteDirectory implements Directory {
  readonly #database: Database;

  constructor(database: Database, firstStart: FirstStart) {
    this.#database = database;
    if (!this.#isBegun()) database.write(() => this.#begin(firstStart));
  }

  async organizationId(): Promise<string> {
    return must(this.#get<{ id: string }>('select id from organization'), 'the first start made the organization').id;
  }

  async defaultWorkspace(): Promise<Workspace> {
    const sql = `select ${workspaceColumns} from workspaces where is_default = 1`;
    return must(this.#get<Workspace>(sql), 'the first start made the default workspace');
  }

  async workspace(id: string): Promise<Workspace | null> {
    return this.#get<Workspace>(`select ${workspaceColumns} from workspaces where id = :id`, { id });
  }

  async workspaces(): Promise<readonly Workspace[]> {
    return this.#all<Workspace>(`select ${workspaceColumns} from workspaces order by is_default desc, name, id`);
  }

  async createWorkspace(workspace: { id: string; name: string; weight: number }): Promise<Workspace> {
    const { id, name, weight } = workspace;
    this.#database.write(() =>
      this.#database.run('insert into workspaces (id, name, weight, is_default) values (:id, :name, :weight, 0)', {
        id,
        name,
        weight,
      }),
    );
    return { id, name, weight };
  }

  async key(secretHash: string): Promise<Key | null> {
    return this.#get<Key>(`select ${keyColumns} from keys where secret_hash = :secretHash`, { secretHash });
  }

  async keys(workspaceId: string): Promise<readonly Key[]> {
    return this.#all<Key>(`select ${keyColumns} from keys where workspace_id = :workspaceId order by name, id`, {
      workspaceId,
    });
  }

  async addKey(key: { id: string; workspaceId: string; name: string; secretHash: string }): Promise<Key> {
    const { id, workspaceId, name, secretHash } = key;
    return this.#database.write(() => {
      this.#database.run(
        `insert into keys (id, workspace_id, name, secret_hash) values (:id, :workspaceId, :name, :secretHash)
         on conflict (secret_hash) do nothing`,
        { id, workspaceId, name, secretHash },
      );
      const sql = `select ${keyColumns} from keys where secret_hash = :secretHash`;
      const stored = must(this.#database.get<Key>(sql, { secretHash }), 'the key was just stored');
      if (stored.workspaceId !== workspaceId) {
        throw new AppError('invalid_request', 'this key already belongs to another workspace', {
          hint: 'A key opens one workspace: use another secret.',
        });
      }
      return { ...stored };
    });
  }

  #isBegun(): boolean {
    return this.#get<{ id: string }>('select id from organization') !== null;
  }

  /** Two processes may begin at once; the second one changes nothing. */
  #begin({ organizationId, defaultWorkspaceId }: FirstStart): void {
    if (this.#database.get('select id from organization') !== null) return;
    this.#database.run('insert into organization (one, id) values (1, :organizationId)', { organizationId });
    this.#database.run(
      `insert into workspaces (id, name, weight, is_default) values (:defaultWorkspaceId, 'Default', 1, 1)`,
      { defaultWorkspaceId },
    );
  }

  #get<Row extends object>(sql: string, parameters: Record<string, string> = {}): Row | null {
    const row = this.#database.read(() => this.#database.get<Row>(sql, parameters));
    return row === null ? null : { ...row };
  }

  #all<Row extends object>(sql: string, parameters: Record<string, string> = {}): Row[] {
    return this.#database.read(() => this.#database.all<Row>(sql, parameters)).map((row) => ({ ...row }));
  }
}
