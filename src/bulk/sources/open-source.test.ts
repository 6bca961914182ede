import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { limited } from './limited.ts';
import { openSource } from './open-source.ts';
import { allRows, inputRequest } from './sources.support.ts';

test('refuses what it cannot find or name', async (t) => {
  const folder = await scratchFolder(t);
  await writeFile(join(folder, 'rows.dat'), 'x');
  const opened = (given: object) => openSource(inputRequest(folder, given));
  await assert.rejects(opened({ input: join(folder, 'no.csv') }), /there is no .*no\.csv/);
  await assert.rejects(
    opened({ input: join(folder, 'rows.dat') }),
    /its name does not say what it is: add --format csv\|tsv\|jsonl/,
  );
  await assert.rejects(opened({}), /no input: name a file, -, or a query with --sql/);
  await assert.rejects(opened({ input: 'x.csv', sql: 'select 1', where: 'a = 1' }), /put the condition into the query/);
});

test('a folder of text files', async (t) => {
  const folder = await scratchFolder(t);
  const input = join(folder, 'texts');
  await mkdir(join(input, 'deep'), { recursive: true });
  await writeFile(join(input, 'b.txt'), 'two\n');
  await writeFile(join(input, 'a.md'), '\ufeffone');
  await writeFile(join(input, 'deep', 'c.txt'), Buffer.from([0xff]));
  await writeFile(join(input, '.hidden'), 'no');
  const source = await openSource(inputRequest(folder, { input }));
  const all = await allRows(source);
  assert.deepEqual(
    all.map(({ row, fault }) => row ?? fault),
    [{ name: 'a.md', text: 'one' }, { name: 'b.txt', text: 'two\n' }, 'deep/c.txt: not valid UTF-8'],
  );
  assert.deepEqual(await Array.fromAsync(source.read([all[1]!])), [all[1]]);
  const before = await source.identity();
  await writeFile(join(input, 'b.txt'), 'TWO\n');
  assert.notDeepEqual(await source.identity(), before);
});

test('an identity notices what was put in, taken out, or changed', async (t) => {
  const folder = await scratchFolder(t);
  const input = join(folder, 'a.csv');
  const identity = async (content: string) => {
    await writeFile(input, content);
    const source = await openSource(inputRequest(folder, { input }));
    const found = await source.identity();
    await source.close();
    return found.digest;
  };
  const lines = Array.from({ length: 200_000 }, (_, index) => `${index},text ${index}`);
  const whole = `id,text\n${lines.join('\n')}\n`;
  const digests = [
    whole,
    whole.replace('text 3\n', 'texT 3\n'),
    whole.replace('100000,text', '100000,longer text'),
    whole.slice(0, -1),
    'id,text\n1,x\n',
    'id,text\n1,y\n',
  ];
  const found: string[] = [];
  for (const one of digests) found.push(await identity(one));
  assert.equal(new Set(found).size, digests.length);
  assert.equal(await identity(whole), found[0]);
});

test('standard input is kept, and read again without it', async (t) => {
  const folder = await scratchFolder(t);
  const kinds: readonly (readonly [string, string, unknown[]])[] = [
    ['csv', 'id,text\n1,x\n2\n', [{ id: '1', text: 'x' }, 'line 3: 1 field, where the header has 2 (id, text)']],
    ['jsonl', '{"a":1}\n{"a":2}\n', [{ a: 1 }, { a: 2 }]],
    ['json', '{\n "a": 1\n}\n', [{ a: 1 }]],
    ['tsv', 'id\ttext\n1\tx\n', [{ id: '1', text: 'x' }]],
  ];
  for (const [kind, content, expected] of kinds) {
    const place = join(folder, kind);
    const source = await openSource(inputRequest(place, { input: '-', stdin: Readable.from([Buffer.from(content)]) }));
    const rows = await allRows(source);
    assert.deepEqual(
      rows.map(({ row, fault }) => row ?? fault),
      expected,
    );
    const identity = await source.identity();
    await source.close();
    const again = await openSource(inputRequest(place, { input: null }));
    assert.deepEqual(await allRows(again), rows);
    assert.deepEqual(await again.identity(), identity);
    await again.close();
  }
  const unnamed = openSource(inputRequest(join(folder, 'x'), { input: '-', stdin: Readable.from(['hello\n']) }));
  await assert.rejects(unnamed, /its first line does not say what it is: add --format csv\|tsv\|jsonl\|json\|txt/);
});

