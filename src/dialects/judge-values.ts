/** What every check of params is made of: complaints, and the checks of single values. */
import { CLOSE_LIST, COMMA, LETTER_F, LETTER_N, LETTER_T, OPEN_LIST, OPEN_OBJECT, QUOTE } from '../bytes/ascii.ts';
import { keyIs, parse, text, whitespace } from '../bytes/json.ts';
import { QUOTED_LENGTH_MAX } from '../domain/limits.ts';
import type { Use } from './dialect.ts';
import type { Range } from './members.ts';

/** The end of an error's message, beginning with the rest of its path: `.0.role: Field required`. Null is no complaint. */
export type Complaint = string | null;

/** What is known while one request is judged. The checks gather here what the rules about several fields need. */
export type Judging = {
  readonly bytes: Buffer;
  /** Whether the batch was created under version 2026-10-21 or a later one. */
  readonly isNewest: boolean;
  readonly use: Use;
  readonly strict: boolean;
  readonly betas: readonly string[];
  /** Where blocks marked with `cache_control` end. */
  readonly marks: number[];
  /** Where the content of the last message begins: `cache_control` beside `messages` marks its last block. */
  lastContent: number;
  /** What walks a value leaves the index after it here, unless it complains: so that every byte is walked once. */
  end: number;
  /** How long `cache_control` beside `messages` marks the last block for, if it is there. */
  automaticMark: '5m' | '1h' | null;
  messages: number;
  model: string;
  maxTokens: number;
  stream: boolean;
  thinkingTokens: number;
  /** Whether thinking has a budget of its own, which no forced tool may cut short. */
  thinksByHand: boolean;
  /** Whether a tool must be called. */
  forcesTool: boolean;
  /** Whether there are tools called, or answers of theirs, that must belong together. */
  hasToolPairs: boolean;
  /** Whether the `cache_control` read last is for an hour, and where blocks end that are marked so. */
  isHour: boolean;
  readonly hourMarks: number[];
  /** The name of the tool judged last. */
  toolName: string | null;
  /** The tools by name, or null when there may be tools that the request does not name. */
  toolNames: ReadonlySet<string> | null;
  toolChosen: string | null;
};

/** A check of the value from `start` to `end`. */
export type Check = (judging: Judging, start: number, end: number) => Complaint;
/** A check that walks a large value itself. */
export type Walk = (judging: Judging, start: number) => Complaint;

export const fieldRequired = ': Field required';
export const notADictionary = ': Input should be a valid dictionary';
export const notAList = ': Input should be a valid list';
export const notAString = ': Input should be a valid string';
export const extraInput = ': Extra inputs are not permitted';
const notAnInteger = ': Input should be a valid integer';

export function stringFrom({ min, max, pattern }: { min?: number; max?: number; pattern?: RegExp }): Check {
  if (min === undefined && max === undefined && pattern === undefined) return string;
  return ({ bytes }, start, end) => {
    const given = textAt(bytes, { start, end });
    if (given === null) return notAString;
    if (min !== undefined && given.length < min) {
      return `: String should have at least ${min} character${min === 1 ? '' : 's'}`;
    }
    // Characters are counted as code points; one this long is not worth counting exactly.
    if (max !== undefined && given.length > max && (given.length > 2 * max || Array.from(given).length > max)) {
      return `: String should have at most ${max} characters`;
    }
    return pattern === undefined || pattern.test(given) ? null : `: String should match pattern '${pattern.source}'`;
  };
}

const string: Check = ({ bytes }, start) => (isString(bytes, start) ? null : notAString);

export const boolean: Check = ({ bytes }, start) =>
  isBoolean(bytes, start) ? null : ': Input should be a valid boolean';

export function numberFrom({ min, max }: { min: number; max: number }): Check {
  return ({ bytes }, start, end) => {
    if (!isNumber(bytes, start)) return ': Input should be a valid number';
    const given = parse(bytes, start, end) as number;
    if (given < min) return `: Input should be greater than or equal to ${min}`;
    return given > max ? `: Input should be less than or equal to ${max}` : null;
  };
}

export function integerFrom({ min = -Infinity }: { min?: number }): Check {
  return ({ bytes }, start, end) => {
    const given = integerAt(bytes, start, end);
    if (given === null) return notAnInteger;
    return given < min ? `: Input should be greater than or equal to ${min}` : null;
  };
}

export function oneOf(...values: readonly string[]): Check {
  const quoted = values.map((value) => `'${value}'`);
  const complaint = `: Input should be ${[quoted.slice(0, -1).join(', '), ...quoted.slice(-1)].filter(Boolean).join(' or ')}`;
  return ({ bytes }, start, end) => (values.some((value) => isText(bytes, { start, end }, value)) ? null : complaint);
}

/** The first complaint about an element of the list at `at`, with its place in the path. The check walks the element. */
export function each(judging: Judging, at: number, check: (start: number) => Complaint): Complaint {
  const { bytes } = judging;
  let next = whitespace(bytes, at + 1);
  for (let index = 0; bytes[next] !== CLOSE_LIST; index += 1) {
    const complaint = check(next);
    if (complaint !== null) return `.${index}${complaint}`;
    next = whitespace(bytes, judging.end);
    if (bytes[next] === COMMA) next = whitespace(bytes, next + 1);
  }
  judging.end = next + 1;
  return null;
}

/** Whether there is a value: null says the same as nothing. */
export function isGiven(bytes: Buffer, { start }: Range): boolean {
  return start !== -1 && bytes[start] !== LETTER_N;
}

/** Whether the value is this very string, by its bytes. */
export function isText(bytes: Buffer, { start, end }: Range, value: string): boolean {
  return start !== -1 && bytes[start] === QUOTE && keyIs(bytes, start + 1, end - 1, value);
}

/** The string, or null when there is none or something else. */
export function textAt(bytes: Buffer, { start, end }: Range): string | null {
  return start !== -1 && bytes[start] === QUOTE ? text(bytes, start, end) : null;
}

/** What a caller wrote, short enough to be put into an error. */
export function quoted(written: string): string {
  return written.slice(0, QUOTED_LENGTH_MAX);
}

export function integerAt(bytes: Buffer, start: number, end: number): number | null {
  if (!isNumber(bytes, start)) return null;
  const value = parse(bytes, start, end) as number;
  return Number.isSafeInteger(value) ? value : null;
}

export function isString(bytes: Buffer, at: number): boolean {
  return bytes[at] === QUOTE;
}

export function isList(bytes: Buffer, at: number): boolean {
  return bytes[at] === OPEN_LIST;
}

export function isObject(bytes: Buffer, at: number): boolean {
  return bytes[at] === OPEN_OBJECT;
}

export function isBoolean(bytes: Buffer, at: number): boolean {
  return bytes[at] === LETTER_T || bytes[at] === LETTER_F;
}

/** A value that is nothing else is a number: the text has passed the check of its grammar. */
export function isNumber(bytes: Buffer, at: number): boolean {
  return (
    !isString(bytes, at) &&
    !isList(bytes, at) &&
    !isObject(bytes, at) &&
    !isBoolean(bytes, at) &&
    bytes[at] !== LETTER_N
  );
}
