/** Traces of a real server: what a collector receives of one batch, and that nobody notices one that is away. */
import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { batchClient, oneLineEach } from '../support/batch-client.ts';
import { bodyOf, paramsOf, requestOf, rows } from '../support/rows.ts';
import { startServer, type Server } from '../support/server.ts';
import { until } from '../support/until.ts';

type Attribute = { readonly key: string; readonly value: Readonly<Record<string, unknown>> };
type Span = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status?: { readonly code: number };
};
type Export = {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
};

const secret = 'a-secret-that-no-collector-may-see';
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

test('a batch is one trace: create at its root, attempts, seals and its end below', async (t) => {
  const collector = await startCollector(t);
  const server = await startServer(t, {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20own' },
    flags: ['--trace-attempts', '1', '--otlp-service-name', 'batches'],
  });
  const client = batchClient(server);
  const ids = Array.from({ length: 20 }, (_, index) => `${secret}-${index}`);
  const body = bodyOf(ids.map((id) => requestOf({ id, params: paramsOf(`${secret} ${id}`) })));
  const { id } = await client.create({ body, headers: { traceparent } });
  await client.ended(id);
  oneLineEach(await client.results(id), ids);
  // What waits is sent before the end.
  assert.deepEqual(await server.stop(), { code: 0, signal: null });

  const spans = collector.exports.flatMap((one) => one.resourceSpans[0]!.scopeSpans[0]!.spans);
  assert.deepEqual(Map.groupBy(spans, ({ name }) => name).get('attempt')?.length, ids.length);
  const [root, ...others] = spans.filter(({ parentSpanId }) => parentSpanId === undefined);
  assert.ok(root?.name === 'create' && others.length === 0, 'one root, the create');
  assert.deepEqual(root.links, [{ traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }]);
  assert.deepEqual(new Set(spans.map(({ traceId }) => traceId)), new Set([root.traceId]));
  const below = spans.filter((span) => span !== root);
  assert.deepEqual(new Set(below.map(({ parentSpanId }) => parentSpanId)), new Set([root.spanId]));
  assert.deepEqual(new Set(below.map(({ name }) => name)), new Set(['attempt', 'seal', 'batch']));
  assert.equal(new Set(spans.map(({ spanId }) => spanId)).size, spans.length);
  for (const span of spans) {
    assert.equal(attribute(span.attributes, 'nightshift.batch.id'), id);
    assert.ok(BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano), span.name);
  }
  const { resource } = collector.exports[0]!.resourceSpans[0]!;
  assert.equal(attribute(resource.attributes, 'service.name'), 'batches');
  assert.equal(collector.headers[0]?.authorization, 'Bearer own');
  for (const unseen of [secret, server.key]) assert.ok(!collector.received().includes(unseen), unseen);
});

test('a collector that is away is not noticed, but counted', async (t) => {
  const gone = await startCollector(t);
  await gone.close();
  const server = await startServer(t, { flags: ['--otlp-endpoint', gone.url, '--trace-attempts', '1'] });
  const client = batchClient(server);
  const { ids, body } = rows(50);
  const { id } = await client.create({ body });
  await client.ended(id);
  oneLineEach(await client.results(id), ids);
  const dropped = await until({
    what: 'spans are given up',
    withinMs: 30_000,
    ask: async () => metric(await metricsOf(server), 'nightshift_spans_dropped_total{reason="unreachable"}') || false,
  });
  assert.ok(dropped >= ids.length, `${dropped} spans`);
  assert.equal(metric(await metricsOf(server), 'nightshift_failures_total'), 0);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

test('the metrics of a real server have their figures', async (t) => {
  const server = await startServer(t);
  const client = batchClient(server);
  await client.ended((await client.create({ body: rows(3).body })).id);
  await client.get('/msgbatch_01unknown');
  const metrics = await metricsOf(server);
  const figure = (name: string): number => metric(metrics, name) ?? assert.fail(`${name} is not in\n${metrics}`);
  const size = figure('nightshift_disk_size_bytes');
  assert.ok(size > 0 && figure('nightshift_disk_free_bytes') <= size);
  assert.ok(Math.abs(figure('nightshift_last_seal_timestamp_seconds') - Date.now() / 1_000) < 60);
  for (const method of ['accept', 'claim', 'seal'])
    assert.ok(figure(`nightshift_catalog_duration_seconds_count{method="${method}"}`) > 0, method);
  assert.equal(figure('nightshift_http_errors_total{code="not_found"}'), 1);
  assert.equal(figure('nightshift_requests_pending'), 0);
  assert.equal(figure('nightshift_oldest_pending_age_seconds'), 0);
  assert.equal(figure('nightshift_uploads_open'), 0);
  assert.match(metrics, /^nightshift_build_info\{version="[\d.]+",node="[\d.]+"\} 1$/m);
});

type Collector = {
  readonly url: string;
  readonly exports: readonly Export[];
  readonly headers: readonly IncomingHttpHeaders[];
  received(): string;
  close(): Promise<void>;
};

async function startCollector(test: TestContext): Promise<Collector> {
  const bodies: string[] = [];
  const exports: Export[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const server = createServer((incoming, outgoing) => {
    void text(incoming).then((body) => {
      assert.equal(`${incoming.method} ${incoming.url}`, 'POST /v1/traces');
      bodies.push(body);
      headers.push(incoming.headers);
      exports.push(JSON.parse(body) as Export);
      outgoing.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  test.after(close);
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, exports, headers, received: () => bodies.join('\n'), close };
}

function attribute(attributes: readonly Attribute[], key: string): unknown {
  return attributes.find((one) => one.key === key)?.value['stringValue'];
}

async function metricsOf({ url }: Server): Promise<string> {
  return await (await fetch(`${url}/metrics`)).text();
}

/** Undefined where the series is not there. */
function metric(text: string, series: string): number | undefined {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}
