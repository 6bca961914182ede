/** Checks an upstream's answer and makes it ready for a result line, changing no byte but the named ones. */

import { noUsage, type Usage } from '../domain/tally.ts';
import { asBuffer, CARRIAGE_RETURN, LINE_FEED, OPEN_OBJECT, QUOTE, ZERO } from './ascii.ts';
import { JsonError, keyIs, members, parse, text, validateText, whitespace } from './json.ts';

export type Answer =
  | {
      readonly kind: 'message';
      /** The answer as one line without its end; the very bytes received when nothing had to change. */
      readonly line: Uint8Array;
      readonly usage: Usage;
      /** Empty when the answer names none. */
      readonly model: string;
      readonly stopReason: string | null;
    }
  | { readonly kind: 'garbage'; readonly reason: string };

/** A member that is missing starts at -1; of duplicate members the last one counts, as it does for JSON.parse. */
type Range = { start: number; end: number };

export function readAnswer(received: Uint8Array): Answer {
  const bytes = asBuffer(received);
  const fault = complaint(bytes);
  if (fault !== null) return { kind: 'garbage', reason: fault };

  const type = { start: -1, end: -1 };
  const model = { start: -1, end: -1 };
  const stopReason = { start: -1, end: -1 };
  const usage = { start: -1, end: -1 };
  members(bytes, 0, (keyStart, keyEnd, start, end) => {
    if (keyIs(bytes, keyStart, keyEnd, 'type')) mark(type, start, end);
    else if (keyIs(bytes, keyStart, keyEnd, 'model')) mark(model, start, end);
    else if (keyIs(bytes, keyStart, keyEnd, 'usage')) mark(usage, start, end);
    else if (keyIs(bytes, keyStart, keyEnd, 'stop_reason')) mark(stopReason, start, end);
  });
  if (!isString(bytes, type, 'message')) return { kind: 'garbage', reason: 'the answer is not of type message' };

  const read = readUsage(bytes, usage);
  return {
    kind: 'message',
    line: withoutLineEnds(withTier(bytes, usage, read.tier)),
    usage: read.usage,
    model: stringAt(bytes, model) ?? '',
    stopReason: stringAt(bytes, stopReason),
  };
}

function complaint(bytes: Buffer): string | null {
  try {
    validateText(bytes, 0, bytes.length);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    return `the answer is not valid JSON: ${error.message} (byte ${error.offset})`;
  }
  return bytes[whitespace(bytes, 0)] === OPEN_OBJECT ? null : 'the answer is not a JSON object';
}

function mark(range: Range, start: number, end: number): void {
  range.start = start;
  range.end = end;
}

/** Compares without decoding, because this runs for every answer. */
function isString(bytes: Buffer, range: Range, value: string): boolean {
  return range.start !== -1 && bytes[range.start] === QUOTE && keyIs(bytes, range.start + 1, range.end - 1, value);
}

function stringAt(bytes: Buffer, range: Range): string | null {
  return range.start !== -1 && bytes[range.start] === QUOTE ? text(bytes, range.start, range.end) : null;
}

function readUsage(bytes: Buffer, range: Range): { usage: Usage; tier: Range } {
  const tier = { start: -1, end: -1 };
  if (range.start === -1) return { usage: noUsage, tier };
  const usage = { ...noUsage };
  members(bytes, range.start, (keyStart, keyEnd, start, end) => {
    if (keyIs(bytes, keyStart, keyEnd, 'input_tokens')) usage.inputTokens = tokens(bytes, start, end);
    else if (keyIs(bytes, keyStart, keyEnd, 'output_tokens')) usage.outputTokens = tokens(bytes, start, end);
    else if (keyIs(bytes, keyStart, keyEnd, 'service_tier')) mark(tier, start, end);
    else if (keyIs(bytes, keyStart, keyEnd, 'cache_creation'))
      usage.cacheCreation1hInputTokens = hourTokens(bytes, start);
    else if (keyIs(bytes, keyStart, keyEnd, 'cache_read_input_tokens')) {
      usage.cacheReadInputTokens = tokens(bytes, start, end);
    } else if (keyIs(bytes, keyStart, keyEnd, 'cache_creation_input_tokens')) {
      usage.cacheCreationInputTokens = tokens(bytes, start, end);
    }
  });
  return { usage, tier };
}

function hourTokens(bytes: Buffer, at: number): number {
  let found = 0;
  members(bytes, at, (keyStart, keyEnd, start, end) => {
    if (keyIs(bytes, keyStart, keyEnd, 'ephemeral_1h_input_tokens')) found = tokens(bytes, start, end);
  });
  return found;
}

/** What is no count of tokens counts nothing: money must never become negative, fractional or unsafe by an upstream's mistake. */
function tokens(bytes: Buffer, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at += 1) {
    const digit = bytes[at] - ZERO;
    if (digit < 0 || digit > 9) return spelledTokens(bytes, start, end);
    value = value * 10 + digit;
  }
  return Number.isSafeInteger(value) ? value : 0;
}

/** 1e3 is a count, too; null, -1 and 1.5 are none. */
function spelledTokens(bytes: Buffer, start: number, end: number): number {
  const value = parse(bytes, start, end);
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

/** Says in the usage, if there is one, that the request was part of a batch. */
function withTier(bytes: Buffer, usage: Range, tier: Range): Buffer {
  if (usage.start === -1 || bytes[usage.start] !== OPEN_OBJECT) return bytes;
  if (isString(bytes, tier, 'batch')) return bytes;
  if (tier.start !== -1) return splice(bytes, tier, '"batch"');
  const close = usage.end - 1;
  const isEmpty = whitespace(bytes, usage.start + 1) === close;
  return splice(bytes, { start: close, end: close }, `${isEmpty ? '' : ','}"service_tier":"batch"`);
}

function splice(bytes: Buffer, range: Range, ascii: string): Buffer {
  const spliced = Buffer.allocUnsafe(bytes.length - (range.end - range.start) + ascii.length);
  bytes.copy(spliced, 0, 0, range.start);
  spliced.write(ascii, range.start, 'latin1');
  bytes.copy(spliced, range.start + ascii.length, range.end);
  return spliced;
}

/** Removes every CR and LF; in valid JSON they stand only between tokens, where they mean nothing. */
function withoutLineEnds(bytes: Buffer): Buffer {
  if (!bytes.includes(LINE_FEED) && !bytes.includes(CARRIAGE_RETURN)) return bytes;
  const kept = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  for (const byte of bytes) {
    if (byte !== LINE_FEED && byte !== CARRIAGE_RETURN) kept[length++] = byte;
  }
  return kept.subarray(0, length);
}
