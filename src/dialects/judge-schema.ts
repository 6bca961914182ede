/** Reads bytes by the table of params: makes of each description, once, the check that looks at values in place. */
import { QUOTE } from '../bytes/ascii.ts';
import { keyIs, skip, whitespace } from '../bytes/json.ts';
import { judgeJsonSchema } from './judge-json-schema.ts';
import { objectRules, valueRules } from './judge-rules.ts';
import * as value from './judge-values.ts';
import type { Check, Complaint, Judging, Walk } from './judge-values.ts';
import { keysOf, locate, placeOf, type Keys, type Range } from './members.ts';
import { cached } from './schema/blocks.ts';
import type { Member, ObjectSchema, Schema, TaggedSchema } from './schema/kinds.ts';

/** `check` looks at a value whose end is known; `walk` finds the end, too, and leaves it in `judging.end`. */
export type Compiled = { readonly check: Check; readonly walk: Walk };

/** A schema that stands in several places is compiled once. */
const compiled = new Map<Schema, Compiled>();

export function compile(schema: Schema): Compiled {
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  const made = make(schema);
  compiled.set(schema, made);
  return made;
}

function make(schema: Schema): Compiled {
  switch (schema.kind) {
    case 'any':
      return scalar(() => null);
    case 'never':
      return scalar(() => value.extraInput);
    case 'string':
      return scalar(withRule(value.stringFrom(schema), schema.rule));
    case 'integer':
      return scalar(withRule(value.integerFrom(schema), schema.rule));
    case 'number':
      return scalar(value.numberFrom(schema));
    case 'boolean':
      return scalar(withRule(value.boolean, schema.rule));
    case 'choice':
      return scalar(value.oneOf(...schema.of));
    case 'json schema':
      return scalar(({ bytes }, start) => judgeJsonSchema(bytes, start, schema.ofObject));
    case 'object':
      return walker(objectWalk(schema));
    case 'tagged':
      return walker(taggedWalk(schema));
    case 'list': {
      const { walk } = compile(schema.of);
      return walker((judging, start) => {
        if (!value.isList(judging.bytes, start)) return value.notAList;
        return value.each(judging, start, (from) => walk(judging, from));
      });
    }
    case 'either':
      return oneOfShapes(schema.of);
  }
}

function scalar(check: Check): Compiled {
  const walk: Walk = (judging, start) => {
    const end = skip(judging.bytes, start);
    const complaint = check(judging, start, end);
    judging.end = end;
    return complaint;
  };
  return { check, walk };
}

function walker(walk: Walk): Compiled {
  return { check: walk, walk };
}

function withRule(check: Check, name: string | undefined): Check {
  if (name === undefined) return check;
  const rule = valueRules[name];
  return (judging, start, end) => check(judging, start, end) ?? rule(judging, start, end);
}

const shapes = [
  ['string', 'string', value.isString],
  ['list', 'list', value.isList],
  ['object', 'dictionary', value.isObject],
] as const;

function oneOfShapes(schemas: readonly Schema[]): Compiled {
  const options = shapes.flatMap(([kind, name, is]) => {
    const found = schemas.find((schema) => schema.kind === kind);
    return found === undefined ? [] : [{ name, is, compiled: compile(found) }];
  });
  const complaint = `: Input should be a valid ${options.map(({ name }) => name).join(' or ')}`;
  const find = (bytes: Buffer, start: number): Compiled | undefined =>
    options.find(({ is }) => is(bytes, start))?.compiled;
  return {
    check: (judging, start, end) => {
      const option = find(judging.bytes, start);
      return option === undefined ? complaint : option.check(judging, start, end);
    },
    walk: (judging, start) => {
      const option = find(judging.bytes, start);
      return option === undefined ? complaint : option.walk(judging, start);
    },
  };
}

type Members = { readonly keys: Keys; readonly judge: (judging: Judging, located: Located) => Complaint };
type Located = ReturnType<typeof locate>;

function objectWalk(schema: ObjectSchema): Walk {
  const { keys, judge } = membersOf(schema, []);
  return (judging, start) => {
    if (!value.isObject(judging.bytes, start)) return value.notADictionary;
    const located = locate(judging.bytes, keys, { at: start });
    const complaint = judge(judging, located);
    judging.end = located.end;
    return complaint;
  };
}

/** `before` are names that the caller looks for itself; they come first. */
function membersOf(schema: ObjectSchema, before: readonly string[]): Members {
  const names = Object.keys(schema.members);
  const keys = keysOf(...before, ...names);
  const checks = names.map((name) => memberCheck(schema.members[name]));
  const isRequired = names.map((name) => schema.members[name].required);
  const rule = schema.rule === undefined ? null : objectRules[schema.rule]((name) => keys.names.indexOf(name));
  const cachePlace = keys.names.indexOf('cache_control');

  const judge = (judging: Judging, { found, unknown, end }: Located): Complaint => {
    for (let index = 0; index < names.length; index += 1) {
      const range = found[before.length + index];
      const isMissing = range.start === -1 && !isRequired[index];
      const complaint = isMissing ? null : checks[index](judging, range);
      if (complaint !== null) return `.${names[index]}${complaint}`;
    }
    const complaint = rule === null ? null : rule(judging, found);
    if (complaint !== null) return complaint;
    if (judging.strict && schema.open !== true && unknown.start !== -1) return extraMember(judging, unknown);
    // The blocks inside come before, so that marks ascend.
    if (cachePlace !== -1 && value.isGiven(judging.bytes, found[cachePlace])) mark(judging, end);
    return null;
  };
  return { keys, judge };
}

