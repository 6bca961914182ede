/** One connection to a run's state.db: cached statements, transactions that last, and a full disk in words. */
import { chmodSync, closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { LEDGER_BUSY_MS } from '../limits.ts';
import { DiskFullError, RunError } from '../run/errors.ts';
import { SCHEMA_VERSION, schema } from './schema.ts';

/** https://www.sqlite.org/rescode.html: the low byte is the primary code. */
const FULL = 13;

export class Database {
  readonly #path: string;
  readonly #handle: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string, { mayCreate, pagesMax }: { readonly mayCreate: boolean; readonly pagesMax?: number }) {
    this.#path = path;
    if (mayCreate) makePrivate(path);
    this.#handle = new DatabaseSync(path, { readOnly: !mayCreate, timeout: LEDGER_BUSY_MS });
    try {
      if (mayCreate) this.#prepare();
      this.#checkVersion();
      if (pagesMax !== undefined) this.#handle.exec(`pragma max_page_count = ${pagesMax}`);
    } catch (error) {
      this.#handle.close();
      throw this.#worded(error);
    }
  }

  /** All or nothing, and on the disk when it returns. */
  write<T>(body: () => T): T {
    try {
      this.#handle.exec('begin immediate');
      const result = body();
      this.#handle.exec('commit');
      return result;
    } catch (error) {
      // SQLite has already rolled back after some errors, a full disk among them.
      if (this.#handle.isOpen && this.#handle.isTransaction) this.#handle.exec('rollback');
      throw this.#worded(error);
    }
  }

  read<T>(body: () => T): T {
    if (this.#handle.isTransaction) return body();
    this.#handle.exec('begin');
    try {
      return body();
    } finally {
      this.#handle.exec('commit');
    }
  }

  run(sql: string, ...parameters: SQLInputValue[]): number {
    return Number(this.statement(sql).run(...parameters).changes);
  }

  get<Row>(sql: string, ...parameters: SQLInputValue[]): Row | null {
    return (this.statement(sql).get(...parameters) as Row | undefined) ?? null;
  }

  all<Row>(sql: string, ...parameters: SQLInputValue[]): Row[] {
    return this.statement(sql).all(...parameters) as Row[];
  }

  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#handle.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  close(): void {
    this.#statements.clear();
    if (this.#handle.isOpen) this.#handle.close();
  }

  #prepare(): void {
    this.#handle.exec(
      'pragma journal_mode = wal; pragma synchronous = full; pragma fullfsync = on; pragma checkpoint_fullfsync = on',
    );
    this.write(() => {
      if (this.#version() === 0) this.#handle.exec(`${schema}; pragma user_version = ${SCHEMA_VERSION}`);
    });
  }

  #checkVersion(): void {
    const version = this.#version();
    if (version !== SCHEMA_VERSION) {
      throw new RunError(
        'damaged',
        `${this.#path} has format ${version}; this version of nightshift reads ${SCHEMA_VERSION}`,
      );
    }
  }

  #version(): number {
    return this.get<{ user_version: number }>('pragma user_version')!.user_version;
  }

  #worded(error: unknown): unknown {
    const code = error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : 0;
    return (code & 0xff) === FULL ? new DiskFullError(this.#path, error) : error;
  }
}

/** SQLite would make a file that all may read; the files beside a database get its rights. */
function makePrivate(path: string): void {
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
}
