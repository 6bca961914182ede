/** What every directory must do, as tests to be called for each adapter. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Directory, NewKey } from '../../src/ports/directory.ts';
import { FakeClock } from './catalog-fixtures.ts';

/** What a first start puts into an empty store; a later start with other ids must not change them. */
export type FirstIds = { readonly organizationId: string; readonly defaultWorkspaceId: string };

export type DirectoryStore = { open(firstStart: FirstIds): Promise<Directory>; destroy(): Promise<void> };

/** The store's clock stands where a new FakeClock stands. */
export type DirectorySubject = { readonly name: string; create(): Promise<DirectoryStore> };

const firstIds = { organizationId: '6f1a2f0e-7c8d-4f8a-9d0f-0a1b2c3d4e5f', defaultWorkspaceId: 'wrkspc_default' };
const otherIds = { organizationId: '00000000-0000-4000-8000-000000000000', defaultWorkspaceId: 'wrkspc_other' };
const now = Math.floor(new FakeClock().wallMs() * 1_000);
const made = { isDefault: false, createdAt: now, archivedAt: null };
const defaultWorkspace = { ...made, id: 'wrkspc_default', name: 'Default', weight: 1, isDefault: true };
const evaluations = { ...made, id: 'wrkspc_eval', name: 'Evaluations', weight: 2.5 };
const asked = { id: 'wrkspc_eval', name: 'Evaluations', weight: 2.5 };
const newKey: NewKey = {
  id: 'apikey_1',
  workspaceId: 'wrkspc_default',
  name: 'first',
  hint: 'sk-…abcd',
  scopes: ['admin', 'batches'],
  expiresAt: null,
  secretHash: 'aa',
};
const { secretHash: _hidden, ...shown } = newKey;
const key = { ...shown, scopes: ['batches', 'admin'], createdAt: now, revokedAt: null };

export function directorySuite(subject: DirectorySubject): void {
  type Check = (directory: Directory, store: DirectoryStore) => Promise<void>;
  const check = (name: string, body: Check) =>
    void test(name, async () => {
      const store = await subject.create();
      try {
        await body(await store.open(firstIds), store);
      } finally {
        await store.destroy();
      }
    });

  describe(`directory ${subject.name}: workspaces`, () => workspaceChecks(check));
  describe(`directory ${subject.name}: keys`, () => keyChecks(check));
}

type AddCheck = (name: string, body: (directory: Directory, store: DirectoryStore) => Promise<void>) => void;

function workspaceChecks(check: AddCheck): void {
  check(
    'the first start makes the organization and the default workspace, later starts keep them',
    async (first, store) => {
      for (const directory of [first, await store.open(otherIds)]) {
        assert.equal(await directory.organizationId(), firstIds.organizationId);
        assert.deepEqual(await directory.defaultWorkspace(), defaultWorkspace);
        assert.deepEqual(await directory.workspaces(), [defaultWorkspace]);
      }
    },
  );

  check('workspaces are made, listed and found', async (directory) => {
    assert.deepEqual(await directory.createWorkspace(asked), evaluations);
    assert.deepEqual(await directory.workspace('wrkspc_eval'), evaluations);
    assert.equal(await directory.workspace('wrkspc_none'), null);
    assert.deepEqual(await directory.workspaces(), [defaultWorkspace, evaluations]);
    assert.deepEqual(await directory.defaultWorkspace(), defaultWorkspace);
    await assert.rejects(directory.createWorkspace({ ...asked, name: 'Other' }));
  });

  check('a name is taken until its workspace is archived', async (directory) => {
    await directory.createWorkspace(asked);
    const second = { ...asked, id: 'wrkspc_2' };
    assert.equal(await directory.createWorkspace(second), 'name_taken');
    const renamed = { id: 'wrkspc_eval', name: 'Default', weight: null };
    assert.equal(await directory.updateWorkspace(renamed), 'name_taken');
    await directory.archiveWorkspace('wrkspc_eval');
    assert.deepEqual(await directory.createWorkspace(second), { ...evaluations, id: 'wrkspc_2' });
  });

  check('name and weight change, each by itself', async (directory) => {
    await directory.createWorkspace(asked);
    const id = 'wrkspc_eval';
    assert.deepEqual(await directory.updateWorkspace({ id, name: 'Evals', weight: null }), {
      ...evaluations,
      name: 'Evals',
    });
    const changed = { ...evaluations, name: 'Evals', weight: 4 };
    assert.deepEqual(await directory.updateWorkspace({ id, name: null, weight: 4 }), changed);
    assert.deepEqual(await directory.updateWorkspace({ id, name: 'Evals', weight: null }), changed);
    assert.deepEqual(await directory.workspace(id), changed);
    assert.equal(await directory.updateWorkspace({ id: 'wrkspc_none', name: null, weight: 1 }), 'unknown');
  });

  check('archiving revokes the keys, lasts, and is not for the default workspace', async (directory) => {
    await directory.createWorkspace(asked);
    await directory.addKey({ ...newKey, workspaceId: 'wrkspc_eval' });
    const archived = { ...evaluations, archivedAt: now };
    assert.deepEqual(await directory.archiveWorkspace('wrkspc_eval'), archived);
    assert.deepEqual(await directory.archiveWorkspace('wrkspc_eval'), archived);
    assert.deepEqual(await directory.workspaces(), [defaultWorkspace, archived]);
    assert.equal((await directory.key('aa'))?.revokedAt, now);
    await assert.rejects(directory.addKey({ ...newKey, workspaceId: 'wrkspc_eval', id: 'k', secretHash: 'bb' }));
    assert.equal(await directory.archiveWorkspace('wrkspc_none'), 'unknown');
    assert.equal(await directory.archiveWorkspace('wrkspc_default'), 'is_default');
  });
}

