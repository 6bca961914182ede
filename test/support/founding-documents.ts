/**
 * The programs in the founding documents, read where they lie: beside the project, not in it. Nothing of their text is kept here but
 * the first words by which a program is known; where the folder is absent, the tests that run them say so and are skipped.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './sources.ts';

const folder = path.join(root, '..', 'shared', 'seeds');

export const documentsMissing: string | false =
  !existsSync(folder) && `SKIPPED: the founding documents are not at ${folder}, so their programs were not run`;

export type Language = 'shell' | 'python' | 'typescript' | 'lines' | 'other';
export type Program = { readonly language: Language; readonly text: string };

/** How the documents' programs begin. The kinds of `other` are only known so that they end the program before them. */
const beginnings: readonly (readonly [Language, RegExp])[] = [
  ['shell', /^(#!\/bin\/sh|curl https:)/],
  ['python', /^(import (anthropic|time|math)$|def |Python$)/],
  ['typescript', /^const anthropic = new /],
  ['lines', /^Jsonl$/],
  ['other', /^(import com\.|package |require "|using |<\?php)/],
];
/** A line of prose stands at the margin and begins with a capitalized word; no line of their programs does, but inside quotes. */
const prose = /^[A-Z][\w\u2019-]*[ ,:]/;

/** In the order of the document. */
export function programsOf(number: '000' | '001' | '002' | '003'): readonly Program[] {
  const name = readdirSync(folder).find((file) => file.startsWith(`${number}_`));
  if (name === undefined) throw new Error(`document ${number} is not in ${folder}`);
  const found: { language: Language; lines: string[] }[] = [];
  let open: { language: Language; lines: string[] } | null = null;
  let quoted = false;
  for (const line of readFileSync(path.join(folder, name), 'utf8').split('\n')) {
    const language = beginnings.find(([, beginning]) => beginning.test(line))?.[0];
    if (line.trim() === '"""') quoted = !quoted;
    if (language !== undefined && (open === null || language !== open.language)) {
      open = { language, lines: [] };
      found.push(open);
    } else if (language === undefined && !quoted && prose.test(line)) {
      open = null;
    }
    // A language's name above a program is no part of it.
    if (!/^(Python|Jsonl)$/.test(line)) open?.lines.push(line);
  }
  return found.map(({ language, lines }) => ({ language, text: lines.join('\n').trim() }));
}

/** Each [pattern, replacement] must find its place: a correction that finds none is out of date. */
export function corrected(text: string, corrections: readonly (readonly [string | RegExp, string])[]): string {
  return corrections.reduce((result, [pattern, replacement]) => {
    const changed = result.replaceAll(pattern, () => replacement);
    if (changed === result) throw new Error(`the correction of ${pattern} found nothing to correct`);
    return changed;
  }, text);
}

/** Restores the indentation a program has lost on its way: one digit a line says how deep it stands, 0 where digits end. */
export function indented(text: string, depths: string): string {
  const depthOf = (at: number): number => Number(depths[at] ?? 0);
  return text
    .split('\n')
    .map((line, at) => ' '.repeat(4 * depthOf(at)) + line)
    .join('\n');
}
