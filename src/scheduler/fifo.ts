/** First in, first out, without moving the rest at every take. */

const WORTH_CUTTING = 32;

export class Fifo<T> {
  #entries: T[] = [];
  #head = 0;

  get size(): number {
    return this.#entries.length - this.#head;
  }

  first(): T | null {
    return this.#head < this.#entries.length ? this.#entries[this.#head] : null;
  }

  add(entry: T): void {
    this.#entries.push(entry);
  }

  take(): T | null {
    const entry = this.first();
    if (entry === null) return null;
    this.#head += 1;
    if (this.#head === this.#entries.length) {
      this.#entries.length = 0;
      this.#head = 0;
    } else if (this.#head >= WORTH_CUTTING && this.#head * 2 >= this.#entries.length) {
      // Half of the list is passed entries: cutting them off costs no more than the takes that passed them.
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  /** Drops the entries that do not pass; looks at all of them. */
  keep(passes: (entry: T) => boolean): void {
    this.#entries = this.#entries.slice(this.#head).filter(passes);
    this.#head = 0;
  }
}
