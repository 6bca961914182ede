/** Looks whether a JSON Schema is one: the keywords that have a shape have it, down to every schema inside. */
import { CLOSE_LIST, COMMA } from '../bytes/ascii.ts';
import { skip, whitespace } from '../bytes/json.ts';
import * as value from './judge-values.ts';
import type { Complaint } from './judge-values.ts';
import { keysOf, locate, placeOf, walkMembers } from './members.ts';

const invalid =
  ': JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12).';

const typeKeys = keysOf('type');

/** `ofObject`: arguments of tools are objects, so their schema must say so. */
export function judgeJsonSchema(bytes: Buffer, start: number, ofObject: boolean): Complaint {
  if (!value.isObject(bytes, start)) return value.notADictionary;
  if (ofObject) {
    const [type] = locate(bytes, typeKeys, { at: start }).found;
    if (type.start === -1) return `.type${value.fieldRequired}`;
    if (!value.isText(bytes, type, 'object')) return `.type: Input should be 'object'`;
  }
  return afterSchema(bytes, start) === -1 ? invalid : null;
}

/** Each walks a value of its shape and returns the index after it, or -1 when it has another shape. */
type After = (bytes: Buffer, at: number) => number;

const typeNames = keysOf('string', 'number', 'integer', 'boolean', 'object', 'array', 'null');

const listOf =
  (after: After): After =>
  (bytes, at) =>
    afterList(bytes, at, after);

const shapes: readonly (readonly [names: string, after: After])[] = [
  ['properties patternProperties $defs definitions dependentSchemas', afterNamedSchemas],
  ['items contains additionalProperties propertyNames not if then else', afterSchema],
  ['unevaluatedItems unevaluatedProperties', afterSchema],
  ['allOf anyOf oneOf prefixItems', listOf(afterSchema)],
  ['required', listOf(afterText)],
  ['enum', listOf(skip)],
  ['type', afterTypes],
  ['$ref $id $schema $anchor pattern format title description', afterText],
  ['minimum maximum exclusiveMinimum exclusiveMaximum multipleOf', afterNumber],
  ['minLength maxLength minItems maxItems minProperties maxProperties', afterCount],
];
const keywords = shapes.flatMap(([names, after]) => names.split(' ').map((name) => ({ name, after })));
const keywordKeys = keysOf(...keywords.map(({ name }) => name));

/** A schema is an object, or true for everything, or false for nothing. */
function afterSchema(bytes: Buffer, at: number): number {
  if (value.isBoolean(bytes, at)) return skip(bytes, at);
  if (!value.isObject(bytes, at)) return -1;
  return walkMembers(bytes, at, (keyStart, keyEnd, start) => {
    const place = placeOf(bytes, { start: keyStart - 1, end: keyEnd + 1 }, keywordKeys);
    return place === -1 ? skip(bytes, start) : keywords[place].after(bytes, start);
  });
}

function afterNamedSchemas(bytes: Buffer, at: number): number {
  if (!value.isObject(bytes, at)) return -1;
  return walkMembers(bytes, at, (_keyStart, _keyEnd, start) => afterSchema(bytes, start));
}

function afterTypes(bytes: Buffer, at: number): number {
  return value.isList(bytes, at) ? afterList(bytes, at, afterTypeName) : afterTypeName(bytes, at);
}

function afterTypeName(bytes: Buffer, at: number): number {
  const end = skip(bytes, at);
  return value.isString(bytes, at) && placeOf(bytes, { start: at, end }, typeNames) !== -1 ? end : -1;
}

function afterText(bytes: Buffer, at: number): number {
  return value.isString(bytes, at) ? skip(bytes, at) : -1;
}

function afterNumber(bytes: Buffer, at: number): number {
  return value.isNumber(bytes, at) ? skip(bytes, at) : -1;
}

function afterCount(bytes: Buffer, at: number): number {
  const end = skip(bytes, at);
  return (value.integerAt(bytes, at, end) ?? -1) < 0 ? -1 : end;
}

function afterList(bytes: Buffer, at: number, after: After): number {
  if (!value.isList(bytes, at)) return -1;
  let next = whitespace(bytes, at + 1);
  while (bytes[next] !== CLOSE_LIST) {
    const end = after(bytes, next);
    if (end === -1) return -1;
    next = whitespace(bytes, end);
    if (bytes[next] === COMMA) next = whitespace(bytes, next + 1);
  }
  return next + 1;
}
