/** Moves rows between states and keeps their count by state, in the same transaction. */
import type { ItemState } from '../contract.ts';
import type { Database } from './database.ts';
import { numberOf, states } from './schema.ts';

export class Tally {
  readonly #database: Database;
  /** Of the transaction under way. */
  #changes = new Map<ItemState, number>();
  #duplicates: boolean | null = null;

  constructor(database: Database) {
    this.#database = database;
  }

  add(state: ItemState, items: number): void {
    this.#changes.set(state, (this.#changes.get(state) ?? 0) + items);
    this.#duplicates = null;
  }

  /** The row, and those whose request is the same. */
  move(seq: number, to: ItemState): void {
    const from = this.#database.get<{ state: number }>('select state from item where seq = ?', seq);
    if (from === null || from.state === numberOf(to)) return;
    let moved = this.#database.run('update item set state = ? where seq = ?', numberOf(to), seq);
    if (this.hasDuplicates()) {
      moved += this.#database.run(
        'update item set state = ?2, attempt = (select attempt from item where seq = ?1) where same_as = ?1',
        seq,
        numberOf(to),
      );
    }
    this.moved({ from: states[from.state]!, to, rows: moved });
  }

  /** For those that have moved rows themselves. */
  moved({ from, to, rows }: { readonly from: ItemState; readonly to: ItemState; readonly rows: number }): void {
    this.#count(from, -rows);
    this.#count(to, rows);
  }

  /** Runs the body of a transaction and adds up what it moved. */
  during<T>(body: () => T): T {
    this.#changes = new Map();
    const result = body();
    for (const [state, items] of this.#changes) {
      if (items === 0) continue;
      this.#database.run(
        'insert into tally (state, items) values (?1, ?2) on conflict (state) do update set items = items + ?2',
        numberOf(state),
        items,
      );
    }
    return result;
  }

  #count(state: ItemState, items: number): void {
    this.#changes.set(state, (this.#changes.get(state) ?? 0) + items);
  }

  /** Most inputs have none, and then nobody looks for them. */
  hasDuplicates(): boolean {
    this.#duplicates ??= this.#database.get('select 1 from item where same_as is not null limit 1') !== null;
    return this.#duplicates;
  }
}
