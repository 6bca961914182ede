import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { createApp, routes } from './app.ts';
import { testDeps } from './fake-face.ts';
import { openApiDocument } from './openapi.ts';
import { routeTexts } from './openapi-routes.ts';

const served = Object.entries(routes).flatMap(([path, methods]) =>
  Object.keys(methods).map((method) => ({ method, path, scope: 'any' })),
);
const document = openApiDocument(served, '0');

test('every route is described, and nothing else is', () => {
  const names = served.map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(Object.keys(routeTexts).toSorted(), names.toSorted(), 'src/http/openapi-routes.ts');
  const operations = Object.values(document.paths as object).flatMap((path: object) => Object.values(path));
  assert.equal(operations.length, served.length);
  assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, served.length);
});

test('it is an OpenAPI 3.1 document', async () => {
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors));
});

test('every reference leads somewhere, and every schema is used', () => {
  const references = new Set(JSON.stringify(document).match(/#\/[\w/.-]+/g));
  for (const reference of references) {
    const found = reference
      .slice(2)
      .split('/')
      .reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], document);
    assert.ok(found, reference);
  }
  const { schemas } = document.components as { schemas: object };
  for (const name of Object.keys(schemas)) assert.ok(references.has(`#/components/schemas/${name}`), name);
});

test('anybody may read it', async () => {
  const face = testDeps();
  const response = await createApp(face).request('/openapi.json');
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'application/json');
  const { openapi, components } = (await response.json()) as typeof document & { components: { schemas: object } };
  assert.equal(openapi, '3.1.0');
  assert.ok('MessageParams' in components.schemas);
});
