// The reports and a batch's usage over HTTP, in-process, on a catalog in memory.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noUsage, type UsageRow } from '../domain/tally.ts';
import type { DatedUsage, ReportQuery, ReportRow, Usages } from '../ports/usage.ts';
import { createApp } from './app.ts';
import { AUTH, BATCH_ID, testDeps } from './fake-face.ts';

const day = Date.UTC(2026, 10, 20) / 1_000;

function usageOf(changes: Partial<UsageRow> = {}): UsageRow {
  const key = { model: 'claude-sonnet-4', upstream: 'api', billing: 'standard', tier: 'standard' } as const;
  return {
    ...key,
    band: 0,
    wasted: false,
    requests: 1,
    ...noUsage,
    inputTokens: 1_000_000,
    outputTokens: 100_000,
    ...changes,
  };
}

function rowOf(changes: Partial<ReportRow> = {}): ReportRow {
  return { ...usageOf(), start: day, workspaceId: 'wrkspc_01a', keyId: 'apikey_01a', ...changes };
}

type Body = {
  readonly data: readonly { readonly starting_at: string; readonly results: readonly object[] }[];
} & Record<string, unknown>;

function faceOf(usage: Partial<Usages>) {
  const deps = testDeps();
  deps.directory.defaultWorkspace = async () => ({ id: 'wrkspc_default' }) as never;
  const app = createApp({ ...deps, usage: { ...deps.usage, ...usage } });
  return async (path: string): Promise<{ status: number; body: Body }> => {
    const response = await app.request(path, { headers: AUTH });
    return { status: response.status, body: (await response.json()) as Body };
  };
}

const usagePath = '/v1/organizations/usage_report/messages';
const costPath = '/v1/organizations/cost_report';

test('the usage report has every bucket of its range, in the words of the Admin API', async () => {
  const asked: ReportQuery[] = [];
  const row = rowOf({ cacheCreationInputTokens: 5, cacheCreation1hInputTokens: 2, cacheReadInputTokens: 7 });
  const get = faceOf({
    report: async (query) => {
      asked.push(query);
      return [row, { ...row, wasted: true }];
    },
  });
  const query =
    'starting_at=2026-11-20T00:00:00Z&ending_at=2026-11-22T00:00:00Z&group_by[]=model&group_by[]=workspace_id';
  const { status, body } = await get(`${usagePath}?${query}&models[]=claude-sonnet-4`);
  assert.equal(status, 200);
  assert.deepEqual(body, {
    data: [
      {
        starting_at: '2026-11-20T00:00:00Z',
        ending_at: '2026-11-21T00:00:00Z',
        results: [
          {
            uncached_input_tokens: 1_000_000,
            cache_creation: { ephemeral_1h_input_tokens: 2, ephemeral_5m_input_tokens: 3 },
            cache_read_input_tokens: 7,
            output_tokens: 100_000,
            server_tool_use: { web_search_requests: 0 },
            api_key_id: null,
            workspace_id: 'wrkspc_01a',
            model: 'claude-sonnet-4',
            service_tier: null,
            context_window: null,
            inference_geo: null,
          },
        ],
      },
      { starting_at: '2026-11-21T00:00:00Z', ending_at: '2026-11-22T00:00:00Z', results: [] },
    ],
    has_more: false,
    next_page: null,
  });
  const [{ from, to, widthSeconds, groupBy, only }] = asked as [ReportQuery];
  assert.deepEqual([from, to, widthSeconds], [day, day + 2 * 86_400, 86_400]);
  assert.deepEqual([groupBy, only], [['model', 'workspaceId'], { model: ['claude-sonnet-4'] }]);
});

test('pages follow one another to the end of the range', async () => {
  const get = faceOf({});
  const starts: string[] = [];
  let page: unknown = '';
  do {
    const path = `${usagePath}?starting_at=2026-11-20T00:00:00Z&ending_at=2026-11-20T07:00:00Z&bucket_width=1h&limit=3&page=${page as string}`;
    const { body } = await get(path);
    starts.push(...body.data.map(({ starting_at: start }) => start));
    page = body['next_page'];
    assert.equal(body['has_more'], page !== null);
  } while (page !== null);
  assert.deepEqual(
    starts,
    Array.from({ length: 7 }, (_, hour) => `2026-11-20T0${hour}:00:00Z`),
  );
});

test('a tier that no batch has finds nothing', async () => {
  const get = faceOf({ report: async () => [rowOf()] });
  const range = `${usagePath}?starting_at=2026-11-20T00:00:00Z&ending_at=2026-11-21T00:00:00Z`;
  assert.equal((await get(`${range}&service_tiers[]=standard`)).body.data[0]!.results.length, 0);
  assert.equal((await get(`${range}&service_tiers[]=batch`)).body.data[0]!.results.length, 1);
});

