/** The metrics of what goes wrong or slow inside: failed seals, full disks, the catalog's answers, errors by their code. */
import { Counter, type Registry } from 'prom-client';
import { Durations, durationsMetric } from './durations.ts';
import type { NightshiftEvent } from './events.ts';

export function observeTrouble(registry: Registry): (event: NightshiftEvent) => void {
  const registers = [registry];
  const sealFailures = new Counter({
    name: 'nightshift_seal_failures_total',
    help: 'Seals that failed and were tried again, full disks not among them.',
    registers,
  });
  const staleLines = new Counter({
    name: 'nightshift_stale_lines_total',
    help: 'Outcomes dropped because their lease had passed on.',
    registers,
  });
  const full = new Counter({
    name: 'nightshift_storage_full_total',
    help: 'Times that there was no room, by what for.',
    labelNames: ['what'],
    registers,
  });
  // A series that begins at one is an increase nobody sees.
  for (const what of ['journal', 'chunks']) full.inc({ what }, 0);
  const clockJumps = new Counter({ name: 'nightshift_clock_jumps_total', help: 'Jumps of the wall clock.', registers });
  const errors = new Counter({
    name: 'nightshift_http_errors_total',
    help: 'Errors told to callers, by code.',
    labelNames: ['code'],
    registers,
  });
  const catalogCalls = observeCatalog(registry);
  return (event) => {
    switch (event.kind) {
      case 'failure':
        return event.where.startsWith('seal of ') ? sealFailures.inc() : undefined;
      case 'seal_stale':
        return staleLines.inc(event.lines);
      case 'storage_full':
        return full.inc({ what: event.what });
      case 'clock_jumped':
        return clockJumps.inc();
      case 'http':
        return event.code === null ? undefined : errors.inc({ code: event.code });
      case 'catalog_call':
        return catalogCalls(event);
      default:
        return undefined;
    }
  };
}

type CatalogCall = Extract<NightshiftEvent, { kind: 'catalog_call' }>;

/** By method, of which the port has a dozen and a half. */
function observeCatalog(registry: Registry): (call: CatalogCall) => void {
  const durations = new Map<string, Durations>();
  registry.registerMetric(
    durationsMetric({
      name: 'nightshift_catalog_duration_seconds',
      help: 'How long calls to the catalog took.',
      series: () => [...durations].map(([method, own]) => ({ labels: { method }, durations: own })),
    }),
  );
  const failures = new Counter({
    name: 'nightshift_catalog_failures_total',
    help: 'Calls to the catalog that failed.',
    registers: [registry],
  });
  return ({ method, durationMs, failed }) => {
    const own = durations.get(method) ?? new Durations();
    durations.set(method, own);
    own.add(durationMs);
    if (failed) failures.inc();
  };
}
