/** What every directory must do, as tests to be called for each adapter. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Directory } from '../../src/ports/directory.ts';

/** What a first start puts into an empty store; a later start with other ids must not change them. */
export type FirstIds = { readonly organizationId: string; readonly defaultWorkspaceId: string };

export type DirectoryStore = { open(firstStart: FirstIds): Promise<Directory>; destroy(): Promise<void> };

export type DirectorySubject = { readonly name: string; create(): Promise<DirectoryStore> };

const firstIds = { organizationId: '6f1a2f0e-7c8d-4f8a-9d0f-0a1b2c3d4e5f', defaultWorkspaceId: 'wrkspc_default' };
const otherIds = { organizationId: '00000000-0000-4000-8000-000000000000', defaultWorkspaceId: 'wrkspc_other' };
const defaultWorkspace = { id: 'wrkspc_default', name: 'Default', weight: 1 };
const key = { id: 'apikey_1', workspaceId: 'wrkspc_default', name: 'first' };

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

  describe(`directory ${subject.name}`, () => {
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
      const made = { id: 'wrkspc_eval', name: 'Evaluations', weight: 2.5 };
      assert.deepEqual(await directory.createWorkspace(made), made);
      assert.deepEqual(await directory.workspace('wrkspc_eval'), made);
      assert.equal(await directory.workspace('wrkspc_none'), null);
      assert.deepEqual(await directory.workspaces(), [defaultWorkspace, made]);
      assert.deepEqual(await directory.defaultWorkspace(), defaultWorkspace);
      await assert.rejects(directory.createWorkspace(made));
    });

    check('a key is found by the hash of its secret, and only so', async (directory) => {
      assert.deepEqual(await directory.addKey({ ...key, secretHash: 'aa' }), key);
      assert.deepEqual(await directory.key('aa'), key);
      assert.equal(await directory.key('bb'), null);
      assert.deepEqual(await directory.keys('wrkspc_default'), [key]);
      assert.deepEqual(await directory.keys('wrkspc_none'), []);
    });

    check('the same secret added again to its workspace changes nothing', async (directory) => {
      await directory.addKey({ ...key, secretHash: 'aa' });
      assert.deepEqual(await directory.addKey({ ...key, id: 'apikey_2', name: 'again', secretHash: 'aa' }), key);
      assert.deepEqual(await directory.keys('wrkspc_default'), [key]);
    });

    check('a secret opens one workspace', async (directory) => {
      await directory.createWorkspace({ id: 'wrkspc_eval', name: 'Evaluations', weight: 1 });
      await directory.addKey({ ...key, secretHash: 'aa' });
      await assert.rejects(directory.addKey({ ...key, id: 'apikey_2', workspaceId: 'wrkspc_eval', secretHash: 'aa' }), {
        name: 'AppError',
        code: 'invalid_request',
      });
      assert.deepEqual(await directory.key('aa'), key);
    });

    check('a key of an unknown workspace is refused', async (directory) => {
      await assert.rejects(directory.addKey({ ...key, workspaceId: 'wrkspc_none', secretHash: 'aa' }));
    });

    check('a key added by another process is seen at once', async (directory, store) => {
      const other = await store.open(firstIds);
      await other.addKey({ ...key, secretHash: 'aa' });
      assert.deepEqual(await directory.key('aa'), key);
    });
  });
}
