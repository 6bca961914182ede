/** What every store of usage must do (ports/usage.ts), on an empty one. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { UsageRow } from '../../src/domain/tally.ts';
import type { Catalog } from '../../src/ports/catalog.ts';
import type { ReportQuery, Usages } from '../../src/ports/usage.ts';
import { acceptBatch, claimAll, FakeClock, sealOf, usageRow } from './catalog-fixtures.ts';

export type UsagesSubject = {
  readonly name: string;
  create(clock: FakeClock): Promise<{ catalog: Catalog; usage: Usages; destroy(): Promise<void> }>;
};

type Scene = { readonly catalog: Catalog; readonly usage: Usages; readonly clock: FakeClock };

/** The fake clock begins at a full day. */
const day = 1_800_000_000 - (1_800_000_000 % 86_400);

async function sealed(
  { catalog }: Scene,
  usage: readonly UsageRow[],
  owner: { workspaceId?: string; keyId?: string } = {},
): Promise<string> {
  const { id } = await acceptBatch(catalog, owner, [{ requests: 1 }]);
  const [span] = await claimAll(catalog, 'node', id);
  const done = [{ lease: span!.lease, requests: 1, items: [0] }];
  assert.equal((await catalog.seal(sealOf('node', done, { usage }))).kind, 'sealed');
  return id;
}

function queryOf(changes: Partial<ReportQuery> = {}): ReportQuery {
  return { from: day, to: day + 3 * 86_400, widthSeconds: 86_400, groupBy: [], only: {}, ...changes };
}

export function usagesSuite(subject: UsagesSubject): void {
  const inScene = (name: string, body: (scene: Scene) => Promise<void>) =>
    void test(name, async () => {
      const clock = new FakeClock();
      const store = await subject.create(clock);
      try {
        await body({ ...store, clock });
      } finally {
        await store.destroy();
      }
    });
  void suite(`usage ${subject.name}`, () => {
    inScene('U1: a seal counts once under its batch, its minute and its day', async (scene) => {
      const id = await sealed(scene, [usageRow(), usageRow({ model: 'model-b', band: 1 })]);
      const rows = await scene.usage.ofBatch('wrkspc_a', id);
      assert.deepEqual(
        rows?.map(({ model, band, billing, requests, inputTokens, day: at }) => [
          model,
          band,
          billing,
          requests,
          inputTokens,
          at,
        ]),
        [
          ['model-a', 0, 'own', 1, 10, day],
          ['model-b', 1, 'own', 1, 10, day],
        ],
      );
      for (const widthSeconds of [60, 3_600, 86_400] as const) {
        const [row, ...rest] = await scene.usage.report(queryOf({ widthSeconds }));
        assert.equal(rest.length, 0);
        const start = 1_800_000_000 - (1_800_000_000 % widthSeconds);
        assert.deepEqual([row?.start, row?.requests, row?.cacheCreation1hInputTokens], [start, 2, 2]);
      }
    });

    inScene('seals of one minute and key add up; of another minute they are another bucket', async (scene) => {
      await sealed(scene, [usageRow()]);
      await sealed(scene, [usageRow({ requests: 4, outputTokens: 100 })]);
      scene.clock.move(60_000);
      await sealed(scene, [usageRow()]);
      const rows = await scene.usage.report(queryOf({ widthSeconds: 60 }));
      assert.deepEqual(
        rows.map(({ requests, outputTokens }) => [requests, outputTokens]),
        [
          [5, 120],
          [1, 20],
        ],
      );
      assert.equal(rows[1]!.start - rows[0]!.start, 60);
    });

    inScene('U2: usage outlives its batch, and another workspace never sees it', async (scene) => {
      const id = await sealed(scene, [usageRow()]);
      await scene.catalog.transition({ batchId: id, transition: 'delete', from: ['ended'] });
      assert.equal((await scene.usage.ofBatch('wrkspc_a', id))?.length, 1);
      assert.equal(await scene.usage.ofBatch('wrkspc_b', id), null);
      assert.equal((await scene.usage.report(queryOf()))[0]?.requests, 1);
    });

    inScene('a batch without usage is not an unknown one', async (scene) => {
      const { id } = await acceptBatch(scene.catalog);
      assert.deepEqual(await scene.usage.ofBatch('wrkspc_a', id), []);
      assert.equal(await scene.usage.ofBatch('wrkspc_a', 'msgbatch_nobody'), null);
    });

    inScene('reports are grouped and filtered, and keep wasted attempts apart', async (scene) => {
      await sealed(scene, [usageRow(), usageRow({ wasted: true, requests: 3 })]);
      await sealed(scene, [usageRow({ model: 'model-b', requests: 2 })], {
        workspaceId: 'wrkspc_b',
        keyId: 'apikey_b',
      });
      const asked = async (changes: Partial<ReportQuery>) =>
        (await scene.usage.report(queryOf(changes))).map(({ requests, wasted }) => [requests, wasted]);
      assert.deepEqual(await asked({}), [
        [3, false],
        [3, true],
      ]);
      assert.deepEqual(await asked({ groupBy: ['model'] }), [
        [1, false],
        [3, true],
        [2, false],
      ]);
      assert.deepEqual(await asked({ only: { workspaceId: ['wrkspc_b', 'wrkspc_c'] } }), [[2, false]]);
      assert.deepEqual(await asked({ only: { keyId: ['apikey_a'], model: ['model-b'] } }), []);
      assert.deepEqual(await asked({ from: day + 86_400 }), []);
      const [row] = await scene.usage.report(
        queryOf({ groupBy: ['workspaceId', 'keyId', 'upstream', 'billing', 'tier', 'band'] }),
      );
      assert.deepEqual(
        [row?.workspaceId, row?.keyId, row?.upstream, row?.billing],
        ['wrkspc_a', 'apikey_a', 'local', 'own'],
      );
    });

    inScene('own prices are kept with their day, once for each change', async (scene) => {
      const price = { input: 100_000, output: 400_000, cacheRead: 0, cacheWrite: 100_000 };
      await scene.usage.keepOwnPrices([
        { upstream: 'gpu', price },
        { upstream: 'free', price: null },
      ]);
      assert.deepEqual(await scene.usage.ownPrices(), [{ upstream: 'gpu', day, price }]);
      scene.clock.move(86_400_000);
      await scene.usage.keepOwnPrices([{ upstream: 'gpu', price }]);
      await scene.usage.keepOwnPrices([{ upstream: 'gpu', price: null }]);
      assert.deepEqual(await scene.usage.ownPrices(), [
        { upstream: 'gpu', day, price },
        { upstream: 'gpu', day: day + 86_400, price: null },
      ]);
    });
  });
}
