import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { openSource } from './open-source.ts';
import { allRows, inputRequest, rowsOf } from './sources.support.ts';

const nul = '\u0000';
const bad = Buffer.concat([Buffer.from('id,text\n1,a\n2,'), Buffer.from([0xc3, 0x28]), Buffer.from('\n3,c\n')]);

/** What is in the file, and the rows read from it; a text in the place of a row is its fault. */
const readable: readonly (readonly [string, string, string | Uint8Array, readonly unknown[]])[] = [
  ['a byte order mark', 'a.csv', '\ufeffid,text\n1,x\n', [{ id: '1', text: 'x' }]],
  [
    'CRLF',
    'a.csv',
    'id,text\r\n1,x\r\n2,"y"\r\n',
    [
      { id: '1', text: 'x' },
      { id: '2', text: 'y' },
    ],
  ],
  ['no final line feed', 'a.csv', 'id,text\n1,x', [{ id: '1', text: 'x' }]],
  [
    'quotes, commas and line feeds in a field',
    'a.csv',
    'id,text\n1,"a ""b"", c\nd"\n2,e\n',
    [
      { id: '1', text: 'a "b", c\nd' },
      { id: '2', text: 'e' },
    ],
  ],
  ['a header only', 'a.csv', 'id,text\n', []],
  [
    'blank lines',
    'a.csv',
    'id,text\n\n1,x\n\n\n2,y\n\n',
    [
      { id: '1', text: 'x' },
      { id: '2', text: 'y' },
    ],
  ],
  ['one column with an empty field', 'a.csv', 'text\n""\nx\n', [{ text: '' }, { text: 'x' }]],
  [
    'an empty last field',
    'a.csv',
    'id,text\n1,\n"2",\n',
    [
      { id: '1', text: '' },
      { id: '2', text: '' },
    ],
  ],
  [
    'U+2028 and other alphabets',
    'a.csv',
    'id,text\n1,a\u2028b\n2,ζ漢😀\n',
    [
      { id: '1', text: 'a\u2028b' },
      { id: '2', text: 'ζ漢😀' },
    ],
  ],
  [
    'ragged rows',
    'a.csv',
    'id,text\n1\n2,x,y\n3,z\n',
    [
      'line 2: 1 field, where the header has 2 (id, text)',
      'line 3: 3 fields, where the header has 2 (id, text)',
      { id: '3', text: 'z' },
    ],
  ],
  [
    'a ragged row after a field of two lines',
    'a.csv',
    'id,text\n1,"a\nb"\n2\n',
    [{ id: '1', text: 'a\nb' }, 'line 4: 1 field, where the header has 2 (id, text)'],
  ],
  [
    'a quote inside a plain field',
    'a.csv',
    'id,text\n1,5" disk\n2,x\n',
    [
      'line 2: a quote inside a field that does not begin with one; quote the whole field and write "" for each quote in it',
      { id: '2', text: 'x' },
    ],
  ],
  [
    'text behind a closing quote',
    'a.csv',
    'id,text\n1,"a" b\n2,x\n',
    [
      'line 2: something between the closing quote and the separator; quote the whole field and write "" for each quote in it',
      { id: '2', text: 'x' },
    ],
  ],
  ['invalid UTF-8', 'a.csv', bad, [{ id: '1', text: 'a' }, 'line 3: not valid UTF-8', { id: '3', text: 'c' }]],
  ['tabs', 'a.tsv', 'id\ttext\n1\ta,b\n', [{ id: '1', text: 'a,b' }]],
  [
    'JSON lines with U+2028, CRLF and blank lines',
    'a.jsonl',
    '{"t":"a\u2028b"}\r\n\n \n{"t":1}',
    [{ t: 'a\u2028b' }, { t: 1 }],
  ],
  [
    'JSON lines that are none',
    'a.jsonl',
    '{"t":1}\n[1]\nnull\n7\n{"t":2}\n',
    [
      { t: 1 },
      'line 2: a row must be a JSON object, and this is an array',
      'line 3: a row must be a JSON object, and this is null',
      'line 4: a row must be a JSON object, and this is a number',
      { t: 2 },
    ],
  ],
  [
    'a broken JSON line',
    'a.jsonl',
    '{"t":1}\n{"t":\n{"t":2}\n',
    [{ t: 1 }, 'line 2: not JSON: Unexpected end of JSON input', { t: 2 }],
  ],
  [
    'invalid UTF-8 in JSON lines',
    'a.jsonl',
    Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d, 10, 0x7b, 0x7d]),
    ['line 1: not valid UTF-8', {}],
  ],
  ['empty JSON lines', 'a.jsonl', '', []],
  [
    'a JSON array over several lines',
    'a.json',
    '[\n {"a": "}\\"{"},\n {"a": [1, {"b": 2}]},\n 3,\n "x"\n]\n',
    [
      { a: '}"{' },
      { a: [1, { b: 2 }] },
      'line 4: a row must be a JSON object, and this is a number',
      'line 5: a row must be a JSON object, and this is a string',
    ],
  ],
  [
    'a broken object in a JSON array',
    'a.json',
    '[{"a":1},\n{"a":,},\n{"a":3}]',
    [{ a: 1 }, 'line 2: not JSON: Unexpected token \',\', "{"a":,}" is not valid JSON', { a: 3 }],
  ],
  ['objects one after another', 'a.json', '{\n  "a": 1\n}\n{\n  "a": 2\n}\n', [{ a: 1 }, { a: 2 }]],
  ['an empty array', 'a.json', '[]', []],
  ['lines of text', 'a.txt', 'one\r\n\n  \ntwo, "2"', [{ text: 'one' }, { text: 'two, "2"' }]],
];

