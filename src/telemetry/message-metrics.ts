/** The metrics of synchronous calls: by upstream, because those are few and configured, while models are named by callers. */
import { Counter, Gauge, type Registry } from 'prom-client';
import { Durations, durationsMetric } from './durations.ts';
import type { NightshiftEvent } from './events.ts';

export function observeMessages(registry: Registry, waiting: () => number): (event: NightshiftEvent) => void {
  const registers = [registry];
  const durations = new Map<string, Durations>();
  const calls = new Counter({
    name: 'nightshift_messages_total',
    help: 'Synchronous calls, by what their callers were told.',
    labelNames: ['upstream', 'status'],
    registers,
  });
  registry.registerMetric(
    durationsMetric({
      name: 'nightshift_message_duration_seconds',
      help: 'How long synchronous calls took, the wait for a slot included.',
      series: () => [...durations].map(([upstream, own]) => ({ labels: { upstream }, durations: own })),
    }),
  );
  const tokens = new Counter({
    name: 'nightshift_message_tokens_total',
    help: 'Tokens of synchronous calls that were answered whole, by kind; those of streams are not counted.',
    labelNames: ['upstream', 'kind'],
    registers,
  });
  new Gauge({
    name: 'nightshift_messages_waiting',
    help: 'Synchronous calls that wait for a slot.',
    registers,
    collect() {
      this.set(waiting());
    },
  });
  return (event) => {
    if (event.kind !== 'message') return;
    calls.inc({ upstream: event.upstream, status: event.status });
    const own = durations.get(event.upstream) ?? new Durations();
    durations.set(event.upstream, own);
    own.add(event.durationMs);
    const { upstream, inputTokens, outputTokens } = event;
    if (inputTokens !== null) tokens.inc({ upstream, kind: 'input' }, inputTokens);
    if (outputTokens !== null) tokens.inc({ upstream, kind: 'output' }, outputTokens);
  };
}
