import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Key, Workspace } from '../ports/directory.ts';
import { createApp } from './app.ts';
import { AUTH, testDeps, testKey } from './fake-face.ts';

const base = { weight: 1, isDefault: false, archivedAt: null };
const workspaces: Workspace[] = [
  { ...base, id: 'wrkspc_01a', name: 'Default', isDefault: true, createdAt: 1_000_000 },
  { ...base, id: 'wrkspc_01b', name: 'b', createdAt: 2_000_000 },
  { ...base, id: 'wrkspc_01c', name: 'c', createdAt: 3_000_000, archivedAt: 4_000_000 },
];
const keys: Key[] = [
  { ...testKey, id: 'apikey_1', createdAt: 1_000_000, hint: 'sk-…abcd' },
  { ...testKey, id: 'apikey_2', createdAt: 2_000_000, workspaceId: 'wrkspc_01b', revokedAt: 5 },
  { ...testKey, id: 'apikey_3', createdAt: 3_000_000, workspaceId: 'wrkspc_01b', expiresAt: 5_000_123 },
];

type Page = { data: { id: string }[]; has_more: boolean; first_id: string | null; last_id: string | null };

const app = (() => {
  const deps = testDeps();
  deps.directory.defaultWorkspace = async () => workspaces[0]!;
  deps.directory.workspaces = async () => workspaces;
  deps.directory.workspace = async (id) => workspaces.find((one) => one.id === id) ?? null;
  deps.directory.keys = async (id) => keys.filter(({ workspaceId }) => id === null || workspaceId === id);
  return createApp(deps);
})();

async function get<T>(target: string): Promise<T> {
  return (await (await app.request(`/v1/organizations/${target}`, { headers: AUTH })).json()) as T;
}

async function ids(target: string): Promise<string> {
  const { data, has_more } = await get<Page>(target);
  return `${data.map(({ id }) => id.at(-1)).join('')}${has_more ? '+' : ''}`;
}

test('the organization, without a workspace in the headers', async () => {
  const response = await app.request('/v1/organizations/me', { headers: AUTH });
  assert.equal(response.headers.get('anthropic-workspace-id'), null);
  const id = '7f3b1c1e-0000-4000-8000-000000000001';
  assert.equal(response.headers.get('anthropic-organization-id'), id);
  assert.deepEqual(await response.json(), { id, type: 'organization', name: 'Nightshift' });
});

test('a workspace in its documented shape', async () => {
  assert.deepEqual(await get('workspaces/wrkspc_01c'), {
    id: 'wrkspc_01c',
    type: 'workspace',
    name: 'c',
    created_at: '1970-01-01T00:00:03.000000Z',
    archived_at: '1970-01-01T00:00:04.000000Z',
    display_color: '#6C5BB9',
    compartment_id: '',
    data_residency: { workspace_geo: 'us', allowed_inference_geos: 'unrestricted', default_inference_geo: 'global' },
    external_key_id: null,
    tags: {},
    user_profile_id: null,
  });
});

test('a key in both shapes, with its state', async () => {
  const [third, second, first] = (await get<Page>('api_keys')).data as unknown as Record<string, unknown>[];
  assert.deepEqual(first, {
    id: 'apikey_1',
    type: 'api_key',
    name: 'first',
    workspace_id: null,
    scope: { type: 'workspace', workspace_id: 'wrkspc_01a' },
    created_at: '1970-01-01T00:00:01.000000Z',
    created_by: null,
    expires_at: null,
    partial_key_hint: 'sk-…abcd',
    principal: null,
    status: 'active',
  });
  assert.deepEqual([second?.['status'], third?.['status']], ['archived', 'expired']);
  assert.deepEqual([third?.['workspace_id'], third?.['expires_at']], ['wrkspc_01b', '1970-01-01T00:00:05.000123Z']);
  assert.deepEqual(await get('api_keys/apikey_1'), first);
});

test('lists are filtered', async () => {
  assert.equal(await ids('workspaces'), 'b');
  assert.equal(await ids('workspaces?include_archived=true'), 'cb');
  assert.equal(await ids('workspaces?include_archived=true&include_default=1'), 'cba');
  assert.equal(await ids('workspaces?include_default=true&ids[]=wrkspc_01a&ids[]=wrkspc_none'), 'a');
  assert.equal(await ids('api_keys?status=active'), '1');
  assert.equal(await ids('api_keys?status=archived'), '2');
  assert.equal(await ids('api_keys?status=inactive'), '');
  assert.equal(await ids('api_keys?workspace_id=wrkspc_01b'), '32');
});

test('pages go both ways, as those of batches do', async () => {
  assert.equal(await ids('api_keys?limit=2'), '32+');
  assert.equal(await ids('api_keys?limit=2&after_id=apikey_2'), '1');
  assert.equal(await ids('api_keys?limit=1&after_id=apikey_3'), '2+');
  assert.equal(await ids('api_keys?limit=1&before_id=apikey_1'), '2+');
  assert.equal(await ids('api_keys?before_id=apikey_2'), '3');
  assert.deepEqual(await get('api_keys?after_id=apikey_1'), {
    data: [],
    has_more: false,
    first_id: null,
    last_id: null,
  });
});

test('a cursor that its own filter shows no more still has its place', async () => {
  assert.equal(await ids('api_keys?status=active&after_id=apikey_2'), '1');
  assert.equal(await ids('api_keys?status=expired&before_id=apikey_2'), '3');
  assert.equal(await ids('workspaces?limit=1&after_id=wrkspc_01c'), 'b');
});

test('what is unknown or wrong is said', async () => {
  const message = async (target: string) => (await get<{ error: { message: string } }>(target)).error.message;
  assert.equal(await message('workspaces/wrkspc_none'), 'Workspace wrkspc_none not found.');
  assert.equal(await message('api_keys/apikey_none'), 'API key apikey_none not found.');
  assert.equal(await message('api_keys?after_id=x'), 'after_id: API key x not found.');
  assert.equal(await message('workspaces?before_id=x'), 'before_id: Workspace x not found.');
  assert.equal(
    await message('api_keys?status=odd'),
    "status: Input should be 'active', 'inactive', 'archived' or 'expired'",
  );
  assert.match(
    await message('workspaces?include_archived=perhaps'),
    /^include_archived: Input should be a valid boolean/,
  );
  assert.match(await message('workspaces?limit=0'), /^limit: /);
});
