/** Counts the values that were null and became an empty text: once for each row, however often it is rendered. */

export class Nulls {
  readonly #counts = new Map<string, number>();
  #last = -1;
  #counting = false;

  /** Rows come in order the first time; one that is not after all others has been counted. */
  begin(seq: number): void {
    this.#counting = seq > this.#last;
    if (this.#counting) this.#last = seq;
  }

  readonly onNull = (column: string): void => {
    if (this.#counting) this.#counts.set(column, (this.#counts.get(column) ?? 0) + 1);
  };

  warnings(): string[] {
    return [...this.#counts].map(
      ([column, count]) =>
        `${column} had no value ${count === 1 ? 'once' : `${count.toLocaleString('en-US')} times`}: an empty text was sent`,
    );
  }
}
