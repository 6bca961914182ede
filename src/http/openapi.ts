/** `GET /openapi.json`: the document of every route, written from the routes themselves and from the table that validates params. */
import { paramsComponents } from '../dialects/schema/json-schema.ts';
import { errorCatalogue } from '../domain/errors.ts';
import { queryParameters, requestHeaders, routeTexts, type RouteText } from './openapi-routes.ts';
import { answers, ref, type Shape } from './openapi-shapes.ts';

/** A route as app.ts knows it: `scope` is null where anybody may call. */
export type RouteFact = { readonly method: string; readonly path: string; readonly scope: string | null };

export function openApiDocument(routes: readonly RouteFact[], version: string): Shape {
  const paths: Record<string, Record<string, Shape>> = {};
  for (const route of routes) {
    const said = routeTexts[`${route.method} ${route.path}`];
    if (said === undefined) continue;
    (paths[templateOf(route.path)] ??= {})[route.method.toLowerCase()] = operation(route, said);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Nightshift',
      version,
      summary: 'The Message Batches API as software anyone can run.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ apiKey: [] }, { bearer: [] }],
    tags: [...new Set(Object.values(routeTexts).map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { ...answers, ...paramsComponents(), Text: { type: 'string' }, Document: { type: 'object' } },
      parameters: { version: versionHeader, beta: betaHeader, workspace: workspaceHeader },
      responses: { Error: errorResponse },
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
        bearer: { type: 'http', scheme: 'bearer' },
      },
    },
  };
}

const versionHeader = {
  name: 'anthropic-version',
  in: 'header',
  required: true,
  schema: { enum: ['2023-01-01', '2023-06-01', '2026-10-21'] },
};

const betaHeader = {
  name: 'anthropic-beta',
  in: 'header',
  required: false,
  description: 'Names of betas, with commas between them. Unknown ones are sent on, unless the server is strict.',
  schema: { type: 'string' },
};

const workspaceHeader = {
  name: 'anthropic-workspace-id',
  in: 'header',
  required: false,
  description: "The key's own workspace; another is refused.",
  schema: { type: 'string' },
};

const text = { schema: { type: 'string' } };
const requestId = { description: 'Names this call in the log.', ...text };

const statuses = [...new Set(Object.values(errorCatalogue).map(({ status }) => status))].toSorted(
  (left, right) => left - right,
);

const errorResponse = {
  description: `An error: ${statuses.join(', ')}.`,
  headers: { 'request-id': requestId, 'retry-after': text },
  content: { 'application/json': { schema: ref('ErrorResponse') } },
};

/** `:id` and `:model{.+}` are `{id}` and `{model}` here. */
function templateOf(path: string): string {
  return path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, '{$1}');
}

function operation({ path, scope }: RouteFact, said: RouteText): Shape {
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name]) => name);
  const isApi = scope !== null;
  const parameters = [
    ...names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
    ...(said.query ?? []).map((name) => ({ name, in: 'query', required: false, ...queryParameters[name] })),
    ...(said.sends ?? []).map((name) => ({ name, in: 'header', required: false, ...requestHeaders[name] })),
    ...(isApi ? ['version', 'beta', 'workspace'].map((name) => ({ $ref: `#/components/parameters/${name}` })) : []),
  ];
  return {
    operationId: said.id,
    tags: [said.tag],
    summary: said.summary,
    ...(isApi ? { description: scopeText(scope) } : { security: [] }),
    parameters,
    ...(said.body === undefined ? {} : { requestBody: requestBody(said.body, said.bodyLine) }),
    responses: { ...successes(said), ...(isApi ? { default: { $ref: '#/components/responses/Error' } } : {}) },
  };
}

function scopeText(scope: string): string {
  return scope === 'any' ? 'For every key.' : `For keys with the scope \`${scope}\`.`;
}

function requestBody(body: string, line: string | undefined): Shape {
  const lines = line === undefined ? {} : { 'application/x-jsonl': { schema: ref(line) } };
  return { required: true, content: { 'application/json': { schema: ref(body) }, ...lines } };
}

function successes({ answer, types = ['application/json'], headers = [], also = {} }: RouteText): Shape {
  const told = { 'request-id': requestId, ...Object.fromEntries(headers.map((name) => [name, text])) };
  const content = Object.fromEntries(
    types.map((type) => [type, { schema: ref(type === 'text/event-stream' ? 'Text' : answer) }]),
  );
  const others = Object.entries(also).map(([status, description]) => [
    status,
    { description, headers: told, ...(status === '204' || status === '304' ? {} : { content }) },
  ]);
  return { 200: { description: 'Success.', headers: told, content }, ...Object.fromEntries(others) };
}
