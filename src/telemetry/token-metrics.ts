/** The metrics of what was used: tokens by upstream, model and kind, and attempts that gave no result. */
import { Counter, type Registry } from 'prom-client';
import type { UsageRow } from '../domain/tally.ts';
import type { NightshiftEvent } from './events.ts';

/** Upstreams name the model that answered; beyond this many the rest are counted together, or the memory would be theirs. */
const MODELS_MAX = 200;
const OTHER = 'other';

export function observeTokens(registry: Registry): (event: NightshiftEvent) => void {
  const tokens = new Counter({
    name: 'nightshift_tokens_total',
    help: 'Tokens used by sealed outcomes and by attempts that gave none, by kind.',
    labelNames: ['upstream', 'model', 'kind'],
    registers: [registry],
  });
  const wasted = new Counter({
    name: 'nightshift_wasted_attempts_total',
    help: 'Calls to upstreams that may have been paid and gave no result.',
    labelNames: ['upstream', 'model'],
    registers: [registry],
  });
  const known = new Set<string>();
  const labelsOf = ({ upstream, model }: UsageRow): { upstream: string; model: string } => {
    const key = `${upstream}\n${model}`;
    if (!known.has(key) && known.size >= MODELS_MAX) return { upstream, model: OTHER };
    known.add(key);
    return { upstream, model };
  };
  return (event) => {
    if (event.kind !== 'used') return;
    const labels = labelsOf(event);
    for (const [kind, count] of Object.entries(tokensByKind(event)))
      if (count > 0) tokens.inc({ ...labels, kind }, count);
    if (event.wasted) wasted.inc(labels, event.requests);
  };
}

function tokensByKind(row: UsageRow): Readonly<Record<string, number>> {
  return {
    input: row.inputTokens,
    cache_write_5m: row.cacheCreationInputTokens - row.cacheCreation1hInputTokens,
    cache_write_1h: row.cacheCreation1hInputTokens,
    cache_read: row.cacheReadInputTokens,
    output: row.outputTokens,
  };
}
