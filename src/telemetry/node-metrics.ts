/** The metrics of what a node holds right now: read when they are asked for, not counted from events. */
import { Counter, Gauge, type Registry } from 'prom-client';
import { statfs } from 'node:fs/promises';
import { noSpans, type SpanCounts } from './otlp.ts';

/** How a node stands; the engine's own figures, as far as they are shown. */
export type NodeFigures = {
  readonly pending: number;
  readonly expiringSoon: number;
  readonly oldestMs: number;
  readonly messagesWaiting: number;
  readonly unsealedBytes: number;
  readonly lastSealMs: number | null;
  readonly unsyncedLines: number;
  readonly unsyncedBytes: number;
  readonly pausedBy: readonly string[];
  readonly uploads: number;
  readonly lanes: readonly LaneState[];
};

export type LaneState = {
  /** `upstream\nmodel` */
  readonly lane: string;
  readonly delayed: number;
  readonly pausedUntilMs: number | null;
  readonly sick: boolean;
};

export const idleNode: NodeFigures = {
  pending: 0,
  expiringSoon: 0,
  oldestMs: 0,
  messagesWaiting: 0,
  unsealedBytes: 0,
  lastSealMs: null,
  unsyncedLines: 0,
  unsyncedBytes: 0,
  pausedBy: [],
  uploads: 0,
  lanes: [],
};

export type NodeMetricsOptions = {
  readonly figures: () => NodeFigures;
  readonly version: string;
  /** Whose disk is looked at; null for none. */
  readonly folder: string | null;
  readonly spans: () => SpanCounts;
};

const gauges: readonly (readonly [name: string, help: string, read: (figures: NodeFigures) => number])[] = [
  ['requests_pending', 'Requests accepted that have no outcome yet.', (figures) => figures.pending],
  ['requests_expiring_soon', 'Pending requests whose batch expires within an hour.', (figures) => figures.expiringSoon],
  [
    'oldest_pending_age_seconds',
    'Age of the oldest batch with pending requests; 0 where none waits.',
    (figures) => figures.oldestMs / 1_000,
  ],
  ['journal_unsynced_lines', 'Outcomes written to the journal and not synced yet.', (figures) => figures.unsyncedLines],
  ['journal_unsynced_bytes', 'Bytes of them.', (figures) => figures.unsyncedBytes],
  ['unsealed_bytes', 'Result lines that wait for their seal, in bytes.', (figures) => figures.unsealedBytes],
  [
    'last_seal_timestamp_seconds',
    'When the last chunk was sealed, since 1970; 0 before the first.',
    (figures) => (figures.lastSealMs ?? 0) / 1_000,
  ],
  ['uploads_open', 'Creates whose body is arriving.', (figures) => figures.uploads],
];

/** Why nothing is sent, as the engine names it. */
const pauses = ['unsynced', 'unsealed', 'journal', 'chunks', 'lease'] as const;

export function observeNode(registry: Registry, { figures, version, folder, spans }: NodeMetricsOptions): void {
  const registers = [registry];
  for (const [name, help, read] of gauges) {
    new Gauge({
      name: `nightshift_${name}`,
      help,
      registers,
      collect() {
        this.set(read(figures()));
      },
    });
  }
  new Gauge({
    name: 'nightshift_sending_paused',
    help: 'Whether nothing is sent upstream, by reason.',
    labelNames: ['reason'],
    registers,
    collect() {
      const { pausedBy } = figures();
      for (const reason of pauses) this.set({ reason }, pausedBy.includes(reason) ? 1 : 0);
    },
  });
  new Gauge({ name: 'nightshift_build_info', help: 'What runs.', labelNames: ['version', 'node'], registers }).set(
    { version, node: process.versions.node },
    1,
  );
  observeDisk(registry, folder);
  observeSpans(registry, spans);
}

function observeDisk(registry: Registry, folder: string | null): void {
  const figures = [
    ['size', 'Size of the disk that holds the data folder.', 'blocks'],
    ['free', 'Room on it that this process may use.', 'bavail'],
  ] as const;
  for (const [name, help, blocks] of figures) {
    new Gauge({
      name: `nightshift_disk_${name}_bytes`,
      help,
      registers: [registry],
      async collect() {
        if (folder === null) return;
        // A disk that does not say is told as one without room.
        this.set(
          await statfs(folder).then(
            (disk) => disk[blocks] * disk.bsize,
            () => 0,
          ),
        );
      },
    });
  }
}

function observeSpans(registry: Registry, spans: () => SpanCounts): void {
  const registers = [registry];
  new Counter({
    name: 'nightshift_spans_sent_total',
    help: 'Spans that the collector took.',
    registers,
    collect() {
      this.reset();
      this.inc(spans().sent);
    },
  });
  new Counter({
    name: 'nightshift_spans_dropped_total',
    help: 'Spans that no collector will see, by reason.',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset();
      for (const [reason, count] of Object.entries({ ...noSpans.dropped, ...spans().dropped }))
        this.inc({ reason }, count);
    },
  });
}
