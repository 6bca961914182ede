/** A span as we make it, and as OTLP writes it in JSON: the shape is opentelemetry-proto's, with times in nanoseconds as text. */

export type AttributeValue = string | number | boolean;

export type Span = {
  /** 16 bytes in hex. */
  readonly traceId: string;
  /** 8 bytes in hex. */
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client';
  /** By the wall clock. */
  readonly startMs: number;
  readonly endMs: number;
  /** Those without a value are left out. */
  readonly attributes: Readonly<Record<string, AttributeValue | null>>;
  /** A word for what went wrong; null where nothing did. */
  readonly error: string | null;
  readonly link: { readonly traceId: string; readonly spanId: string } | null;
};

export type Resource = { readonly serviceName: string; readonly version: string; readonly node: string };

const kinds = { internal: 1, server: 2, client: 3 } as const;
const STATUS_ERROR = 2;

export function exportRequest(resource: Resource, spans: readonly Span[]): object {
  const { serviceName, version, node } = resource;
  const attributes = attributesOf({
    'service.name': serviceName,
    'service.version': version,
    'service.instance.id': node,
  });
  const scope = { name: 'nightshift', version };
  return { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ scope, spans: spans.map(spanOf) }] }] };
}

function spanOf(span: Span): object {
  const { traceId, spanId, parentSpanId, name, kind, startMs, endMs, attributes, error, link } = span;
  return {
    traceId,
    spanId,
    ...(parentSpanId !== null && { parentSpanId }),
    name,
    kind: kinds[kind],
    startTimeUnixNano: nanosOf(startMs),
    endTimeUnixNano: nanosOf(endMs),
    attributes: attributesOf(attributes),
    ...(link !== null && { links: [link] }),
    ...(error !== null && { status: { code: STATUS_ERROR, message: error } }),
  };
}

/** Microseconds are what the clock tells; nanoseconds would not fit into a number. */
function nanosOf(ms: number): string {
  return `${Math.round(ms * 1_000)}000`;
}

function attributesOf(values: Span['attributes']): object[] {
  return Object.entries(values).flatMap(([key, value]) => (value === null ? [] : [{ key, value: valueOf(value) }]));
}

function valueOf(value: AttributeValue): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
