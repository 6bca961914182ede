/** The tables of a run's state.db. Prompts and answers are not in it: the input and the raw files hold them, and it says where. */
import type { ItemState } from '../contract.ts';

/** `pragma user_version`; a file of a later one is refused. */
export const SCHEMA_VERSION = 1;

export const schema = `
create table owner (
  id integer primary key check (id = 1), pid integer not null, started text not null, boot text not null, host text not null,
  heartbeat_ms real not null, epoch integer not null, held integer not null
) strict;
insert into owner (id, pid, started, boot, host, heartbeat_ms, epoch, held) values (1, 0, '', '', '', 0, 0, 0);

create table fact (name text primary key, value text not null) strict, without rowid;

-- key: null where it is the row's number. hash: the first 16 bytes of the request's SHA-256; null where there is no request.
-- bytes: of the request as first rendered. same_as: the row whose request is the same. batch, frame, at, size: its last line.
create table item (
  seq integer primary key, key text, place_offset integer not null, place_line integer, hash blob, bytes integer not null,
  state integer not null, attempt integer not null, same_as integer, fault text,
  batch integer, frame integer, at integer, size integer
) strict;
create index item_same_as on item (same_as) where same_as is not null;

-- Rows by state, kept in the transactions that change them: a status must not scan ten million rows.
create table tally (state integer primary key, items integer not null) strict;

-- Ends of attempts other than a first ok; what a row cost and said before its last line.
create table attempt (
  seq integer not null, attempt integer not null, state integer not null,
  batch integer, frame integer, at integer, size integer, error integer,
  primary key (seq, attempt)
) strict, without rowid;
create table error (id integer primary key, type text not null, message text not null, unique (type, message)) strict;

-- Rows to be sent again that are in no chunk yet, and what their next attempts change.
create table again (seq integer primary key, since_ms real not null) strict;
create table change (seq integer primary key, change text not null) strict;

-- Immutable: an ordered list of rows (u32 each) and the bytes of their requests (u32 each).
create table chunk (
  id integer primary key, kind text not null, state text not null, requests integer not null, bytes integer not null,
  seqs blob not null, sizes blob not null
) strict;

create table intent (nonce text primary key, chunk integer not null, state text not null, intent text not null) strict, without rowid;

create table batch (
  number integer primary key, id text not null unique, chunk integer not null, nonce text not null, requests integer not null,
  state text not null, proved integer not null, remote text not null, lines integer not null, reads integer not null
) strict;

create table usage (
  batch integer not null, day integer not null, model text not null, tier text not null, band integer not null,
  requests integer not null, input integer not null, output integer not null, cache_write integer not null,
  cache_read integer not null, cache_write_1h integer not null,
  primary key (batch, day, model, tier, band)
) strict, without rowid;
`;

/** By their number in the file: never reorder. */
export const states: readonly ItemState[] = [
  'pending',
  'sent',
  'ok',
  'truncated',
  'refused',
  'incomplete',
  'invalid',
  'rejected',
  'errored',
  'expired',
  'canceled',
  'missing',
  'skipped',
];

const numbers = new Map(states.map((state, number) => [state, number]));

export function numberOf(state: ItemState): number {
  return numbers.get(state)!;
}