for (const [what, name, content, expected] of readable) {
  test(`reads ${what} (${name})`, async (t) => {
    assert.deepEqual(await rowsOf(await scratchFolder(t), { name, content }), expected);
  });
}

/** What is wrong with the whole input, and how it is told. */
const refused: readonly (readonly [string, string, string | Uint8Array, string])[] = [
  ['an empty CSV', 'a.csv', '', 'a.csv is empty: it must begin with a line of column names'],
  ['a name twice', 'a.csv', 'id,text,id\n', 'a.csv, line 1: columns 1 and 3 are both named "id"'],
  ['a column without a name', 'a.csv', ',text\n', 'a.csv, line 1: column 1 has no name'],
  [
    'semicolons',
    'a.csv',
    'id;text\n1;x\n',
    'a.csv, line 1: the columns seem to be separated by ";": say so with --delimiter',
  ],
  [
    'a quote never closed',
    'a.csv',
    'id,text\n1,"x\n2,y\n',
    'a.csv, line 2: field 2 opens a quote that is never closed',
  ],
  [
    'CR alone',
    'a.csv',
    'id,text\r1,x\r',
    "a.csv: its lines end in CR alone; turn them into LF first: tr '\\r' '\\n' < a.csv",
  ],
  [
    'UTF-16',
    'a.csv',
    Buffer.from('\ufeffid,text\n', 'utf16le'),
    'a.csv is UTF-16 text: turn it into UTF-8 first: iconv -f UTF-16 -t UTF-8 a.csv',
  ],
  [
    'UTF-16 without a mark',
    'a.csv',
    Buffer.from('id,text\n', 'utf16le'),
    'a.csv is UTF-16 text: turn it into UTF-8 first: iconv -f UTF-16 -t UTF-8 a.csv',
  ],
  ['zero bytes', 'a.txt', `abc${nul}def`, 'a.txt is not text: byte 3 is zero'],
  ['Parquet by another name', 'a.csv', 'PAR1....', 'a.csv is a Parquet file: add --format parquet'],
  ['gzip by another name', 'a.csv', gzipSync('id\n'), 'a.csv is gzip: name it .gz'],
  ['an array cut short', 'a.json', '[{"a":1},{"a":2}', 'a.json: its array is not closed: the file seems cut short'],
  [
    'an object cut short',
    'a.json',
    '{"a":1}\n{"a":{"b":2}\n',
    'a.json, line 2: the object that begins here is never closed',
  ],
  [
    'no Parquet',
    'a.parquet',
    'id,text\n1,x\n',
    'a.parquet is not a Parquet file that can be read: parquet file invalid (footer != PAR1)',
  ],
  [
    'a gzip cut short',
    'a.csv.gz',
    gzipSync('id,text\n1,x\n'.repeat(50)).subarray(0, 30),
    'a.csv.gz: cannot be unpacked: unexpected end of file',
  ],
];

