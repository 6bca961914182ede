/** One connection to a SQLite file: opened and migrated or refused, with cached statements, transactions and errors in our words. */
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { AppError, StartError, StorageFullError } from '../../domain/errors.ts';
import { CATALOG_BUSY_MS } from '../../domain/limits.ts';
import { pendingMigrations, type Migration } from '../migrate.ts';
import { applicationId, migrations as ourMigrations } from './schema.ts';

export type Parameters = Readonly<Record<string, SQLInputValue>>;

export class Database {
  readonly #path: string;
  readonly #handle: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #isGrouping = false;
  /** Why SQLite has undone the whole group that is being made. */
  #undoneBy: unknown = null;

  constructor(path: string, migrations: readonly Migration[] = ourMigrations) {
    this.#path = path;
    this.#handle = openHandle(path);
    try {
      this.#prepare(migrations);
    } catch (error) {
      this.#handle.close();
      throw startError(path, error);
    }
  }

  /** One transaction that takes the writer's place at once, so it never fails half-way for having read too early. */
  write<T>(body: () => T): T {
    return this.#transaction('begin immediate', body);
  }

  /** Transactions that share one sync of the disk: each is whole or not at all, and none holds before this returns. */
  group<T>(body: () => T): T {
    return this.#transaction('begin immediate', () => {
      this.#isGrouping = true;
      this.#undoneBy = null;
      try {
        const result = body();
        if (!this.#handle.isTransaction) throw this.#undoneBy;
        return result;
      } finally {
        this.#isGrouping = false;
      }
    });
  }

  /** A transaction a power loss may undo (a kill -9 may not): for what is safe either way and not worth a sync of the disk. */
  writeUnsynced<T>(body: () => T): T {
    if (this.#isGrouping) return this.write(body);
    this.#handle.exec('pragma synchronous = normal');
    try {
      return this.write(body);
    } finally {
      this.#handle.exec('pragma synchronous = full');
    }
  }

  /** Several reads of one moment. */
  read<T>(body: () => T): T {
    return this.#transaction('begin', body);
  }

  run(sql: string, parameters: Parameters = {}): number {
    return Number(this.#statement(sql).run(parameters).changes);
  }

  get<Row>(sql: string, parameters: Parameters = {}): Row | null {
    return (this.#statement(sql).get(parameters) as Row | undefined) ?? null;
  }

  all<Row>(sql: string, parameters: Parameters = {}): Row[] {
    return this.#statement(sql).all(parameters) as Row[];
  }

  close(): void {
    if (!this.#handle.isOpen) return;
    this.#statements.clear();
    this.#handle.close();
  }

  #transaction<T>(begin: string, body: () => T): T {
    if (this.#isGrouping) return this.#part(body);
    let isCommitting = false;
    try {
      this.#handle.exec(begin);
      const result = body();
      isCommitting = true;
      this.#handle.exec('commit');
      return result;
    } catch (error) {
      // SQLite has already rolled back after some errors, a full disk among them.
      if (this.#handle.isOpen && this.#handle.isTransaction) this.#handle.exec('rollback');
      throw inOurWords(error, { path: this.#path, isCommitting });
    }
  }

  /** A transaction inside a group: undone alone, unless SQLite has undone the whole group, as it does when a disk is full. */
  #part<T>(body: () => T): T {
    // Begun outside of one, a savepoint would be a transaction of its own, and hold although the group fails.
    if (!this.#handle.isTransaction) throw this.#undoneBy;
    this.#handle.exec('savepoint part');
    try {
      const result = body();
      this.#handle.exec('release part');
      return result;
    } catch (error) {
      const told = inOurWords(error, { path: this.#path });
      this.#undoPart();
      if (!this.#handle.isTransaction) this.#undoneBy = told;
      throw told;
    }
  }

  /** What cannot be undone alone takes its group with it: half of it must not be committed. */
  #undoPart(): void {
    if (!this.#handle.isTransaction) return;
    try {
      this.#handle.exec('rollback to part; release part');
    } catch {
      if (this.#handle.isTransaction) this.#handle.exec('rollback');
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#handle.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #prepare(migrations: readonly Migration[]): void {
    this.#handle.exec(`pragma busy_timeout = ${CATALOG_BUSY_MS}`);
    // Looks before it touches: a file that is refused stays as it is.
    this.#pending(migrations);
    this.#handle.exec('pragma journal_mode = wal');
    this.#handle.exec('pragma synchronous = full; pragma fullfsync = on; pragma checkpoint_fullfsync = on');
    // A checkpoint holds up the commit it falls on for tens of milliseconds: four times rarer than usual, for 16 MB of log.
    this.#handle.exec('pragma wal_autocheckpoint = 4000');
    this.#handle.exec('pragma foreign_keys = on');
    // Small batches lie in the catalog, and erased prompts must be gone: what is freed is overwritten. `fast` would leave what filled
    // pages of its own; the price, writing those pages once more, is paid by archiving and deleting and by no create.
    this.#handle.exec('pragma secure_delete = on');
    if (this.#pending(migrations).length > 0) this.write(() => this.#migrate(migrations));
  }

  /** Looks again inside the transaction, because another process may just have done it. */
  #migrate(migrations: readonly Migration[]): void {
    for (const migration of this.#pending(migrations)) {
      this.#handle.exec(migration.sql);
      this.#handle.exec(`pragma application_id = ${applicationId}; pragma user_version = ${migration.version}`);
    }
  }

  #pending(migrations: readonly Migration[]): readonly Migration[] {
    const head = this.get<{ version: number; application: number; tables: number }>(
      `select v.user_version as version, a.application_id as application, (select count(*) from sqlite_schema) as tables
       from pragma_user_version as v, pragma_application_id as a`,
    )!;
    if (head.application !== applicationId && (head.tables > 0 || head.application !== 0)) {
      throw new StartError(`${this.#path} is a database of another program`, { hint: otherFileHint });
    }
    return pendingMigrations({ place: this.#path, version: head.version, migrations });
  }
}

/** Whether opening this file would migrate it, which a server of the version before that has it open would not survive. */
export function isOutdated(path: string): boolean {
  const handle = new DatabaseSync(path, { readOnly: true, timeout: CATALOG_BUSY_MS });
  try {
    const { user_version: version } = handle.prepare('pragma user_version').get() as { user_version: number };
    return version < ourMigrations.length;
  } catch (error) {
    throw startError(path, error);
  } finally {
    handle.close();
  }
}

const otherFileHint = 'Choose another data folder, or move this file away.';
const damagedHint = 'Restore it from a backup, or move it away to begin with an empty catalog.';

/** https://www.sqlite.org/rescode.html: the low byte is the primary code. */
const codes = {
  busy: 5,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
  readOnly: 8,
  sharedMemorySize: 4874,
} as const;

function openHandle(path: string): DatabaseSync {
  try {
    if (path !== ':memory:') makePrivate(path);
    return new DatabaseSync(path);
  } catch (error) {
    throw startError(path, error);
  }
}

/** SQLite would make a file that all may read; the files beside a database get its rights. An existing one is left alone. */
function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch {
    // Why a file cannot be made, SQLite says better when it opens it.
  }
}

function errorCode(error: unknown): number | null {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : null;
}

function isFull(error: unknown): boolean {
  const code = errorCode(error);
  // The memory shared by connections is a file too; a full disk shows there under a code of its own.
  return code !== null && ((code & 0xff) === codes.full || code === codes.sharedMemorySize);
}

type Where = { readonly path: string; readonly isCommitting?: boolean };

/** What can happen to any call and is no fault of ours; every other error as it is. */
function inOurWords(error: unknown, { path, isCommitting = false }: Where): unknown {
  // The log is written before its index in shared memory: a commit that only the index has no room for is found by the next start.
  const mayHold = isCommitting && errorCode(error) === codes.sharedMemorySize;
  if (isFull(error)) return new StorageFullError(`the catalog ${path}`, error, { mayHold });
  if (((errorCode(error) ?? 0) & 0xff) !== codes.busy) return error;
  return new AppError('overloaded', 'another process has locked the catalog for too long', {
    hint: `Find out who writes to ${path}, such as a backup, and try again.`,
    headers: { 'retry-after': String(CATALOG_BUSY_MS / 1_000) },
    cause: error,
  });
}

function startError(path: string, error: unknown): unknown {
  switch ((errorCode(error) ?? 0) & 0xff) {
    case codes.notADatabase:
      return new StartError(`${path} is not a database`, { hint: otherFileHint, cause: error });
    case codes.corrupt:
      return new StartError(`${path} is damaged`, { hint: damagedHint, cause: error });
    case codes.cannotOpen:
    case codes.readOnly:
      return new StartError(`${path} cannot be opened for writing`, {
        hint: 'Check that its folder exists and that this user may write there.',
        cause: error,
      });
    default:
      return inOurWords(error, { path });
  }
}
