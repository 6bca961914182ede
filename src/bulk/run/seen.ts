/** Finds rows whose request came before, in eight bytes a row: part of each hash beside its row, and the ledger has the last word. */

const FREE = 0xffff_ffff;
/** Fuller than this, searches get long. */
const LOAD_MAX = 0.6;

export class SeenRequests {
  readonly #hashOf: (seq: number) => Uint8Array | null;
  /** Pairs: four bytes of the hash, the row's number. */
  #table: Uint32Array;
  #used = 0;

  constructor(hashOf: (seq: number) => Uint8Array | null, slots = 1 << 12) {
    this.#hashOf = hashOf;
    this.#table = new Uint32Array(2 * slots).fill(FREE);
  }

  /** The first row with this request, or null; then this row is the first. */
  first(hash: Buffer, seq: number): number | null {
    if (this.#used > LOAD_MAX * (this.#table.length / 2)) this.#grow();
    const mark = hash.readUInt32LE(0);
    const mask = this.#table.length / 2 - 1;
    // A hash is spread already: its low bits are the place.
    for (let slot = mark & mask; ; slot = (slot + 1) & mask) {
      const other = this.#table[2 * slot + 1]!;
      if (other === FREE) {
        this.#table[2 * slot] = mark;
        this.#table[2 * slot + 1] = seq;
        this.#used += 1;
        return null;
      }
      if (this.#table[2 * slot] === mark && hash.equals(this.#hashOf(other) ?? Buffer.alloc(0))) return other;
    }
  }

  #grow(): void {
    const old = this.#table;
    this.#table = new Uint32Array(2 * old.length).fill(FREE);
    const mask = this.#table.length / 2 - 1;
    for (let index = 0; index < old.length; index += 2) {
      if (old[index + 1] === FREE) continue;
      let slot = old[index]! & mask;
      while (this.#table[2 * slot + 1] !== FREE) slot = (slot + 1) & mask;
      this.#table[2 * slot] = old[index]!;
      this.#table[2 * slot + 1] = old[index + 1]!;
    }
  }
}