for (const [what, name, content, message] of refused) {
  test(`refuses ${what} (${name})`, async (t) => {
    const folder = await scratchFolder(t);
    await assert.rejects(rowsOf(folder, { name, content }), { name: 'InputError', message });
  });
}

test('a row of 6 MB and a row of 70 MB', async (t) => {
  const folder = await scratchFolder(t);
  const long = 'x'.repeat(6_000_000);
  const rows = await rowsOf(folder, { name: 'a.csv', content: `id,text\n1,a\n2,"${long}\n"\n3,c\n` });
  assert.deepEqual(rows, [
    { id: '1', text: 'a' },
    { id: '2', text: `${long}\n` },
    { id: '3', text: 'c' },
  ]);
  const endless = rowsOf(folder, { name: 'b.csv', content: `id,text\n1,"${'y'.repeat(70_000_000)}\n` });
  await assert.rejects(endless, /b\.csv, line 2: a row of more than 64 MiB \(is a quote or a line end missing\?\)/);
});

test('CSV without a header, and with another separator', async (t) => {
  const folder = await scratchFolder(t);
  assert.deepEqual(await rowsOf(folder, { name: 'a.csv', content: '1,x\n2,y\n', header: false }), [
    { column1: '1', column2: 'x' },
    { column1: '2', column2: 'y' },
  ]);
  assert.deepEqual(await rowsOf(folder, { name: 'b.csv', content: 'id;t\n1;x,y\n', delimiter: ';' }), [
    { id: '1', t: 'x,y' },
  ]);
});

test('rows are read again from their places, any of them, however windows fall', async (t) => {
  const folder = await scratchFolder(t);
  const unit = fc.constantFrom('a', '"', ',', '\n', 'é', '漢', '{', '}', '[', '\\', '\u2028', ' ');
  const texts = fc.array(fc.string({ unit, maxLength: 30 }), { minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(
      texts,
      fc.constantFrom('csv', 'tsv', 'jsonl', 'json'),
      fc.integer({ min: 1, max: 7 }),
      async (list, format, step) => {
        // One long row moves the others over the edges of windows.
        const rows = [...list, 'z'.repeat(300_000), ...list].map((text, index) => ({ id: String(index), text }));
        const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
        const separator = format === 'tsv' ? '\t' : ',';
        const table = `id${separator}text\n${rows.map(({ id, text }) => `${id}${separator}${quoted(text)}\n`).join('')}`;
        const lines = rows.map((row) => JSON.stringify(row)).join('\n');
        const content = format === 'jsonl' ? lines : format === 'json' ? JSON.stringify(rows, null, 1) : table;
        const input = join(folder, `rows.${format}`);
        await writeFile(input, content);
        const source = await openSource(inputRequest(folder, { input }));
        const all = await allRows(source);
        assert.deepEqual(
          all.map(({ row }) => row),
          rows,
        );
        const points = all.filter((_, index) => index % step === 0);
        const again = await Array.fromAsync(source.read(points));
        assert.deepEqual(again, points);
        await source.close();
      },
    ),
    { numRuns: 40 },
  );
});

test('CSV is what csv-parse says it is', async (t) => {
  const { parse } = await import('csv-parse/sync');
  const folder = await scratchFolder(t);
  const unit = fc.constantFrom('a', 'b', '"', ',', '\n', '\r\n', 'é', ' ', '""', '",');
  await fc.assert(
    fc.asyncProperty(fc.string({ unit, maxLength: 60 }), async (body) => {
      const content = `x,y\n${body}`;
      let expected: unknown;
      try {
        expected = parse(content, { columns: true, skip_empty_lines: true, record_delimiter: ['\n', '\r\n'] });
      } catch {
        return;
      }
      assert.deepEqual(await rowsOf(folder, { name: 'a.csv', content }), expected);
    }),
    { numRuns: 1_500 },
  );
});

test('a million rows in little memory', async (t) => {
  const folder = await scratchFolder(t);
  const input = join(folder, 'a.csv');
  execFileSync('/bin/sh', ['-c', `(echo id,text; seq 1000000 | sed 's/$/,"a, text"/') > ${input}`]);
  const source = await openSource(inputRequest(folder, { input }));
  let rows = 0;
  let last: unknown;
  for await (const group of source.rows()) {
    rows += group.length;
    last = group.at(-1);
  }
  assert.equal(rows, 1_000_000);
  assert.equal((last as { place: { line: number } }).place.line, 1_000_001);
  await source.close();
});
