/** One process owns a run: it writes its name into the ledger, and every write of one that has lost it since is refused. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { OWNER_SILENT_MS } from '../limits.ts';
import { RunError } from '../run/errors.ts';
import type { Database } from './database.ts';
import type { OwnerRecord } from './ledger.ts';

type Row = {
  pid: number;
  started: string;
  boot: string;
  host: string;
  heartbeat_ms: number;
  epoch: number;
  held: number;
};

export type Self = { readonly pid: number; readonly started: string; readonly boot: string; readonly host: string };

/** Ledgers open in this process: its own pid being alive must not let it own a run twice. */
const openHere = new Set<string>();

export class Ownership {
  readonly #database: Database;
  readonly #epoch: number;
  readonly #place: string;

  /** Takes the run, or throws with the pid and host of who has it. */
  constructor(
    database: Database,
    place: string,
    { nowMs, self = thisProcess() }: { readonly nowMs: number; readonly self?: Self },
  ) {
    this.#database = database;
    this.#place = place;
    if (openHere.has(place)) throw taken({ pid: self.pid, host: self.host });
    this.#epoch = database.write(() => {
      const row = readOwner(database);
      if (row.held === 1 && isAlive(row, { self, nowMs })) throw taken(row);
      database.run(
        'update owner set pid = ?, started = ?, boot = ?, host = ?, heartbeat_ms = ?, epoch = epoch + 1, held = 1',
        self.pid,
        self.started,
        self.boot,
        self.host,
        nowMs,
      );
      return row.epoch + 1;
    });
    openHere.add(place);
  }

  /** Inside every transaction that writes. */
  check(): void {
    const row = readOwner(this.#database);
    if (row.epoch !== this.#epoch) throw taken(row);
  }

  beat(nowMs: number): void {
    this.#database.run('update owner set heartbeat_ms = ? where epoch = ?', nowMs, this.#epoch);
  }

  release(): void {
    openHere.delete(this.#place);
    this.#database.run('update owner set held = 0 where epoch = ?', this.#epoch);
  }

  /** As a kill -9 leaves it: for tests, where the process lives on. */
  forget(): void {
    openHere.delete(this.#place);
  }
}

export function ownerOf(database: Database): OwnerRecord | null {
  const row = readOwner(database);
  if (row.held === 0) return null;
  return { pid: row.pid, host: row.host, heartbeatAtMs: row.heartbeat_ms, epoch: row.epoch };
}

export function thisProcess(): Self {
  return { pid: process.pid, started: startOf(process.pid), boot: bootId(), host: hostname() };
}

function readOwner(database: Database): Row {
  return database.get<Row>('select pid, started, boot, host, heartbeat_ms, epoch, held from owner where id = 1')!;
}

function isAlive(row: Row, { self, nowMs }: { self: Self; nowMs: number }): boolean {
  // Of a process elsewhere only its heartbeat tells.
  if (row.host !== self.host) return Math.abs(nowMs - row.heartbeat_ms) < OWNER_SILENT_MS;
  if (row.boot !== self.boot || row.pid === self.pid) return false;
  // A number is given again to another process in time; when it began tells them apart.
  return isRunning(row.pid) && (row.started === '' || startOf(row.pid) === row.started);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** When a process began, in ticks since the boot; empty where the system does not tell. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
  }
}

function taken({ pid, host }: { readonly pid: number; readonly host: string }): RunError {
  return new RunError('owned', `process ${pid} on ${host} is working on this run`);
}
