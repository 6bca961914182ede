/** Reads what a person named, files or texts, into the plain data a run keeps: from then on no file of theirs is needed but a module. */
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Cut } from '../contract.ts';
import type { PromptSpec } from '../run/spec.ts';
import { PromptError } from './fault.ts';
import { isModule, jsonOf, loadParams } from './row-function.ts';

export type PromptFlags = {
  /** A text, a file, or `@file`; a `.liquid` file is Liquid, a `.ts` or `.js` one a function. Null: rows are requests already. */
  readonly template: string | null;
  /** A text, a file, or `@file`. */
  readonly system?: string | null;
  readonly params?: string | null;
  readonly model?: string | null;
  readonly maxTokens?: number | null;
  readonly temperature?: number | null;
  readonly schema?: string | null;
  readonly toolMode?: boolean;
  readonly images?: readonly string[];
  readonly documents?: readonly string[];
  readonly truncate?: readonly Cut[];
  readonly cache?: PromptSpec['cache'];
  /** Paths begin here. */
  readonly folder: string;
};

export async function readPromptFlags(flags: PromptFlags): Promise<PromptSpec> {
  const { folder } = flags;
  const template = await readTemplate(flags.template, folder);
  const system = await textOrFile(flags.system ?? null, folder);
  const paramsFile = fileOf(flags.params ?? null, folder);
  const schemaFile = fileOf(flags.schema ?? null, folder);
  return {
    ...template,
    system: system?.text ?? null,
    params: paramsFile === null ? {} : await loadParams(paramsFile),
    model: flags.model ?? null,
    maxTokens: flags.maxTokens ?? null,
    temperature: flags.temperature ?? null,
    schema: schemaFile === null ? null : await readSchema(schemaFile),
    schemaMode: flags.toolMode === true ? 'tool' : 'format',
    images: flags.images ?? [],
    documents: flags.documents ?? [],
    truncate: flags.truncate ?? [],
    cache: flags.cache ?? 'auto',
  };
}

async function readTemplate(
  given: string | null,
  folder: string,
): Promise<Pick<PromptSpec, 'kind' | 'template' | 'file'>> {
  const read = await textOrFile(given, folder);
  if (read === null) return { kind: 'passthrough', template: null, file: null };
  const { text, file } = read;
  if (file !== null && isModule(file)) return { kind: 'function', template: text, file };
  return { kind: file?.endsWith('.liquid') === true ? 'liquid' : 'template', template: text, file };
}

async function readSchema(path: string): Promise<unknown> {
  return isModule(path) ? loadParams(path) : jsonOf(path);
}

function fileOf(given: string | null, folder: string): string | null {
  return given === null ? null : resolve(folder, given.replace(/^@/, ''));
}

/** What looks like a path and is none there is a mistake, not a prompt. */
const pathLike = /^[^\s{}]+\.(txt|md|liquid|[cm]?[jt]s|prompt|tmpl|j2|jinja)$/i;
const PATH_LENGTH_MAX = 4_096;

async function textOrFile(given: string | null, folder: string): Promise<{ text: string; file: string | null } | null> {
  if (given === null) return null;
  const isNamed = given.startsWith('@');
  const mayBeFile = given.length <= PATH_LENGTH_MAX && !given.includes('\n') && !given.includes('\0');
  const path = mayBeFile ? resolve(folder, isNamed ? given.slice(1) : given) : null;
  const isFile =
    path !== null &&
    (await stat(path).then(
      (found) => found.isFile(),
      () => false,
    ));
  if (!isFile && (isNamed || pathLike.test(given))) throw new PromptError(`there is no file ${path}`);
  if (!isFile || path === null) return { text: given, file: null };
  const text = await readFile(path, 'utf8');
  // A file ends its last line; a prompt does not.
  return { text: text.replace(/^\uFEFF/, '').replace(/\r?\n$/, ''), file: path };
}
