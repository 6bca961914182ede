/** The query of a report: time, width of the buckets, groups, filters and page, with the words for what is wrong with them. */
import { AppError } from '../domain/errors.ts';
import type { Clock } from '../ports/world.ts';

export type Width = 60 | 3_600 | 86_400;

export type ReportRange = {
  readonly widthSeconds: Width;
  /** Seconds since 1970: the first bucket of this page, and the end of its last one. */
  readonly from: number;
  readonly to: number;
  /** Where the next page begins; null when this is the last. */
  readonly nextPage: string | null;
};

/** How many buckets a page has, by width: by default and at most. */
const limits: Readonly<Record<Width, { readonly usual: number; readonly max: number }>> = {
  60: { usual: 60, max: 1_440 },
  3_600: { usual: 24, max: 168 },
  86_400: { usual: 7, max: 31 },
};

/** A query that names what we do not know is refused: a filter that is passed over would show too much. */
export function refuseUnknown(query: URLSearchParams, known: readonly string[]): void {
  for (const name of query.keys()) if (!known.includes(name)) throw refused(name, 'Extra inputs are not permitted');
}

export function readRange(query: URLSearchParams, width: Width, clock: Clock): ReportRange {
  const { usual, max } = limits[width];
  const limit = readCount(query.get('limit'), { usual, max });
  const begins = floorTo(readTime(query, 'starting_at') ?? missing('starting_at'), width);
  const now = Math.floor(clock.wallMs() / 1_000);
  const ends = ceilTo(readTime(query, 'ending_at') ?? Math.max(now, begins) + 1, width);
  if (ends <= begins) throw refused('ending_at', 'Must be after starting_at');
  const from = readPage(query.get('page'), { begins, ends, width });
  const to = Math.min(ends, from + limit * width);
  return { widthSeconds: width, from, to, nextPage: to < ends ? pageOf(to) : null };
}

/** The starts of a page's buckets, those without usage too. */
export function bucketsOf({ from, to, widthSeconds }: ReportRange): number[] {
  return Array.from({ length: (to - from) / widthSeconds }, (_, index) => from + index * widthSeconds);
}

export function readChoice<const T extends string>(
  query: URLSearchParams,
  given: { readonly name: string; readonly choices: readonly T[]; readonly usual: T },
): T {
  const text = query.get(given.name);
  return text === null ? given.usual : chosen(text, given);
}

export function readChoices<const T extends string>(
  query: URLSearchParams,
  given: { readonly name: string; readonly choices: readonly T[] },
): readonly T[] {
  return [...new Set(query.getAll(given.name).map((text) => chosen(text, given)))];
}

export function isoTime(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z');
}

function chosen<const T extends string>(text: string, given: { name: string; choices: readonly T[] }): T {
  const found = given.choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  const list = given.choices.map((choice) => `'${choice}'`);
  const words = list.length === 1 ? list[0] : `${list.slice(0, -1).join(', ')} or ${list.at(-1)}`;
  throw refused(given.name, `Input should be ${words}`);
}

/** Times of a year beyond these are mistakes, and would make buckets without number. */
const SECONDS_MAX = Date.UTC(2200, 0) / 1_000;

function readTime(query: URLSearchParams, name: string): number | null {
  const text = query.get(name);
  if (text === null || text === '') return null;
  // A plus sign that was not encoded arrives as a space.
  const time = text.replace(/ (?=\d\d:?\d\d$)/, '+');
  const isTime = /^\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)?)?$/.test(time);
  const hasZone = /([Zz]|[+-]\d\d:?\d\d)$/.test(time.slice(10)) || time.length === 10;
  const ms = isTime ? Date.parse(hasZone ? time : `${time}Z`) : NaN;
  const seconds = Math.floor(ms / 1_000);
  if (!(seconds >= 0 && seconds <= SECONDS_MAX)) throw refused(name, 'Input should be a valid datetime');
  return seconds;
}

function readCount(text: string | null, { usual, max }: { usual: number; max: number }): number {
  if (text === null) return usual;
  if (!/^\d{1,9}$/.test(text)) throw refused('limit', 'Input should be a valid integer');
  const count = Number(text);
  if (count < 1) throw refused('limit', 'Input should be greater than or equal to 1');
  if (count > max) throw refused('limit', `Input should be less than or equal to ${max} for this bucket_width`);
  return count;
}

function pageOf(start: number): string {
  return `page_${Buffer.from(String(start)).toString('base64url')}`;
}

function readPage(text: string | null, range: { begins: number; ends: number; width: Width }): number {
  if (text === null || text === '') return range.begins;
  const start = Number(Buffer.from(text.replace(/^page_/, ''), 'base64url').toString('utf8'));
  const fits = Number.isInteger(start) && start >= range.begins && start < range.ends && start % range.width === 0;
  if (!fits) throw refused('page', 'Not a page of this report');
  return start;
}

function missing(name: string): never {
  throw refused(name, 'Field required');
}

function refused(name: string, why: string): AppError {
  return new AppError('invalid_request', `${name}: ${why}`);
}

function floorTo(seconds: number, width: number): number {
  return seconds - (seconds % width);
}

function ceilTo(seconds: number, width: number): number {
  return floorTo(seconds + width - 1, width);
}
