/** What a spec names, opened: its rows, and the prompt that makes requests of them. */
import { dirname, isAbsolute, join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Prompt, Source } from './contract.ts';
import { openPrompt } from './prompts/prompt.ts';
import type { RowFunction } from './prompts/row-function.ts';
import type { RunFolder } from './run/folder.ts';
import type { RunSpec } from './run/spec.ts';
import { limited } from './sources/limited.ts';
import { type InputFormat, openSource } from './sources/open-source.ts';

export type RowsAndPrompt = { readonly source: Source; readonly prompt: Prompt };

type Named = {
  readonly spec: Pick<RunSpec, 'input' | 'prompt'>;
  readonly folder: Pick<RunFolder, 'path'>;
  readonly stdin: Readable;
};

export async function openRowsAndPrompt({ spec, folder, stdin }: Named): Promise<RowsAndPrompt> {
  const source = await openRows({ spec, folder, stdin });
  try {
    return { source, prompt: await promptFor(spec, source) };
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function openRows({ spec: { input }, folder, stdin }: Named): Promise<Source> {
  const { location, format, sql, db, where, limit, sample, seed } = input;
  const source = await openSource({
    input: location === '' ? null : location,
    format: format as InputFormat | null,
    sql,
    db,
    where,
    header: true,
    delimiter: null,
    spool: join(folder.path, 'spool'),
    stdin,
  });
  return limited(source, { limit, sample, seed: seed ?? 0 });
}

/** Paths in columns begin where the input lies. */
export async function promptFor(
  { input, prompt }: Pick<RunSpec, 'input' | 'prompt'>,
  source: Source,
  toParams?: RowFunction,
): Promise<Prompt> {
  const isFile = isAbsolute(input.location);
  return await openPrompt(prompt, {
    columns: source.columns,
    idColumn: input.idColumn,
    folder: isFile ? dirname(input.location) : process.cwd(),
    ...(toParams === undefined ? {} : { toParams }),
  });
}
