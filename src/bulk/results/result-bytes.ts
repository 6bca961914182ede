/** Where the members of a checked result line lie, as bytes. */

/* oxlint-disable max-params -- members() shows a key and a value as four indexes, because objects would cost more than the reading. */
import { BACKSLASH, OPEN_OBJECT, QUOTE, ZERO } from '../../bytes/ascii.ts';
import { keyIs, members, parse, text } from '../../bytes/json.ts';
import { noUsage, type Usage } from '../../domain/tally.ts';

/** How the official API and ours begin a line; another order or spacing is read the long way. */
const usualStart = Buffer.from('{"custom_id":"');
const usualNext = Buffer.from('","result":{');

function membersOf(bytes: Buffer): { customId: string | null; result: number } {
  return usualMembers(bytes) ?? anyMembers(bytes);
}

/** Finds both without skipping over the result, which is nearly all of the line. */
function usualMembers(bytes: Buffer): { customId: string; result: number } | null {
  const start = usualStart.length;
  if (!standsAt(bytes, 0, usualStart)) return null;
  let end = start;
  while (end < bytes.length && bytes[end] !== QUOTE) {
    if (bytes[end] === BACKSLASH || bytes[end] >= 0x80) return null;
    end += 1;
  }
  if (!standsAt(bytes, end, usualNext)) return null;
  return { customId: bytes.toString('latin1', start, end), result: end + usualNext.length - 1 };
}

function standsAt(bytes: Buffer, at: number, expected: Buffer): boolean {
  if (at + expected.length > bytes.length) return false;
  for (let index = 0; index < expected.length; index += 1) if (bytes[at + index] !== expected[index]) return false;
  return true;
}

function anyMembers(bytes: Buffer): { customId: string | null; result: number } {
  let customId: string | null = null;
  let result = -1;
  members(bytes, 0, (keyStart, keyEnd, start, end) => {
    if (keyIs(bytes, keyStart, keyEnd, 'custom_id')) customId = stringAt(bytes, start, end);
    else if (keyIs(bytes, keyStart, keyEnd, 'result')) result = start;
  });
  return { customId, result };
}

export type Result = { readonly type: string; readonly message: number; readonly error: number };

const usualResult = Buffer.from('{"type":"succeeded","message":{');

export function resultOf(bytes: Buffer, at: number): Result {
  if (standsAt(bytes, at, usualResult)) {
    return { type: 'succeeded', message: at + usualResult.length - 1, error: -1 };
  }
  let type = '';
  let message = -1;
  let error = -1;
  members(bytes, at, (keyStart, keyEnd, start, end) => {
    if (keyIs(bytes, keyStart, keyEnd, 'type')) type = stringAt(bytes, start, end) ?? '';
    else if (keyIs(bytes, keyStart, keyEnd, 'message')) message = start;
    else if (keyIs(bytes, keyStart, keyEnd, 'error')) error = start;
  });
  return { type, message, error };
}

/** Where the result of a checked line begins; -1 when it has none. */
export function resultStart(bytes: Buffer): number {
  return membersOf(bytes).result;
}

export type Message = {
  readonly model: string | null;
  readonly stopReason: string | null;
  readonly usage: Usage | null;
  /** Where its content begins; -1 when it has none. */
  readonly content: number;
};

export function messageAt(bytes: Buffer, at: number): Message {
  let model: string | null = null;
  let stopReason: string | null = null;
  let usage: Usage | null = null;
  let content = -1;
  members(bytes, at, (keyStart, keyEnd, start, end) => {
    switch (keyEnd - keyStart) {
      case 5:
        if (keyIs(bytes, keyStart, keyEnd, 'model')) model = stringAt(bytes, start, end);
        else if (keyIs(bytes, keyStart, keyEnd, 'usage') && bytes[start] === OPEN_OBJECT) usage = usageAt(bytes, start);
        return;
      case 7:
        if (keyIs(bytes, keyStart, keyEnd, 'content')) content = start;
        return;
      case 11:
        if (keyIs(bytes, keyStart, keyEnd, 'stop_reason')) stopReason = stringAt(bytes, start, end);
    }
  });
  return { model, stopReason, usage, content };
}

function usageAt(bytes: Buffer, at: number): Usage {
  const usage = { ...noUsage };
  let creation = -1;
  members(bytes, at, (keyStart, keyEnd, start, end) => {
    // Names are told apart by their length first: this runs seven times a line.
    switch (keyEnd - keyStart) {
      case 12:
        if (keyIs(bytes, keyStart, keyEnd, 'input_tokens')) usage.inputTokens = tokens(bytes, start, end);
        return;
      case 13:
        if (keyIs(bytes, keyStart, keyEnd, 'output_tokens')) usage.outputTokens = tokens(bytes, start, end);
        return;
      case 14:
        if (keyIs(bytes, keyStart, keyEnd, 'cache_creation')) creation = start;
        return;
      case 23:
        if (keyIs(bytes, keyStart, keyEnd, 'cache_read_input_tokens'))
          usage.cacheReadInputTokens = tokens(bytes, start, end);
        return;
      case 27:
        if (keyIs(bytes, keyStart, keyEnd, 'cache_creation_input_tokens')) {
          usage.cacheCreationInputTokens = tokens(bytes, start, end);
        }
    }
  });
  if (creation >= 0 && usage.cacheCreationInputTokens > 0) {
    usage.cacheCreation1hInputTokens = hourTokens(bytes, creation);
  }
  return usage;
}

function hourTokens(bytes: Buffer, at: number): number {
  let found = 0;
  members(bytes, at, (keyStart, keyEnd, start, end) => {
    if (keyIs(bytes, keyStart, keyEnd, 'ephemeral_1h_input_tokens')) found = tokens(bytes, start, end);
  });
  return found;
}

/** What is no count counts nothing. */
function tokens(bytes: Buffer, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at += 1) {
    const digit = bytes[at] - ZERO;
    if (digit < 0 || digit > 9) return spelled(bytes, start, end);
    value = value * 10 + digit;
  }
  return Number.isSafeInteger(value) ? value : 0;
}

function spelled(bytes: Buffer, start: number, end: number): number {
  const value = parse(bytes, start, end);
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

function stringAt(bytes: Buffer, start: number, end: number): string | null {
  return bytes[start] === QUOTE ? text(bytes, start, end) : null;
}
