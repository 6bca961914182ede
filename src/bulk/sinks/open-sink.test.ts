import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Writable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { openSource } from '../sources/open-source.ts';
import { allRows, inputRequest } from '../sources/sources.support.ts';
import { openSink, type OutputRequest } from './open-sink.ts';
import { outputRow, request, written, duckdb, two, tails, joined } from './sinks.support.ts';

test('JSON lines: joined, and alone', async (t) => {
  const folder = await scratchFolder(t);
  const target = join(folder, 'out.jsonl');
  const read = async () =>
    (await readFile(target, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  await written(request(folder, { target }), two);
  const found = await read();
  assert.deepEqual(found, joined);
  assert.deepEqual(Object.keys(found[0]!), Object.keys(joined[0]!));
  await written(request(folder, { target, join: false }), two);
  assert.deepEqual(
    await read(),
    joined.map(({ text: _, ...rest }) => rest),
  );
  assert.deepEqual(await duckdb(`select id, state, input_tokens::int as n from '${target}'`), [
    { id: '1', state: 'ok', n: 3 },
    { id: '2', state: 'rejected', n: null },
  ]);
  await written(request(folder, { target, outputs: ['label'], columns: null }), [
    outputRow({ row: { id: '1', state: 'NY' }, output: { label: ['a'] } }),
  ]);
  assert.deepEqual(await read(), [{ ...tails[0], id: '1', state: 'NY', output: { label: ['a'] }, result_state: 'ok' }]);
});

test('CSV: its bytes; names that clash; rows without a row; a schema', async (t) => {
  const folder = await scratchFolder(t);
  const target = join(folder, 'out.csv');
  await written(request(folder, { target }), two);
  const expected = [
    'id,text,answer,state,error_type,error_message,stop_reason,model,input_tokens,output_tokens,attempts,batch_id',
    '1,"a,""","x\ny",ok,,,end_turn,m,3,2,1,b1',
    '2,b,,rejected,invalid_request_error,too long,,,,,1,',
    '',
  ].join('\n');
  assert.equal(await readFile(target, 'utf8'), expected);
  const rows = [
    outputRow({
      key: '1',
      row: { state: 'NY', id: 'x', result_state: '=1+1' },
      output: { label: 'spam', tags: ['a'] },
    }),
    outputRow({ key: '2', row: null, state: 'invalid' }),
  ];
  await written(
    request(folder, { target, columns: ['state', 'id', 'result_state'], keyColumn: null, outputs: ['label', 'tags'] }),
    rows,
  );
  const clash = [
    'result_id,state,id,result_state,output.label,output.tags,result_result_state,error_type,error_message,stop_reason,model,input_tokens,output_tokens,attempts,batch_id',
    '1,NY,x,=1+1,spam,"[""a""]",ok,,,end_turn,m,3,2,1,b1',
    '2,,,,,,invalid,,,end_turn,m,3,2,1,b1',
    '',
  ].join('\n');
  assert.equal(await readFile(target, 'utf8'), clash);
  assert.deepEqual(await readdir(folder), ['out.csv']);
});

test('rows that each have their own columns: all of them are in a CSV', async (t) => {
  const folder = await scratchFolder(t);
  const target = join(folder, 'out.csv');
  await written(request(folder, { target, columns: null }), [
    outputRow({ key: 'a', row: { id: 'a', one: 1 } }),
    outputRow({ key: 'b', row: { id: 'b', two: { deep: true } } }),
  ]);
  const lines = (await readFile(target, 'utf8')).split('\n').map((line) => line.slice(0, 28));
  assert.deepEqual(lines, [
    'id,one,two,answer,state,erro',
    'a,1,,,ok,,,end_turn,m,3,2,1,',
    'b,,"{""deep"":true}",,ok,,,e',
    '',
  ]);
  assert.deepEqual(await readdir(join(folder, 'spill')), []);
});

test('any texts survive CSV, TSV, JSON lines, Parquet and SQLite, read by us and by others', async (t) => {
  const folder = await scratchFolder(t);
  const unit = fc.constantFrom('a', '"', ',', '\n', '\r\n', '\t', 'é', '😀', '\u2028', ' ', '=', '\\', "'");
  const texts = fc.array(fc.string({ unit, maxLength: 12 }), { minLength: 1, maxLength: 25 });
  const python = `import csv,json,sys
print(json.dumps([r[1] for r in list(csv.reader(open(sys.argv[1], newline='', encoding='utf8'), delimiter=sys.argv[2]))[1:]]))`;
  await fc.assert(
    fc.asyncProperty(texts, async (list) => {
      const rows = list.map((text, seq) => outputRow({ seq, key: String(seq), row: { id: String(seq), text }, text }));
      for (const ending of ['csv', 'tsv', 'jsonl', 'parquet']) {
        const input = join(folder, `out.${ending}`);
        await written(request(folder, { target: input }), rows);
        const source = await openSource(inputRequest(folder, { input }));
        const found = (await allRows(source)).map(({ row }) => [row!.id, row!.text, row!.answer]);
        assert.deepEqual(
          found,
          list.map((text, seq) => [String(seq), text, text]),
          ending,
        );
        await source.close();
      }
      for (const [ending, delimiter] of [
        ['csv', ','],
        ['tsv', '\t'],
      ] as const) {
        const out = execFileSync('python3', ['-c', python, join(folder, `out.${ending}`), delimiter], {
          encoding: 'utf8',
        });
        assert.deepEqual(JSON.parse(out), list, `python ${ending}`);
      }
      const parquet = await duckdb(
        `select id, text, answer, input_tokens::int as n from '${join(folder, 'out.parquet')}' order by id::int`,
      );
      assert.deepEqual(
        parquet,
        list.map((text, seq) => ({ id: String(seq), text, answer: text, n: 3 })),
      );
      const csv = await duckdb(
        `select text from read_csv('${join(folder, 'out.csv')}', all_varchar = true, header = true, quote = '"', escape = '"', delim = ',', parallel = false, new_line = '\\n')`,
      ).catch(() => null);
      if (csv !== null)
        assert.deepEqual(
          csv.map(({ text }) => text ?? ''),
          list,
        );
      await written(request(folder, { target: join(folder, 'out.sqlite') }), rows);
      const database = new DatabaseSync(join(folder, 'out.sqlite'));
      const stored = database
        .prepare('select text from results where cast(id as integer) < ? order by cast(id as integer)')
        .all(list.length);
      assert.deepEqual(
        stored.map((one) => one.text),
        list,
      );
      database.close();
    }),
    { numRuns: 12 },
  );
});

test('Parquet: types come from all values, through several row groups, as DuckDB reads them', async (t) => {
  const folder = await scratchFolder(t);
  const target = join(folder, 'out.parquet');
  const rows = Array.from({ length: 60_000 }, (_, seq) =>
    outputRow({
      seq,
      key: String(seq),
      row: {
        id: seq,
        mixed: seq % 2 === 0 ? seq : 'x',
        price: seq === 7 ? 0.5 : seq,
        flag: seq % 3 === 0,
        nested: { a: [seq] },
        none: null,
      },
      output: { label: seq % 5 === 0 ? null : `l${seq}`, score: seq / 4 },
    }),
  );
  const sink = await openSink(
    request(folder, {
      target,
      columns: ['id', 'mixed', 'price', 'flag', 'nested', 'none'],
      outputs: ['label', 'score'],
    }),
  );
  for (let at = 0; at < rows.length; at += 5000) await sink.write(rows.slice(at, at + 5000));
  await sink.finish();
  const types = await duckdb(`select column_name as n, column_type as t from (describe select * from '${target}')`);
  assert.deepEqual(Object.fromEntries(types.map(({ n, t: type }) => [n, type])), {
    id: 'BIGINT',
    mixed: 'VARCHAR',
    price: 'DOUBLE',
    flag: 'BOOLEAN',
    nested: 'VARCHAR',
    none: 'VARCHAR',
    'output.label': 'VARCHAR',
    'output.score': 'DOUBLE',
    state: 'VARCHAR',
    error_type: 'VARCHAR',
    error_message: 'VARCHAR',
    stop_reason: 'VARCHAR',
    model: 'VARCHAR',
    input_tokens: 'BIGINT',
    output_tokens: 'BIGINT',
    attempts: 'BIGINT',
    batch_id: 'VARCHAR',
  });
  const [sums] =
    await duckdb(`select count(*)::int as n, sum(id)::int as ids, sum(price) as prices, count("output.label")::int as labels,
    max(nested) filter (id = 59999) as nested, sum("output.score") as scores from '${target}'`);
  const ids = (59_999 * 60_000) / 2;
  assert.deepEqual(sums, {
    n: 60_000,
    ids,
    prices: ids - 6.5,
    labels: 48_000,
    nested: '{"a":[59999]}',
    scores: ids / 4,
  });
});

test('raw: the result lines as they came, each with a line feed', async (t) => {
  const folder = await scratchFolder(t);
  const target = join(folder, 'out.txt');
  await written(request(folder, { target, format: 'raw' }), [
    outputRow({ line: Buffer.from('{"custom_id" : "a"}') }),
    outputRow({ line: null }),
    outputRow({ line: Buffer.from('{"custom_id":"é"}\n') }),
  ]);
  assert.equal(await readFile(target, 'utf8'), '{"custom_id" : "a"}\n{"custom_id":"é"}\n');
});

test('a file has its name only when it is whole; abandoning leaves the old one', async (t) => {
  const folder = await scratchFolder(t);
  for (const ending of ['csv', 'jsonl', 'parquet', 'sqlite']) {
    const target = join(folder, `out.${ending}`);
    const sink = await openSink(request(folder, { target }));
    await sink.write(two);
    assert.ok(!existsSync(target), ending);
    await sink.abandon();
  }
  await writeFile(join(folder, 'out.csv'), 'old');
  const sink = await openSink(request(folder, { target: join(folder, 'out.csv') }));
  await sink.write(two);
  await sink.abandon();
  assert.equal(await readFile(join(folder, 'out.csv'), 'utf8'), 'old');
  assert.deepEqual((await readdir(folder)).toSorted(), ['out.csv', 'spill']);
  assert.deepEqual(await readdir(join(folder, 'spill')), []);
});

test('what cannot be written is said at once', async (t) => {
  const folder = await scratchFolder(t);
  const opened = (given: Partial<OutputRequest>) => openSink(request(folder, given));
  await assert.rejects(
    opened({ target: join(folder, 'no', 'out.csv') }),
    /out\.csv cannot be written: there is no folder .*no$/,
  );
  await assert.rejects(
    opened({ target: join(folder, 'out') }),
    /its name does not say what to write: add --format jsonl\|csv/,
  );
  await assert.rejects(opened({ target: '-', format: 'parquet' }), /Parquet goes to a file/);
  await mkdir(join(folder, 'dir.csv'));
  const sink = await opened({ target: join(folder, 'dir.csv') });
  await assert.rejects(sink.finish(), { name: 'OutputError' });
});

test('standard output: JSON lines at the pace of its reader; a reader that goes is told apart', async (t) => {
  const folder = await scratchFolder(t);
  const stdout = new PassThrough();
  const reading = textOf(stdout);
  await written(request(folder, { target: '-', stdout }), two);
  stdout.end();
  assert.deepEqual(
    (await reading)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    joined,
  );
  const child = spawn('head', ['-n', '1'], { stdio: ['pipe', 'ignore', 'ignore'] });
  const sink = await openSink(request(folder, { target: '-', stdout: child.stdin satisfies Writable }));
  const endless = async () => {
    for (;;) await sink.write(two);
  };
  await assert.rejects(endless(), { name: 'OutputClosedError' });
  await sink.abandon();
});
