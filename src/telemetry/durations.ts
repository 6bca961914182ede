/** Histograms of durations that cost nanoseconds to add to; prom-client's own hash their labels at every observation. */
import type { Metric } from 'prom-client';

/** From a fast disk's sync to a long answer. */
const boundsSeconds = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
] as const;
const boundsMs = boundsSeconds.map((seconds) => seconds * 1_000);

export class Durations {
  /** One for each bound, and one for what is longer than all. */
  readonly #counts = new Float64Array(boundsMs.length + 1);
  #sumMs = 0;

  add(durationMs: number): void {
    let place = 0;
    while (place < boundsMs.length && durationMs > boundsMs[place]) place++;
    this.#counts[place]++;
    this.#sumMs += durationMs;
  }

  /** For each bound how many were no longer, then how many there were in all. */
  read(): { readonly upTo: readonly number[]; readonly count: number; readonly sumSeconds: number } {
    let count = 0;
    const upTo = Array.from(this.#counts, (inBucket) => (count += inBucket));
    return { upTo, count, sumSeconds: this.#sumMs / 1_000 };
  }
}

export type LabeledDurations = { readonly labels: Readonly<Record<string, string>>; readonly durations: Durations };

/** A metric a prom-client registry can print; what it prints is computed when it is asked for. */
export function durationsMetric(options: {
  name: string;
  help: string;
  series: () => readonly LabeledDurations[];
}): Metric {
  const { name, help, series } = options;
  const metric = {
    name,
    help,
    type: 'histogram',
    aggregator: 'sum',
    get: () =>
      Promise.resolve({
        name,
        help,
        type: 'histogram',
        aggregator: 'sum',
        values: series().flatMap((one) => valuesOf(name, one)),
      }),
    reset: () => undefined,
  };
  // A registry only ever calls `get`, but its types know no metric of another make.
  return metric as unknown as Metric;
}

type Value = {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
};

function valuesOf(name: string, { labels, durations }: LabeledDurations): Value[] {
  const { upTo, count, sumSeconds } = durations.read();
  return [
    ...upTo.map((value, place) => ({
      metricName: `${name}_bucket`,
      labels: { le: boundsSeconds[place] ?? '+Inf', ...labels },
      value,
    })),
    { metricName: `${name}_sum`, labels, value: sumSeconds },
    { metricName: `${name}_count`, labels, value: count },
  ];
}