test('compressed files are unpacked once; a changed one has another identity', async (t) => {
  const folder = await scratchFolder(t);
  const content = 'id,text\n1,x\n2,y\n';
  for (const [name, packed] of [
    ['a.csv.gz', gzipSync(content)],
    ['a.csv.zst', zstdCompressSync(content)],
  ] as const) {
    const input = join(folder, name);
    const request = inputRequest(join(folder, `of-${name}`), { input });
    await writeFile(input, packed);
    const source = await openSource(request);
    assert.deepEqual(
      (await allRows(source)).map(({ row }) => row),
      [
        { id: '1', text: 'x' },
        { id: '2', text: 'y' },
      ],
    );
    const identity = await source.identity();
    await source.close();
    await writeFile(input, gzipSync('id,text\n1,z\n'));
    const changed = await openSource(request);
    assert.notDeepEqual(await changed.identity(), identity);
    await changed.close();
    await rm(input);
    const gone = await openSource(request);
    assert.deepEqual(await gone.identity(), identity);
    assert.equal((await allRows(gone)).length, 2);
    await gone.close();
  }
});

test('a query of a SQLite file, kept', async (t) => {
  const folder = await scratchFolder(t);
  const path = join(folder, 'shop.sqlite');
  const database = new DatabaseSync(path);
  database.exec(`create table ticket (id integer, text, price real, big integer, raw blob);
    insert into ticket values (1, 'é', 1.5, 9007199254740993, x'ff00'), (2, null, 2, 3, x'6162')`);
  database.close();
  const request = inputRequest(folder, { input: path, sql: 'select * from ticket order by id' });
  const source = await openSource(request);
  assert.deepEqual(source.columns, ['id', 'text', 'price', 'big', 'raw']);
  const rows = await allRows(source);
  assert.deepEqual(
    rows.map(({ row }) => row),
    [
      { id: 1, text: 'é', price: 1.5, big: '9007199254740993', raw: '/wA=' },
      { id: 2, text: null, price: 2, big: 3, raw: 'ab' },
    ],
  );
  const identity = await source.identity();
  await source.close();
  await rm(path);
  const again = await openSource(request);
  assert.deepEqual([await allRows(again), await again.identity(), again.columns], [rows, identity, source.columns]);
  await again.close();
  const other = await openSource({ ...request, sql: 'select 1 as id' });
  assert.notDeepEqual(await other.identity(), identity);
  await other.close();
  const broken = openSource(inputRequest(join(folder, 'b'), { db: join(folder, 'no.sqlite'), sql: 'select 1' }));
  await assert.rejects(broken, /there is no .*no\.sqlite/);
});

test('DuckDB: a query over files, a glob, a condition', async (t) => {
  const folder = await scratchFolder(t);
  await writeFile(join(folder, 'a.csv'), 'id,text\n007,x\n2,y\n');
  await writeFile(join(folder, 'b.csv'), 'id,text\n3,z\n');
  const rows = async (name: string, given: object) => {
    const source = await openSource(inputRequest(join(folder, name), given));
    const found = (await allRows(source)).map(({ row }) => row);
    await source.close();
    return found;
  };
  const glob = await rows('1', { input: join(folder, '*.csv') });
  assert.deepEqual(
    glob.toSorted((l, r) => String(l!.id).localeCompare(String(r!.id))),
    [
      { id: '007', text: 'x' },
      { id: '2', text: 'y' },
      { id: '3', text: 'z' },
    ],
  );
  assert.deepEqual(await rows('2', { input: join(folder, 'a.csv'), where: "text = 'y'" }), [{ id: '2', text: 'y' }]);
  const sql =
    "select 9007199254740993::bigint as big, 5::bigint as small, date '2026-01-02' as day, [1, 2] as list, 1.50::decimal(5,2) as price";
  assert.deepEqual(await rows('3', { sql }), [
    { big: '9007199254740993', small: 5, day: '2026-01-02', list: [1, 2], price: '1.50' },
  ]);
  await assert.rejects(rows('4', { sql: 'select broken' }), /the query failed: Binder Error/);
  await assert.rejects(rows('5', { sql: 'select 1 as a, 2 as a' }), /gives two columns one name/);
});

