/** `GET /openapi.json`: the document of every route, written from the routes themselves and from the table that validates params. */
import { paramsComponents } from '../dialects/schema/json-schema.ts';
import { errorCatalogue } from '../domain/errors.ts';
import { queryParameters, routeTexts, type RouteText } from './openapi-routes.ts';
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
      parameters: { version: versionHeader, beta: betaHeader },
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
    ...(isApi ? [{ $ref: '#/components/parameters/version' }, { $ref: '#/components/parameters/beta' }] : []),
  ];
  return {
    operationId: said.id,
    tags: [said.tag],
    summary: said.summary,
    ...(isApi ? { description: scopeText(scope) } : { security: [] }),
    parameters,
    ...(said.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: ref(said.body) } } } }),
    responses: { 200: success(said), ...(isApi ? { default: { $ref: '#/components/responses/Error' } } : {}) },
  };
}

function scopeText(scope: string): string {
  return scope === 'any' ? 'For every key.' : `For keys with the scope \`${scope}\`.`;
}

function success({ answer, types = ['application/json'], headers = [] }: RouteText): Shape {
  return {
    description: 'Success.',
    headers: { 'request-id': requestId, ...Object.fromEntries(headers.map((name) => [name, text])) },
    content: Object.fromEntries(types.map((type) => [type, { schema: ref(answer) }])),
  };
}
