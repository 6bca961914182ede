/** For the tests of sources: opens an input as the command would, and reads all of it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Source, SourceRow } from '../contract.ts';
import { type InputRequest, openSource } from './open-source.ts';

export function inputRequest(spool: string, given: Partial<InputRequest>): InputRequest {
  return {
    input: null,
    format: null,
    sql: null,
    db: null,
    where: null,
    header: true,
    delimiter: null,
    spool: join(spool, 'spool'),
    stdin: Readable.from([]),
    ...given,
  };
}

export async function allRows(source: Source): Promise<SourceRow[]> {
  const all: SourceRow[] = [];
  for await (const group of source.rows()) all.push(...group);
  return all;
}

/** The rows of a file with this content; a fault stands in the place of its row. */
export async function rowsOf(
  folder: string,
  file: { readonly name: string; readonly content: string | Uint8Array } & Partial<InputRequest>,
): Promise<unknown[]> {
  const { name, content, ...given } = file;
  const input = join(folder, name);
  await writeFile(input, content);
  const source = await openSource(inputRequest(folder, { input, ...given }));
  try {
    return (await allRows(source)).map(({ row, fault }) => row ?? fault);
  } finally {
    await source.close();
  }
}