test('a query that cannot be answered as asked is a 400 that names its part', async () => {
  const get = faceOf({});
  const start = 'starting_at=2026-11-20T00:00:00Z';
  const refused = {
    '': 'starting_at: Field required',
    'starting_at=yesterday': 'starting_at: Input should be a valid datetime',
    [`${start}&ending_at=2026-11-19T00:00:00Z`]: 'ending_at: Must be after starting_at',
    [`${start}&bucket_width=2d`]: "bucket_width: Input should be '1m', '1h' or '1d'",
    [`${start}&limit=32`]: 'limit: Input should be less than or equal to 31 for this bucket_width',
    [`${start}&limit=0`]: 'limit: Input should be greater than or equal to 1',
    [`${start}&limit=x`]: 'limit: Input should be a valid integer',
    [`${start}&page=zzz`]: 'page: Not a page of this report',
    [`${start}&context_window[]=0-200k`]: 'context_window[]: Extra inputs are not permitted',
    [`${start}&group_by[]=color`]: /^group_by\[\]: Input should be 'api_key_id'/,
  };
  for (const [query, message] of Object.entries(refused)) {
    const { status, body } = await get(`${usagePath}?${query}`);
    assert.equal(status, 400, query);
    assert.match(
      (body['error'] as { message: string }).message,
      typeof message === 'string' ? new RegExp(`^${RegExp.escape(message)}$`) : message,
    );
  }
});

test('the cost report tells what was spent, with its billing, and what batches would have been billed', async () => {
  const own = { upstream: 'gpu', billing: 'own', model: 'qwen3:8b' } as const;
  const get = faceOf({ report: async () => [rowOf(), rowOf(own), rowOf({ ...own, wasted: true })] });
  const { body } = await get(`${costPath}?starting_at=2026-11-20&ending_at=2026-11-21`);
  const results = body.data[0]!.results as readonly Record<string, unknown>[];
  assert.deepEqual(
    results.map(({ amount, currency, nightshift }) => [amount, currency, nightshift]),
    [
      [
        '450',
        'USD',
        {
          billing: 'standard',
          spent: { amount: '4.5', at_least: false, unpriced: [] },
          billed: { amount: '2.25', at_least: false, unpriced: [] },
          wasted_attempts: 0,
        },
      ],
      [
        null,
        'USD',
        {
          billing: 'own',
          spent: { amount: null, at_least: false, unpriced: ['upstream gpu'] },
          billed: { amount: null, at_least: false, unpriced: ['qwen3:8b'] },
          wasted_attempts: 1,
        },
      ],
    ],
  );
});

test('by description, each model and kind of token is a line, and the lines sum to the whole', async () => {
  const get = faceOf({ report: async () => [rowOf(), rowOf({ model: 'claude-haiku-5-5', band: 1 })] });
  const { body } = await get(
    `${costPath}?starting_at=2026-11-20&ending_at=2026-11-21&group_by[]=description&group_by[]=workspace_id`,
  );
  const results = body.data[0]!.results as readonly Record<string, unknown>[];
  assert.deepEqual(
    results.map(({ description, token_type: type, amount, workspace_id: workspace }) => [
      description,
      type,
      amount,
      workspace,
    ]),
    [
      ['claude-sonnet-4 Usage - Input Tokens', 'uncached_input_tokens', '300', 'wrkspc_01a'],
      ['claude-sonnet-4 Usage - Output Tokens', 'output_tokens', '150', 'wrkspc_01a'],
      ['claude-haiku-5-5 Usage - Input Tokens', 'uncached_input_tokens', '50', 'wrkspc_01a'],
      ['claude-haiku-5-5 Usage - Output Tokens', 'output_tokens', '25', 'wrkspc_01a'],
    ],
  );
});

test("a batch's usage: its rows, spent by billing, billed, and the same work side by side", async () => {
  const rows: DatedUsage[] = [{ ...usageOf({ requests: 500 }), day }];
  const get = faceOf({ ofBatch: async (workspaceId) => (workspaceId === 'wrkspc_01a' ? rows : null) });
  const { status, body } = await get(`/v1/messages/batches/${BATCH_ID}/usage`);
  assert.equal(status, 200);
  const exact = (amount: string) => ({ amount, at_least: false, unpriced: [] });
  assert.deepEqual(
    { ...(body['cost'] as object), price_list: null },
    {
      currency: 'USD',
      price_list: null,
      spent: [{ billing: 'standard', ...exact('4.5') }],
      billed: exact('2.25'),
      standard: exact('4.5'),
      batch: exact('2.25'),
      batch_with_cache: exact('2.25'),
    },
  );
  assert.deepEqual([body['requests'], (body['usage'] as object[]).length], [500, 1]);
});

test('a batch nobody knows has no usage either', async () => {
  const get = faceOf({ ofBatch: async () => null });
  assert.equal((await get(`/v1/messages/batches/${BATCH_ID}/usage`)).status, 404);
  assert.equal((await get('/v1/messages/batches/nonsense/usage')).status, 404);
});
