/** What a bench is: one run gives one figure for each of its measures, and throws when a row is lost, doubled or changed. */

export type Measure = {
  readonly name: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  /** What the median of the runs must reach, and what we aim for; null where a figure only explains another. */
  readonly must: number | null;
  readonly aim: number | null;
};

export type Run = {
  /** Small sizes: shows that everything works, says nothing about speed. */
  readonly quick: boolean;
  /** Which run of the bench this is; the odd ones measure in the other order, so that no side is always first. */
  readonly index: number;
  /** Closed in reverse order when the run ends, however it ends. */
  readonly resources: AsyncDisposableStack;
  /** Says what the run is doing. */
  say(text: string): void;
  /** Ends the run from outside of it. */
  readonly fail: (error: unknown) => void;
};

export type Figures = Readonly<Record<string, number>>;

export type Bench = {
  readonly name: string;
  readonly title: string;
  readonly measures: readonly Measure[];
  run(run: Run): Promise<Figures>;
};

export type Summary = { readonly median: number; readonly lowest: number; readonly highest: number };

export function summaryOf(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, lowest: sorted[0], highest: sorted[sorted.length - 1] };
}

export function meets(measure: Measure, bound: number | null, value: number): boolean {
  if (bound === null) return true;
  return measure.better === 'higher' ? value >= bound : value <= bound;
}

/** By nearest rank: the smallest value that this share of all values does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

/** A measure that only explains another one. */
export function detail(name: string, unit: string): Measure {
  return { name, unit, better: 'higher', must: null, aim: null };
}
