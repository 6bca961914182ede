// The project's own source files and what they import, read by regular expressions: good enough for code that oxfmt has formatted.
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export type Import = {
  /** The imported file from the root of the project, `src/domain/id.ts`; or the name of a package. */
  readonly target: string;
  readonly kind: 'file' | 'package';
  readonly typeOnly: boolean;
  readonly line: number;
};

/** Files by glob, from the root of the project, with forward slashes. */
export function sourceFiles(...patterns: readonly string[]): readonly string[] {
  return globSync([...patterns], { cwd: root })
    .map((file) => file.replaceAll(path.sep, '/'))
    .sort();
}

export function readSource(file: string): string {
  return readFileSync(path.join(root, file), 'utf8');
}

export function sourceExists(file: string): boolean {
  return existsSync(path.join(root, file));
}

/** Tests and what only tests use; the published package holds none of them (tsconfig.build.json leaves out the same). */
export function isTestFile(file: string): boolean {
  return /(\.test|\.arbitrary|[./]support|\/fake-[a-z-]+)\.ts$/.test(file);
}

/** Imports, re-exports, literal dynamic imports and worker addresses, in the order of the file. */
export function importsOf(file: string, text: string = readSource(file)): readonly Import[] {
  const code = withoutComments(text);
  const found: Import[] = [];
  const add = (match: RegExpExecArray, specifier: string, typeOnly: boolean): void => {
    found.push({ ...resolve(file, specifier), typeOnly, line: lineAt(code, match.index) });
  };
  for (const match of code.matchAll(/^(?:import|export)\s+(type\s)?[\w\s{},*$]*?from\s+'([^']+)'/gm)) {
    add(match, match[2]!, match[1] !== undefined);
  }
  for (const match of code.matchAll(/^import\s+'([^']+)'/gm)) add(match, match[1]!, false);
  for (const match of code.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g)) add(match, match[1]!, false);
  for (const match of code.matchAll(/new URL\(\s*'(\.[^']+\.[tj]s)'\s*,\s*import\.meta\.url/g))
    add(match, match[1]!, false);
  return found.toSorted((one, other) => one.line - other.line);
}

/** Blanks comments and keeps every line in its place. A `//` inside a string is left alone where a colon or a quote stands before it. */
export function withoutComments(text: string): string {
  return text
    .replaceAll(/^[ \t]*\/\*[\s\S]*?\*\//gm, (comment) => comment.replaceAll(/[^\n]/g, ' '))
    .replaceAll(/(^|[\s;{(,])\/\/[^\n]*/gm, '$1');
}

function resolve(file: string, specifier: string): Pick<Import, 'target' | 'kind'> {
  if (specifier.startsWith('.')) return { target: path.posix.join(path.posix.dirname(file), specifier), kind: 'file' };
  const parts = specifier.split('/');
  const named = specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!;
  return { target: specifier.startsWith('node:') ? specifier : named, kind: 'package' };
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}
