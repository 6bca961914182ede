/** Real answers against openapi.json: what it describes is there, and what is there it describes, so that a generated client can be believed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchClient } from '../support/batch-client.ts';
import { bodyOf, paramsOf, requestOf } from '../support/rows.ts';
import { startServer } from '../support/server.ts';

type Schema = {
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
};
type Content = Readonly<Record<string, { readonly schema: Schema }>>;
type Described = { readonly $ref?: string; readonly content?: Content };
type Operation = { readonly responses: Readonly<Record<string, Described>> };
type Document = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: object;
};
type Call = { readonly template: string; readonly path?: string; readonly method?: string; readonly body?: string };

/** What upstreams write may have more members than we know. */
const OPEN = '#/components/schemas/MessageAnswer';

test('answers are as openapi.json says', async (t) => {
  const server = await startServer(t);
  const client = batchClient(server);
  const requests = [requestOf({ id: 'good', params: paramsOf('Hello') }), requestOf({ id: 'bad', params: '{}' })];
  const { id } = await client.create({ body: bodyOf(requests) });
  await client.ended(id);
  const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as Document;
  const headers = { 'x-api-key': server.key, 'anthropic-version': '2023-06-01' };
  const list = async (path: string): Promise<{ id: string }> =>
    ((await (await fetch(server.url + path, { headers })).json()) as { data: [{ id: string }] }).data[0];
  const workspaces = '/v1/organizations/workspaces?include_default=true';
  const [workspace, key] = [await list(workspaces), await list('/v1/organizations/api_keys')];
  const reports = `starting_at=${new Date().toISOString().slice(0, 10)}T00:00:00Z`;
  const batch = '/v1/messages/batches/{id}';

  const calls: readonly Call[] = [
    { template: '/v1/messages', method: 'POST', body: paramsOf('Hello') },
    { template: '/v1/messages', method: 'POST', body: '{}' },
    { template: '/v1/messages', method: 'POST', body: paramsOf('Hello').replace('{', '{"stream":true,') },
    {
      template: '/v1/messages/count_tokens',
      method: 'POST',
      body: '{"model":"m","messages":[{"role":"user","content":"x"}]}',
    },
    { template: '/v1/messages/batches', method: 'POST', body: bodyOf(requests) },
    { template: '/v1/messages/batches' },
    { template: batch, path: `/v1/messages/batches/${id}` },
    { template: batch, path: '/v1/messages/batches/unknown' },
    { template: `${batch}/cancel`, path: `/v1/messages/batches/${id}/cancel`, method: 'POST' },
    { template: `${batch}/results`, path: `/v1/messages/batches/${id}/results` },
    { template: `${batch}/results/partial`, path: `/v1/messages/batches/${id}/results/partial` },
    { template: `${batch}/usage`, path: `/v1/messages/batches/${id}/usage` },
    { template: '/v1/models' },
    { template: '/v1/models/{model}', path: '/v1/models/claude-haiku-4-5' },
    { template: '/v1/organizations/me' },
    { template: '/v1/organizations/workspaces', path: workspaces },
    { template: '/v1/organizations/workspaces/{id}', path: `/v1/organizations/workspaces/${workspace.id}` },
    { template: '/v1/organizations/api_keys' },
    { template: '/v1/organizations/api_keys/{id}', path: `/v1/organizations/api_keys/${key.id}` },
    { template: '/v1/organizations/usage_report/messages', path: `/v1/organizations/usage_report/messages?${reports}` },
    { template: '/v1/organizations/cost_report', path: `/v1/organizations/cost_report?${reports}` },
    {
      template: '/v1/organizations/cost_report',
      path: `/v1/organizations/cost_report?${reports}&group_by[]=description`,
    },
    { template: '/healthz' },
    { template: '/readyz' },
    { template: '/metrics' },
    { template: batch, path: `/v1/messages/batches/${id}`, method: 'DELETE' },
  ];
  for (const { template, path = template, method = 'GET', body = null } of calls) {
    const answer = await fetch(server.url + path, { method, headers, body });
    const text = await answer.text();
    const type = answer.headers.get('content-type')?.split(';')[0] ?? '';
    const { responses } = document.paths[template][method.toLowerCase()];
    const schema = found(document, responses[answer.status] ?? responses.default).content?.[type]?.schema;
    assert.ok(schema, `${method} ${path}: ${answer.status} ${type} is not described`);
    const values = type.startsWith('text/')
      ? [text]
      : text
          .trim()
          .split('\n')
          .map((line): unknown => JSON.parse(line));
    for (const value of values) assert.deepEqual(faults(document, schema, value), [], `${method} ${path}: ${text}`);
  }
});

function found<T extends { readonly $ref?: string }>(document: Document, shape: T): T {
  if (shape.$ref === undefined) return shape;
  const names = shape.$ref.slice(2).split('/');
  return names.reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], document) as T;
}

/** The places where a value is not as the schema says, as far as our schemas go; none where all is well. */
function faults(document: Document, given: Schema, value: unknown): readonly string[] {
  const schema = found(document, given);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) {
    const tried = choices.map((choice) => faults(document, choice, value));
    return tried.toSorted((left, right) => left.length - right.length)[0];
  }
  if ('const' in schema) return value === schema.const ? [] : [`is not ${String(schema.const)}`];
  if (schema.enum !== undefined) return schema.enum.includes(value) ? [] : ['is none of the choices'];
  if (typeOf(value) !== schema.type) return [`is ${typeOf(value)}, not ${schema.type}`];
  if (Array.isArray(value) && schema.items !== undefined)
    return value.flatMap((item, at) => within(at, faults(document, schema.items!, item)));
  const { properties } = schema;
  if (properties === undefined) return [];
  const members = value as Readonly<Record<string, unknown>>;
  const missing = (schema.required ?? []).filter((name) => !(name in members)).map((name) => `${name} is missing`);
  const inside = Object.entries(members).flatMap(([name, member]) => {
    if (properties[name] !== undefined) return within(name, faults(document, properties[name], member));
    return given.$ref === OPEN || properties.input_tokens !== undefined ? [] : [`${name} is not described`];
  });
  return [...missing, ...inside];
}

function within(place: string | number, inner: readonly string[]): readonly string[] {
  return inner.map((fault) => `${place}.${fault}`);
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}
