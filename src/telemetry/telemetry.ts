/** The telemetry as a whole: one place to tell events to, and log, metrics and traces behind it. */
import type { World } from '../ports/world.ts';
import type { NightshiftEvent } from './events.ts';
import { createLog, type LogOptions } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { idleNode, type NodeFigures } from './node-metrics.ts';
import { noSpans, OtlpExporter } from './otlp.ts';
import { createTraces } from './traces.ts';

export type TelemetryOptions = {
  readonly logLevel: LogOptions['level'];
  readonly logFormat: LogOptions['format'];
  readonly logColor: boolean;
  /** The data folder. */
  readonly data: string;
  readonly version: string;
  /** Null for no traces. */
  readonly otlp: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly serviceName: string;
    readonly attemptsRatio: number;
  } | null;
};

export type Telemetry = {
  emit(event: NightshiftEvent): void;
  /** Begins to trace; what it returns sends the rest, while the world's network is still there. */
  trace(here: { readonly world: World; readonly node: string }): () => Promise<void>;
  watch(node: { stats(): NodeFigures }): void;
  readonly render: Metrics['render'];
  close(): void;
};

export function createTelemetry(options: TelemetryOptions): Telemetry {
  const { logLevel, logFormat, logColor, data, version, otlp } = options;
  let figures = () => idleNode;
  let exporter: OtlpExporter | null = null;
  let traces: (event: NightshiftEvent) => void = () => undefined;
  const log = createLog({ level: logLevel, format: logFormat, color: logColor });
  const metrics = createMetrics({
    node: () => figures(),
    version,
    folder: data,
    spans: () => exporter?.counts ?? noSpans,
  });
  return {
    emit(event) {
      metrics.observe(event);
      log.observe(event);
      traces(event);
    },
    trace({ world, node }) {
      if (otlp === null) return () => Promise.resolve();
      const { url, headers, serviceName, attemptsRatio } = otlp;
      const own = new OtlpExporter({ world, url, headers, resource: { serviceName, version, node } });
      exporter = own;
      traces = createTraces({ world, exporter: own, attemptsRatio });
      return () => own.close();
    },
    watch: (node) => void (figures = () => node.stats()),
    render: () => metrics.render(),
    close: () => log.close(),
  };
}
