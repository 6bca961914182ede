/** Numbers and strings that fit what a schema says of them. */
import type { Fields } from './fields.ts';
import type { Draw } from './draw.ts';
import { drawPattern } from './schema-pattern.ts';

const TWO_TO_THE_32 = 4_294_967_296;
/** Where a schema names one bound only, the other lies so far from it. */
const SPAN_TYPICAL = 100;
/** Draws for a pattern until the length fits too. */
const PATTERN_DRAWS_MAX = 30;
/** A minimum length beyond this is not served: an answer must not be blown up by a number. */
const STRING_LENGTH_MAX = 100_000;
const DAY_MS = 86_400_000;
/** The dates lie in the ten years after this day. */
const FIRST_DAY_MS = Date.UTC(2020, 0, 1);

type Manner = { readonly draw: Draw; readonly whole: boolean };

export function drawNumber(shape: Fields, { draw, whole }: Manner): number {
  const step = numberOr(shape['multipleOf'], whole ? 1 : 0);
  const low = Math.max(numberOr(shape['minimum'], -Infinity), numberOr(shape['exclusiveMinimum'], -Infinity));
  const high = Math.min(numberOr(shape['maximum'], Infinity), numberOr(shape['exclusiveMaximum'], Infinity));
  const from = low > -Infinity ? low : high < Infinity ? Math.min(0, high - SPAN_TYPICAL) : 0;
  const to = high < Infinity ? high : Math.max(from, 0) + SPAN_TYPICAL;
  const isOutside = (value: number): boolean =>
    value < from || value > to || value === shape['exclusiveMinimum'] || value === shape['exclusiveMaximum'];
  if (step > 0) {
    const unit = whole && !Number.isInteger(step) ? wholeStep(step) : step;
    const [first, last] = [Math.ceil(from / unit), Math.floor(to / unit)];
    const multiples = [first + Math.floor(share(draw) * (last - first + 1)), first, first + 1, last];
    const fitting = multiples.map((multiple) => tidy(multiple * unit)).find((value) => !isOutside(value));
    return fitting ?? tidy(first * unit) + 0;
  }
  const rounded = Math.round((from + share(draw) * (to - from)) * 100) / 100;
  return isOutside(rounded) ? (from + to) / 2 : rounded + 0;
}

/** A whole number that is a multiple of a fraction too. */
function wholeStep(step: number): number {
  for (let times = 1; times <= 1_000; times += 1) if (Number.isInteger(tidy(step * times))) return tidy(step * times);
  return 1;
}

/** 3 × 0.1 is to be 0.3. Adding 0 makes -0 a plain 0. */
function tidy(value: number): number {
  return Number(value.toPrecision(15)) + 0;
}

function share(draw: Draw): number {
  return draw.word() / TWO_TO_THE_32;
}

function numberOr(value: unknown, fallback: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : fallback;
}

type Naming = { readonly draw: Draw; readonly name: string };

const subjects = ['example', 'sample', 'note', 'entry', 'item', 'detail', 'summary', 'point', 'reason', 'label'];

export function drawString(shape: Fields, { draw, name }: Naming): string {
  const least = Math.min(numberOr(shape['minLength'], 0), STRING_LENGTH_MAX);
  const most = Math.max(least, numberOr(shape['maxLength'], Infinity));
  const fits = (text: string): boolean => text.length >= least && text.length <= most;
  if (typeof shape['pattern'] === 'string') {
    for (let draws = 0; draws < PATTERN_DRAWS_MAX; draws += 1) {
      const text = drawPattern(shape['pattern'], { draw, least: draws % 3 === 0 ? 0 : least });
      if (text === null) break;
      if (fits(text)) return text;
    }
  }
  const formatted = formats[String(shape['format'])]?.(draw);
  if (formatted !== undefined && fits(formatted)) return formatted;
  return sized(`simulated ${plainName(name)} ${draw.pick(subjects)}`, { least, most });
}

function plainName(name: string): string {
  return (
    name
      .replaceAll(/[^\w]+|_/g, ' ')
      .trim()
      .slice(0, 40) || 'value'
  );
}

function sized(text: string, { least, most }: { least: number; most: number }): string {
  const long = text.length >= least ? text : text.padEnd(least, ` ${text}`);
  return long.length <= most ? long : long.slice(0, most);
}

function digits(draw: Draw, count: number): string {
  return String(draw.word() % 10 ** count).padStart(count, '0');
}

function day(draw: Draw): string {
  return new Date(FIRST_DAY_MS + (draw.word() % 3_650) * DAY_MS).toISOString().slice(0, 10);
}

function time(draw: Draw): string {
  return [draw.word() % 24, draw.word() % 60, draw.word() % 60].map((part) => String(part).padStart(2, '0')).join(':');
}

function hex(draw: Draw): string {
  return draw.word().toString(16).padStart(8, '0');
}

const formats: Readonly<Record<string, (draw: Draw) => string>> = {
  date: day,
  time: (draw) => `${time(draw)}Z`,
  'date-time': (draw) => `${day(draw)}T${time(draw)}Z`,
  duration: (draw) => `PT${1 + (draw.word() % 90)}M`,
  email: (draw) => `simulated.${digits(draw, 4)}@example.com`,
  hostname: (draw) => `host-${digits(draw, 4)}.example.com`,
  uri: (draw) => `https://example.com/simulated/${digits(draw, 4)}`,
  'uri-reference': (draw) => `/simulated/${digits(draw, 4)}`,
  ipv4: (draw) => `192.0.2.${draw.word() % 256}`,
  ipv6: (draw) => `2001:db8::${(draw.word() % 65_535).toString(16)}`,
  uuid(draw) {
    const [a, b, c, d] = [hex(draw), hex(draw), hex(draw), hex(draw)];
    return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-8${c.slice(1, 4)}-${c.slice(4)}${d}`;
  },
};
