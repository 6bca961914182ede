/** Finds the members of an object in place, by the names that matter. */
import { BACKSLASH } from '../bytes/ascii.ts';
import { keyIs, members, text } from '../bytes/json.ts';

/** Where a value lies; a missing one starts at -1. */
export type Range = { start: number; end: number };

export type Keys = {
  readonly names: readonly string[];
  readonly placesByLength: readonly (readonly number[] | undefined)[];
};

export function keysOf(...names: readonly string[]): Keys {
  const placesByLength: number[][] = [];
  names.forEach((name, place) => (placesByLength[name.length] ??= []).push(place));
  return { names, placesByLength };
}

/**
 * Returns a range for each name, in their order, and one more for the first key that is none of them (without its quotes).
 * Of duplicate keys the last one counts, as it does for JSON.parse.
 */
export function locate(bytes: Buffer, at: number, keys: Keys): readonly Range[] {
  const ranges: Range[] = [];
  for (let place = 0; place <= keys.names.length; place += 1) ranges.push({ start: -1, end: -1 });
  const unknown = ranges[keys.names.length];
  // oxlint-disable-next-line eslint/max-params -- the visitor of members() takes four, because a range object for each would cost.
  members(bytes, at, (keyStart, keyEnd, start, end) => {
    const place = placeOf(bytes, { start: keyStart, end: keyEnd }, keys);
    if (place !== -1) mark(ranges[place], start, end);
    else if (unknown.start === -1) mark(unknown, keyStart, keyEnd);
  });
  return ranges;
}

/** Names are compared only with keys of their length; a key with escapes, which nobody writes, is decoded. */
function placeOf(bytes: Buffer, { start, end }: Range, { names, placesByLength }: Keys): number {
  const places = placesByLength[end - start];
  if (places !== undefined) {
    for (const place of places) if (keyIs(bytes, start, end, names[place])) return place;
  }
  return hasEscape(bytes, start, end) ? names.indexOf(text(bytes, start - 1, end + 1)) : -1;
}

function hasEscape(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at] === BACKSLASH) return true;
  return false;
}

function mark(range: Range, start: number, end: number): void {
  range.start = start;
  range.end = end;
}
