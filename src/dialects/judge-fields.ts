/** Checks the small fields of params that have rules of their own. */
import { LETTER_T } from '../bytes/ascii.ts';
import { skip } from '../bytes/json.ts';
import { MODEL_LENGTH_MAX } from '../domain/limits.ts';
import * as value from './judge-values.ts';
import type { Check } from './judge-values.ts';
import { keysOf, locate } from './members.ts';

const metadataKeys = keysOf('user_id');
const unstorable = /[\p{Cc}\p{Cs}]/u;

export const model: Check = (judging, start, end) => {
  const name = value.textAt(judging.bytes, { start, end });
  if (name === null) return value.notAString;
  if (name === '') return ': String should have at least 1 character';
  if (name.length > MODEL_LENGTH_MAX) return `: String should have at most ${MODEL_LENGTH_MAX} characters`;
  // No such model exists, and not every catalog can store such a name.
  if (unstorable.test(name)) return ': String should not contain control characters';
  judging.model = name;
  return null;
};

export const maxTokens: Check = (judging, start, end) => {
  judging.maxTokens = value.integerAt(judging.bytes, start, end) ?? 0;
  return value.integer(judging, start, end);
};

export const stream: Check = (judging, start, end) => {
  judging.stream = judging.bytes[start] === LETTER_T;
  return value.boolean(judging, start, end);
};

export const stopSequences: Check = (judging, start) => {
  const { bytes } = judging;
  if (!value.isList(bytes, start)) return value.notAList;
  return value.each(judging, start, (from) => {
    judging.end = skip(bytes, from);
    const sequence = value.textAt(bytes, { start: from, end: judging.end });
    if (sequence === null) return value.notAString;
    return sequence.trim() === '' ? ': each stop sequence must contain non-whitespace' : null;
  });
};

export const metadata: Check = ({ bytes }, start) => {
  if (!value.isObject(bytes, start)) return value.notADictionary;
  const [userId] = locate(bytes, metadataKeys, { at: start }).found;
  return value.isGiven(bytes, userId) && !value.isString(bytes, userId.start) ? `.user_id${value.notAString}` : null;
};

export const notInBatch: Check = () => ': not supported in the Message Batches API';
export const notActive: Check = (judging, start, end) =>
  value.isText(judging.bytes, { start, end }, 'active') ? notInBatch(judging, start, end) : null;
