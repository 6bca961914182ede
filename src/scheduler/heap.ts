/** A binary heap whose entries know their place in it, so that any of them can be moved or taken out. */

export type HeapEntry = { /** Kept by the heap; -1 outside. */ heapIndex: number };

export class Heap<T extends HeapEntry> {
  readonly #entries: T[] = [];
  readonly #before: (left: T, right: T) => boolean;

  constructor(before: (left: T, right: T) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#entries.length;
  }

  first(): T | null {
    return this.#entries.length === 0 ? null : this.#entries[0];
  }

  add(entry: T): void {
    this.#entries.push(entry);
    this.#rise(entry, this.#entries.length - 1);
  }

  remove(entry: T): void {
    const index = entry.heapIndex;
    const last = this.#entries.pop();
    entry.heapIndex = -1;
    if (last === undefined || last === entry) return;
    this.#entries[index] = last;
    last.heapIndex = index;
    this.moved(last);
  }

  /** The entry's order has changed. */
  moved(entry: T): void {
    const index = entry.heapIndex;
    this.#rise(entry, index);
    if (entry.heapIndex === index) this.#sink(entry, index);
  }

  #rise(entry: T, from: number): void {
    const entries = this.#entries;
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = entries[parentIndex];
      if (!this.#before(entry, parent)) break;
      entries[index] = parent;
      parent.heapIndex = index;
      index = parentIndex;
    }
    entries[index] = entry;
    entry.heapIndex = index;
  }

  #sink(entry: T, from: number): void {
    const entries = this.#entries;
    let index = from;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= entries.length) break;
      const right = childIndex + 1;
      if (right < entries.length && this.#before(entries[right], entries[childIndex])) childIndex = right;
      const child = entries[childIndex];
      if (!this.#before(child, entry)) break;
      entries[index] = child;
      child.heapIndex = index;
      index = childIndex;
    }
    entries[index] = entry;
    entry.heapIndex = index;
  }
}
