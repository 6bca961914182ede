/** What all answers being read hold together: an upstream that never ends its answers must not fill the memory, however many calls it has. */

export interface Holder {
  readonly heldBytes: number;
  /** Must release what it holds. */
  cut(): void;
}

export class AnswerBudget {
  readonly #bytesMax: number;
  readonly #holders = new Set<Holder>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whoever holds most goes first: real answers are small beside one without an end. */
  take(holder: Holder, bytes: number): void {
    this.#holders.add(holder);
    this.#bytes += bytes;
    while (this.#bytes > this.#bytesMax) this.#largest().cut();
  }

  release(holder: Holder): void {
    if (this.#holders.delete(holder)) this.#bytes -= holder.heldBytes;
  }

  #largest(): Holder {
    let largest: Holder | null = null;
    for (const holder of this.#holders) if (!largest || holder.heldBytes > largest.heldBytes) largest = holder;
    if (!largest) throw new Error('bytes are held by nobody');
    return largest;
  }
}
