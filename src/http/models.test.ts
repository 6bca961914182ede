import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApp } from './app.ts';
import { AUTH, testDeps } from './fake-face.ts';
import { displayName, isSameModel, lineOf, newestFirst, snapshotDay } from './model-names.ts';

const names = ['zebra', 'Qwen/Qwen3-8B', 'claude-haiku-4-5-20251001', 'claude-opus-5', 'claude-next-9-20301231'];
/** The provider's by version; of the others snapshots first, then by name. */
const inOrder = ['claude-opus-5', 'claude-haiku-4-5-20251001', 'claude-next-9-20301231', 'Qwen/Qwen3-8B', 'zebra'];

type Page = { data: { id: string }[]; has_more: boolean; first_id: string | null; last_id: string | null };

async function get(path: string, mapped: readonly string[] = []): Promise<Response> {
  const deps = testDeps({ models: { names: async () => names, isMapped: (name) => mapped.includes(name) } });
  return await createApp(deps).request(`/v1/models${path}`, { headers: AUTH });
}

async function page(query: string): Promise<Page> {
  const response = await get(query);
  assert.equal(response.status, 200, query);
  return (await response.json()) as Page;
}

test('the list is a page like the others, forwards and backwards', async () => {
  const whole = await page('');
  assert.deepEqual(
    whole.data.map(({ id }) => id),
    inOrder,
  );
  assert.deepEqual([whole.has_more, whole.first_id, whole.last_id], [false, inOrder[0], inOrder[4]]);

  const seen: string[] = [];
  for (let query = '?limit=2', more = true; more;) {
    const next = await page(query);
    seen.push(...next.data.map(({ id }) => id));
    more = next.has_more;
    query = `?limit=2&after_id=${encodeURIComponent(next.last_id ?? '')}`;
  }
  assert.deepEqual(seen, inOrder);

  const before = await page('?limit=2&before_id=zebra');
  assert.deepEqual([before.data.map(({ id }) => id), before.has_more], [inOrder.slice(2, 4), true]);
  const first = await page(`?before_id=${inOrder[1]}`);
  assert.deepEqual([first.data.map(({ id }) => id), first.has_more], [[inOrder[0]], false]);
  assert.deepEqual(await page('?after_id=zebra'), { data: [], has_more: false, first_id: null, last_id: null });
  assert.equal((await page('?lifecycle[]=retired')).data.length, 0);
  assert.equal((await page('?lifecycle[]=retired&lifecycle[]=active&beta=true')).data.length, 5);
});

test('a query that means nothing is refused', async () => {
  for (const query of [
    '?limit=0',
    '?limit=1001',
    '?limit=x',
    '?after_id=nobody',
    '?before_id=nobody',
    '?after_id=zebra&before_id=zebra',
  ]) {
    const response = await get(query);
    assert.equal(response.status, 400, query);
    assert.equal(((await response.json()) as { error: { type: string } }).error.type, 'invalid_request_error');
  }
});

test('one model, with every member the SDKs expect', async () => {
  const response = await get('/claude-haiku-4-5-20251001');
  assert.deepEqual(await response.json(), {
    id: 'claude-haiku-4-5-20251001',
    type: 'model',
    display_name: 'Claude Haiku 4.5',
    created_at: '2025-10-01T00:00:00Z',
    lifecycle: 'active',
    line: 'haiku',
    deprecated_at: null,
    retires_at: null,
    max_input_tokens: 200_000,
    max_tokens: 64_000,
    capabilities: null,
  });
});

test('a model is found by its alias, by a name with slashes, and by a rule that maps the name', async () => {
  const rows = [
    ['claude-haiku-4-5', 'claude-haiku-4-5-20251001'],
    ['claude-haiku-4-5-latest', 'claude-haiku-4-5-20251001'],
    ['Qwen/Qwen3-8B', 'Qwen/Qwen3-8B'],
    ['Qwen%2FQwen3-8B', 'Qwen/Qwen3-8B'],
    ['zebra/', 'zebra'],
    ['mapped', 'mapped'],
  ] as const;
  for (const [asked, id] of rows) {
    const response = await get(`/${asked}`, ['mapped']);
    assert.equal(response.status, 200, asked);
    const model = (await response.json()) as { id: string; display_name: string };
    assert.equal(model.id, id);
  }
});

test('an unknown model is a 404 that names it', async () => {
  for (const asked of ['nobody', 'claude-haiku-4-5-20240101', '%E0%A4%A', 'a/b/c']) {
    const response = await get(`/${asked}`);
    assert.equal(response.status, 404, asked);
    const { error } = (await response.json()) as { error: { type: string; message: string } };
    assert.equal(error.type, 'not_found_error');
    assert.match(error.message, /^model: ./);
  }
});

test('names tell of themselves what the API tells of its own', () => {
  const rows = [
    ['claude-haiku-4-5-20251001', 'Claude Haiku 4.5', 'haiku', '2025-10-01'],
    ['claude-opus-5', 'Claude Opus 5', 'opus', null],
    ['claude-3-5-haiku-latest', 'Claude Haiku 3.5', 'haiku', null],
    ['claude-mythos-preview', 'claude-mythos-preview', null, null],
    ['qwen3:8b', 'qwen3:8b', null, null],
    ['gpt-4o-20991399', 'gpt-4o-20991399', null, null],
  ] as const;
  for (const [name, shown, line, day] of rows) {
    assert.deepEqual([displayName(name), lineOf(name), snapshotDay(name)], [shown, line, day], name);
  }
  assert.equal(isSameModel('claude-haiku-4-5', 'claude-haiku-4-5-20251001'), true);
  assert.equal(isSameModel('claude-haiku-4-5-20240101', 'claude-haiku-4-5-20251001'), false);
  assert.deepEqual(newestFirst(['b', 'claude-opus-4-8', 'a', 'claude-opus-5', 'claude-3-haiku', 'claude-opus-5-5']), [
    'claude-opus-5-5',
    'claude-opus-5',
    'claude-opus-4-8',
    'claude-3-haiku',
    'a',
    'b',
  ]);
});
