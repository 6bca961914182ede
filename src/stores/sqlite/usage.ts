/** Usage on SQLite: counted by batch, minute and day in the seal, and read again in groups. */
import type { Batch, Micros } from '../../domain/batch.ts';
import type { UsageRow } from '../../domain/tally.ts';
import type { DatedUsage, Dimension, OwnPrice, ReportQuery, ReportRow, Usages } from '../../ports/usage.ts';
import { CatalogClock, type WallClock } from './clock.ts';
import type { Database } from './database.ts';

const DAY_SECONDS = 86_400;
const MINUTE_SECONDS = 60;

const sums = [
  'requests',
  'input_tokens',
  'output_tokens',
  'cache_creation_input_tokens',
  'cache_read_input_tokens',
  'cache_creation_1h_input_tokens',
] as const;
const sumColumns = sums.join(', ');
const addedSums = sums.map((name) => `${name} = ${name} + excluded.${name}`).join(', ');
const keyColumns = 'model, upstream, billing, tier, band, wasted';
const values = `:model, :upstream, :billing, :tier, :band, :wasted, :requests, :inputTokens, :outputTokens,
  :cacheCreation, :cacheRead, :cacheCreation1h`;

const addToBatch = `
  insert into usage (batch_id, day, workspace_id, key_id, ${keyColumns}, ${sumColumns})
  values (:batchId, :start, :workspaceId, :keyId, ${values})
  on conflict (batch_id, day, ${keyColumns}) do update set ${addedSums}`;

const addToBucket = `
  insert into usage_buckets (seconds, start, workspace_id, key_id, ${keyColumns}, ${sumColumns})
  values (:seconds, :start, :workspaceId, :keyId, ${values})
  on conflict (seconds, start, workspace_id, key_id, ${keyColumns}) do update set ${addedSums}`;

/** Part of the transaction of a seal. */
export function addUsage(database: Database, batch: Batch, made: { rows: readonly UsageRow[]; now: Micros }): void {
  const nowSeconds = Math.floor(made.now / 1_000_000);
  const minute = startOf(nowSeconds, MINUTE_SECONDS);
  const day = startOf(nowSeconds, DAY_SECONDS);
  const { id: batchId, workspaceId, keyId } = batch;
  for (const row of made.rows) {
    const counted = { workspaceId, keyId, ...parametersOf(row) };
    database.run(addToBatch, { batchId, start: day, ...counted });
    database.run(addToBucket, { seconds: MINUTE_SECONDS, start: minute, ...counted });
    database.run(addToBucket, { seconds: DAY_SECONDS, start: day, ...counted });
  }
}

function startOf(seconds: number, width: number): number {
  return seconds - (seconds % width);
}

function parametersOf(row: UsageRow): Record<string, string | number> {
  const { model, upstream, billing, tier, band, requests, inputTokens, outputTokens } = row;
  return {
    model,
    upstream,
    billing,
    tier,
    band,
    wasted: Number(row.wasted),
    requests,
    inputTokens,
    outputTokens,
    cacheCreation: row.cacheCreationInputTokens,
    cacheRead: row.cacheReadInputTokens,
    cacheCreation1h: row.cacheCreation1hInputTokens,
  };
}

export class SqliteUsages implements Usages {
  readonly #database: Database;
  readonly #clock: CatalogClock;

  constructor(database: Database, wall: WallClock) {
    this.#database = database;
    this.#clock = new CatalogClock(database, wall);
  }

  async ofBatch(workspaceId: string, batchId: string): Promise<readonly DatedUsage[] | null> {
    return this.#database.read(() => {
      const rows = this.#database.all<ColumnsOf<DatedUsage>>(
        `select day, ${keyColumns}, ${summed('')} from usage where batch_id = :batchId and workspace_id = :workspaceId
         order by day, ${keyColumns}`,
        { batchId, workspaceId },
      );
      if (rows.length > 0) return rows.map(plain);
      const sql = 'select 1 from batches where id = :batchId and workspace_id = :workspaceId';
      return this.#database.get(sql, { batchId, workspaceId }) === null ? null : [];
    });
  }

  async report(query: ReportQuery): Promise<readonly ReportRow[]> {
    const { from, to, widthSeconds, only } = query;
    const wanted = (name: keyof typeof only) => (only[name] === undefined ? null : JSON.stringify(only[name]));
    const parameters = {
      seconds: widthSeconds === DAY_SECONDS ? DAY_SECONDS : MINUTE_SECONDS,
      from,
      to,
      width: widthSeconds,
      workspaces: wanted('workspaceId'),
      keys: wanted('keyId'),
      models: wanted('model'),
    };
    const rows = this.#database.read(() => this.#database.all<ColumnsOf<ReportRow>>(reportSql(query), parameters));
    return rows.map(plain);
  }

  async ownPrices(): Promise<readonly OwnPrice[]> {
    const rows = this.#database.all<{ upstream: string; day: number; price: string }>(
      'select upstream, day, price from own_prices order by day, upstream',
    );
    return rows.map(({ price, ...row }) => ({ ...row, price: JSON.parse(price) as OwnPrice['price'] }));
  }

  async keepOwnPrices(prices: readonly Omit<OwnPrice, 'day'>[]): Promise<void> {
    this.#database.write(() => {
      const day = startOf(Math.floor(this.#clock.now() / 1_000_000), DAY_SECONDS);
      for (const { upstream, price } of prices) {
        const last = this.#database.get<{ price: string }>(
          'select price from own_prices where upstream = :upstream order by day desc limit 1',
          { upstream },
        );
        const text = JSON.stringify(price);
        // Having no price needs no row, unless there was one before.
        if ((last?.price ?? 'null') === text) continue;
        this.#database.run(
          `insert into own_prices (upstream, day, price) values (:upstream, :day, :price)
           on conflict (upstream, day) do update set price = excluded.price`,
          { upstream, day, price: text },
        );
      }
    });
  }
}

const columnOf: Readonly<Record<Dimension, string>> = {
  workspaceId: 'workspace_id',
  keyId: 'key_id',
  model: 'model',
  upstream: 'upstream',
  billing: 'billing',
  tier: 'tier',
  band: 'band',
};

/** Of what is not grouped by, SQLite takes the value of one of the rows. */
function reportSql({ groupBy, only }: ReportQuery): string {
  const dimensions = Object.keys(columnOf).filter((name) => groupBy.includes(name as Dimension)) as Dimension[];
  const grouped = ['2', ...dimensions.map((name) => columnOf[name]), 'wasted'].join(', ');
  const within = (name: keyof typeof only, list: string) =>
    only[name] === undefined
      ? `and ${list} is null`
      : `and ${columnOf[name]} in (select value from json_each(${list}))`;
  return `
    select workspace_id as workspaceId, start - start % :width as start, key_id as keyId, ${keyColumns}, ${summed('sum')}
    from usage_buckets
    where seconds = :seconds and start >= :from and start < :to
      ${within('workspaceId', ':workspaces')} ${within('keyId', ':keys')} ${within('model', ':models')}
    group by ${grouped} order by ${grouped}`;
}

function summed(how: '' | 'sum'): string {
  const camel = (name: string) => name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  return sums.map((name) => `${how}(${name}) as ${camel(name)}`).join(', ');
}

type ColumnsOf<Row extends UsageRow> = Omit<Row, 'wasted'> & { readonly wasted: number };

function plain<Row extends UsageRow>(row: ColumnsOf<Row>): Row {
  return { ...row, wasted: row.wasted === 1 } as unknown as Row;
}
