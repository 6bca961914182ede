/** Cuts long columns before they are sent, never inside what a reader sees as one character. */
import type { Cut, Row } from '../contract.ts';
import { BYTES_PER_TOKEN } from '../limits.ts';
import { missingColumn, PromptError } from './fault.ts';
import { textOf } from './template.ts';

/** `COL=4000` characters, or `COL=4000t` tokens (of 3.2 bytes: a guess, on the safe side for most languages). */
export function parseCut(flag: string): Cut {
  const found = /^(.+)=(\d+)(t?)$/.exec(flag);
  const count = Number(found?.[2]);
  if (found === null || !(count > 0))
    throw new PromptError(`--truncate takes COLUMN=4000 (characters) or COLUMN=4000t (tokens), not "${flag}"`);
  const isTokens = found[3] === 't';
  return { column: found[1], characters: isTokens ? null : count, tokens: isTokens ? count : null };
}

/** The cuts there are, a later one of a column in place of an earlier one. */
export function joinCuts(cuts: readonly Cut[], later: readonly Cut[]): readonly Cut[] {
  return [...new Map([...cuts, ...later].map((cut) => [cut.column, cut])).values()];
}

export function checkCuts(cuts: readonly Cut[], columns: readonly string[] | null): void {
  const missing = columns === null ? undefined : cuts.find(({ column }) => !columns.includes(column));
  if (columns !== null && missing !== undefined)
    throw new PromptError(`--truncate: ${missingColumn(missing.column, columns)}`);
}

export function cutRow(row: Row, cuts: readonly Cut[]): { readonly row: Row; readonly cut: boolean } {
  let result: Row | null = null;
  for (const cut of cuts) {
    const value = row[cut.column];
    if (value === null || value === undefined) continue;
    const text = textOf(value, cut.column);
    const kept = cutText(text, cut);
    if (kept.length < text.length) result = { ...(result ?? row), [cut.column]: kept };
  }
  return result === null ? { row, cut: false } : { row: result, cut: true };
}

export function cutText(text: string, { characters, tokens }: Pick<Cut, 'characters' | 'tokens'>): string {
  const byCharacters = characters === null ? text.length : endOfCharacters(text, characters);
  const byTokens = tokens === null ? text.length : endOfBytes(text, Math.floor(tokens * BYTES_PER_TOKEN));
  const end = Math.min(byCharacters, byTokens);
  return end === text.length ? text : text.slice(0, graphemeBoundary(text, end));
}

/** The index after so many code points. */
function endOfCharacters(text: string, characters: number): number {
  if (text.length <= characters) return text.length;
  let at = 0;
  for (let count = 0; count < characters && at < text.length; count += 1) at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  return at;
}

/** The index after as many whole characters as have so many bytes. */
function endOfBytes(text: string, bytes: number): number {
  if (text.length * 3 <= bytes) return text.length;
  // No text is longer in UTF-16 units than in bytes, so what lies beyond needs no look.
  return new TextEncoder().encodeInto(text.slice(0, bytes + 1), new Uint8Array(bytes)).read;
}

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
/** Real graphemes are shorter; a longer one is cut between its code points. */
const WINDOW = 64;

function graphemeBoundary(text: string, end: number): number {
  const start = Math.max(0, end - WINDOW);
  const window = text.slice(start, end + WINDOW);
  const found = segmenter.segment(window).containing(end - start);
  const boundary = start + (found?.index ?? end - start);
  return boundary > start || start === 0 ? boundary : end;
}
