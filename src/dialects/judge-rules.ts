/** Rules beside the table: what a value means for the rest of the request, and what its members say only together. */
import { CLOSE_LIST, LETTER_T, OPEN_LIST } from '../bytes/ascii.ts';
import { whitespace } from '../bytes/json.ts';
import { IMAGE_BYTES_MAX } from '../domain/limits.ts';
import { decodedLength } from './base64.ts';
import * as value from './judge-values.ts';
import type { Check, Complaint, Judging } from './judge-values.ts';
import type { Range } from './members.ts';

/** A rule of objects asks once for the places of the members it needs, and then sees where their values lie. */
export type ObjectRule = (place: (name: string) => number) => (judging: Judging, found: readonly Range[]) => Complaint;

const unstorable = /[\p{Cc}\p{Cs}]/u;

/** What single values mean, by the name that the table gives. Their shape has been checked. */
export const valueRules: Readonly<Record<string, Check>> = {
  model: (judging, start, end) => {
    const name = value.textAt(judging.bytes, { start, end }) ?? '';
    // No such model exists, and not every catalog can store such a name.
    if (unstorable.test(name)) return ': String should not contain control characters';
    judging.model = name;
    return null;
  },
  'max tokens': (judging, start, end) => {
    judging.maxTokens = value.integerAt(judging.bytes, start, end) ?? 0;
    return null;
  },
  stream: (judging, start) => {
    judging.stream = judging.bytes[start] === LETTER_T;
    return null;
  },
  'thinking tokens': (judging, start, end) => {
    judging.thinkingTokens = value.integerAt(judging.bytes, start, end) ?? 0;
    return null;
  },
  'stop sequence': ({ bytes }, start, end) =>
    value.textAt(bytes, { start, end })?.trim() === '' ? ': each stop sequence must contain non-whitespace' : null,
};

export const objectRules: Readonly<Record<string, ObjectRule>> = {
  text: (place) => uncachedEmptyText(place('text'), place('cache_control')),

  'text of a user': (place) => {
    const citations = place('citations');
    const uncached = uncachedEmptyText(place('text'), place('cache_control'));
    return (judging, found) => {
      const { bytes, isNewest } = judging;
      const cites = isNewest && value.isGiven(bytes, found[citations]) && !isEmptyList(bytes, found[citations].start);
      return cites ? `.citations${value.extraInput}` : uncached(judging, found);
    };
  },

  'document of an assistant':
    () =>
    ({ isNewest }) =>
      isNewest ? ': document blocks are not permitted in assistant messages' : null,

  base64: (place) => {
    const data = place('data');
    return ({ bytes }, found) => (sizeOf(bytes, found[data]) === null ? ': invalid base64 data' : null);
  },

  'base64 image': (place) => {
    const data = place('data');
    return ({ bytes }, found) => {
      const size = sizeOf(bytes, found[data]);
      if (size === null) return ': invalid base64 data';
      if (size === 0) return ': image cannot be empty';
      if (size <= IMAGE_BYTES_MAX) return null;
      return `: image exceeds ${IMAGE_BYTES_MAX / 1024 / 1024} MB maximum: ${size} bytes > ${IMAGE_BYTES_MAX} bytes`;
    };
  },

  lifetime: (place) => {
    const ttl = place('ttl');
    return (judging, found) => {
      judging.isHour = value.isText(judging.bytes, found[ttl], '1h');
      return null;
    };
  },

  'named tool': (place) => {
    const name = place('name');
    return (judging, found) => {
      judging.toolName = value.textAt(judging.bytes, found[name]);
      return null;
    };
  },

  'tool pair': () => (judging) => {
    judging.hasToolPairs = true;
    return null;
  },

  'thinking by hand': () => (judging) => {
    judging.thinksByHand = true;
    return null;
  },

  'forced tool': () => (judging) => {
    judging.forcesTool = true;
    return null;
  },

  'chosen tool': (place) => {
    const name = place('name');
    return (judging, found) => {
      judging.forcesTool = true;
      judging.toolChosen = value.textAt(judging.bytes, found[name]);
      return null;
    };
  },
};

function uncachedEmptyText(text: number, cache: number): (judging: Judging, found: readonly Range[]) => Complaint {
  return ({ bytes }, found) => {
    const isEmpty = found[text].end - found[text].start === 2;
    if (!isEmpty || !value.isGiven(bytes, found[cache])) return null;
    return ': cache_control cannot be set for empty text blocks';
  };
}

function sizeOf(bytes: Buffer, { start, end }: Range): number | null {
  return decodedLength(bytes, start, end);
}

function isEmptyList(bytes: Buffer, at: number): boolean {
  return bytes[at] === OPEN_LIST && bytes[whitespace(bytes, at + 1)] === CLOSE_LIST;
}
