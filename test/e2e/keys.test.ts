/** Workspaces and keys by command beside a running server: good and refused within a second, and the Admin API's view of them. */
import Anthropic, { PermissionDeniedError } from '@anthropic-ai/sdk';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { scratchFolder } from '../support/scratch-folder.ts';
import { outsideEnvironment, startServer, type Server } from '../support/server.ts';
import { root } from '../support/sources.ts';
import { until } from '../support/until.ts';

const SECOND_MS = 1_000;
const batches = '/v1/messages/batches';

type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

function nightshift(data: string, ...argv: string[]): Promise<Ran> {
  return run(...argv, '--data', data);
}

function run(...argv: string[]): Promise<Ran> {
  const command = [path.join(root, 'bin', 'nightshift.js'), ...argv];
  const options = { env: outsideEnvironment(), cwd: path.join(root, 'test') };
  return new Promise((resolve) => {
    execFile(process.execPath, command, options, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
  });
}

async function done(data: string, ...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await nightshift(data, ...argv);
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

function get(server: Server, key: string, target = batches): Promise<Response> {
  return fetch(`${server.url}${target}`, { headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01' } });
}

function refusedWithin(server: Server, key: string): Promise<true> {
  return until({
    what: 'the key is refused',
    withinMs: SECOND_MS,
    ask: async () => {
      const response = await get(server, key);
      const body = (await response.json()) as { error?: object };
      if (response.status === 200) return false;
      assert.deepEqual(
        [response.status, body.error],
        [401, { type: 'authentication_error', message: 'API key is invalid.' }],
      );
      return true;
    },
  });
}

test('a workspace and its key are made, used, revoked and archived while the server runs', async (t) => {
  const server = await startServer(t);
  const id = await done(server.data, 'workspaces', 'create', 'evaluations', '--weight', '2');
  assert.match(id, /^wrkspc_01\w+$/);
  const key = await done(server.data, 'keys', 'create', '--workspace', 'evaluations', '--name', 'ci');
  const used = await get(server, key);
  assert.deepEqual([used.status, used.headers.get('anthropic-workspace-id')], [200, id]);

  const [listed] = JSON.parse(await done(server.data, 'keys', 'list', '--workspace', id, '--json')) as [
    { id: string; partial_key_hint: string; scopes: string[] },
  ];
  assert.deepEqual(listed.scopes, ['batches', 'messages']);
  assert.equal(listed.partial_key_hint, `sk-nightshift-…${key.slice(-4)}`);
  await done(server.data, 'keys', 'revoke', listed.id);
  await refusedWithin(server, key);
  await until({
    what: 'the log says why',
    withinMs: SECOND_MS,
    ask: async () => server.log().includes('"reason":"revoked"') && server.log().includes(listed.id),
  });

  const second = await done(server.data, 'keys', 'create', '--workspace', id);
  assert.equal((await get(server, second)).status, 200);
  await done(server.data, 'workspaces', 'archive', 'evaluations');
  await refusedWithin(server, second);
  assert.equal((await get(server, server.key)).status, 200);
  for (const secret of [key, second]) assert(!server.log().includes(secret));
  await until({
    what: 'the weight is news to the scheduler',
    withinMs: SECOND_MS,
    ask: async () => server.log().includes('weight changed'),
  });
});

test('a key may do what its scopes say, and not a moment longer than it lasts', async (t) => {
  const server = await startServer(t);
  const reader = await done(server.data, 'keys', 'create', '--scope', 'results:read');
  const short = await done(server.data, 'keys', 'create', '--expires', '1500ms');
  assert.equal((await get(server, reader)).status, 200);
  const client = new Anthropic({ apiKey: reader, baseURL: server.url, maxRetries: 0 });
  await assert.rejects(
    client.messages.batches.create({ requests: [] }),
    (error: unknown) =>
      error instanceof PermissionDeniedError && error.message.includes('it needs the scope \\"batches\\"'),
  );
  const refused = await get(server, reader, '/v1/organizations/me');
  assert.equal(refused.status, 403);
  await until({
    what: 'the short key has run out',
    withinMs: 2_500,
    ask: async () => (await get(server, short)).status === 401,
  });
});

test("the Admin API's read side, as the SDK calls it", async (t) => {
  const server = await startServer(t);
  const id = await done(server.data, 'workspaces', 'create', 'evaluations');
  const gone = await done(server.data, 'workspaces', 'create', 'gone');
  await done(server.data, 'workspaces', 'archive', gone);
  await done(server.data, 'keys', 'create', '--workspace', id, '--name', 'ci', '--expires', '30d');
  const { organization } = new Anthropic({ apiKey: server.key, baseURL: server.url, maxRetries: 0 });

  const me = await organization.retrieve();
  assert.match(me.id, /^[\da-f-]{36}$/);
  assert.deepEqual([me.type, me.name], ['organization', 'Nightshift']);
  const names = async (query: object) => {
    const found = [];
    for await (const { name } of organization.workspaces.list(query)) found.push(name);
    return found.toSorted();
  };
  assert.deepEqual(await names({}), ['evaluations']);
  assert.deepEqual(await names({ include_archived: true, include_default: true, limit: 1 }), [
    'Default',
    'evaluations',
    'gone',
  ]);
  const workspace = await organization.workspaces.retrieve(id);
  assert.deepEqual([workspace.type, workspace.name, workspace.archived_at], ['workspace', 'evaluations', null]);

  const keys = [];
  for await (const key of organization.apiKeys.list({ limit: 1 })) keys.push(key);
  assert.deepEqual(keys.map(({ name }) => name).toSorted(), ['ci', 'first key']);
  const [ci] = keys.filter(({ name }) => name === 'ci');
  assert.deepEqual(ci?.scope, { type: 'workspace', workspace_id: id });
  assert.deepEqual(await organization.apiKeys.retrieve(String(ci?.id)), ci);
  const page = await organization.apiKeys.list({ workspace_id: id, status: 'active' });
  assert.deepEqual(page.data, [ci]);
  assert.deepEqual((await organization.apiKeys.list({ status: 'archived' })).data, []);
});

test('what is wrong on the command line is said, with what to do and the right exit code', async (t) => {
  const empty = await scratchFolder(t);
  const missing = await nightshift(empty, 'keys', 'create');
  assert.deepEqual([missing.code, missing.stdout], [1, '']);
  assert.match(missing.stderr, /^error: there is no catalog in .*\nhint: .*--data/);
  const { data } = await startServer(t);
  await done(data, 'workspaces', 'create', 'evaluations');
  const rows: [string[], number, RegExp][] = [
    [
      ['keys', 'create', '--workspace', 'evaluatons'],
      1,
      /no workspace "evaluatons"\nhint: Did you mean "evaluations"\?/,
    ],
    [
      ['keys', 'create', '--scope', 'everything'],
      2,
      /--scope: "everything" is not accepted\nhint: Expected one of batches/,
    ],
    [['keys', 'create', '--expires', 'tomorrow'], 2, /--expires: .*\nhint: Expected a duration like/],
    [['keys', 'revoke', 'apikey_none'], 1, /no key apikey_none\nhint: See: nightshift keys list/],
    [['keys', 'revoke', 'sk-hunter2'], 1, /by their id/],
    [['keys', 'forget'], 2, /unknown command 'forget'/],
    [['workspaces', 'create', 'evaluations'], 1, /there is a workspace "evaluations" already/],
    [['workspaces', 'create', 'x', '--weight', '0'], 2, /--weight: "0" is not accepted/],
    [['workspaces', 'archive', 'Default'], 1, /the default workspace cannot be archived/],
    [['workspaces', 'update', 'evaluations'], 2, /nothing is to be changed/],
  ];
  const runs = await Promise.all(rows.map(([argv]) => nightshift(data, ...argv)));
  for (const [index, [argv, code, message]] of rows.entries()) {
    const ran = runs[index]!;
    assert.deepEqual([ran.code, ran.stdout], [code, ''], argv.join(' '));
    assert.match(ran.stderr, message);
    assert.doesNotMatch(ran.stderr, /hunter2|\n {4}at /);
  }
});

test('the data folder is found as the server finds it, and what only its upstreams need may be missing', async (t) => {
  const { data } = await startServer(t);
  const config = path.join(await scratchFolder(t), 'nightshift.config.json');
  const upstreams = { a: { protocol: 'anthropic', url: 'http://127.0.0.1:1', apiKeyEnv: 'NOT_SET_HERE' } };
  await writeFile(config, JSON.stringify({ server: { data }, upstreams }));
  const named = await run('keys', 'list', '--config', config);
  assert.match(named.stdout, /^ID .*\napikey_01\w+ +first key +Default/);
  assert.equal((await run('keys', 'list', '--config', `${config}.none`)).code, 2);
  assert.equal((await run('keys')).code, 2);
});

test('revoking the last key of the default workspace is warned of; the next start says so too', async (t) => {
  const server = await startServer(t);
  const [first] = JSON.parse(await done(server.data, 'keys', 'list', '--json')) as [{ id: string }];
  const { stderr } = await nightshift(server.data, 'keys', 'revoke', first.id);
  assert.match(stderr, /warning: the default workspace has no key any more/);
  await refusedWithin(server, server.key);
  const key = await done(server.data, 'keys', 'create');
  assert.equal((await get(server, key)).status, 200);
  await server.stop();
  const again = await startServer(t, { data: server.data });
  await until({
    what: 'the log warns',
    withinMs: SECOND_MS,
    ask: async () => again.log().includes('first key useless'),
  });
  assert.equal((await get(again, again.key)).status, 401);
  assert.equal((await get(again, key)).status, 200);
});
