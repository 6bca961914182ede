/** The tables of the SQLite catalog, as numbered migrations. */
import type { Migration } from '../migrate.ts';

/** Marks a file as ours ("NiSh"), so that another program's database is refused and not migrated. */
export const applicationId = 0x4e695368;

const first = `
  -- One row: the highest time ever stored (C1).
  create table clock (
    one integer primary key check (one = 1),
    highest integer not null
  ) strict;
  insert into clock (one, highest) values (1, 0);

  -- created_at strictly increases, so it is the key, and pages need no sorting.
  create table batches (
    created_at integer primary key,
    id text not null unique,
    workspace_id text not null,
    key_id text not null,
    dialect text not null,
    version text not null,
    betas text not null,
    state text not null,
    expires_at integer not null,
    archives_at integer not null,
    cancel_at integer,
    ended_at integer,
    archived_at integer,
    requests integer not null,
    succeeded integer not null default 0,
    errored integer not null default 0,
    canceled integer not null default 0,
    expired integer not null default 0,
    result_bytes integer not null default 0,
    chunk_count integer not null default 0,
    next_sequence integer not null default 1,
    fingerprint text not null,
    idempotency_key text,
    answered integer not null default 0,
    check (succeeded + errored + canceled + expired <= requests)
  ) strict;
  create index batches_of_workspace on batches (workspace_id, created_at);
  create index batches_at_work on batches (created_at) where state in ('running', 'canceling');
  create index batches_by_key on batches (workspace_id, idempotency_key, created_at) where idempotency_key is not null;
  create index batches_unanswered on batches (fingerprint, created_at) where answered = 0;
  create index batches_to_expire on batches (expires_at) where state = 'running';
  create index batches_to_archive on batches (archives_at) where archived_at is null and state in ('ended', 'failed');
  create index batches_to_merge on batches (ended_at) where archived_at is null and state = 'ended' and chunk_count > 8;

  create table segments (
    batch_id text not null references batches (id) on delete cascade,
    number integer not null,
    blob text not null,
    blob_offset integer not null,
    bytes integer not null,
    index_offset integer not null,
    index_bytes integer not null,
    model text not null,
    family text,
    requests integer not null,
    done blob not null,
    primary key (batch_id, number)
  ) strict, without rowid;

  -- A span is free when lease_until has passed; 0 when nobody holds it. The model is its segment's, for the index.
  create table spans (
    batch_id text not null,
    segment integer not null,
    from_item integer not null,
    to_item integer not null,
    model text not null,
    epoch integer not null,
    node text,
    lease_until integer not null,
    primary key (batch_id, segment, from_item),
    foreign key (batch_id, segment) references segments (batch_id, number) on delete cascade,
    check (from_item < to_item)
  ) strict, without rowid;
  create index spans_by_model on spans (batch_id, model, segment, from_item, lease_until);
  create index spans_of_node on spans (node) where node is not null;

  create table chunks (
    batch_id text not null references batches (id) on delete cascade,
    sequence integer not null,
    result_offset integer not null,
    bytes integer not null,
    lines integer not null,
    blob text not null,
    blob_offset integer not null,
    index_offset integer not null,
    index_bytes integer not null,
    primary key (batch_id, sequence)
  ) strict, without rowid;

  -- Usage and events outlive their batch: for accounting and for readers that are behind.
  create table usage (
    batch_id text not null,
    model text not null,
    upstream text not null,
    tier text not null,
    band integer not null,
    wasted integer not null,
    requests integer not null,
    input_tokens integer not null,
    output_tokens integer not null,
    cache_creation_input_tokens integer not null,
    cache_read_input_tokens integer not null,
    cache_creation_1h_input_tokens integer not null,
    primary key (batch_id, model, upstream, tier, band, wasted)
  ) strict, without rowid;

  -- position is the readers' cursor, sequence counts within the batch.
  create table events (
    position integer primary key autoincrement,
    batch_id text not null,
    sequence integer not null,
    kind text not null,
    at integer not null,
    unique (batch_id, sequence)
  ) strict;

  create table organization (
    one integer primary key check (one = 1),
    id text not null
  ) strict;

  create table workspaces (
    id text primary key,
    name text not null,
    weight real not null,
    is_default integer not null
  ) strict;
  create unique index workspace_default on workspaces (is_default) where is_default = 1;

  create table keys (
    id text primary key,
    workspace_id text not null references workspaces (id),
    name text not null,
    secret_hash text not null unique
  ) strict;
  create index keys_of_workspace on keys (workspace_id);
`;