export function extraMember({ bytes }: Judging, key: Range): string {
  return `.${value.quoted(value.textAt(bytes, key) ?? '')}${value.extraInput}`;
}

function mark(judging: Judging, end: number): void {
  judging.marks.push(end);
  if (judging.isHour) judging.hourMarks.push(end);
}

/** Null says the same as nothing, where nothing is required. */
export function memberCheck(member: Member): (judging: Judging, range: Range) => Complaint {
  const { check } = compile(member.schema);
  const { required, until, beta, inBatch, onlyForAnswers } = member;
  const isPlain = until === undefined && beta === undefined && inBatch === undefined && onlyForAnswers === undefined;
  if (isPlain) {
    return (judging, range) => {
      if (range.start === -1) return required ? value.fieldRequired : null;
      return !required && !value.isGiven(judging.bytes, range) ? null : check(judging, range.start, range.end);
    };
  }
  return (judging, range) => {
    const { bytes, use } = judging;
    const isNeeded = required && !(onlyForAnswers === true && use === 'count');
    if (range.start === -1) return isNeeded ? value.fieldRequired : null;
    if (until !== undefined && judging.isNewest) return value.extraInput;
    if (judging.strict && isUnknown(judging, member)) return value.extraInput;
    if (!isNeeded && !value.isGiven(bytes, range)) return null;
    if (use === 'batch' && inBatch !== undefined && isRefused(bytes, range, inBatch)) {
      return ': not supported in the Message Batches API';
    }
    return check(judging, range.start, range.end);
  };
}

/** Without its beta, and where only tokens are counted, the API knows some fields as little as a misspelled one. */
function isUnknown({ betas, use }: Judging, { beta, onlyForAnswers }: Member): boolean {
  if (onlyForAnswers === true && use === 'count') return true;
  return beta !== undefined && !betas.some((name) => name.startsWith(beta));
}

function isRefused(bytes: Buffer, range: Range, how: NonNullable<Member['inBatch']>): boolean {
  return how === 'refused' || value.isText(bytes, range, 'active');
}

/** An object of a type that is not listed travels on unread, but for its place in the cache. */
const unlisted = membersOf({ kind: 'object', members: cached, open: true }, ['type']);

const typeKeyLength = '"type"'.length;
const typeKeys = keysOf('type');

function taggedWalk(schema: TaggedSchema): Walk {
  const tags = Object.keys(schema.variants);
  const tagKeys = keysOf(...tags);
  const variants = tags.map((tag) => membersOf(schema.variants[tag], ['type']));
  const untyped = schema.untyped === undefined ? null : variants[tags.indexOf(schema.untyped)];
  const expected = tags.map((tag) => `'${tag}'`).join(', ');

  const variantOf = (bytes: Buffer, type: Range): Members => {
    if (!value.isGiven(bytes, type)) return untyped ?? unlisted;
    const place = value.isString(bytes, type.start) ? placeOf(bytes, type, tagKeys) : -1;
    return place === -1 ? unlisted : variants[place];
  };
  const tagFault = (judging: Judging, type: Range): Complaint => {
    const tag = value.textAt(judging.bytes, type);
    if (tag === null) return type.start === -1 ? `.type${value.fieldRequired}` : `.type${value.notAString}`;
    const misplaced = schema.misplaced?.[tag];
    if (misplaced !== undefined) return misplaced;
    if (schema.closed !== true && !judging.strict) return null;
    return `: Input tag '${value.quoted(tag)}' found using 'type' does not match any of the expected tags: ${expected}`;
  };

  return (judging, start) => {
    const { bytes } = judging;
    if (!value.isObject(bytes, start)) return value.notADictionary;
    const guess = firstMember(bytes, start);
    let variant = variantOf(bytes, guess);
    let located = locate(bytes, variant.keys, { at: start });
    const [type] = located.found;
    if (type.start !== guess.start) {
      variant = variantOf(bytes, type);
      located = locate(bytes, variant.keys, { at: start });
    }
    const fault = variant === unlisted ? tagFault(judging, type) : null;
    if (fault !== null) return fault;
    const complaint = variant.judge(judging, located);
    judging.end = located.end;
    if (complaint === null) return null;
    // Errors name an object by its place and its type: messages.0.content.0.text.cache_control.
    return `.${value.quoted(value.textAt(bytes, type) ?? schema.untyped ?? '')}${complaint}`;
  };
}

/** Where the value of `type` lies when it comes first, as it nearly always does: then an object is walked once. */
function firstMember(bytes: Buffer, at: number): Range {
  const key = whitespace(bytes, at + 1);
  const after = key + typeKeyLength;
  if (bytes[after - 1] !== QUOTE || !keyIs(bytes, key + 1, after - 1, 'type')) {
    return locate(bytes, typeKeys, { at }).found[0];
  }
  const start = whitespace(bytes, whitespace(bytes, after) + 1);
  return { start, end: skip(bytes, start) };
}
