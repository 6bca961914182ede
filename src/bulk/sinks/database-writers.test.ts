/** What is written to databases, read back by their own tools. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { startPostgres } from '../../../test/support/postgres.ts';
import { openSource } from '../sources/open-source.ts';
import { allRows, inputRequest } from '../sources/sources.support.ts';
import { outputRow, request, written, two } from './sinks.support.ts';

const postgres = await startPostgres();
after(() => postgres?.stop());

test('SQLite: rows replace those of the same key; new columns are added; all or nothing', async (t) => {
  const folder = await scratchFolder(t);
  const path = join(folder, 'out.db');
  const target = `sqlite:${path}?table=labels`;
  const shell = (sql: string) =>
    JSON.parse(execFileSync('sqlite3', ['-json', path, sql], { encoding: 'utf8' }) || '[]') as unknown;
  await written(request(folder, { target }), two);
  await written(request(folder, { target, outputs: ['label'] }), [
    outputRow({ row: { id: '1', text: 'new' }, output: { label: 'spam' } }),
  ]);
  assert.deepEqual(shell('select id, text, answer, "output.label" as label, state from labels order by id'), [
    { id: '1', text: 'new', answer: 'x\ny', label: 'spam', state: 'ok' },
    { id: '2', text: 'b', answer: null, label: null, state: 'rejected' },
  ]);
  const twice = written(request(folder, { target }), [
    outputRow({ row: { id: '1', text: 'gone' } }),
    outputRow({ row: { id: '1', text: 'gone' } }),
  ]);
  await assert.rejects(twice, {
    name: 'OutputError',
    message: 'two rows have the key 1: a table can hold one of them',
  });
  assert.deepEqual(shell("select count(*) as n from labels where text = 'gone'"), [{ n: 0 }]);
  const other = `sqlite:${path}?table=runs&run=run`;
  await written(request(folder, { target: other }), two);
  await written(request(folder, { target: other, run: 'run-2' }), two);
  assert.deepEqual(shell('select run, id from runs order by 1, 2'), [
    { run: 'run-1', id: '1' },
    { run: 'run-1', id: '2' },
    { run: 'run-2', id: '1' },
    { run: 'run-2', id: '2' },
  ]);
  execFileSync('sqlite3', [path, 'create table loose (id text)']);
  await assert.rejects(
    written(request(folder, { target: `sqlite:${path}?table=loose` }), two),
    /loose must have a primary key or unique index on \("id"\)/,
  );
});

test('PostgreSQL: makes the table, upserts, casts to the types of a table that is there', async (t) => {
  if (postgres === null) return t.skip('SKIPPED: no PostgreSQL is installed here');
  const folder = await scratchFolder(t);
  const psql = (sql: string) => execFileSync('psql', ['-At', postgres.url, '-c', sql], { encoding: 'utf8' }).trimEnd();
  const target = `${postgres.url}?table=labels&key=id`;
  await written(request(folder, { target, outputs: ['tags', 'n'] }), [
    outputRow({ row: { id: 1, text: 'a\u0000\ud800"' }, output: { tags: ['x', 'y\u0000'], n: 1.5 } }),
    outputRow({ row: { id: 2, text: 'b' }, state: 'invalid' }),
  ]);
  assert.equal(
    psql(`select id, text, "output.tags", "output.n", state, input_tokens from labels order by id`),
    '1|a\ufffd\ufffd"|["x", "y\ufffd"]|1.5|ok|3\n2|b|||invalid|3',
  );
  await written(request(folder, { target }), [outputRow({ key: '2', row: { id: 2, text: 'B' }, text: 'now' })]);
  assert.equal(psql('select id, text, answer, state from labels order by id'), '1|a\ufffd\ufffd"||ok\n2|B|now|ok');
  psql('create schema own; create table own.t (id uuid primary key, seen date, mine int default 7)');
  const id = '00000000-0000-0000-0000-00000000000a';
  await written(request(folder, { target: `${postgres.url}?table=own.t`, columns: ['id', 'seen'] }), [
    outputRow({ row: { id, seen: '2026-01-02' } }),
  ]);
  assert.equal(psql('select id, seen, mine, state from own.t'), `${id}|2026-01-02|7|ok`);
  const twice = written(request(folder, { target }), [outputRow({ row: { id: 5 } }), outputRow({ row: { id: 5 } })]);
  await assert.rejects(twice, { message: 'two rows have the key 5: a table can hold one of them' });
  assert.equal(psql('select count(*) from labels'), '2');
  psql('create table loose (id text)');
  await assert.rejects(
    written(request(folder, { target: `${postgres.url}?table=loose` }), two),
    /must have a primary key or unique index/,
  );
  await assert.rejects(written(request(folder, { target: postgres.url }), two), /say which table/);
});

test('PostgreSQL: twenty thousand rows, and rows of a query', async (t) => {
  if (postgres === null) return t.skip('SKIPPED: no PostgreSQL is installed here');
  const folder = await scratchFolder(t);
  const rows = Array.from({ length: 20_000 }, (_, seq) =>
    outputRow({ seq, key: String(seq), row: { id: seq, text: `t${seq}` }, text: 'x'.repeat(400) }),
  );
  await written(request(folder, { target: `${postgres.url}?table=many` }), rows);
  const sql = `select id, text, attempts::bigint as big, date '2026-01-02' as day, timestamptz '2026-01-02 03:04:05Z' as at,
    jsonb_build_object('a', id) as doc, 1.50::numeric as price, null as none from many order by id`;
  const source = await openSource(inputRequest(folder, { db: postgres.url, sql }));
  const found = await allRows(source);
  assert.equal(found.length, 20_000);
  const { at, ...rest } = found[9_999]!.row!;
  assert.deepEqual(rest, {
    id: 9999,
    text: 't9999',
    big: 1,
    day: '2026-01-02',
    doc: { a: 9999 },
    price: '1.50',
    none: null,
  });
  assert.match(String(at), /^2026-01-02 /);
  await source.close();
  const broken = openSource(inputRequest(join(folder, 'b'), { db: postgres.url, sql: 'select nothing' }));
  await assert.rejects(broken, /the query failed: column "nothing" does not exist/);
});
