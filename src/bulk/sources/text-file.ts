/** Opens a file of text: looks at its head (encoding, byte order mark, header) and says plainly what it cannot be. */
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Source } from '../contract.ts';
import { INPUT_HEAD_BYTES, INPUT_ROW_BYTES_MAX, INPUT_WINDOW_BYTES } from '../limits.ts';
import { countFields, csvFormat, type CsvDialect, readHeader } from './csv-format.ts';
import { FileSource, type OpenFile, readWindow } from './file-source.ts';
import { InputError } from './input-error.ts';
import { jsonFormat } from './json-format.ts';
import { jsonLinesFormat } from './json-lines-format.ts';
import { linesFormat } from './lines-format.ts';
import type { Cursor, RecordFormat } from './record-format.ts';

export type TextFormat = 'csv' | 'tsv' | 'jsonl' | 'json' | 'txt';
export type TextOptions = { readonly format: TextFormat; readonly header: boolean; readonly delimiter: string | null };

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

export async function openTextFile(path: string, options: TextOptions): Promise<Source> {
  const handle = await openHandle(path);
  try {
    const { size } = await handle.stat();
    const file: OpenFile = { name: basename(path), path, handle, size };
    const start = await checkHead(file);
    const format = options.format;
    if (format === 'csv' || format === 'tsv') return await openCsv(file, start, { ...options, format });
    if (format === 'json') await checkClosed(file, start);
    const formats: Readonly<Record<'jsonl' | 'json' | 'txt', RecordFormat>> = {
      jsonl: jsonLinesFormat,
      json: jsonFormat,
      txt: linesFormat,
    };
    return new FileSource(file, { format: formats[format], first: { offset: start, line: 1 } });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function openCsv(
  file: OpenFile,
  start: number,
  options: TextOptions & { readonly format: 'csv' | 'tsv' },
): Promise<Source> {
  const dialect: CsvDialect = { kind: options.format, delimiter: delimiterOf(options) };
  const cursor: Cursor = { at: 0, line: 1, row: null, fault: null };
  for (let bytes = INPUT_WINDOW_BYTES; ; bytes *= 2) {
    const window = await readWindow(file, { offset: start, bytes });
    if (!options.header) {
      const columns = Array.from({ length: countFields(window, 1, dialect) }, (_, index) => `column${index + 1}`);
      return new FileSource(file, { format: csvFormat(dialect, columns), first: { offset: start, line: 1 } });
    }
    const enough = window.final || window.text.includes('\n') || bytes >= INPUT_ROW_BYTES_MAX;
    if (!enough) continue;
    cursor.at = 0;
    const columns = readHeader(window, cursor, {
      dialect,
      name: file.name,
      delimiterGiven: options.delimiter !== null,
    });
    if (columns === null) throw new InputError(`${file.name} is empty: it must begin with a line of column names`);
    const first = { offset: Math.min(start + cursor.at, file.size), line: cursor.line };
    return new FileSource(file, { format: csvFormat(dialect, columns), first });
  }
}

function delimiterOf(options: TextOptions): string {
  const delimiter = options.delimiter ?? (options.format === 'tsv' ? '\t' : ',');
  if (delimiter.length === 1 && delimiter.charCodeAt(0) < 0x80 && !'"\r\n'.includes(delimiter)) return delimiter;
  throw new InputError(`--delimiter ${JSON.stringify(delimiter)} is not one ASCII character that may separate fields`);
}

async function openHandle(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    throw new InputError(`${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** Where the text begins; throws where it is no UTF-8 text at all. */
async function checkHead(file: OpenFile): Promise<number> {
  const { bytes } = await readWindow(file, { offset: 0, bytes: INPUT_HEAD_BYTES });
  if (bytes.subarray(0, 3).equals(BOM)) return 3;
  const [first, second] = [bytes[0], bytes[1]];
  const marked = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  if (marked || (bytes.length > 1 && (first === 0) !== (second === 0))) {
    throw new InputError(
      `${file.name} is UTF-16 text: turn it into UTF-8 first: iconv -f UTF-16 -t UTF-8 ${file.name}`,
    );
  }
  const magic = bytes.toString('latin1', 0, 4);
  const guess =
    magic === 'PAR1' ? 'a Parquet file: add --format parquet' : magic.startsWith('PK') ? 'a ZIP or Excel file' : null;
  const packed = magic.startsWith('\x1f\x8b')
    ? 'gzip: name it .gz'
    : magic === '(\xb5/\xfd'
      ? 'zstd: name it .zst'
      : guess;
  if (packed !== null) throw new InputError(`${file.name} is ${packed}`);
  const zero = bytes.indexOf(0);
  if (zero !== -1) throw new InputError(`${file.name} is not text: byte ${zero} is zero`);
  return 0;
}

/** An array that is not closed is a file cut short, and half of its rows would look like all. */
async function checkClosed(file: OpenFile, start: number): Promise<void> {
  const head = await readWindow(file, { offset: start, bytes: INPUT_HEAD_BYTES });
  if (!head.text.trimStart().startsWith('[')) return;
  const offset = Math.max(start, file.size - INPUT_HEAD_BYTES);
  const tail = await readWindow(file, { offset, bytes: INPUT_HEAD_BYTES });
  if (!tail.text.trimEnd().endsWith(']'))
    throw new InputError(`${file.name}: its array is not closed: the file seems cut short`);
}