/** A small batch needs no blob: then `blob` is empty and the offsets count in these bytes, until the batch is archived. */
const inlineSegments = 'alter table segments add column inline blob';

/**
 * Usage with its day, its owner and its billing, and added up by minute and day for reports. What was counted before is dated by its
 * batch; whoever did not simulate it is taken for a machine of one's own, whose price is unknown: no money is made up.
 */
const datedUsage = `
  create table dated_usage (
    batch_id text not null,
    day integer not null,
    workspace_id text not null,
    key_id text not null,
    model text not null,
    upstream text not null,
    billing text not null,
    tier text not null,
    band integer not null,
    wasted integer not null,
    requests integer not null,
    input_tokens integer not null,
    output_tokens integer not null,
    cache_creation_input_tokens integer not null,
    cache_read_input_tokens integer not null,
    cache_creation_1h_input_tokens integer not null,
    primary key (batch_id, day, model, upstream, billing, tier, band, wasted)
  ) strict, without rowid;
  insert into dated_usage
    select u.batch_id, at.seconds - at.seconds % 86400, coalesce(b.workspace_id, ''), coalesce(b.key_id, ''), u.model, u.upstream,
      iif(u.upstream = 'simulator', 'simulated', 'own'), u.tier, u.band, u.wasted, u.requests, u.input_tokens, u.output_tokens,
      u.cache_creation_input_tokens, u.cache_read_input_tokens, u.cache_creation_1h_input_tokens
    from usage as u left join batches as b on b.id = u.batch_id
    join (select batch_id, max(at) / 1000000 as seconds from events where kind in ('created', 'ended') group by batch_id) as at
      on at.batch_id = u.batch_id;
  drop table usage;
  alter table dated_usage rename to usage;

  -- Widths of 60 and 86400 seconds: reports never read a batch.
  create table usage_buckets (
    seconds integer not null,
    start integer not null,
    workspace_id text not null,
    key_id text not null,
    model text not null,
    upstream text not null,
    billing text not null,
    tier text not null,
    band integer not null,
    wasted integer not null,
    requests integer not null,
    input_tokens integer not null,
    output_tokens integer not null,
    cache_creation_input_tokens integer not null,
    cache_read_input_tokens integer not null,
    cache_creation_1h_input_tokens integer not null,
    primary key (seconds, start, workspace_id, key_id, model, upstream, billing, tier, band, wasted)
  ) strict, without rowid;
  insert into usage_buckets
    select width.value, day, workspace_id, key_id, model, upstream, billing, tier, band, wasted, sum(requests), sum(input_tokens),
      sum(output_tokens), sum(cache_creation_input_tokens), sum(cache_read_input_tokens), sum(cache_creation_1h_input_tokens)
    from usage join json_each('[60, 86400]') as width
    group by width.value, day, workspace_id, key_id, model, upstream, billing, tier, band, wasted;

  -- Configured prices of upstreams of one's own, in force from a day on; the price is JSON, null where there is none any more.
  create table own_prices (
    upstream text not null,
    day integer not null,
    price text not null,
    primary key (upstream, day)
  ) strict, without rowid;
`;

/** Keys that were there may do everything, as before; when they were made nobody wrote down. */
const keysAndScopes = `
  alter table workspaces add column created_at integer not null default 0;
  alter table workspaces add column archived_at integer;
  update workspaces set created_at = cast(unixepoch('subsec') * 1000000 as integer);
  create unique index workspace_by_name on workspaces (name) where archived_at is null;

  alter table keys add column hint text;
  alter table keys add column scopes text not null default 'batches messages results:read admin';
  alter table keys add column created_at integer not null default 0;
  alter table keys add column expires_at integer;
  alter table keys add column revoked_at integer;
  update keys set created_at = cast(unixepoch('subsec') * 1000000 as integer);
`;

export const migrations: readonly Migration[] = [
  { version: 1, name: 'first', sql: first },
  { version: 2, name: 'inline segments', sql: inlineSegments },
  { version: 3, name: 'dated usage', sql: datedUsage },
  { version: 4, name: 'keys and scopes', sql: keysAndScopes },
];
