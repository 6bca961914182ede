/** Keys at the door: what each scope opens, and what those that expired or were revoked hear. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Scope } from '../domain/key.ts';
import { KEY_CACHE_MS, KEY_REFUSED_QUIET_MS } from '../domain/limits.ts';
import { createApp, routes } from './app.ts';
import { AUTH, BATCH_ID, testDeps, testKey, type TestFace } from './fake-face.ts';

const batches = '/v1/messages/batches';

function holds(deps: TestFace, changes: Partial<typeof testKey>): void {
  for (const hash of deps.directory.known.keys()) deps.directory.known.set(hash, { ...testKey, ...changes });
}

async function errorOf(response: Response): Promise<[number, string, string]> {
  const { error } = (await response.json()) as { error: { type: string; message: string } };
  return [response.status, error.type, error.message];
}

test('each route asks for its scope, and a 403 names the one that is missing', async () => {
  const rows: [string, string, Scope][] = [
    ['POST', batches, 'batches'],
    ['GET', batches, 'results:read'],
    ['GET', `${batches}/${BATCH_ID}`, 'results:read'],
    ['DELETE', `${batches}/${BATCH_ID}`, 'batches'],
    ['POST', `${batches}/${BATCH_ID}/cancel`, 'batches'],
    ['GET', `${batches}/${BATCH_ID}/results`, 'results:read'],
    ['GET', `${batches}/${BATCH_ID}/results/partial`, 'results:read'],
    ['POST', '/v1/messages', 'messages'],
    ['POST', '/v1/messages/count_tokens', 'messages'],
    ['GET', '/v1/organizations/me', 'admin'],
    ['GET', '/v1/organizations/workspaces', 'admin'],
    ['GET', '/v1/organizations/workspaces/wrkspc_01a', 'admin'],
    ['GET', '/v1/organizations/api_keys', 'admin'],
    ['GET', '/v1/organizations/api_keys/apikey_01a', 'admin'],
    ['GET', '/v1/organizations/usage_report/messages', 'admin'],
    ['GET', '/v1/organizations/cost_report', 'admin'],
  ];
  for (const [method, path, scope] of rows) {
    const others = (['batches', 'messages', 'results:read', 'admin'] as const).filter(
      (other) => other !== scope && !(scope === 'results:read' && other === 'batches'),
    );
    const deps = testDeps();
    holds(deps, { scopes: others });
    const response = await createApp(deps).request(path, { method, headers: AUTH });
    assert.deepEqual(await errorOf(response), [
      403,
      'permission_error',
      `Your API key does not have permission to use the specified resource: it needs the scope "${scope}".`,
    ]);
  }
  const deps = testDeps();
  holds(deps, { scopes: ['results:read'] });
  assert.equal((await createApp(deps).request(`${batches}/${BATCH_ID}`, { headers: AUTH })).status, 200);
});

test('no route of the API opens without a key, and none but the models to a key without scopes', async () => {
  const deps = testDeps();
  holds(deps, { scopes: [] });
  const app = createApp(deps);
  const open: string[] = [];
  const anyKey: string[] = [];
  for (const [route, handlers] of Object.entries(routes)) {
    const path = route.replace(/:\w+(\{.*\})?/, 'x');
    const methods = Object.keys(handlers);
    for (const method of methods.includes('GET') ? [...methods, 'HEAD'] : methods) {
      for (const place of [path, `${path}/`, `${path}?beta=true`]) {
        const without = await app.request(place, { method });
        if (without.status !== 401) open.push(path);
        const { status } = await app.request(place, { method, headers: AUTH });
        if (without.status === 401 && status !== 403) anyKey.push(path);
      }
    }
  }
  assert.deepEqual([...new Set(open)], ['/healthz', '/readyz', '/metrics', '/openapi.json']);
  assert.deepEqual([...new Set(anyKey)], ['/v1/models', '/v1/models/x']);
});

test('an expired and a revoked key hear what an unknown one hears; the log hears why, once a minute', async () => {
  const deps = testDeps();
  const app = createApp(deps);
  const get = () => app.request(batches, { headers: AUTH });
  holds(deps, { expiresAt: (deps.world.clock.wallMs() + 60_000) * 1_000 });
  assert.equal((await get()).status, 200);
  deps.world.aheadMs = 60_001;
  assert.deepEqual(await errorOf(await get()), [401, 'authentication_error', 'API key is invalid.']);
  await get();
  const told = () => deps.world.events.filter((event) => event.kind === 'key_refused');
  assert.deepEqual(
    told().map(({ reason, keyId, workspaceId }) => [reason, keyId, workspaceId]),
    [['expired', 'apikey_01a', 'wrkspc_01a']],
  );
  holds(deps, { revokedAt: 1 });
  deps.world.aheadMs += KEY_CACHE_MS + KEY_REFUSED_QUIET_MS;
  assert.equal((await get()).status, 401);
  assert.equal(told()[1]?.reason, 'revoked');
});

test('a key that is taken away is refused within a second', async () => {
  const deps = testDeps();
  const app = createApp(deps);
  const status = async () => (await app.request(batches, { headers: AUTH })).status;
  assert.equal(await status(), 200);
  holds(deps, { revokedAt: 1 });
  deps.world.aheadMs = KEY_CACHE_MS;
  assert.ok(KEY_CACHE_MS < 1_000);
  assert.equal(await status(), 401);
});
