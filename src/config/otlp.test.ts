import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig, type Config } from '../config.ts';

const base = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' };

test('off unless an endpoint is named', () => {
  assert.equal(read({}).otlp, null);
  assert.deepEqual(read({}, '--otlp-endpoint http://a:4318 --trace-attempts 0.5').otlp, {
    url: 'http://a:4318/v1/traces',
    headers: {},
    serviceName: 'nightshift',
    attemptsRatio: 0.5,
  });
});

test("OpenTelemetry's own variables count where ours say nothing", () => {
  assert.equal(read(base).otlp?.url, 'http://collector:4318/v1/traces');
  assert.equal(read({ ...base, OTEL_SERVICE_NAME: 'batches' }).otlp?.serviceName, 'batches');
  const traces = { ...base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://b/ingest' };
  assert.equal(read(traces).otlp?.url, 'http://b/ingest');
  assert.equal(read(traces, '', { server: { otlpEndpoint: 'http://c' } }).otlp?.url, 'http://c/v1/traces');
  assert.equal(read({ ...traces, NIGHTSHIFT_OTLP_ENDPOINT: 'http://d/v1/traces' }).otlp?.url, 'http://d/v1/traces');
  assert.equal(read({ ...base, OTEL_SDK_DISABLED: 'true' }).otlp, null);
});

test('headers come by variable and are not shown', () => {
  const headers = 'Authorization=Bearer%20abc, x-scope = one';
  const { otlp } = read({ ...base, OTEL_EXPORTER_OTLP_HEADERS: headers });
  assert.deepEqual(otlp?.headers, { authorization: 'Bearer abc', 'x-scope': 'one' });
  const refused = /^NIGHTSHIFT_OTLP_HEADERS: the headers \(not shown\) are not accepted$/;
  assert.throws(() => read({ ...base, NIGHTSHIFT_OTLP_HEADERS: 'my-secret' }), { message: refused });
});

test('a collector spoken to by grpc is warned of', () => {
  assert.match(read({ ...base, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }).warnings[0] ?? '', /not by grpc/);
  assert.deepEqual(read({ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }).warnings, []);
});

function read(env: Record<string, string>, argv = '', file?: unknown): Config {
  const readFile = (): string | null => (file === undefined ? null : JSON.stringify(file));
  return readConfig({ argv: argv.split(' ').filter(Boolean), env, readFile, terminal: false });
}
