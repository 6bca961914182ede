/** The catalog's time (C1): the wall clock, but never below the highest value it ever stored. */
import type { Micros } from '../../domain/batch.ts';
import { must } from '../../domain/errors.ts';
import type { Database } from './database.ts';

export type WallClock = { wallMs(): number };

export class CatalogClock {
  readonly #database: Database;
  readonly #wall: WallClock;

  constructor(database: Database, wall: WallClock) {
    this.#database = database;
    this.#wall = wall;
  }

  now(): Micros {
    const row = must(this.#database.get<ClockRow>('select highest from clock'), 'the catalog has a clock');
    return Math.max(this.#wallMicros(), row.highest);
  }

  /** The time of a write transaction, kept so that it never goes back. */
  advance(): Micros {
    return this.#store('update clock set highest = max(highest, :wall) returning highest');
  }

  /** As `advance`, and above everything stored before: the moment of a new batch. */
  advanceStrictly(): Micros {
    return this.#store('update clock set highest = max(highest + 1, :wall) returning highest');
  }

  #store(sql: string): Micros {
    return must(this.#database.get<ClockRow>(sql, { wall: this.#wallMicros() }), 'the catalog has a clock').highest;
  }

  #wallMicros(): Micros {
    return Math.floor(this.#wall.wallMs() * 1_000);
  }
}

type ClockRow = { readonly highest: number };
