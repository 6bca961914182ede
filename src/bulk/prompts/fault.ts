/** What is wrong with a prompt as a whole, or with one row of it; and the nearest name to a wrong one. */

/** The prompt cannot be used: said before anything is read or sent. */
export class PromptError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PromptError';
  }
}

/** One row cannot be sent: it is rejected with this message. */
export class RowFault extends Error {
  constructor(message: string) {
    // A million rows may have one; where in this program it was noticed tells nobody anything.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'RowFault';
  }
}

const NAMES_SHOWN = 20;

export function missingColumn(name: string, columns: readonly string[]): string {
  const near = nearest(name, columns);
  const shown = columns.slice(0, NAMES_SHOWN).join(', ') + (columns.length > NAMES_SHOWN ? ', …' : '');
  const there = columns.length === 0 ? 'there are no columns' : `the columns are: ${shown}`;
  return `there is no column "${name}"${near === null ? '' : `; did you mean "${near}"?`} (${there})`;
}

export function nearest(name: string, names: readonly string[]): string | null {
  const wanted = name.toLowerCase();
  let best: string | null = null;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of names.slice(0, 1_000)) {
    const apart = distance(wanted, candidate.toLowerCase());
    if (apart < least) [best, least] = [candidate, apart];
  }
  return best;
}

/** Letters to add, drop or change. */
function distance(left: string, right: string): number {
  let before = Array.from({ length: right.length + 1 }, (_unused, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const now = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const change = before[column - 1] + (left[row - 1] === right[column - 1] ? 0 : 1);
      now.push(Math.min(change, before[column] + 1, now[column - 1] + 1));
    }
    before = now;
  }
  return before[right.length];
}