test('Parquet that DuckDB wrote: row groups, types, nulls, zstd', async (t) => {
  const folder = await scratchFolder(t);
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const input = join(folder, 'a.parquet');
  await connection.run(`copy (select i::bigint as id, 'text ' || i as text, case when i % 2 = 0 then null else i / 2.0 end as half,
      (i * 7)::decimal(10, 2) / 100 as price, timestamp '2026-01-02 03:04:05.000006' as at, date '2026-01-02' as day,
      {'a': i, 'b': [i]} as nested, '\\xFF'::blob as raw, i % 3 = 0 as third from range(5000) as r(i))
    to '${input}' (format parquet, compression zstd, row_group_size 2048)`);
  const source = await openSource(inputRequest(folder, { input }));
  assert.deepEqual(source.columns, ['id', 'text', 'half', 'price', 'at', 'day', 'nested', 'raw', 'third']);
  const all = await allRows(source);
  assert.equal(all.length, 5000);
  assert.deepEqual(all[35], {
    seq: 35,
    place: { offset: 35, line: null },
    row: {
      id: 35,
      text: 'text 35',
      half: 17.5,
      price: 2.45,
      at: '2026-01-02T03:04:05.000006Z',
      day: '2026-01-02',
      nested: { a: 35, b: [35] },
      raw: '/w==',
      third: false,
    },
    fault: null,
  });
  assert.equal(all[4998]!.row!.half, null);
  const points = [all[3]!, all[2047]!, all[2048]!, all[4999]!];
  assert.deepEqual(await Array.fromAsync(source.read(points)), points);
  await source.close();
});

test('a limit and a sample: counted anew, read again, the same for a seed', async (t) => {
  const folder = await scratchFolder(t);
  const input = join(folder, 'a.csv');
  await writeFile(input, `id\n${Array.from({ length: 1000 }, (_, index) => index).join('\n')}\n`);
  const source = await openSource(inputRequest(folder, { input }));
  const some = async (part: { limit?: number; sample?: number; seed?: number }) => {
    const one = limited(source, { limit: null, sample: null, seed: 0, ...part });
    return { one, rows: await allRows(one) };
  };
  assert.deepEqual(
    (await some({ limit: 3 })).rows.map(({ row }) => row!.id),
    ['0', '1', '2'],
  );
  const sample = await some({ sample: 100, seed: 7 });
  assert.deepEqual(
    sample.rows.map(({ seq }) => seq),
    Array.from({ length: 100 }, (_, index) => index),
  );
  assert.deepEqual((await some({ sample: 100, seed: 7 })).rows, sample.rows);
  assert.notDeepEqual((await some({ sample: 100, seed: 8 })).rows, sample.rows);
  assert.equal((await some({ sample: 5000 })).rows.length, 1000);
  assert.equal((await some({ sample: 100, limit: 10 })).rows.length, 10);
  const ids = sample.rows.map(({ row }) => Number(row!.id));
  assert.ok(ids.some((id) => id > 800) && ids.some((id) => id < 200));
  assert.deepEqual(await Array.fromAsync(sample.one.read(sample.rows.slice(40, 60))), sample.rows.slice(40, 60));
  assert.notDeepEqual(await sample.one.identity(), await (await some({ sample: 100, seed: 8 })).one.identity());
  await source.close();
});
