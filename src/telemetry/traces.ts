/**
 * The traces: what the events say of one batch, as a tree of spans. Trace and root are derived from the batch's id, so that what any
 * node does for a batch, before and after a restart, comes together.
 *
 *   create ─┬─ attempt, attempt, …    a call to an upstream; few of those that succeeded
 *           ├─ seal, seal, …          a chunk of the results
 *           └─ batch                  from the create to the end
 */
import { createHash } from 'node:crypto';
import { TRACED_FAILURES_PER_SECOND } from '../domain/limits.ts';
import type { World } from '../ports/world.ts';
import type { NightshiftEvent } from './events.ts';
import type { OtlpExporter } from './otlp.ts';
import type { Span } from './span.ts';

export type TracesOptions = {
  readonly world: World;
  readonly exporter: Pick<OtlpExporter, 'add' | 'drop'>;
  /** Of the attempts that succeeded, from 0 to 1. */
  readonly attemptsRatio: number;
};

type EventOf<K extends NightshiftEvent['kind']> = Extract<NightshiftEvent, { kind: K }>;
type Told = Pick<Span, 'name' | 'attributes'> &
  Partial<Span> & { readonly batchId: string; readonly durationMs: number };

/** Events are told when what they tell of has ended. */
export function createTraces(options: TracesOptions): (event: NightshiftEvent) => void {
  const { world, exporter } = options;
  const mayTrace = failuresBound(world);

  function add({ batchId, durationMs, ...told }: Told): void {
    const { traceId, rootId } = idsOf(batchId);
    const endMs = world.clock.wallMs();
    const spanId = told.spanId ?? Buffer.from(world.chance.bytes(8)).toString('hex');
    const inherited = { traceId, spanId, parentSpanId: rootId, kind: 'internal', error: null, link: null } as const;
    const attributes = { 'nightshift.batch.id': batchId, ...told.attributes };
    exporter.add({ ...inherited, startMs: endMs - durationMs, endMs, ...told, attributes });
  }

  function attempt(event: EventOf<'attempt'>): void {
    const { end } = event;
    if (end === 'succeeded' && world.chance.next() >= options.attemptsRatio) return;
    if (end !== 'succeeded' && !mayTrace()) return exporter.drop('rate', 1);
    add(attemptSpan(event));
  }

  return (event) => {
    switch (event.kind) {
      case 'batch_created':
        return add(createSpan(event));
      case 'attempt':
        return attempt(event);
      case 'sealed':
        return add(sealSpan(event));
      case 'batch_ended':
        return add(batchSpan(event));
      default:
        return undefined;
    }
  };
}

/** A create that only found its batch again is a child of the first one. */
function createSpan(event: EventOf<'batch_created'>): Told {
  const { batchId, durationMs, repeated, traceparent } = event;
  const [, traceId, spanId] = traceparent?.split('-') ?? [];
  return {
    batchId,
    durationMs,
    name: 'create',
    kind: 'server',
    ...(!repeated && { spanId: idsOf(batchId).rootId, parentSpanId: null }),
    link: traceId === undefined || spanId === undefined ? null : { traceId, spanId },
    attributes: {
      'nightshift.workspace.id': event.workspaceId,
      'nightshift.batch.requests': event.requests,
      'nightshift.batch.bytes': event.bytes,
      'nightshift.batch.repeated': repeated,
    },
  };
}

function attemptSpan(event: EventOf<'attempt'>): Told {
  const { batchId, durationMs, upstream, model, status, end } = event;
  const error = end === 'succeeded' ? null : end;
  return {
    batchId,
    durationMs,
    name: 'attempt',
    kind: 'client',
    error,
    attributes: {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': upstream,
      'gen_ai.request.model': model,
      'http.response.status_code': status,
      'error.type': error,
      'nightshift.attempt.end': end,
    },
  };
}

function sealSpan({ batchId, durationMs, lines, bytes }: EventOf<'sealed'>): Told {
  const attributes = { 'nightshift.seal.lines': lines, 'nightshift.seal.bytes': bytes };
  return { batchId, durationMs, name: 'seal', attributes };
}

function batchSpan({ batchId, durationMs, requests }: EventOf<'batch_ended'>): Told {
  return { batchId, durationMs, name: 'batch', attributes: { 'nightshift.batch.requests': requests } };
}

function idsOf(batchId: string): { readonly traceId: string; readonly rootId: string } {
  const hash = createHash('sha256').update(batchId).digest('hex');
  return { traceId: hash.slice(0, 32), rootId: hash.slice(32, 48) };
}

/** So many a second. */
function failuresBound({ clock }: World): () => boolean {
  let [second, count] = [-1, 0];
  return () => {
    const now = Math.floor(clock.monotonicMs() / 1_000);
    if (now !== second) [second, count] = [now, 0];
    count += 1;
    return count <= TRACED_FAILURES_PER_SECOND;
  };
}
