/** The metrics: what the events add up to, in the form Prometheus reads. */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { AttemptEnd, NightshiftEvent } from './events.ts';
import { Durations, durationsMetric, type LabeledDurations } from './durations.ts';
import { observeMessages } from './message-metrics.ts';
import { idleNode, observeNode, type LaneState, type NodeFigures } from './node-metrics.ts';
import { noSpans, type SpanCounts } from './otlp.ts';
import { observeTokens } from './token-metrics.ts';
import { observeTrouble } from './trouble-metrics.ts';

export type Metrics = {
  observe(event: NightshiftEvent): void;
  render(): Promise<{ readonly contentType: string; readonly body: string }>;
};

export type MetricsOptions = {
  /** How the node stands; idle if nothing is said. */
  readonly node?: () => NodeFigures;
  readonly version?: string;
  /** The data folder. */
  readonly folder?: string;
  /** What became of the spans, where there are traces. */
  readonly spans?: () => SpanCounts;
  /** The process's own figures (memory, event loop, garbage collection); on by default. */
  readonly process?: boolean;
};

/** Models are named by callers; beyond this many lanes the rest are counted together, or the memory would be theirs too. */
const LANES_MAX = 200;
const OTHER = 'other';

export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  if (options.process ?? true) collectDefaultMetrics({ register: registry });
  const figures = options.node ?? (() => idleNode);
  const observers = [
    observeLanes(registry, () => figures().lanes),
    observeStorage(registry),
    observeTrouble(registry),
    observeHttp(registry),
    observeTokens(registry),
    observeMessages(registry, () => figures().messagesWaiting),
  ];
  const { version = 'unknown', folder = null, spans = () => noSpans } = options;
  observeNode(registry, { figures, version, folder, spans });
  return {
    observe(event) {
      for (const observe of observers) observe(event);
    },
    async render() {
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}

type Observer = (event: NightshiftEvent) => void;

/** What is known of one lane; plain numbers, because attempts come tens of thousands a second. */
class LaneFigures {
  readonly upstream: string;
  readonly model: string;
  readonly ends: Record<AttemptEnd, number> = {
    succeeded: 0,
    errored: 0,
    throttled: 0,
    unpaid: 0,
    perhaps_paid: 0,
    aborted: 0,
  };
  readonly durations = new Durations();
  /** Of the last call that says something about the lane and not about its request. */
  trouble = 'unknown';
  window = 0;
  inFlight = 0;
  ready = 0;

  constructor(upstream: string, model: string) {
    this.upstream = upstream;
    this.model = model;
  }
}

function observeLanes(registry: Registry, states: () => readonly LaneState[]): Observer {
  const byUpstream = new Map<string, Map<string, LaneFigures>>();
  const lanes: LaneFigures[] = [];

  function laneOf(upstream: string, model: string): LaneFigures {
    const known = byUpstream.get(upstream)?.get(model);
    if (known !== undefined) return known;
    if (lanes.length >= LANES_MAX && model !== OTHER) return laneOf(upstream, OTHER);
    const lane = new LaneFigures(upstream, model);
    lanes.push(lane);
    const models = byUpstream.get(upstream) ?? new Map<string, LaneFigures>();
    byUpstream.set(upstream, models.set(model, lane));
    return lane;
  }

  const labelsOf = ({ upstream, model }: LaneFigures): Record<string, string> => ({ upstream, model });
  new Counter({
    name: 'nightshift_attempts_total',
    help: 'Calls to upstreams, by how they ended.',
    labelNames: ['upstream', 'model', 'end'],
    registers: [registry],
    collect() {
      this.reset();
      for (const lane of lanes) {
        for (const [end, count] of Object.entries(lane.ends))
          if (count > 0) this.inc({ ...labelsOf(lane), end }, count);
      }
    },
  });
  const series = (): LabeledDurations[] => lanes.map((lane) => ({ labels: labelsOf(lane), durations: lane.durations }));
  registry.registerMetric(
    durationsMetric({ name: 'nightshift_attempt_duration_seconds', help: 'How long calls to upstreams took.', series }),
  );
  for (const [name, help, figure] of laneGauges) {
    new Gauge({
      name: `nightshift_lane_${name}`,
      help,
      labelNames: ['upstream', 'model'],
      registers: [registry],
      collect() {
        for (const lane of lanes) this.set(labelsOf(lane), lane[figure]);
      },
    });
  }

  const known = (lane: string): LaneFigures => {
    const [upstream = '', model = ''] = lane.split('\n');
    return laneOf(upstream, model);
  };
  observeLaneStates(registry, () => states().map((state) => ({ ...state, figures: known(state.lane) })));

  return (event) => {
    if (event.kind === 'attempt') {
      const lane = laneOf(event.upstream, event.model);
      lane.ends[event.end]++;
      lane.durations.add(event.durationMs);
      lane.trouble = troubleOf(event) ?? lane.trouble;
    } else if (event.kind === 'lane_window') {
      const lane = laneOf(event.upstream, event.model);
      lane.window = event.window;
      lane.inFlight = event.inFlight;
      lane.ready = event.ready;
    }
  };
}

function observeLaneStates(registry: Registry, states: () => readonly (LaneState & { figures: LaneFigures })[]): void {
  const registers = [registry];
  new Gauge({
    name: 'nightshift_lane_delayed',
    help: 'Requests of the lane that wait for the end of their backoff.',
    labelNames: ['upstream', 'model'],
    registers,
    collect() {
      this.reset();
      for (const { delayed, figures } of states())
        this.inc({ upstream: figures.upstream, model: figures.model }, delayed);
    },
  });
  new Gauge({
    name: 'nightshift_lane_waiting',
    help: 'Lanes that are paused or probed, by what the upstream said last: a status, or unreachable.',
    labelNames: ['upstream', 'model', 'reason'],
    registers,
    collect() {
      this.reset();
      for (const { pausedUntilMs, sick, figures } of states()) {
        if (pausedUntilMs === null && !sick) continue;
        this.set({ upstream: figures.upstream, model: figures.model, reason: figures.trouble }, 1);
      }
    },
  });
}

const statusesTold: ReadonlySet<number> = new Set([401, 402, 408, 409, 425, 429, 529]);

function troubleOf({ end, status }: { end: AttemptEnd; status: number | null }): string | null {
  if (end === 'succeeded' || end === 'errored' || end === 'aborted') return null;
  if (status === null) return 'unreachable';
  if (statusesTold.has(status)) return String(status);
  return status >= 500 ? '5xx' : 'other';
}

const laneGauges = [
  ['window', 'Calls the lane may have in flight at once.', 'window'],
  ['in_flight', 'Calls the lane has in flight.', 'inFlight'],
  ['ready', 'Requests of the lane that wait for a slot.', 'ready'],
] as const;

function observeStorage(registry: Registry): Observer {
  const registers = [registry];
  const outcomes = new Counter({
    name: 'nightshift_outcomes_total',
    help: 'Requests that got their outcome.',
    labelNames: ['outcome'],
    registers,
  });
  const batches = new Counter({
    name: 'nightshift_batches_total',
    help: 'What happened to batches.',
    labelNames: ['transition'],
    registers,
  });
  const journalLines = new Counter({
    name: 'nightshift_journal_lines_total',
    help: 'Outcomes made durable in the journal.',
    registers,
  });
  const resultLines = new Counter({ name: 'nightshift_sealed_lines_total', help: 'Result lines sealed.', registers });
  const failures = new Counter({
    name: 'nightshift_failures_total',
    help: 'Unexpected errors; the log has each of them.',
    registers,
  });
  const syncs = new Durations();
  const seals = new Durations();
  const only = (durations: Durations) => (): LabeledDurations[] => [{ labels: {}, durations }];
  registry.registerMetric(
    durationsMetric({
      name: 'nightshift_journal_sync_duration_seconds',
      help: 'How long a group sync of the journal took.',
      series: only(syncs),
    }),
  );
  registry.registerMetric(
    durationsMetric({ name: 'nightshift_seal_duration_seconds', help: 'How long a seal took.', series: only(seals) }),
  );

  return (event) => {
    switch (event.kind) {
      case 'outcomes':
        return outcomes.inc({ outcome: event.outcome }, event.count);
      case 'journal_synced':
        syncs.add(event.durationMs);
        return journalLines.inc(event.lines);
      case 'sealed':
        seals.add(event.durationMs);
        return resultLines.inc(event.lines);
      case 'batch_created':
        return event.repeated ? undefined : batches.inc({ transition: 'created' });
      case 'batch_canceling':
      case 'batch_expiring':
      case 'batch_ended':
      case 'batch_archived':
      case 'batch_deleted':
        return batches.inc({ transition: event.kind.slice('batch_'.length) });
      case 'failure':
        return failures.inc();
      default:
        return undefined;
    }
  };
}

/** Routes are patterns, methods and statuses few: the labels are bounded as long as the faces name routes, not paths. */
function observeHttp(registry: Registry): Observer {
  const series = new Map<string, LabeledDurations & { readonly statuses: Map<number, number> }>();
  registry.registerMetric(
    durationsMetric({
      name: 'nightshift_http_request_duration_seconds',
      help: 'How long requests took to answer.',
      series: () => [...series.values()],
    }),
  );
  new Counter({
    name: 'nightshift_http_requests_total',
    help: 'Requests answered.',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { labels, statuses } of series.values()) {
        for (const [status, count] of statuses) this.inc({ ...labels, status }, count);
      }
    },
  });

  return (event) => {
    if (event.kind !== 'http') return;
    const full = series.size >= LANES_MAX && !series.has(`${event.method} ${event.route}`);
    const [method, route] = full ? [OTHER, OTHER] : [event.method, event.route];
    const key = `${method} ${route}`;
    const entry = series.get(key) ?? {
      labels: { method, route },
      durations: new Durations(),
      statuses: new Map<number, number>(),
    };
    series.set(key, entry);
    entry.durations.add(event.durationMs);
    entry.statuses.set(event.status, (entry.statuses.get(event.status) ?? 0) + 1);
  };
}
