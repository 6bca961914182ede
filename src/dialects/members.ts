/** Finds the members of an object in place, by the names that matter. */
import { BACKSLASH, CLOSE_OBJECT, COMMA } from '../bytes/ascii.ts';
import { keyIs, skip, text, whitespace } from '../bytes/json.ts';

/** Where a value lies; a missing one starts at -1. */
export type Range = { readonly start: number; readonly end: number };

export type Keys = {
  readonly names: readonly string[];
  /** What is found of them in an object without members. */
  readonly missing: readonly Range[];
  readonly placesByLength: readonly (readonly number[] | undefined)[];
};

const nowhere: Range = { start: -1, end: -1 };

export function keysOf(...names: readonly string[]): Keys {
  const placesByLength: number[][] = [];
  names.forEach((name, place) => (placesByLength[name.length] ??= []).push(place));
  return { names, missing: names.map(() => nowhere), placesByLength };
}

export type Located = {
  /** Where the value of each name lies, in the order of the names. Of duplicate keys the last one counts, as for JSON.parse. */
  readonly found: readonly Range[];
  /** The first key that is none of the names, with its quotes. */
  readonly unknown: Range;
  /** The index after the object. */
  readonly end: number;
};

/** Sees a value before it is walked over; it may walk it itself and return the index after it, or -1. */
export type Enter = (place: number, start: number, found: readonly Range[]) => number;

const pass: Enter = () => -1;

/** Walks the object at `at` once. Large values should be walked by `enter`, or else they are walked twice. */
export function locate(bytes: Buffer, keys: Keys, { at, enter = pass }: { at: number; enter?: Enter }): Located {
  const found = keys.missing.slice();
  let unknown = nowhere;
  let next = whitespace(bytes, at + 1);
  while (bytes[next] !== CLOSE_OBJECT) {
    const keyStart = next;
    const keyEnd = skip(bytes, keyStart);
    const start = whitespace(bytes, whitespace(bytes, keyEnd) + 1);
    const place = placeOf(bytes, { start: keyStart, end: keyEnd }, keys);
    const entered = place === -1 ? -1 : enter(place, start, found);
    const end = entered === -1 ? skip(bytes, start) : entered;
    if (place !== -1) found[place] = { start, end };
    else if (unknown === nowhere) unknown = { start: keyStart, end: keyEnd };
    next = whitespace(bytes, end);
    if (bytes[next] === COMMA) next = whitespace(bytes, next + 1);
  }
  return { found, unknown, end: next + 1 };
}

/**
 * Walks the object at `at` once, by a visitor that returns the index after each value, or -1 to end it all. Returns the index
 * after the object, or -1. Keys come without their quotes, escapes and all.
 */
export function walkMembers(
  bytes: Buffer,
  at: number,
  visit: (keyStart: number, keyEnd: number, valueStart: number) => number,
): number {
  let next = whitespace(bytes, at + 1);
  while (bytes[next] !== CLOSE_OBJECT) {
    const keyEnd = skip(bytes, next);
    const end = visit(next + 1, keyEnd - 1, whitespace(bytes, whitespace(bytes, keyEnd) + 1));
    if (end === -1) return -1;
    next = whitespace(bytes, end);
    if (bytes[next] === COMMA) next = whitespace(bytes, next + 1);
  }
  return next + 1;
}

/** Names are compared only with keys of their length; a key with escapes, which nobody writes, is decoded. */
export function placeOf(bytes: Buffer, key: Range, { names, placesByLength }: Keys): number {
  const start = key.start + 1;
  const end = key.end - 1;
  const places = placesByLength[end - start];
  if (places !== undefined) {
    for (const place of places) if (keyIs(bytes, start, end, names[place])) return place;
  }
  return hasEscape(bytes, start, end) ? names.indexOf(text(bytes, key.start, key.end)) : -1;
}

function hasEscape(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at] === BACKSLASH) return true;
  return false;
}