function keyChecks(check: AddCheck): void {
  check('a key is found by the hash of its secret, and only so', async (directory) => {
    assert.deepEqual(await directory.addKey(newKey), key);
    assert.deepEqual(await directory.key('aa'), key);
    assert.equal(await directory.key('bb'), null);
    assert.deepEqual(await directory.keys('wrkspc_default'), [key]);
    assert.deepEqual(await directory.keys('wrkspc_none'), []);
  });

  check('keys of all workspaces are listed together', async (directory) => {
    await directory.createWorkspace(asked);
    const second = { ...newKey, id: 'apikey_2', workspaceId: 'wrkspc_eval', expiresAt: now + 5, hint: null };
    await directory.addKey(newKey);
    const { secretHash: _, ...stored } = { ...second, ...key, id: 'apikey_2', workspaceId: 'wrkspc_eval' };
    const other = { ...stored, expiresAt: now + 5, hint: null };
    assert.deepEqual(await directory.addKey({ ...second, secretHash: 'bb' }), other);
    assert.deepEqual(await directory.keys(null), [key, other]);
    assert.deepEqual(await directory.keys('wrkspc_eval'), [other]);
  });

  check('the same secret added again to its workspace changes nothing', async (directory) => {
    await directory.addKey(newKey);
    assert.deepEqual(await directory.addKey({ ...newKey, id: 'apikey_2', name: 'again', hint: 'other' }), key);
    assert.deepEqual(await directory.keys('wrkspc_default'), [key]);
  });

  check('a revoked key is still known, stays revoked, and is not made good by adding it again', async (directory) => {
    await directory.addKey(newKey);
    const revoked = { ...key, revokedAt: now };
    assert.deepEqual(await directory.revokeKey('apikey_1'), revoked);
    assert.deepEqual(await directory.revokeKey('apikey_1'), revoked);
    assert.deepEqual(await directory.addKey(newKey), revoked);
    assert.deepEqual(await directory.key('aa'), revoked);
    assert.equal(await directory.revokeKey('apikey_none'), null);
  });

  check('a secret opens one workspace', async (directory) => {
    await directory.createWorkspace(asked);
    await directory.addKey(newKey);
    await assert.rejects(directory.addKey({ ...newKey, id: 'apikey_2', workspaceId: 'wrkspc_eval' }), {
      name: 'AppError',
      code: 'invalid_request',
    });
    assert.deepEqual(await directory.key('aa'), key);
  });

  check('a key of an unknown workspace is refused', async (directory) => {
    await assert.rejects(directory.addKey({ ...newKey, workspaceId: 'wrkspc_none' }));
  });

  check('what another process adds or revokes is seen at once', async (directory, store) => {
    const other = await store.open(firstIds);
    await other.addKey(newKey);
    assert.deepEqual(await directory.key('aa'), key);
    await other.revokeKey('apikey_1');
    assert.equal((await directory.key('aa'))?.revokedAt, now);
  });
}
