/** The rows of a run as its batches end, each row once, with its last answer. */
import type { ItemState, OutputRow } from './contract.ts';
import { failedStates } from './results/export.ts';
import { joinedRows, type JoinParts, rowsOfBatch, rowsWithoutLine } from './results/join.ts';
import type { LedgerReader } from './ledger/ledger.ts';

/** What waits comes when it is final. */
export const finalStates: readonly ItemState[] = ['ok', ...failedStates, 'skipped'];

type Rows = AsyncGenerator<readonly OutputRow[]>;

export class Arrivals {
  readonly #ledger: LedgerReader;
  readonly #parts: JoinParts;
  readonly #query: { readonly states: readonly ItemState[]; readonly lines: boolean };
  /** A bit for each row: a run may have ten million. */
  readonly #told: Uint8Array;
  #toldRows = 0;

  constructor(
    parts: JoinParts & { readonly ledger: LedgerReader },
    { states = finalStates, lines = false }: { readonly states?: readonly ItemState[]; readonly lines?: boolean } = {},
  ) {
    this.#ledger = parts.ledger;
    this.#parts = parts;
    this.#query = { states: states.filter((state) => finalStates.includes(state)), lines };
    this.#told = new Uint8Array(Math.ceil(parts.ledger.rows() / 8));
  }

  /** Of batches whose lines are all applied. */
  async *ended(): Rows {
    for (const { id, state } of this.#ledger.batches()) if (state === 'done') yield* this.batch(id);
  }

  batch(batchId: string): Rows {
    return this.#fresh(rowsOfBatch(this.#parts, { ...this.#query, batchId }));
  }

  /** At the end: what has no line of its own, and whatever else was not told. */
  async *rest(): Rows {
    yield* this.ended();
    yield* this.#fresh(rowsWithoutLine(this.#parts, this.#query));
    // Rows that were answered with another's are on no batch's list.
    const counts = this.#ledger.counts();
    const all = this.#query.states.reduce((sum, state) => sum + counts[state], 0);
    if (this.#toldRows < all) yield* this.#fresh(joinedRows(this.#parts, { ...this.#query, order: 'input' }));
  }

  async *#fresh(groups: Rows): Rows {
    for await (const group of groups) {
      const fresh = group.filter(({ seq }) => this.#tell(seq));
      if (fresh.length > 0) yield fresh;
    }
  }

  /** True the first time. */
  #tell(seq: number): boolean {
    const bit = 1 << (seq & 7);
    if ((this.#told[seq >> 3]! & bit) !== 0) return false;
    this.#told[seq >> 3]! |= bit;
    this.#toldRows += 1;
    return true;
  }
}
